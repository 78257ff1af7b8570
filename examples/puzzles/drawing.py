"""Puzzles with known answers: clocks, things to count, mazes. A puzzle depends on its random numbers alone."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

SIDE: Final = 448
"""Pixels of a picture's sides."""
_FINE: Final = 3
"""It is drawn so many times as large, for smooth edges."""
_PAPERS: Final = ((250, 250, 246), (236, 242, 248), (248, 240, 228))
_INK: Final = (24, 24, 30)
_COLOURS: Final = {"red": (205, 38, 38), "blue": (40, 80, 200), "green": (28, 140, 60), "yellow": (236, 190, 20)}
_SHAPES: Final = ("circle", "square", "triangle")

Boxes = list[tuple[int, int, int, int]]
Point = tuple[float, float]


@dataclass(frozen=True)
class Puzzle:
    """A picture, and a question about it.

    Attributes:
        image: in RGB.
        question: in words.
        answer: the right one.
        type: of the answer, as a file of questions has it.
        boxes: where the evidence lies, in pixels of the picture.
        steps: what must be found out on the way, in order.
    """

    image: Image.Image
    question: str
    answer: str
    type: str
    boxes: Boxes
    steps: tuple[str, ...] = ()


class _Canvas:
    """A picture drawn large; coordinates are pixels of the finished one."""

    def __init__(self, chance: random.Random) -> None:
        self._large = Image.new("RGB", (SIDE * _FINE,) * 2, chance.choice(_PAPERS))
        self._draw = ImageDraw.Draw(self._large)

    def line(self, points: list[Point], width: float, colour: tuple[int, int, int] = _INK) -> None:
        self._draw.line([(x * _FINE, y * _FINE) for x, y in points], colour, round(width * _FINE), joint="curve")

    def disc(self, centre: Point, radius: float, colour: tuple[int, int, int], edge: float = 0) -> None:
        self._draw.ellipse(_large_box(centre, radius), colour, _INK if edge else None, round(edge * _FINE))

    def polygon(self, points: list[Point], colour: tuple[int, int, int]) -> None:
        self._draw.polygon([(x * _FINE, y * _FINE) for x, y in points], colour)

    def text(self, centre: Point, words: str, size: float) -> None:
        font = ImageFont.load_default(size * _FINE)
        self._draw.text((centre[0] * _FINE, centre[1] * _FINE), words, _INK, font, anchor="mm")

    def picture(self) -> Image.Image:
        return self._large.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def clock(chance: random.Random) -> Puzzle:
    """A clock with two hands; the hour hand stands where the minute puts it."""
    hour, minute = chance.randint(1, 12), chance.randrange(60)
    canvas = _Canvas(chance)
    radius = chance.uniform(0.3, 0.44) * SIDE
    centre = tuple(chance.uniform(radius + 6, SIDE - radius - 6) for _ in range(2))
    canvas.disc(centre, radius, (255, 255, 255), edge=4)
    for mark in range(60):
        inner = 0.86 if mark % 5 == 0 else 0.93
        canvas.line([_on_dial(centre, radius * share, mark / 60) for share in (inner, 0.97)], 4 if mark % 5 == 0 else 2)
    if chance.random() < 0.6:
        for number in range(1, 13):
            canvas.text(_on_dial(centre, radius * 0.74, number / 12), str(number), radius * 0.15)
    for turn, length, width in (((hour + minute / 60) / 12, 0.48, 9), (minute / 60, 0.8, 5)):
        canvas.line([_on_dial(centre, -radius * 0.08, turn), _on_dial(centre, radius * length, turn)], width)
    canvas.disc(centre, 8, _INK)
    question = "What time does the clock show? Answer as hour:minute, such as 4:05."
    boxes = [_box(centre, radius + 4)]
    return Puzzle(canvas.picture(), question, f"{hour}:{minute:02}", "text", boxes, (str(hour), str(minute)))


def counting(chance: random.Random) -> Puzzle:
    """Coloured shapes, none over another: how many there are of two kinds together."""
    kinds = [(colour, shape) for colour in _COLOURS for shape in _SHAPES]
    asked = chance.sample(kinds, 2)
    drawn = [kind for kind in asked for _ in range(chance.randint(1, 6))]
    others = [kind for kind in kinds if kind not in asked]
    drawn += [chance.choice(others) for _ in range(chance.randint(4, 16))]
    chance.shuffle(drawn)
    cells = chance.sample(list(itertools.product(range(6), repeat=2)), len(drawn))
    canvas, cell = _Canvas(chance), SIDE / 6
    found: dict[tuple[str, str], Boxes] = {kind: [] for kind in asked}
    for (colour, shape), place in zip(drawn, cells, strict=True):
        size = chance.uniform(0.2, 0.34) * cell
        centre = tuple((at + 0.5) * cell + chance.uniform(-1, 1) * (0.46 * cell - size) for at in place)
        _draw_shape(canvas, shape, centre, size, _COLOURS[colour])
        if (colour, shape) in found:
            found[colour, shape].append(_box(centre, size))
    names = [f"{colour} {shape}s" for colour, shape in asked]
    counts = [len(found[kind]) for kind in asked]
    question = f"How many {names[0]} and {names[1]} are there together?"
    boxes = [box for each in found.values() for box in each]
    return Puzzle(canvas.picture(), question, str(sum(counts)), "number", boxes, tuple(map(str, counts)))


