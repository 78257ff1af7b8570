"""Draws a street without any text: facades, shop windows, doors, a pavement and a road, seen from across."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Rgb = tuple[int, int, int]
Shade = NDArray[np.float32]

WALLS: tuple[Rgb, ...] = (
    (150, 82, 66), (204, 190, 160), (128, 108, 94), (190, 152, 112), (120, 68, 58), (168, 172, 170),
)  # fmt: skip
PAINTS: tuple[Rgb, ...] = ((34, 58, 52), (58, 34, 40), (40, 48, 70), (66, 58, 44), (52, 54, 56))
GLASS, FRAME, STONE, SLATE = (44, 54, 62), (222, 218, 208), (176, 168, 152), (74, 76, 84)
KERB, ROAD = 0.845, 0.875
"""Where the pavement begins to show its kerb, and where the road begins, as shares of the height."""


def draw_street(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Draws the street; the same arguments give the same pixels.

    Args:
        size: Width and height of the picture.
        seed: Chooses widths, heights, walls and colours.
    """
    rng, (width, height) = random.Random(f"street {seed}"), size
    image = _sky(size, seed)
    draw, unit = ImageDraw.Draw(image), height / 100
    ground, x, index = round(0.78 * height), 0, rng.randrange(len(WALLS))
    while x < width:
        house = min(width - x, round(rng.uniform(26, 38) * unit))
        if width - x - house < 15 * unit:
            house = width - x
        box = (x, round(rng.uniform(8, 24) * unit), x + house, ground)
        _draw_house(image, rng, box, WALLS[index % len(WALLS)], unit)
        x, index = x + house, index + 1
    _draw_ground(image, ground)
    for post in (0.17, 0.66):
        _draw_lamp(draw, round(post * width), ground + 3 * unit, unit)
    return _photographed(image, seed)


