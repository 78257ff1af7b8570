"""Offline text reader: PP-OCRv6 detection and recognition run directly on ONNX Runtime.

Large inputs go through the detector in tiles, because it loses small text in large inputs. Detection takes most of the
time, so it may run at a lower resolution than recognition, which always sees the pixels given. Coordinates everywhere
are pixels of the image given by the caller.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hart_agent.ocr import models
from hart_agent.ocr.decoding import decode
from hart_agent.ocr.quads import LINE_HEIGHT, TIGHT, cut_out, quads
from hart_agent.vision.geometry import Rect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float32]

Point = tuple[float, float]

_TILE, _OVERLAP = 960, 128  # Detector tiles, in pixels of the detector's input.
_FIND_THRESHOLD, _FIND_SCORE, _FIND_LIMIT = 0.08, 0.15, 60
_MIN_WIDTH, _BATCH, _MIN_CONFIDENCE, _SURE, _HOPELESS = 320, 4, 0.3, 0.8, 0.5
_CERTAIN, _MARGINS = 0.985, (0.65, 1.45)  # A less certain line is read again with a narrower and a wider margin.


@dataclass(frozen=True)
class TextLine:
    """One line of text that was read.

    Attributes:
        text: The text with its word spaces.
        confidence: Mean character probability, 0 to 1.
        quad: Corners TL, TR, BR, BL in reading direction, in pixels of the image given.
    """

    text: str
    confidence: float
    quad: tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class TextRegion:
    """A place that looks like text.

    Attributes:
        box: Left, top, right, bottom in pixels of the image given.
        score: 0 to 1, higher is more text-like.
    """

    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True, eq=False)
class HeatMap:
    """The detector's text probability.

    Attributes:
        heat: Shape (H, W), 0 to 1, of the image resized by `scale`.
        scale: Pixels of the map per pixel of the image.
        complete: False if time ran out before all of the image was searched.
    """

    heat: Floats
    scale: float
    complete: bool = True


class TextReader:
    """Finds and reads text. Thread-safe, deterministic, silent; uses neither network nor working directory."""

    def __init__(self, threads: int | None = None) -> None:
        """Loads the packaged models.

        Args:
            threads: Threads per model run; by default one per available core, at most 4.

        Raises:
            FileNotFoundError: The `rapidocr` package or its model files are missing.
        """
        self._detector = models.load("PP-OCRv6_det_small.onnx", threads)
        self._recogniser = models.load("PP-OCRv6_rec_small.onnx", threads)
        characters = self._recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._characters: list[str] = ["", *characters, " "]  # Index 0 is the CTC blank.
        self._lock = threading.Lock()

    def detect(self, image: Image.Image, scale: float = 1.0, until: float | None = None) -> HeatMap:
        """Where an image looks like text.

        Args:
            image: The image; at `scale`, letters should be at least 9 pixels tall to be read, 3 to be found.
            scale: The image is resized by this factor first.
            until: On the clock `time.monotonic`; then the rest of the image is left out.

        Raises:
            ValueError: The scale is not a positive number.
        """
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"scale must be positive, got {scale}")
        import cv2
        import numpy as np

        pixels = _rgb(image)
        width, height = (max(1, round(n * scale)) for n in (pixels.shape[1], pixels.shape[0]))
        if scale != 1:
            how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            pixels = cv2.resize(pixels, (width, height), interpolation=how).astype(np.uint8, copy=False)
        heat = np.zeros((height, width), np.float32)
        for top, bottom in _spans(height):
            for left, right in _spans(width):
                if _is_over(until):
                    return HeatMap(heat, scale, complete=False)
                pad = (0, (top - bottom) % 32, 0, (left - right) % 32)
                part = cv2.copyMakeBorder(pixels[top:bottom, left:right], *pad, cv2.BORDER_REPLICATE)
                batch = models.normalise(part.astype(np.uint8, copy=False))[None]
                with self._lock:
                    out = self._detector.run(None, {"x": batch})[0][0, 0]
                skip_y, skip_x = (_OVERLAP // 2 if start else 0 for start in (top, left))  # Seams mid-overlap.
                heat[top + skip_y : bottom, left + skip_x : right] = out[skip_y : bottom - top, skip_x : right - left]
        return HeatMap(heat, scale)

    def find(self, image: Image.Image, found: HeatMap | None = None) -> list[TextRegion]:
        """Places that may hold text, including text too small to read, best first.

        Args:
            image: The image.
            found: What `detect` gave for it; otherwise it is searched now.

        Returns:
            Regions in pixels of `image`, at most 60; about one per line of text.
        """
        import cv2
        import numpy as np

        found = found or self.detect(image)
        heat, scale = found.heat, found.scale
        kept = np.where(heat > _FIND_THRESHOLD, heat, 0).astype(np.float64)
        count, labels, stats, _ = cv2.connectedComponentsWithStats((kept > 0).astype(np.uint8), connectivity=8)
        mass, square = (np.bincount(labels.ravel(), w.ravel(), count) for w in (kept, kept**2))
        regions = []
        score = np.minimum(square / np.maximum(mass, 1e-9), 1.0)  # Mean probability, weighted by itself.
        for label in np.flatnonzero(score >= _FIND_SCORE):
            x, y, w, h = (float(v) for v in stats[label, :4])
            grow = TIGHT * w * h / (2 * (w + h))
            corners = (x - grow, y - grow, x + w + grow, y + h + grow)
            limits = (image.width, image.height) * 2
            left, top, right, bottom = (min(max(c / scale, 0.0), n) for c, n in zip(corners, limits, strict=True))
            regions.append(TextRegion((left, top, right, bottom), float(score[label])))
        regions.sort(key=lambda region: (-region.score, region.box))
        return regions[:_FIND_LIMIT]

    def read(
        self,
        image: Image.Image,
        scale: float = 1.0,
        *,
        found: HeatMap | None = None,
        besides: Sequence[TextLine] = (),
        until: float | None = None,
    ) -> list[TextLine]:
        """Reads the lines of text in an image, at any rotation.

        Args:
            image: The image; letters should be at least 9 pixels tall.
            scale: Of the image for detection only; letters are always taken from `image` itself.
            found: What `detect` gave for the image; otherwise it is searched now.
            besides: Lines that were read already: what one of them half covers is left out.
            until: On the clock `time.monotonic`; what was read by then is returned.

        Returns:
            Lines from top to bottom, in pixels of `image`.

        Raises:
            ValueError: The scale is not a positive number.
        """
        import numpy as np

        found = found or self.detect(image, scale, until)
        pixels = _rgb(image)
        known = [_bounds(line.quad) for line in besides]
        pairs = [
            pair
            for pair in quads(found.heat, found.scale)
            if not any(_covers(rect, _bounds(pair[0])) for rect in known)
        ]
        best: list[tuple[str, float, int]] = [("", 0.0, 0)] * len(pairs)

        def readings(jobs: Sequence[tuple[int, int]], margin: float = 1.0) -> list[tuple[str, float]]:
            around = [pairs[index][0] + margin * (pairs[index][1] - pairs[index][0]) for index, _ in jobs]
            crops = [cut_out(pixels, np.roll(quad, turn, axis=0)) for quad, (_, turn) in zip(around, jobs, strict=True)]
            return self._recognise(crops, until)

        def attempt(turns: dict[int, tuple[int, ...]]) -> None:
            jobs = [(index, turn) for index, many in turns.items() for turn in many]
            for (index, turn), (text, confidence) in zip(jobs, readings(jobs), strict=True):
                if confidence > best[index][1]:
                    best[index] = (text, confidence, turn)

        level = [math.dist(wide[0], wide[3]) <= 1.5 * math.dist(wide[0], wide[1]) for _, wide in pairs]
        attempt({i: (0,) if flat else (0, -1, 1) for i, flat in enumerate(level)})
        unsure = [i for i, flat in enumerate(level) if flat and best[i][1] < _SURE]
        worst = _SURE if 2 * len(unsure) >= sum(level) else _HOPELESS  # Upside down is rarely one line among many.
        attempt({i: (2,) for i in unsure if best[i][1] < worst})
        again = [(i, turn) for i, (_, sure, turn) in enumerate(best) if _MIN_CONFIDENCE <= sure < _CERTAIN]
        others = [readings(again, margin) for margin in _MARGINS]
        for (index, turn), *said in zip(again, *others, strict=True):
            best[index] = (*_vote([best[index][:2], *said]), turn)
        lines = []
        for (tight, _), (text, confidence, turn) in zip(pairs, best, strict=True):
            if text.strip() and confidence >= _MIN_CONFIDENCE:
                a, b, c, d = ((float(x), float(y)) for x, y in np.roll(tight, turn, axis=0))
                lines.append(TextLine(text.strip(), confidence, (a, b, c, d)))
        return sorted(lines, key=lambda line: (min(y for _, y in line.quad), line.quad))

    def _recognise(self, crops: list[Pixels], until: float | None) -> list[tuple[str, float]]:
        """The text and confidence of each line crop, ("", 0) where time ran out."""
        import numpy as np

        results = [("", 0.0)] * len(crops)
        order = sorted(range(len(crops)), key=lambda index: crops[index].shape[1])
        for start in range(0, len(order), _BATCH):
            if _is_over(until):
                break
            chosen = order[start : start + _BATCH]
            width = max(_MIN_WIDTH, crops[chosen[-1]].shape[1])
            batch = np.zeros((len(chosen), 3, LINE_HEIGHT, width), np.float32)
            for row, index in enumerate(chosen):
                batch[row, :, :, : crops[index].shape[1]] = models.normalise(crops[index])
            with self._lock:
                scores = self._recogniser.run(None, {"x": batch})[0]
            for row, index in enumerate(chosen):
                results[index] = decode(scores[row], self._characters, crops[index])
        return results


def _vote(readings: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """The text that the readings of a line are surest of together, and its highest confidence."""
    total = defaultdict[str, float](float)
    for text, confidence in readings:
        total[text] += confidence
    text = max(total, key=total.__getitem__)
    return text, max(confidence for other, confidence in readings if other == text)


def _bounds(quad: Iterable[Sequence[float]]) -> Rect:
    xs, ys = zip(*quad, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _covers(rect: Rect, other: Rect) -> bool:
    """Whether a rectangle covers half of another."""
    wide, tall = (min(rect[i + 2], other[i + 2]) - max(rect[i], other[i]) for i in (0, 1))
    return max(0.0, wide) * max(0.0, tall) >= 0.5 * (other[2] - other[0]) * (other[3] - other[1])


def _is_over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _rgb(image: Image.Image) -> Pixels:
    import numpy as np

    return np.asarray(image.convert("RGB"))


def _spans(size: int) -> list[tuple[int, int]]:
    """Splits a length into equal overlapping (start, end) tiles of at most a tile's length, in order."""
    count = max(1, math.ceil((size - _OVERLAP) / (_TILE - _OVERLAP)))
    length = math.ceil((size + (count - 1) * _OVERLAP) / count)
    return [(start := (size - length) * i // max(1, count - 1), start + length) for i in range(count)]