def maze(chance: random.Random) -> Puzzle:
    """A maze in which one of four exits can be reached from S, along one way only."""
    count = chance.randint(6, 9)
    ways = _grown(count, chance)
    start = (count // 2, count // 2)
    exits = dict(zip("ABCD", itertools.product((0, count - 1), repeat=2), strict=True))
    right = chance.choice(sorted(exits))
    way = _path(ways, start, exits[right])
    kept = {frozenset(pair) for pair in itertools.pairwise(way)}
    for name in sorted(set(exits) - {right}):
        steps = [frozenset(pair) for pair in itertools.pairwise(_path(ways, start, exits[name]))]
        if steps and kept.issuperset(steps):  # the way to the right exit leads through this one
            return maze(chance)
        if free := [step for step in steps if step not in kept]:
            closed = chance.choice(free)
            ways = {cell: {other for other in near if {cell, other} != closed} for cell, near in ways.items()}
    canvas, cell = _Canvas(chance), SIDE / (count + 1)

    def at(column: float, row: float) -> Point:
        return (column + 0.5) * cell, (row + 0.5) * cell

    for x, y in ways:  # each cell's walls to its right and below
        for other, ends in (
            ((x + 1, y), (at(x + 1, y), at(x + 1, y + 1))),
            ((x, y + 1), (at(x, y + 1), at(x + 1, y + 1))),
        ):
            if other not in ways[x, y]:
                canvas.line(list(ends), 5)
    canvas.line([at(count, 0), at(0, 0), at(0, count)], 5)
    for name, (x, y) in {**exits, "S": start}.items():
        canvas.text(at(x + 0.5, y + 0.5), name, cell * 0.6)
    x, y = exits[right]
    left, top = at(x, y)
    boxes = [(round(left), round(top), round(left + cell), round(top + cell))]
    question = "Which of A, B, C and D can be reached from S without crossing a wall?"
    return Puzzle(canvas.picture(), question, right, "text", boxes)


KINDS: Final[dict[str, Callable[[random.Random], Puzzle]]] = {"clock": clock, "counting": counting, "maze": maze}
"""Each kind of puzzle by its name."""

_Ways = dict[tuple[int, int], set[tuple[int, int]]]


def _grown(count: int, chance: random.Random) -> _Ways:
    """A maze in which one way leads from any cell to any other: for each cell those to which it is open."""
    cells = list(itertools.product(range(count), repeat=2))
    ways: _Ways = {cell: set() for cell in cells}
    trail = [chance.choice(cells)]
    seen = set(trail)
    while trail:
        x, y = trail[-1]
        fresh = [near for near in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)) if near in ways and near not in seen]
        if not fresh:
            trail.pop()
            continue
        chosen = chance.choice(fresh)
        ways[x, y].add(chosen)
        ways[chosen].add((x, y))
        seen.add(chosen)
        trail.append(chosen)
    return ways


def _path(ways: _Ways, start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The cells from one to another; none if no way leads there."""
    came = {start: start}
    for cell in (order := [start]):
        for near in sorted(ways[cell] - set(came)):
            came[near] = cell
            order.append(near)
    if end not in came:
        return []
    found = [end]
    while found[-1] != start:
        found.append(came[found[-1]])
    return found[::-1]


def _draw_shape(canvas: _Canvas, shape: str, centre: Point, size: float, colour: tuple[int, int, int]) -> None:
    if shape == "circle":
        canvas.disc(centre, size, colour)
        return
    x, y = centre
    square = [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)]
    canvas.polygon(square if shape == "square" else [(x, y - size), (x + size, y + size), (x - size, y + size)], colour)


def _on_dial(centre: Point, radius: float, turn: float) -> Point:
    """The point at a share of a full turn from twelve o'clock."""
    angle = 2 * math.pi * turn
    return centre[0] + radius * math.sin(angle), centre[1] - radius * math.cos(angle)


def _box(centre: Point, radius: float) -> tuple[int, int, int, int]:
    x, y = centre
    return math.floor(x - radius), math.floor(y - radius), math.ceil(x + radius), math.ceil(y + radius)


def _large_box(centre: Point, radius: float) -> tuple[int, ...]:
    x, y = centre
    return tuple(round(value * _FINE) for value in (x - radius, y - radius, x + radius, y + radius))