def _sky(size: tuple[int, int], seed: int) -> Image.Image:
    """Pale blue with soft clouds."""
    noise = np.random.default_rng(seed).random((7, 13)) * 255
    clouds = Image.fromarray(noise.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", size, (214, 220, 226)), Image.new("RGB", size, (146, 178, 212)), clouds)


def _draw_house(image: Image.Image, rng: random.Random, box: tuple[int, int, int, int], wall: Rgb, unit: float) -> None:
    """A facade of some floors over a shop, with a roof's edge."""
    x0, y0, x1, y1 = box
    image.paste(_bricks(rng, (x1 - x0, y1 - y0), wall, unit), (x0, y0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((x0, y0 - 2.2 * unit, x1, y0), SLATE)
    draw.rectangle((x0, y0, x1, y0 + 1.1 * unit), _shaded(STONE, 0.94))
    draw.rectangle((x0, y0 + 1.1 * unit, x1, y0 + 1.5 * unit), _shaded(wall, 0.6))
    shop = round(y1 - 25 * unit)
    columns = max(2, round((x1 - x0) / (11 * unit)))
    pitch = (x1 - x0) / columns
    floor = y0 + 5 * unit
    while floor + 12 * unit < shop - 2 * unit:
        for column in range(columns):
            left = x0 + pitch * column + (pitch - 5.4 * unit) / 2
            _draw_window(draw, rng, (left, floor, left + 5.4 * unit, floor + 9.4 * unit), unit)
        floor += 15.5 * unit
    _draw_shop(draw, rng, (x0, shop, x1, y1), unit)


def _bricks(rng: random.Random, size: tuple[int, int], colour: Rgb, unit: float) -> Image.Image:
    """Courses of bricks that differ a little, or plaster."""
    width, height = size
    grain = np.random.default_rng(rng.getrandbits(32))
    plaster = max(colour) > 188
    deep, long = max(3, round(0.75 * unit)), max(6, round(2.2 * unit))
    ys, xs = np.arange(height) // deep, np.arange(width)
    courses = np.where(ys % 2, long // 2, 0)[:, None] + xs[None, :]
    tones = grain.normal(1, 0.0 if plaster else 0.075, (height // deep + 1, (width + long) // long + 1))
    shade: Shade = tones[ys[:, None], courses // long].astype(np.float32)
    if not plaster:
        joint = ((np.arange(height) % deep) < max(1, deep // 9))[:, None] | ((courses % long) < max(1, deep // 9))
        shade = np.where(joint, np.float32(1.16), shade)
    stains = Image.fromarray((grain.random((6, 9)) * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    shade *= 0.9 + 0.16 * np.asarray(stains, np.float32) / 255
    return Image.fromarray(np.clip(np.array(colour, np.float32) * shade[..., None], 0, 255).astype(np.uint8))


def _draw_window(
    draw: ImageDraw.ImageDraw, rng: random.Random, box: tuple[float, float, float, float], unit: float
) -> None:
    """A sash window with a lintel, a sill, and what the sky and a curtain leave of the dark behind it."""
    x0, y0, x1, y1 = box
    rim, bar = 0.5 * unit, 0.22 * unit
    draw.rectangle((x0 - rim, y0 - 1.4 * unit, x1 + rim, y0 - rim), _shaded(STONE, 1.03))
    draw.rectangle((x0 - 2 * rim, y1 + rim, x1 + 2 * rim, y1 + 2.4 * rim), STONE)
    draw.rectangle((x0 - rim, y0 - rim, x1 + rim, y1 + rim), FRAME)
    draw.rectangle((x0, y0, x1, y1), GLASS)
    lit = rng.uniform(0.2, 0.8) * (x1 - x0)
    draw.polygon([(x0, y0), (x0 + lit, y0), (x0, y0 + 1.6 * lit)], _shaded(GLASS, 1.7))
    if rng.random() < 0.6:
        drawn = rng.uniform(0.12, 0.3) * (x1 - x0)
        for left in (x0, x1 - drawn):
            draw.rectangle((left, y0, left + drawn, y1), (188, 178, 160))
    draw.rectangle((x0, (y0 + y1) / 2 - bar, x1, (y0 + y1) / 2 + bar), FRAME)
    draw.rectangle(((x0 + x1) / 2 - bar / 2, y0, (x0 + x1) / 2 + bar / 2, y1), FRAME)


def _draw_shop(
    draw: ImageDraw.ImageDraw, rng: random.Random, box: tuple[float, float, float, float], unit: float
) -> None:
    """A painted front with its fascia, a door, and windows over a plinth."""
    x0, y0, x1, y1 = box
    paint = rng.choice(PAINTS)
    x0, x1 = x0 + 2.4 * unit, x1 - 2.4 * unit
    draw.rectangle((x0, y0, x1, y1), paint)
    draw.rectangle((x0 - unit, y0 - unit, x1 + unit, y0), _shaded(paint, 1.5))
    draw.rectangle((x0 + unit, y0 + unit, x1 - unit, y0 + 4 * unit), _shaded(paint, 1.2))
    door = x0 + rng.choice((0.1, 0.42, 0.74)) * (x1 - x0)
    panes = [(x0 + unit, door - 1.2 * unit), (door + 8 * unit, x1 - unit)]
    for left, right in panes:
        if right - left > 3 * unit:
            draw.rectangle((left, y0 + 5.4 * unit, right, y1 - 5 * unit), _shaded(GLASS, 0.8))
            draw.polygon(
                [(left, y0 + 5.4 * unit), (left + (right - left) / 3, y0 + 5.4 * unit), (left, y1 - 7 * unit)],
                _shaded(GLASS, 1.35),
            )
            for shelf in (0.45, 0.75):
                level = y0 + 5.4 * unit + shelf * (y1 - y0 - 10.4 * unit)
                draw.rectangle((left, level, right, level + 0.35 * unit), (116, 96, 70))
                spot = left + unit
                while spot < right - 2 * unit:
                    tall = rng.uniform(1, 2.6) * unit
                    goods = rng.choice(((160, 110, 62), (128, 52, 44), (190, 170, 120), (84, 104, 76)))
                    draw.rounded_rectangle((spot, level - tall, spot + 1.3 * unit, level), 0.4 * unit, goods)
                    spot += rng.uniform(1.7, 3.4) * unit
    draw.rectangle((door, y0 + 5.4 * unit, door + 6.6 * unit, y1), _shaded(paint, 0.7))
    draw.rectangle((door + unit, y0 + 6.6 * unit, door + 5.6 * unit, y1 - 6 * unit), GLASS)
    draw.ellipse((door + 5.7 * unit, y1 - 9 * unit, door + 6.3 * unit, y1 - 8.4 * unit), (190, 160, 84))
    if rng.random() < 0.6:
        _draw_awning(draw, (x0, y0 + 4.2 * unit, x1, y0 + 8.6 * unit), rng.choice(((158, 44, 40), (38, 88, 66))), unit)


def _draw_awning(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], colour: Rgb, unit: float) -> None:
    x0, y0, x1, y1 = box
    count = max(2, round((x1 - x0) / (2.4 * unit)))
    for index in range(count):
        left, right = (x0 + (x1 - x0) * step / count for step in (index, index + 1))
        tone = colour if index % 2 else (226, 220, 206)
        draw.rectangle((left, y0, right, y1), tone)
        draw.rectangle((left, y1, right, y1 + 0.9 * unit), _shaded(tone, 0.72))


def _draw_ground(image: Image.Image, top: int) -> None:
    """Pavement slabs, the kerb, and the road with its line."""
    width, height = image.size
    draw = ImageDraw.Draw(image)
    kerb, road = round(KERB * height), round(ROAD * height)
    draw.rectangle((0, top, width, kerb), (158, 154, 148))
    for row, share in enumerate((0.0, 0.28, 0.62)):
        y = top + share * (kerb - top)
        draw.line((0, y, width, y), (136, 132, 126), 2 + row)
    for x in range(-width, 2 * width, round(0.055 * height)):
        slant = (x - width / 2) * 0.16
        draw.line((x, top, x + slant, kerb), (138, 134, 128), 3)
    draw.rectangle((0, kerb, width, road), (188, 184, 176))
    draw.rectangle((0, road - round(0.006 * height), width, road), (92, 90, 88))
    draw.rectangle((0, road, width, height), (88, 88, 92))
    for x in range(0, width, round(0.2 * height)):
        draw.rectangle((x, 0.95 * height, x + 0.1 * height, 0.956 * height), (206, 204, 196))


def _draw_lamp(draw: ImageDraw.ImageDraw, x: int, foot: float, unit: float) -> None:
    for half, top in ((0.9, 3), (0.4, 48)):
        draw.rectangle((x - half * unit, foot - top * unit, x + half * unit, foot), (46, 50, 52))
    low, high, tip = (foot - share * unit for share in (48, 52, 54))
    lamp = [(x - 1.6 * unit, high), (x + 1.6 * unit, high), (x + unit, low), (x - unit, low)]
    draw.polygon(lamp, (214, 206, 178))
    draw.polygon([(x - 2 * unit, high), (x + 2 * unit, high), (x, tip)], (46, 50, 52))


def _photographed(image: Image.Image, seed: int) -> Image.Image:
    """As a lens and a sensor would show it: a little soft, darker in the corners, with grain."""
    width, height = image.size
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(height / 2400)), np.float32)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = (1.04 - 0.16 * (x**2 + y**2) / 2).astype(np.float32)
    grain = np.random.default_rng(seed + 1).normal(0, 2.2, (height, width)).astype(np.float32)
    return Image.fromarray(np.clip(pixels * light[..., None] + grain[..., None], 0, 255).astype(np.uint8))


def _shaded(colour: Rgb, factor: float) -> Rgb:
    red, green, blue = (min(255, round(value * factor)) for value in colour)
    return red, green, blue
