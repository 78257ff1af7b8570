"""Boards of cards with a code each: the code shows only in a zoom within a zoom.

Sizes are for views of 448 x 448 pixels, `VIEW`. Capitals of a board's letter are 16 pixels high on the overview; those
of a card's name 2.7 there, and 8 once its board is zoomed into; those of its code 0.9, then 2.7, and 10.7 or more once
its card is zoomed into. Capitals of 3 pixels can't be told apart, those of 7 can.
"""

from __future__ import annotations

import functools
import itertools
import random
from typing import Final

from drawing import Puzzle
from PIL import Image, ImageDraw, ImageFont

VIEW: Final = 448
"""Side of a view, in pixels."""
SIDE: Final = 9 * VIEW
BOARDS: Final = 3
"""In a row and in a column; each is a view large at a third of the original's resolution."""
CARDS: Final = 4
"""In a row and in a column of a board; each is less than a view large at the original's resolution."""
LETTER, NAME, CODE = 144, 24, 8
"""Heights of capitals, in pixels of the picture."""

_WALL, _BOARD, _CARD, _INK = (206, 200, 190), (120, 92, 66), (250, 249, 244), (20, 20, 24)
_NAMES = (
    "ANNA BEN CARLA DAVID EMMA FELIX GRETA HUGO IDA JONAS KLARA LEO MIRA NILS OLGA PAUL RITA SAM TINA UWE VERA WILL "
    "XENIA YANN ZOE"
).split()
_CODE_SIGNS = "ACDEFHJKLMNPRTUVWXY34679"


def nested(chance: random.Random) -> Puzzle:
    """A wall of nine boards with sixteen cards each: the code on one card."""
    picture = Image.new("RGB", (SIDE, SIDE), _WALL)
    draw = ImageDraw.Draw(picture)
    board_side = SIDE // BOARDS
    asked = chance.randrange(BOARDS**2), chance.randrange(CARDS**2)
    found: tuple[str, str, str, tuple[int, int, int, int]] | None = None
    for board, (row, column) in enumerate(itertools.product(range(BOARDS), repeat=2)):
        left, top = column * board_side, row * board_side
        draw.rectangle((left + 18, top + 18, left + board_side - 19, top + board_side - 19), _BOARD)
        letter = "ABCDEFGHI"[board]
        _write(draw, (left + board_side / 2, top + 120), letter, LETTER, (250, 246, 230))
        names = chance.sample(_NAMES, CARDS**2)
        for card, (down, across) in enumerate(itertools.product(range(CARDS), repeat=2)):
            centre = left + (across + 0.5) * 315 + 42, top + 225 + (down + 0.5) * 273
            draw.rectangle((centre[0] - 138, centre[1] - 114, centre[0] + 138, centre[1] + 114), _CARD)
            _write(draw, (centre[0], centre[1] - 66), names[card], NAME, _INK)
            code = "".join(chance.sample(_CODE_SIGNS, 4))
            place = centre[0] + chance.uniform(-90, 90), centre[1] + chance.uniform(5, 90)
            box = _write(draw, place, code, CODE, _INK)
            if (board, card) == asked:
                found = letter, names[card], code, box
    assert found is not None
    letter, name, code, box = found
    question = f"On board {letter}, which code is in small print on the card of {name}?"
    return Puzzle(picture, question, code, "text", [box])


def _write(
    draw: ImageDraw.ImageDraw, centre: tuple[float, float], words: str, height: int, colour: tuple[int, int, int]
) -> tuple[int, int, int, int]:
    """Write words whose capitals have this height. Returns the box around them."""
    font = _font(height)
    draw.text(centre, words, colour, font, anchor="mm")
    x0, y0, x1, y1 = draw.textbbox(centre, words, font, anchor="mm")
    return round(x0) - 1, round(y0) - 1, round(x1) + 1, round(y1) + 1


@functools.cache
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that ships with Pillow, in the size in which an H has this height."""
    sizes = (ImageFont.load_default(size / 2) for size in range(2 * height, 4 * height))
    return next(font for font in sizes if font.getbbox("H", anchor="ls")[1] <= -height)
