"""Offline text reader: PP-OCRv6 detection and recognition run directly on ONNX Runtime.

Only the model files of the `rapidocr` package are used. Its pipeline resizes images silently, logs and can
download, so it is never imported. Large inputs go through the detector in tiles, because it loses small text
in large inputs. Coordinates everywhere are pixels of the image given by the caller.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float32]

Point = tuple[float, float]

READER_PACKAGES = ("onnxruntime", "rapidocr==3.10.0")
"""What the reader and its models come from, as `pyproject.toml` requires it."""

_FIND_TILE, _READ_TILE, _OVERLAP = 768, 1152, 128  # Detector tiles, in pixels of the detector's input.
_FIND_SIDE, _FIND_MAX_SCALE = 2400, 1.5  # Long side that an overview is enlarged to, and by how much at most.
_FIND_THRESHOLD, _FIND_SCORE, _FIND_LIMIT = 0.08, 0.15, 60
_READ_THRESHOLD, _READ_BOX_SCORE = 0.3, 0.5
_TIGHT, _CONTEXT = 0.65, 1.8  # Growth of the detector's shrunken boxes: to fit the ink, and for recognition.
_LEVEL = 2.0  # Degrees of tilt below which a line counts as level: the detector's noise.
_LINE_HEIGHT, _MIN_WIDTH, _MAX_WIDTH, _STRETCH = 48, 320, 2400, 1.2  # Recogniser's input, in pixels.
_BATCH, _MIN_CONFIDENCE, _SURE, _MAYBE_SPACE = 4, 0.3, 0.8, 0.02
_FADED_DOT = 0.015  # Small letters lose the dot of an i and look like an l; a real l leaves the i less than this.
_ASCII_FORMS = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # Full-width forms to ASCII.


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


class TextReader:
    """Finds and reads text. Thread-safe, deterministic, silent; uses neither network nor working directory."""

    def __init__(self, threads: int | None = None) -> None:
        """Loads the packaged models.

        Args:
            threads: Threads per model run; by default one per available core, at most 4.

        Raises:
            FileNotFoundError: The `rapidocr` package or its model files are missing.
        """
        # No network access that nobody asked for. It must be said before the import, which already makes a device id.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime as ort  # type: ignore[import-untyped,unused-ignore]

        ort.disable_telemetry_events()  # In case that the program had imported it before.
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or min(4, _cores())
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # Shapes vary: an arena would keep the largest for ever.

        def load(name: str) -> Any:
            return ort.InferenceSession(str(_model(name)), options, providers=["CPUExecutionProvider"])

        self._detector, self._recogniser = load("PP-OCRv6_det_small.onnx"), load("PP-OCRv6_rec_small.onnx")
        characters = self._recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._characters: list[str] = ["", *characters, " "]  # Index 0 is the CTC blank.
        self._lock = threading.Lock()

    def find(self, image: Image.Image) -> list[TextRegion]:
        """Finds places that may hold text, including text too small to read, best first.

        Args:
            image: An overview; about 1600 to 2600 pixels on the long side serve best.

        Returns:
            Regions in pixels of `image`, at most 60; about one per line of text.
        """
        import cv2
        import numpy as np

        scale = min(_FIND_MAX_SCALE, max(1.0, _FIND_SIDE / max(image.size)))
        heat = self._heat(_rgb(image), scale, _FIND_TILE)
        kept = np.where(heat > _FIND_THRESHOLD, heat, 0).astype(np.float64)
        count, labels, stats, _ = cv2.connectedComponentsWithStats((kept > 0).astype(np.uint8), connectivity=8)
        mass, square = (np.bincount(labels.ravel(), w.ravel(), count) for w in (kept, kept**2))
        regions = []
        score = np.minimum(square / np.maximum(mass, 1e-9), 1.0)  # Mean probability, weighted by itself.
        for label in np.flatnonzero(score >= _FIND_SCORE):
            x, y, w, h = (float(v) for v in stats[label, :4])
            grow = _TIGHT * w * h / (2 * (w + h))
            corners = (x - grow, y - grow, x + w + grow, y + h + grow)
            limits = (image.width, image.height) * 2
            left, top, right, bottom = (min(max(c / scale, 0.0), n) for c, n in zip(corners, limits, strict=True))
            regions.append(TextRegion((left, top, right, bottom), float(score[label])))
        regions.sort(key=lambda region: (-region.score, region.box))
        return regions[:_FIND_LIMIT]

    def read(self, image: Image.Image, scale: float = 1.0) -> list[TextLine]:
        """Reads the lines of text in an image, at any rotation.

        Args:
            image: The image; letters should be at least 9 pixels tall.
            scale: Enlargement for detection only; letters are always taken from `image` itself.

        Returns:
            Lines from top to bottom, in pixels of `image`.
        """
        import numpy as np

        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"scale must be positive, got {scale}")
        pixels = _rgb(image)
        pairs = list(_boxes(self._heat(pixels, scale, _READ_TILE), scale))
        best: list[tuple[str, float, int]] = [("", 0.0, 0)] * len(pairs)

        def attempt(turns: dict[int, tuple[int, ...]]) -> None:
            jobs = [(index, turn) for index, many in turns.items() for turn in many]
            crops = [_crop(pixels, np.roll(pairs[index][1], turn, axis=0)) for index, turn in jobs]
            for (index, turn), (text, confidence) in zip(jobs, self._recognise(crops), strict=True):
                if confidence > best[index][1]:
                    best[index] = (text, confidence, turn)

        level = [math.dist(wide[0], wide[3]) <= 1.5 * math.dist(wide[0], wide[1]) for _, wide in pairs]
        attempt({i: (0,) if flat else (0, -1, 1) for i, flat in enumerate(level)})
        attempt({i: (2,) for i, flat in enumerate(level) if flat and best[i][1] < _SURE})
        lines = []
        for (tight, _), (text, confidence, turn) in zip(pairs, best, strict=True):
            if text.strip() and confidence >= _MIN_CONFIDENCE:
                a, b, c, d = ((float(x), float(y)) for x, y in np.roll(tight, turn, axis=0))
                lines.append(TextLine(text.strip(), confidence, (a, b, c, d)))
        return sorted(lines, key=lambda line: (min(y for _, y in line.quad), line.quad))

    def _heat(self, pixels: Pixels, scale: float, tile: int) -> Floats:
        """Returns the detector's text probability for every pixel of the image enlarged by `scale`."""
        import cv2
        import numpy as np

        width, height = (max(1, round(n * scale)) for n in (pixels.shape[1], pixels.shape[0]))
        if scale != 1:
            how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            pixels = cv2.resize(pixels, (width, height), interpolation=how).astype(np.uint8, copy=False)
        heat = np.zeros((height, width), np.float32)
        for top, bottom in _spans(height, tile):
            for left, right in _spans(width, tile):
                pad = (0, (top - bottom) % 32, 0, (left - right) % 32)
                part = cv2.copyMakeBorder(pixels[top:bottom, left:right], *pad, cv2.BORDER_REPLICATE)
                batch = _normal(part.astype(np.uint8, copy=False))[None]
                with self._lock:
                    out = self._detector.run(None, {"x": batch})[0][0, 0]
                skip_y, skip_x = (_OVERLAP // 2 if start else 0 for start in (top, left))  # Seams mid-overlap.
                heat[top + skip_y : bottom, left + skip_x : right] = out[skip_y : bottom - top, skip_x : right - left]
        return heat

    def _recognise(self, crops: list[Pixels]) -> list[tuple[str, float]]:
        """Returns the text and confidence of each line crop."""
        import numpy as np

        results = [("", 0.0)] * len(crops)
        order = sorted(range(len(crops)), key=lambda index: crops[index].shape[1])
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            width = max(_MIN_WIDTH, crops[chosen[-1]].shape[1])
            batch = np.zeros((len(chosen), 3, _LINE_HEIGHT, width), np.float32)
            for row, index in enumerate(chosen):
                batch[row, :, :, : crops[index].shape[1]] = _normal(crops[index])
            with self._lock:
                scores = self._recogniser.run(None, {"x": batch})[0]
            for row, index in enumerate(chosen):
                results[index] = self._decode(scores[row], crops[index])
        return results

    def _decode(self, scores: Floats, crop: Pixels) -> tuple[str, float]:
        """Collapses CTC scores of shape (steps, classes); adds a doubtful space where the ink has a wide gap."""
        import numpy as np

        codes, space = scores.argmax(1), len(self._characters) - 1
        i, tall_strokes = self._characters.index("i"), [self._characters.index(stroke) for stroke in "lI"]
        codes[np.isin(codes, tall_strokes) & (scores[:, i] >= _FADED_DOT)] = i
        steps = np.flatnonzero((codes != 0) & np.r_[True, codes[1:] != codes[:-1]])
        if not len(steps):
            return "", 0.0
        empty, tall = _empty_columns(crop)
        pairs = list(itertools.pairwise(steps))
        gaps = [_longest_run(empty[a * 8 + 4 : b * 8 + 4]) / _STRETCH for a, b in pairs]  # A step is 8 pixels.
        wide = max(1.9 * float(np.median(gaps)), 0.2 * tall) if gaps else 0.0
        text = self._characters[codes[steps[0]]]
        for (a, b), gap in zip(pairs, gaps, strict=True):
            doubt = codes[a] != space != codes[b] and scores[a + 1 : b, space].max(initial=0.0) >= _MAYBE_SPACE
            text += (" " if doubt and gap >= wide else "") + self._characters[codes[b]]
        return text.translate(_ASCII_FORMS), float(scores[steps, codes[steps]].mean())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _model(name: str) -> Path:
    """Returns the path of a model file in the `rapidocr` package, which is not imported."""
    spec = importlib.util.find_spec("rapidocr")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, "models", name)).is_file():
            return path
    raise FileNotFoundError(f"{name} not found: install the package 'rapidocr' (3.10 or newer)")


