"""Draws sign boards with known text onto photos: example images and benchmark scenes.

A scene depends on the arguments of `draw_scene` and on nothing else: the font is the one that
Pillow ships, and every choice comes from a seeded `random.Random`. Letter height always means the
measured height of the capital H in pixels of the scene, not a font size.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from PIL.ImageFilter import GaussianBlur
from scene_questions import Question, Sign, ask
from scene_texts import BOARDS, KINDS, REPEATABLE, SPLITS, Box, Rgb, SignText, Split, Vocabulary, compose_sign
from street import draw_street

BACKGROUNDS = Path(__file__).parents[1] / "images" / "backgrounds"
STREET = "street"  # a background that is drawn
HELD_OUT_FROM = SPLITS[-1]  # seeds from here on use the words and phrasings that are held out
INKS: tuple[Rgb, ...] = (
    (250, 250, 246),
    (18, 18, 22),
    (16, 40, 110),
    (140, 18, 24),
    (250, 222, 90),
)


@dataclass(frozen=True)
class Scene:
    """An image with signs, and questions about it."""

    image: Image.Image
    signs: tuple[Sign, ...]
    questions: tuple[Question, ...]
    seed: int


def contrast(a: Rgb, b: Rgb) -> float:
    """Returns the WCAG contrast ratio of two colours."""

    def luminance(rgb: Rgb) -> float:
        parts = [v / 3294.6 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


@functools.lru_cache(maxsize=1)
def load_background(name: str, size: tuple[int, int]) -> Image.Image:
    """Loads a background photo, cropped and resized to ``size``, or draws `STREET`; copy it before drawing."""
    if name == STREET:
        return draw_street(size)
    with Image.open(BACKGROUNDS / name) as photo:
        rgb = photo.convert("RGB")
    return rgb if rgb.size == size else ImageOps.fit(rgb, size, Image.Resampling.BICUBIC)


def background_names() -> list[str]:
    """Lists the background photos."""
    return sorted(path.name for path in BACKGROUNDS.glob("*.jpg"))


def ink_mask(text: str, letter_px: int, bold: float, spacing: float) -> Image.Image:
    """Draws one line of text as a coverage mask, anti-aliased and unhinted.

    Args:
        text: The line.
        letter_px: Height of its capital letters.
        bold: Stroke added round the letters, as a share of ``letter_px``.
        spacing: Extra space between letters, as a share of ``letter_px``.

    Returns:
        A mask ``2 * letter_px`` high; capitals stand in rows ``letter_px // 2`` and below.
    """
    scale = 4  # the height is right to a quarter of a pixel
    height = letter_px * scale
    stroke = bold * height
    font = _font_for(height, stroke)
    widths = [font.getlength(char) + spacing * height + 1.6 * stroke for char in text]
    width = round(sum(widths) + height) // scale + 1
    mask = Image.new("L", (width * scale, 2 * height))
    draw = ImageDraw.Draw(mask)
    x = 0.4 * height
    bottom = (letter_px // 2 + letter_px) * scale - _h_rows(font.size, stroke)[1]
    for char, advance in zip(text, widths, strict=True):
        draw.text((round(x), bottom), char, 255, font, anchor="ls", stroke_width=stroke)
        x += advance
    return mask.reduce(scale)


@functools.lru_cache(maxsize=4096)
def _h_rows(size: float, stroke: float) -> tuple[int, int]:
    """Returns (height, rows below the baseline) of the ink of an H, at half coverage."""
    edge = round(2 * size) + 8
    mask = Image.new("L", (edge, 2 * edge))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(mask).text((8, edge), "H", 255, font, anchor="ls", stroke_width=stroke)
    rows = np.flatnonzero(np.asarray(mask).max(axis=1) >= 128)
    return len(rows), int(rows[-1]) + 1 - edge


@functools.lru_cache(maxsize=256)
def _font_for(height: int, stroke: float) -> ImageFont.FreeTypeFont:
    """Finds the font in which an H with this stroke is ``height`` pixels high."""
    low, high = 0.5 * height, 2.0 * height
    while high - low > 0.05:
        middle = (low + high) / 2
        low, high = (middle, high) if _h_rows(middle, stroke)[0] < height else (low, middle)
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(high))


def _choose_ink(rng: random.Random, board: Rgb, low_contrast: bool) -> Rgb:
    """Chooses a text colour; with ``low_contrast`` the ratio to the board is about 3."""
    inks = [ink for ink in INKS if contrast(ink, board) >= 4.5]
    ink = rng.choice(inks or [max(INKS, key=lambda c: contrast(c, board))])
    wanted = rng.uniform(2.8, 3.4)
    if not low_contrast:
        return ink
    for step in range(1, 51):
        r, g, b = (round(f + (t - f) * step / 50) for f, t in zip(board, ink, strict=True))
        if contrast((r, g, b), board) >= wanted:
            return r, g, b
    return ink


def _draw_sign(
    rng: random.Random,
    text: SignText,
    board: str,
    letter: int,
    max_rotation: float,
    low_contrast: bool,
    lettering: bool,
) -> tuple[Image.Image, Image.Image, Sign]:
    """Draws one sign; returns its pixels, its coverage, and the sign with boxes in this patch."""
    bold, spacing = rng.choice((0.0, 0.03, 0.06)), rng.choice((0.0, 0.05, 0.14))
    rotation = rng.choice((0.0, 1.0, 1.0)) * rng.uniform(-max_rotation, max_rotation)
    light, sigma = rng.uniform(0.04, 0.1), rng.uniform(2.0, 5.0)
    blur = GaussianBlur(min(0.2 + 0.02 * letter, 1.0) * rng.uniform(0.5, 1.0))
    red, green, blue = (min(255, max(0, c + rng.randint(-9, 9))) for c in BOARDS[board])
    board_rgb = red, green, blue
    text_rgb = _choose_ink(rng, board_rgb, low_contrast)
    inks = [ink_mask(line, letter, bold, spacing) for line in text.lines]
    layers = [
        layer.rotate(rotation, Image.Resampling.BICUBIC, expand=True).filter(blur)
        for layer in _lay_out(rng, inks, letter, posts=text.kind != "plate")
    ]
    plate, posts, frame, *lines = [np.asarray(layer, np.float32) / 255 for layer in layers]
    rgb = np.empty((*plate.shape, 3), np.float32)
    rgb[:] = (96, 92, 88)
    ink = functools.reduce(np.maximum, [frame, *lines] if lettering else [frame])
    for cover, colour in ((plate, board_rgb), (ink, text_rgb)):
        rgb += cover[..., None] * (np.asarray(colour, np.float32) - rgb)
    rgb *= np.linspace(1 + light, 1 - light, plate.shape[0], dtype=np.float32)[:, None, None]
    grain = np.frombuffer(rng.randbytes(4 * plate.size), np.uint8).reshape(4, *plate.shape)
    rgb += (grain.sum(axis=0, dtype=np.float32)[..., None] - 510) * (sigma / 147.8)
    sign = Sign(
        text,
        board,
        board_rgb,
        text_rgb,
        letter,
        _bounds(layers[0], 8),
        tuple(_bounds(layer, 64) for layer in layers[3:]),
        _bounds(layers[1], 8) if posts.any() else None,
        rotation,
    )
    alpha = (np.maximum(plate, posts) * 255).astype(np.uint8)
    pixels = np.clip(rgb, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), Image.fromarray(alpha), sign


def _lay_out(rng: random.Random, inks: list[Image.Image], letter: int, posts: bool) -> list[Image.Image]:
    """Lays a sign out as coverage masks of one size: board, posts, border, then every line."""
    pitch, pad = round(letter * rng.uniform(1.7, 2.2)), round(letter * rng.uniform(0.9, 1.6))
    radius, centred = rng.choice((0.0, 0.0, 0.5, 1.0)) * letter, rng.random() < 0.6
    width = max(ink.width for ink in inks) + 2 * pad
    height = pitch * (len(inks) - 1) + letter + 2 * pad
    count = rng.choice((0, 0, 1, 2)) if posts else 0
    below = round(height * rng.uniform(0.6, 1.6)) if count else 0
    rim = 3  # so that rotation and blur find something empty outside
    size = (width + 2 * rim, height + below + 2 * rim)
    layers = [Image.new("L", size) for _ in range(3 + len(inks))]
    board, post, frame = (ImageDraw.Draw(layer) for layer in layers[:3])
    right, bottom = rim + width - 1, rim + height - 1
    board.rounded_rectangle((rim, rim, right, bottom), radius, 255)
    half = max(2, letter // 4)
    for x in ((), (width // 2,), (width // 5, width - width // 5))[count]:
        post.rectangle((rim + x - half, bottom, rim + x + half, bottom + below), 255)
    if rng.random() < 0.5:
        edge = (rim + half, rim + half, right - half, bottom - half)
        frame.rounded_rectangle(edge, max(0, radius - half), None, 255, max(1, letter // 8))
    for index, (layer, ink) in enumerate(zip(layers[3:], inks, strict=True)):
        x = rim + ((width - ink.width) // 2 if centred else pad)
        layer.paste(ink, (x, rim + pad + index * pitch - letter // 2))
    return layers


def _bounds(mask: Image.Image, least: int) -> Box:
    """Returns the bounds of what is covered at least ``least`` / 255."""
    box = mask.point([255 * (value >= least) for value in range(256)]).getbbox()
    assert box is not None
    return box


def _find_place(
    rng: random.Random, patch: tuple[int, int], size: tuple[int, int], taken: list[Box], gap: int
) -> tuple[int, int] | None:
    """Finds where the patch overlaps nothing; now and then next to a sign that is there."""
    width, height = size[0] - patch[0], size[1] - patch[1]
    near = rng.choice(taken) if taken and rng.random() < 0.3 else None
    for attempt in range(200):
        x, y = rng.randint(0, max(0, width)), rng.randint(0, max(0, height))
        if near and attempt < 40:
            x = near[rng.choice((0, 2))] + rng.randint(-patch[0], 3 * gap)
            y = near[rng.choice((1, 3))] + rng.randint(-patch[1], 3 * gap)
        if not (gap <= x <= width - gap and gap <= y <= height - gap):
            continue
        x1, y1 = x + patch[0] + gap, y + patch[1] + gap
        if all(x1 <= b[0] or x - gap >= b[2] or y1 <= b[1] or y - gap >= b[3] for b in taken):
            return x, y
    return None


def split_of(seed: int) -> Split:
    """The texts that a scene of this seed is made of."""
    return max(first for first in SPLITS if first <= seed)


def draw_scene(
    seed: int,
    letter_px: int,
    *,
    size: tuple[int, int] = (5312, 2988),
    background: str | None = None,
    texts: Sequence[SignText] | None = None,
    places: Sequence[tuple[int, int]] | None = None,
    max_rotation: float = 10.0,
    low_contrast: bool | None = None,
    lettering: bool = True,
) -> Scene:
    """Draws a scene; the same arguments give the same pixels, texts and questions.

    Args:
        seed: Chooses everything that the other arguments leave open; from `HELD_OUT_FROM` on
            with the held-out words and phrasings.
        letter_px: Height of the capital letters; one sign may have letters 1.6 times as high.
        size: Width and height of the scene.
        background: One of `background_names`, or `STREET`.
        texts: The signs' texts, instead of composed ones.
        places: Top left corners of the signs, instead of chosen ones.
        max_rotation: Largest rotation of a sign, in degrees.
        low_contrast: Whether text is faded into its board; None leaves it to the seed.
        lettering: False leaves the boards blank, for checks.

    Returns:
        The scene. A sign for which there is no room is left out.
    """
    split = split_of(seed)
    rng = random.Random(f"texts {seed}")
    if texts is None:
        kinds = tuple(rng.sample(KINDS, rng.randint(2, 5)))
        if rng.random() < 0.4:  # a neighbour that offers the same kind of answer
            kinds = (*kinds, rng.choice(REPEATABLE))[-5:]
        words = Vocabulary(rng, split)
        texts = [compose_sign(kind, words, kinds) for kind in kinds]
        texts = [text.upper() if rng.random() < 0.35 else text for text in texts]
    rng = random.Random(f"look {seed}")
    image = load_background(background or rng.choice(background_names()), size).copy()
    big = rng.randrange(len(texts)) if rng.random() < 0.4 else None
    free, taken, signs = set(BOARDS), list[Box](), list[Sign]()
    for index, text in enumerate(texts):
        board = rng.choice(sorted(free & set(text.boards or BOARDS)) or sorted(free))
        letter = round(1.6 * letter_px) if index == big else letter_px
        faded = rng.random() < 0.2 if low_contrast is None else low_contrast
        style = random.Random(f"sign {seed} {index}")
        pixels, alpha, sign = _draw_sign(style, text, board, letter, max_rotation, faded, lettering)
        place = places[index] if places else _find_place(style, pixels.size, size, taken, 2 * letter)
        if place is None:
            continue
        x, y = place
        image.paste(pixels, place, alpha)
        taken.append((x, y, x + pixels.width, y + pixels.height))
        free.discard(board)
        signs.append(sign.moved(x, y))
    questions = ask(random.Random(f"questions {seed}"), split, signs, size)
    return Scene(image, tuple(signs), questions, seed)
