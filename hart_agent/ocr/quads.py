"""Quads of text lines: from the detector's heat map, and cut out of the image for the recogniser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float32]

LINE_HEIGHT, STRETCH = 48, 1.2  # Of the recogniser's input, in pixels.
TIGHT, CONTEXT = 0.65, 1.8  # Growth of the detector's shrunken boxes: to fit the ink, and for recognition.
_THRESHOLD, _BOX_SCORE = 0.3, 0.5
_LEVEL = 2.0  # Degrees of tilt below which a line counts as level: the detector's noise.
_MAX_WIDTH = 2400  # Of the recogniser's input, in pixels.


def quads(heat: Floats, scale: float) -> Iterator[tuple[Floats, Floats]]:
    """Yields a tight quad and one with context for each line, TL, TR, BR, BL, in pixels of the image.

    Args:
        heat: text probability, shape (H, W), of the image enlarged by `scale`.
        scale: heat map pixels per image pixel.
    """
    import cv2
    import numpy as np

    mask = (heat > _THRESHOLD).astype(np.uint8)
    for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        x, y, w, h = cv2.boundingRect(contour)
        inside = np.zeros((h, w), np.uint8)
        cv2.drawContours(inside, [contour], -1, 1, -1, offset=(-x, -y))
        if min(w, h) < 2 or cv2.mean(heat[y : y + h, x : x + w], inside)[0] < _BOX_SCORE:
            continue
        centre, (wide, tall), angle = cv2.minAreaRect(contour)
        if angle > 45:
            wide, tall, angle = tall, wide, angle - 90
        if abs(angle) < _LEVEL:
            centre, wide, tall, angle = (x + (w - 1) / 2, y + (h - 1) / 2), w - 1, h - 1, 0.0
        wide, tall, turn = wide + 1, tall + 1, math.radians(angle)
        across, down = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
        shape = []
        for growth in (TIGHT, CONTEXT):
            extra = growth * wide * tall / (2 * (wide + tall))
            right, below = across * (wide / 2 + extra), down * (tall / 2 + extra)
            quad = np.array([-right - below, right - below, right + below, below - right]) + centre + 0.5
            shape.append((quad / scale).astype(np.float32))
        yield shape[0], shape[1]


def cut_out(pixels: Pixels, quad: Floats) -> Pixels:
    """The quad as an upright line of the recogniser's height."""
    import cv2
    import numpy as np

    wide, tall = math.dist(quad[0], quad[1]), math.dist(quad[0], quad[3])
    width = int(min(max(STRETCH * LINE_HEIGHT * wide / tall, 8), _MAX_WIDTH))
    shrink = max(1, round(tall / LINE_HEIGHT))  # Sample big letters densely, then average.
    size = (min(width * shrink, 16000), LINE_HEIGHT * shrink)
    corners = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(quad - np.float32(0.5), corners)
    line = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    resized: Pixels = cv2.resize(line, (width, LINE_HEIGHT), interpolation=cv2.INTER_AREA)
    return resized