def _rgb(image: Image.Image) -> Pixels:
    import numpy as np

    return np.asarray(image.convert("RGB"))


def _normal(pixels: Pixels) -> Floats:
    """Returns RGB rows as the models' input: BGR planes from -1 to 1."""
    import numpy as np

    return (pixels[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) - 127.5) / np.float32(127.5)


def _spans(size: int, tile: int) -> list[tuple[int, int]]:
    """Splits a length into equal overlapping (start, end) tiles of at most `tile` pixels, in order."""
    count = max(1, math.ceil((size - _OVERLAP) / (tile - _OVERLAP)))
    length = math.ceil((size + (count - 1) * _OVERLAP) / count)
    return [(start := (size - length) * i // max(1, count - 1), start + length) for i in range(count)]


def _boxes(heat: Floats, scale: float) -> Iterator[tuple[Floats, Floats]]:
    """Yields a tight quad and one with context for each line, TL, TR, BR, BL, in pixels of the image given."""
    import cv2
    import numpy as np

    mask = (heat > _READ_THRESHOLD).astype(np.uint8)
    for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        x, y, w, h = cv2.boundingRect(contour)
        inside = np.zeros((h, w), np.uint8)
        cv2.drawContours(inside, [contour], -1, 1, -1, offset=(-x, -y))
        if min(w, h) < 2 or cv2.mean(heat[y : y + h, x : x + w], inside)[0] < _READ_BOX_SCORE:
            continue
        centre, (wide, tall), angle = cv2.minAreaRect(contour)
        if angle > 45:
            wide, tall, angle = tall, wide, angle - 90
        if abs(angle) < _LEVEL:
            centre, wide, tall, angle = (x + (w - 1) / 2, y + (h - 1) / 2), w - 1, h - 1, 0.0
        wide, tall, turn = wide + 1, tall + 1, math.radians(angle)
        across, down = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
        shape = []
        for growth in (_TIGHT, _CONTEXT):
            extra = growth * wide * tall / (2 * (wide + tall))
            right, below = across * (wide / 2 + extra), down * (tall / 2 + extra)
            quad = np.array([-right - below, right - below, right + below, below - right]) + centre + 0.5
            shape.append((quad / scale).astype(np.float32))
        yield shape[0], shape[1]


def _crop(pixels: Pixels, quad: Floats) -> Pixels:
    """Cuts a quad out as an upright line of the recogniser's height."""
    import cv2
    import numpy as np

    wide, tall = math.dist(quad[0], quad[1]), math.dist(quad[0], quad[3])
    width = int(min(max(_STRETCH * _LINE_HEIGHT * wide / tall, 8), _MAX_WIDTH))
    shrink = max(1, round(tall / _LINE_HEIGHT))  # Sample big letters densely, then average.
    size = (min(width * shrink, 16000), _LINE_HEIGHT * shrink)
    corners = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(quad - np.float32(0.5), corners)
    line = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    resized: Pixels = cv2.resize(line, (width, _LINE_HEIGHT), interpolation=cv2.INTER_AREA)
    return resized


def _empty_columns(line: Pixels) -> tuple[NDArray[np.bool_], int]:
    """Returns which columns of a line crop hold no ink, and the height of the ink in pixels."""
    import numpy as np

    ground = np.median(np.concatenate([line[:4], line[-4:]]), axis=(0, 1))
    ink = np.abs(line - ground).max(axis=2)
    dark = ink > 0.4 * np.percentile(ink, 97)
    rows = np.flatnonzero(dark.mean(axis=1) > 0.03)
    return ~dark[6:-6].any(axis=0), int(rows[-1] - rows[0] + 1) if len(rows) else _LINE_HEIGHT


def _longest_run(flags: NDArray[np.bool_]) -> int:
    return max((len(list(run)) for flag, run in itertools.groupby(flags) if flag), default=0)
