"""The signs that lines of text form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hart_agent.ocr.lines import REACH, Line, bounds, level
from hart_agent.vision.geometry import Rect


@dataclass(frozen=True)
class Sign:
    """Lines that belong together, as rows from top to bottom, each from left to right."""

    rows: tuple[tuple[Line, ...], ...]

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for row in self.rows for line in row)

    @property
    def texts(self) -> list[str]:
        """The text of each row."""
        return [" ".join(line.text for line in row) for row in self.rows]

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def rect(self) -> Rect:
        return bounds(self.lines)

    @property
    def centre(self) -> tuple[float, float]:
        x0, y0, x1, y1 = self.rect
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def area(self) -> float:
        """Original square pixels that text covers."""
        return sum(line.area for line in self.lines)

    @property
    def extent(self) -> float:
        """Original square pixels of the text's bounds: what people judge a sign's size by."""
        x0, y0, x1, y1 = self.rect
        return (x1 - x0) * (y1 - y0)

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour that most of its text stands on, 0 to 255."""
        return max(self.lines, key=lambda line: len(line.text)).background


def group(lines: Sequence[Line]) -> list[Sign]:
    """Group lines into signs: close together, of similar height, on a similar background."""
    remaining = sorted(lines, key=lambda line: (line.rect[1], line.rect[0]))
    signs = []
    while remaining:
        members = [remaining.pop(0)]
        for member in members:  # grows while it is walked
            near = [line for line in remaining if _belongs(member, line)]
            members += near
            remaining = [line for line in remaining if line not in near]
        signs.append(Sign(_rows(members)))
    return signs


def as_one(lines: Sequence[Line]) -> list[Sign]:
    """All lines as a single sign, however far apart: a crop was cut out as one. Empty if there are no lines."""
    return [Sign(_rows(lines))] if lines else []


def _belongs(first: Line, second: Line) -> bool:
    tall, short = max(first.height, second.height), min(first.height, second.height)
    if tall > 4 * short or math.dist(first.background, second.background) > 90:
        return False
    angle = first.angle if len(first.text) >= len(second.text) else second.angle
    (left, top, right, bottom), (left2, top2, right2, bottom2) = (level(line, angle) for line in (first, second))
    across = max(left, left2) - min(right, right2)  # negative: they overlap
    down = max(top, top2) - min(bottom, bottom2)
    if (down < 1.6 * tall and across < 0.5 * tall) or (down < -0.4 * short and across < 2.5 * tall):
        return True
    if not (_share_board(first, second) and tall < 1.7 * short):
        return False
    return (down < REACH * tall and across < 0) or (down < -0.4 * short and across < 2 * REACH * tall)


def _share_board(first: Line, second: Line) -> bool:
    """Whether the same colour reaches from one line to the other: lines set wide stand on one board."""
    if math.dist(first.background, second.background) > 30:
        return False
    return any(
        board is not None and board[0] <= x <= board[2] and board[1] <= y <= board[3]
        for board, (x, y) in ((first.board, second.centre), (second.board, first.centre))
    )


def _rows(lines: Sequence[Line]) -> tuple[tuple[Line, ...], ...]:
    """Sort lines into rows along the reading direction of the longest."""
    angle = max(lines, key=lambda line: len(line.text)).angle
    placed = sorted(((level(line, angle), line) for line in lines), key=lambda item: (item[0][1] + item[0][3]) / 2)
    rows: list[list[tuple[Rect, Line]]] = []
    for rect, line in placed:
        middle = (rect[1] + rect[3]) / 2
        if rows and middle < min(other[3] - 0.25 * (other[3] - other[1]) for other, _ in rows[-1]):
            rows[-1].append((rect, line))
        else:
            rows.append([(rect, line)])
    return tuple(tuple(line for _, line in sorted(row, key=lambda item: item[0][0])) for row in rows)
