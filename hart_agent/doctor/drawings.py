"""The images that a model is examined on, and how the boxes in its replies are read."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from hart_agent.vision.budget import ViewBudget
from hart_agent.vision.geometry import Frame, Rect, Size
from hart_agent.vision.source import View

_GROUND, _TARGET = (205, 205, 205), (220, 0, 0)
_PLACES = (
    (Size(1344, 448), 0.80, 0.25),
    (Size(448, 1344), 0.25, 0.80),
    (Size(1568, 672), 0.78, 0.40),
    (Size(672, 1568), 0.35, 0.85),
    (Size(560, 420), 0.85, 0.50),
    (Size(420, 560), 0.20, 0.70),
)
"""View sizes in pixels, and the target's centre in fractions of them. No side is near 1000, no view is square, no
target is on the diagonal or in the middle, and no one box fits half of them."""
SCENES = len(_PLACES)
_TARGET_SIDE = 0.16
"""Fraction of a view's side."""
_TILE = 256
"""Pixels: the side of the noise that an image is filled with."""

_NUMBER = r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w%])"
_BOX = re.compile(_NUMBER + r"(?:[\s,;:()\[\]]+" + _NUMBER + r"){3}")


@dataclass(frozen=True)
class Scene:
    """A view with one red rectangle on grey.

    Attributes:
        view: the image.
        target: where the rectangle is, in pixels of the view.
    """

    view: View
    target: Rect


def scenes(budget: ViewBudget) -> list[Scene]:
    """The scenes that tell one coordinate space from another, in sizes that the policy takes as they are."""
    return [_scene(budget.fit(size), x, y) for size, x, y in _PLACES]


def small_views(count: int, budget: ViewBudget) -> list[View]:
    """That many different images, as small as they may be without being enlarged by most processors."""
    size = budget.fit(Size(112, 112))
    shades = [(40 + 200 * index // count, 90, 160) for index in range(count)]
    return [_view(Image.new("RGB", (size.width, size.height), shade)) for shade in shades]


def noisy_view(budget: ViewBudget) -> View:
    """An image of the budget's full area, as hard to compress as a detailed photo."""
    side = math.isqrt(budget.max_pixels)
    size = budget.fit(Size(side * 8 // 6, side))
    tile = Image.effect_noise((_TILE, _TILE), 40).convert("RGB")  # too large for a codec to notice that it comes again
    image = Image.new("RGB", (size.width, size.height))
    for left, top in itertools.product(range(0, size.width, _TILE), range(0, size.height, _TILE)):
        image.paste(tile, (left, top))
    return _view(image)


def written_view(word: str) -> View:
    """An image of a word, black on white."""
    font = ImageFont.load_default(size=90)
    image = Image.new("RGB", (160 + round(font.getlength(word)), 300), "white")
    ImageDraw.Draw(image).text((80, 90), word, "black", font)
    return _view(image)


def read_box(text: str) -> Rect | None:
    """The box in a reply: the last four numbers in a row, or the only four numbers of the whole text.

    Reads JSON lists, `<box>[[...]]</box>`, `(x0,y0),(x1,y1)` and objects with named corners.
    """
    runs = [match[0] for match in _BOX.finditer(text)]
    numbers = [float(number) for number in re.findall(_NUMBER, runs[-1] if runs else text)]
    if len(numbers) != 4:
        return None
    a, b, c, d = numbers
    return a, b, c, d


def _scene(size: Size, x: float, y: float) -> Scene:
    width, height = size.width, size.height
    x0, y0 = round((x - _TARGET_SIDE / 2) * width), round((y - _TARGET_SIDE / 2) * height)
    x1, y1 = x0 + round(_TARGET_SIDE * width), y0 + round(_TARGET_SIDE * height)
    image = Image.new("RGB", (width, height), _GROUND)
    image.paste(_TARGET, (x0, y0, x1, y1))
    return Scene(_view(image), (x0, y0, x1, y1))


def _view(image: Image.Image) -> View:
    size = Size(*image.size)
    return View("overview", "overview", image, Frame(size.box, size))
