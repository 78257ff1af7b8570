"""Lines of text on the original image: placed, legible, and each once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hart_agent.ocr.reader import TextLine
from hart_agent.vision.geometry import CoordinateSpace, Frame, Rect
from hart_agent.vision.source import View

_EDGE = 3.0
"""View pixels: a line that comes this close to a view's border was probably cut by it."""

REACH = 3.5
"""Letter heights: how far apart lines on one board may stand, and words of a row twice that."""
_SHADE, _SHARE = 36, 0.3
"""How far a board's colour may vary, 0 to 255, and how much of a row of pixels it must fill in addition to the ink."""


@dataclass(frozen=True)
class Line:
    """A line of text in original pixels.

    Attributes:
        text: as read.
        confidence: 0 to 1.
        rect: upright bounds, original pixels.
        height: of the letters' line, across the reading direction, original pixels.
        angle: of the reading direction, radians, clockwise on the screen.
        background: RGB, 0 to 255: what the text stands on.
        cut: the line runs into the border of the view in which it was read, so it may be incomplete.
        board: how far the background reaches around the line, original pixels; None if unknown.
    """

    text: str
    confidence: float
    rect: Rect
    height: float
    angle: float
    background: tuple[int, int, int]
    cut: bool
    board: Rect | None = None

    @property
    def centre(self) -> tuple[float, float]:
        return (self.rect[0] + self.rect[2]) / 2, (self.rect[1] + self.rect[3]) / 2

    @property
    def area(self) -> float:
        return (self.rect[2] - self.rect[0]) * (self.rect[3] - self.rect[1])


def bounds(lines: Sequence[Line]) -> Rect:
    """The upright bounds of some lines, original pixels."""
    return (
        min(line.rect[0] for line in lines),
        min(line.rect[1] for line in lines),
        max(line.rect[2] for line in lines),
        max(line.rect[3] for line in lines),
    )


def locate(readings: Sequence[TextLine], view: View, whole: Frame) -> list[Line]:
    """What was read on a view, in original pixels.

    Args:
        readings: quads in pixels of the view.
        view: where it was read.
        whole: the overview's frame; a view's border that is the photo's own cuts nothing.
    """
    pixels = np.asarray(view.image)
    lines = []
    for reading in readings:
        if not _is_legible(reading):
            continue
        corners = [view.frame.to_original((x, y, x, y), CoordinateSpace.PIXEL)[:2] for x, y in reading.quad]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
        height = (math.dist((ax, ay), (dx, dy)) + math.dist((bx, by), (cx, cy))) / 2
        background = _background(pixels, reading)
        lines.append(
            Line(
                text=reading.text,
                confidence=reading.confidence,
                rect=(min(xs), min(ys), max(xs), max(ys)),
                height=height,
                angle=math.atan2(by + cy - ay - dy, bx + cx - ax - dx),
                background=background,
                cut=_is_cut(reading, view.frame, whole),
                board=view.frame.to_original(_board(pixels, reading, background), CoordinateSpace.PIXEL),
            )
        )
    return lines


def merge(lines: Sequence[Line]) -> list[Line]:
    """Drop what was read twice, on overlapping views: the uncut, then the surer and longer reading stays."""
    kept: list[Line] = []
    for line in sorted(lines, key=lambda line: (line.cut, -line.confidence * min(len(line.text), 8))):
        if not any(_is_same_place(line, other) for other in kept):
            kept.append(line)
    return kept


def _background(pixels: np.ndarray, reading: TextLine) -> tuple[int, int, int]:
    """The commonest colour in and just around a line: letters cover less than what they stand on."""
    xs, ys = [x for x, _ in reading.quad], [y for _, y in reading.quad]
    pad = 0.15 * (max(ys) - min(ys))
    x0, y0 = max(int(min(xs) - pad), 0), max(int(min(ys) - pad), 0)
    patch = pixels[y0 : int(max(ys) + pad) + 1, x0 : int(max(xs) + pad) + 1].reshape(-1, 3)
    if not len(patch):
        return (128, 128, 128)
    bins = (patch // 24).astype(np.int64) @ np.array([121, 11, 1])
    commonest = np.bincount(bins).argmax()
    red, green, blue = np.median(patch[bins == commonest], axis=0)
    return int(red), int(green), int(blue)


def _board(pixels: np.ndarray, reading: TextLine, background: tuple[int, int, int]) -> Rect:
    """How far the background's colour reaches from a line, up to some letter heights, in pixels of the view."""
    xs, ys = [x for x, _ in reading.quad], [y for _, y in reading.quad]
    height = math.dist(reading.quad[0], reading.quad[3])
    x0, y0, x1, y1 = int(min(xs)), int(min(ys)), math.ceil(max(xs)), math.ceil(max(ys))
    reach, aside = int((REACH + 1) * height), int(3 * REACH * height)
    top, left = max(y0 - reach, 0), max(x0 - aside, 0)
    near = pixels[top : y1 + reach, left : x1 + aside].astype(np.int16)
    alike = np.abs(near - np.array(background, np.int16)).max(axis=2) <= _SHADE
    rows = alike[:, max(x0, 0) - left : x1 - left].mean(axis=1) >= _SHARE
    columns = alike[max(y0, 0) - top : y1 - top].mean(axis=0) >= _SHARE
    up, down = _stretch(rows, max(y0, 0) - top, y1 - top)
    before, behind = _stretch(columns, max(x0, 0) - left, x1 - left)
    return left + before, top + up, left + behind, top + down


def _stretch(flags: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    """The longest run of true flags that a span can be stretched to."""
    while start > 0 and flags[start - 1]:
        start -= 1
    while stop < len(flags) and flags[stop]:
        stop += 1
    return start, stop


def _is_legible(reading: TextLine) -> bool:
    """Foliage and brickwork read as short, unsure texts: the shorter a text, the surer it must be."""
    letters = sum(map(str.isalnum, reading.text))
    return letters > 0 and reading.confidence >= max(0.6, 0.97 - 0.05 * letters)


def _is_cut(reading: TextLine, frame: Frame, whole: Frame) -> bool:
    xs, ys = [x for x, _ in reading.quad], [y for _, y in reading.quad]
    box, photo, size = frame.box, whole.box, frame.size
    return (
        (min(xs) < _EDGE and box.x0 > photo.x0)
        or (min(ys) < _EDGE and box.y0 > photo.y0)
        or (max(xs) > size.width - _EDGE and box.x1 < photo.x1)
        or (max(ys) > size.height - _EDGE and box.y1 < photo.y1)
    )


def _is_same_place(first: Line, second: Line) -> bool:
    """Whether two readings cover each other by half, in a frame turned with the text: upright bounds of tilted lines
    overlap although the lines don't.
    """
    a, b = (level(line, first.angle) for line in (first, second))
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared >= 0.5 * min((rect[2] - rect[0]) * (rect[3] - rect[1]) for rect in (a, b))


def level(line: Line, angle: float) -> Rect:
    """The line's bounds in a frame turned by an angle, original pixels."""
    x, y = line.centre
    cos, sin = math.cos(angle), math.sin(angle)
    u, v = x * cos + y * sin, y * cos - x * sin
    x0, y0, x1, y1 = line.rect
    width = max((x1 - x0 - line.height * abs(sin)) / max(abs(cos), 0.1), line.height * 0.5)
    if abs(cos) < 0.7:
        width = max(y1 - y0, line.height * 0.5)
    return u - width / 2, v - line.height / 2, u + width / 2, v + line.height / 2
