"""Where to look next: windows on the original, around what looks like text, and tiles for a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hart_agent.ocr import Line, TextRegion
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Size

WINDOW = Size(560, 400)
"""Original pixels: the room that is shown around a candidate with small letters; enough for a sign of some lines."""

LARGEST = Size(1000, 760)
"""Original pixels: windows that overlap are joined up to this size."""

TILE, OVERLAP = Size(1900, 1480), 160
"""Original pixels: the tiles of a sweep, about as large as a view at the original's resolution; a sign of small
letters fits into the overlap."""


def candidate_windows(regions: Sequence[TextRegion], overview: Frame) -> list[tuple[Box, float]]:
    """Windows around the candidates on an overview with their scores, the most text-like first.

    A region with large letters gets a window of its own; it never stands for the small candidates that lie in it,
    for its view is coarser.

    Args:
        regions: in pixels of the overview, best first.
        overview: its frame.
    """
    photo = overview.box.size
    windows: list[tuple[Box, float]] = []
    for region in regions:
        box = Box.covering(overview.to_original(region.box, CoordinateSpace.PIXEL), photo)
        window = _around(box, photo)
        if any(_holds(other, box) and other.area <= 2 * window.area for other, _ in windows):
            continue
        for index, (other, score) in enumerate(windows):
            if window.overlap(other) and _fits(other.union(window)):
                windows[index] = (other.union(window), score)
                break
        else:
            windows.append((window, region.score))
    return windows


def follow_up_windows(lines: Iterable[Line], photo: Size) -> list[Box]:
    """Windows about lines that a view's border cut off."""
    return [_around(Box.covering(line.rect, photo), photo) for line in lines if line.cut]


def sweep_windows(photo: Size) -> list[Box]:
    """Tiles that cover the photo, row by row."""
    return [
        Box(x0, y0, x1, y1)
        for y0, y1 in _spans(photo.height, TILE.height)
        for x0, x1 in _spans(photo.width, TILE.width)
    ]


def covered(window: Box, seen: Sequence[Frame]) -> bool:
    """Whether a view already shows practically all of a window, and as finely as one of its own would."""
    return any(window.overlap(frame.box) >= 0.97 * window.area and frame.box.area <= 2 * window.area for frame in seen)


def _around(box: Box, photo: Size) -> Box:
    """A candidate with room for the rest of its line, and for some lines above and below."""
    letters = min(box.width, box.height)
    return box.grown(max(WINDOW.width, box.width + 4 * letters), max(WINDOW.height, box.height + 6 * letters), photo)


def _holds(window: Box, box: Box) -> bool:
    return window.overlap(box) == box.area


def _fits(box: Box) -> bool:
    return box.width <= LARGEST.width and box.height <= LARGEST.height


def _spans(length: int, tile: int) -> list[tuple[int, int]]:
    """Equal, overlapping spans of about a tile's length."""
    count = max(1, math.ceil((length - OVERLAP) / (tile - OVERLAP)))
    step = (length - OVERLAP) / count
    return [
        (round(index * step), length if index == count - 1 else round(index * step + step + OVERLAP))
        for index in range(count)
    ]
