"""Reading views once each, at the resolution that finds the most text in the time: what the policy remembers."""

from __future__ import annotations

import math
import time
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from hart_agent.backends.embedded.windows import candidate_windows
from hart_agent.ocr import Line, TextLine, TextReader, TextRegion, locate, merge
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Rect, Size
from hart_agent.vision.source import View

_FULL_PIXELS, _SMALL_PIXELS, _MAX_SCALE = 1_800_000, 1_200_000, 2.0
"""Pixels that a view is shrunk to, or a small one enlarged to, for detection; letters are read from the view itself.
Detection takes about a second for a megapixel on two cores."""
_ZOOM_PIXELS = 350_000
_CROP_PIXELS, _CROP_SIDE = 600_000, 400
"""What a crop is enlarged to at most, by its area and its shorter side: larger letters are read no better."""
_TILE_PIXELS, _SWEEP = 1_500_000, 0.5
"""A zoom of more pixels is a tile of a sweep, which is searched at half its resolution."""
_COARSER = 0.5
"""Of the scale at which an overview or a crop is searched: it is searched once more at this one."""
_SEARCHING = 0.7
"""Share of the time for a view in which it is searched; the rest is for reading what was found."""
_CANDIDATES, _REMEMBERED = 16, 100
_MARGIN = 24
"""Pixels around a crop that is read again."""
_SLIVER, _WHOLE = 4.0, 0.75
"""Pixels from a crop's border, and share of the tallest line's height: a lower line there is a piece of a neighbour."""
_FINE, _READ_WELL = 14.0, 0.9
"""View pixels and confidence: letters so large and sure need no closer look."""


@dataclass(frozen=True)
class Seen:
    """What was made out on a view.

    Attributes:
        lines: in original pixels.
        regions: that look like text, in pixels of the view.
        complete: whether time sufficed for all of the view.
    """

    lines: list[Line]
    regions: list[TextRegion]
    complete: bool


class Eyes:
    """A text reader that remembers what it read on the views seen last. Safe to share between threads."""

    def __init__(self, reader: TextReader) -> None:
        self._reader = reader
        self._seen: weakref.WeakKeyDictionary[View, Seen] = weakref.WeakKeyDictionary()
        self._first: weakref.WeakKeyDictionary[View, float] = weakref.WeakKeyDictionary()
        self._complete: OrderedDict[tuple[str, Frame, Frame], Seen] = OrderedDict()

    def first_sight(self, view: View) -> float:
        """When a view was first asked about, on the clock `time.monotonic`."""
        return self._first.setdefault(view, time.monotonic())

    def known(self, view: View) -> list[Line]:
        """What was read on a view so far."""
        return self._seen[view].lines if view in self._seen else []

    def lines(self, overview: View, zooms: Sequence[View], until: float) -> list[Line]:
        """What the views show, each line once, in original pixels."""
        return merge([line for view in (overview, *zooms) for line in self.read(view, overview.frame, until)])

    def read(self, view: View, whole: Frame, until: float) -> list[Line]:
        """The lines on a view, in original pixels."""
        return self._look(view, whole, until).lines

    def candidates(self, overview: View, until: float) -> list[tuple[Box, float]]:
        """Windows on the original around what looks like text but is too small to be sure of, with their scores."""
        seen, frame = self._look(overview, overview.frame, until), overview.frame
        if frame.scale >= 1:  # it shows all that there is
            return []
        well = [
            line.rect for line in seen.lines if line.confidence >= _READ_WELL and line.height * frame.scale >= _FINE
        ]
        unsure = [region for region in seen.regions if not _holds(well, region, frame)]
        return candidate_windows(unsure, frame)[:_CANDIDATES]

    def read_crop(self, view: View, scale: float, until: float) -> list[Line]:
        """Lines of a crop, enlarged so many times if it is small, with a margin that a tight crop lacks."""
        width, height = view.image.size
        enlarged = max(1.0, min(math.sqrt(_CROP_PIXELS / (width * height)), _CROP_SIDE / min(width, height)))
        scale = min(scale, enlarged * scale / 2)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        resized = view.image.resize(size, Image.Resampling.BICUBIC)
        padded = ImageOps.expand(resized, _MARGIN, fill=_edge_colour(view.image))
        itself = Frame(Box(0, 0, *padded.size), Size(*padded.size))
        searched = min(1.0, math.sqrt(_FULL_PIXELS / (padded.width * padded.height)))
        found = self._reader.read(padded, searched, until=until)
        found += self._large(padded, searched, found, until)
        lines = locate(found, View(view.id, view.kind, padded, itself), itself)
        tallest = max((line.height for line in lines), default=0.0)
        edges = (_MARGIN + _SLIVER, padded.height - _MARGIN - _SLIVER)
        return [
            line for line in lines
            if line.height > _WHOLE * tallest or (line.rect[1] > edges[0] and line.rect[3] < edges[1])
        ]  # fmt: skip

    def _large(self, image: Image.Image, scale: float, read: Sequence[TextLine], until: float) -> list[TextLine]:
        """Lines besides those read at a scale: letters that are too large there for the detector."""
        coarse = self._reader.detect(image, _COARSER * scale, until)
        lines = self._reader.read(image, found=coarse, besides=read, until=until)
        return [line for line in lines if line.confidence >= _READ_WELL and len(line.text) > 2]

    def _look(self, view: View, whole: Frame, until: float) -> Seen:
        key = (view.sha256, view.frame, whole)
        if view not in self._seen and key in self._complete:
            self._seen[view] = self._complete[key]
        if view not in self._seen:
            now = time.monotonic()
            heat = self._reader.detect(view.image, _scale(view), now + _SEARCHING * (until - now))
            read = self._reader.read(view.image, found=heat, until=until)
            if view.kind == "overview":
                read += self._large(view.image, heat.scale, read, until)
            lines = locate(read, view, whole)
            complete = heat.complete and time.monotonic() < until
            self._seen[view] = Seen(lines, self._reader.find(view.image, heat), complete)
            if complete:
                self._complete[key] = self._seen[view]
                while len(self._complete) > _REMEMBERED:
                    self._complete.popitem(last=False)
        return self._seen[view]


def _scale(view: View) -> float:
    """At which a view is searched for text."""
    area = view.image.width * view.image.height
    if view.kind == "zoom" and area > _TILE_PIXELS:
        return _SWEEP
    if view.kind == "zoom":
        return min(1.0, max(1 / view.frame.scale, math.sqrt(_ZOOM_PIXELS / area)))
    pixels = _SMALL_PIXELS if area < _SMALL_PIXELS else _FULL_PIXELS
    return min(_MAX_SCALE if area < _SMALL_PIXELS else 1.0, math.sqrt(pixels / area))


def _holds(rects: Sequence[Rect], region: TextRegion, overview: Frame) -> bool:
    """Whether one of some rectangles in original pixels holds the middle of a region on the overview."""
    x0, y0, x1, y1 = overview.to_original(region.box, CoordinateSpace.PIXEL)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in rects)


def _edge_colour(image: Image.Image) -> tuple[int, ...]:
    """The median colour of the border."""
    edge = [image.getpixel((x, y)) for x in range(0, image.width, 4) for y in (0, image.height - 1)]
    return tuple(sorted(channel)[len(edge) // 2] for channel in zip(*edge, strict=True))
