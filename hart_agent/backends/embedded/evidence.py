"""The region that shows an answer: the sign's panel where one can be told from its surroundings, else its lines."""

from __future__ import annotations

from collections.abc import Sequence

from hart_agent.ocr import Line, bounds
from hart_agent.ocr.lines import REACH
from hart_agent.vision.geometry import Rect, Size

_BORDER = 1 / 3
"""Letter heights of margin around lines, so that no descender is cut."""


def panel(lines: Sequence[Line], photo: Size, *, whole: bool) -> Rect:
    """The region of some lines, in original pixels.

    Args:
        lines: that hold the answer.
        photo: its size.
        whole: the lines are all of a sign, whose panel is wanted.
    """
    margin = _BORDER * max(line.height for line in lines)
    x0, y0, x1, y1 = bounds(lines)
    tight = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
    board = _board(lines) if whole else None
    if board is not None:
        tight = (
            min(tight[0], board[0]), min(tight[1], board[1]), max(tight[2], board[2]), max(tight[3], board[3])
        )  # fmt: skip
    return (
        max(tight[0], 0.0), max(tight[1], 0.0), min(tight[2], float(photo.width)), min(tight[3], float(photo.height))
    )  # fmt: skip


def _board(lines: Sequence[Line]) -> Rect | None:
    """How far the colour that the lines stand on reaches; None if it goes on beyond where it was followed."""
    boards = [line.board for line in lines if line.board is not None]
    if not boards:
        return None
    x0, y0 = min(board[0] for board in boards), min(board[1] for board in boards)
    x1, y1 = max(board[2] for board in boards), max(board[3] for board in boards)
    left, top, right, bottom = bounds(lines)
    height = max(line.height for line in lines)
    aside, over = 0.9 * 3 * REACH * height, 0.9 * (REACH + 1) * height
    ends = left - x0 < aside and x1 - right < aside and top - y0 < over and y1 - bottom < over
    return (x0, y0, x1, y1) if ends else None
