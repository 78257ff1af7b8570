"""Drawn scenes whose evidence is small: three signs, each with a dot; asked is the dot's colour on one of them.

The signs' and the dots' colours are independent, so that the question is needed and guessing is right in a quarter of
the cases. In half the scenes the dots are large enough to be told apart in an overview of 32 x 32 pixels, in the other
half they are not: there, only a crop at the original's resolution shows them.

A scene depends on its split and number alone, and the splits have random streams of their own: no scene is in two.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image, ImageDraw

from hart_agent.vision.geometry import Box

Rgb = tuple[int, int, int]

SIDE = 512
"""Pixels of an image, along each side."""
SIGN_SIDES = (110, 150)
"""Pixels, least and most."""
DOTS = {"legible": 56, "hidden": 14}
"""Diameter in pixels of the dots that an overview shows, and of those that it doesn't."""
SIGN_COLOURS: dict[str, Rgb] = {"red": (200, 40, 40), "green": (40, 150, 60), "blue": (50, 70, 200)}
DOT_COLOURS: dict[str, Rgb] = {
    "white": (245, 245, 245), "black": (15, 15, 15), "yellow": (245, 220, 30), "cyan": (40, 225, 230)
}  # fmt: skip
QUESTION = "What colour is the dot on the {} sign?"
ANSWER = "{} sign: {}"
"""It names the sign again, so that the token before the dot's colour says of which sign it is: a model of this size
learns many times faster then. Guessing is no easier for it, for the question tells the sign."""
_GAP = 8
_SHADE = 15
_CLUTTER = 10


class Split(StrEnum):
    """What a scene is for."""

    COLD_START = "cold-start"
    """Supervised, before anything is learnt from answers."""
    TRAIN = "train"
    """Reinforcement learning and supervised fine-tuning."""
    VALIDATION = "validation"
    """Choosing checkpoints and settings."""
    TEST = "test"
    """Reporting."""


@dataclass(frozen=True)
class Sign:
    """A sign with a dot at its centre.

    Attributes:
        colour: its name.
        dot: the name of its dot's colour.
        box: in original pixels.
    """

    colour: str
    dot: str
    box: Box

    @property
    def question(self) -> str:
        return QUESTION.format(self.colour)

    @property
    def answer(self) -> str:
        return ANSWER.format(self.colour, self.dot)


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, and the question about it.

    Attributes:
        id: names the split and the number.
        image: RGB, `SIDE` x `SIDE` pixels.
        signs: one of each colour, none on another.
        asked: the sign that the question is about; the evidence is all of it.
        dots: a key of `DOTS`.
    """

    id: str
    image: Image.Image
    signs: tuple[Sign, ...]
    asked: Sign
    dots: str

    def record(self, image: str) -> dict[str, object]:
        """The question as `hart-agent eval jsonl` and training read it.

        Args:
            image: path of the image from the folder of the file.
        """
        return {
            "id": self.id,
            "image": image,
            "question": self.asked.question,
            "answer": self.asked.answer,
            "type": "text",
            "boxes": [list(self.asked.box.as_tuple())],
            "category": self.dots,
        }


def draw_scene(split: Split, number: int) -> Scene:
    """Draw a scene; the same arguments give the same pixels."""
    rng = random.Random(f"{split.value}/{number}")
    grey = rng.randint(110, 150)
    image = Image.new("RGB", (SIDE, SIDE), _shaded(rng, (grey, grey, grey)))
    draw = ImageDraw.Draw(image)
    for _ in range(_CLUTTER):
        level = grey + rng.randint(-25, 25)
        draw.rectangle(_place(rng, 20, 120).as_tuple(), fill=(level, level, level))
    dots = rng.choice(sorted(DOTS))
    radius = DOTS[dots] / 2
    colours = rng.sample(sorted(SIGN_COLOURS), len(SIGN_COLOURS))
    signs = tuple(
        Sign(colour, rng.choice(sorted(DOT_COLOURS)), box)
        for colour, box in zip(colours, _boxes(rng, len(colours)), strict=True)
    )
    for sign in signs:
        x0, y0, x1, y1 = sign.box.as_tuple()
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=_shaded(rng, SIGN_COLOURS[sign.colour]))
        x, y = (x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_shaded(rng, DOT_COLOURS[sign.dot]))
    return Scene(f"{split.value}-{number}", image, signs, rng.choice(signs), dots)


def write_jsonl(folder: Path, split: Split, numbers: Iterable[int], name: str = "questions.jsonl") -> Path:
    """Write scenes as PNG files, and their questions as `hart-agent eval jsonl` and training read them.

    Args:
        folder: made if it isn't there.
        split: of the scenes.
        numbers: of the scenes.
        name: of the file of the questions.

    Returns:
        The file of the questions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with path.open("w", encoding="utf-8") as file:
        for number in numbers:
            scene = draw_scene(split, number)
            picture = f"{scene.id}.png"
            scene.image.save(folder / picture, compress_level=1)
            file.write(json.dumps(scene.record(picture)) + "\n")
    return path


def _boxes(rng: random.Random, count: int) -> list[Box]:
    """Places for signs, none near another."""
    while True:  # three fit nearly always
        boxes = [_place(rng, *SIGN_SIDES) for _ in range(count)]
        spread = [box.grown(box.width + 2 * _GAP, box.height + 2 * _GAP, Box(0, 0, SIDE, SIDE).size) for box in boxes]
        if all(one.overlap(other) == 0 for index, one in enumerate(spread) for other in spread[:index]):
            return boxes


def _place(rng: random.Random, least: int, most: int) -> Box:
    width, height = rng.randint(least, most), rng.randint(least, most)
    x, y = rng.randint(0, SIDE - width), rng.randint(0, SIDE - height)
    return Box(x, y, x + width, y + height)


def _shaded(rng: random.Random, colour: Rgb) -> Rgb:
    red, green, blue = (min(max(level + rng.randint(-_SHADE, _SHADE), 0), 255) for level in colour)
    return red, green, blue
