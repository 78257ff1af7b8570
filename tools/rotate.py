"""Turn a region, or set its text level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from PIL import Image, ImageStat

from hart_agent.tooling.decorator import Keywords, tool
from hart_agent.tooling.protocol import ToolContext, ToolOutput
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDE = 500
"""Pixels: the longer side of the picture on which the tilt is measured."""

_STEEPEST = 30
"""Degrees: tilts beyond this are not looked for; further ones are easily mistaken for strokes of letters."""

_PLAIN = 1.25
"""By how much the best tilt must beat the middle one: what has no lines has no best tilt."""


@tool
def rotate(
    context: ToolContext,
    bbox_2d: Box,
    angle: Annotated[float, Keywords(minimum=-180, maximum=180)] | None = None,
    image: View | None = None,
) -> ToolOutput:
    """Turn a region of the original photo, magnified: to read what is tilted, upside down or runs upwards. The result
    is for looking only: boxes can't be given on it.

    Args:
        angle: degrees clockwise by which the region is turned; left out, lines of text are set level
    """
    pixels = context.pixels(bbox_2d, magnify=True)
    found = ""
    if angle is None:
        angle = _tilt(pixels)
        way = "rise" if angle > 0 else "fall"
        found = f" Its lines {way} to the right by {abs(angle):g} degrees." if angle else " No tilt was found."
    quarters = {90: Image.Transpose.ROTATE_270, -90: Image.Transpose.ROTATE_90}
    half = Image.Transpose.ROTATE_180
    if angle % 90 == 0:
        turn = quarters.get(int(angle), half if angle else None)
        turned = pixels if turn is None else pixels.transpose(turn)
    else:
        # A strong contrast to the corners would look like strokes of huge letters.
        plain = tuple(round(band) for band in ImageStat.Stat(pixels).median)
        turned = pixels.rotate(-angle, Image.Resampling.BICUBIC, expand=True, fillcolor=plain)
    view = context.add_view("rotate", turned, bbox_2d, pointable=False)
    text = f"{view.id}: the region turned clockwise by {angle:g} degrees, its corners filled.{found}"
    return ToolOutput(text, (view,))


def _tilt(pixels: Image.Image) -> float:
    """Degrees clockwise that set lines of text level; 0 if there are no lines.

    The sum of each row changes most from row to row when lines lie along the rows: the projection profile, the common
    way to level scanned pages. Edges are summed, not ink, so that the colours of text and ground don't matter.
    """
    import cv2
    import numpy as np

    grey = pixels.convert("L")
    grey.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    values = np.asarray(grey, dtype=np.float32)
    if min(values.shape) < 8:
        return 0.0
    edges = np.abs(cv2.Sobel(values, cv2.CV_32F, 0, 1))
    edges = np.minimum(edges, max(float(np.percentile(edges, 99)), 1.0))

    def best(candidates: NDArray[Any]) -> tuple[float, float]:
        scores = [_contrast(edges, float(candidate)) for candidate in candidates]
        return float(candidates[int(np.argmax(scores))]), max(scores) / max(float(np.median(scores)), 1e-6)

    coarse, gain = best(np.arange(-_STEEPEST, _STEEPEST + 1, dtype=np.float64))
    if gain < _PLAIN:
        return 0.0
    fine, _ = best(coarse + np.arange(-0.9, 1.0, 0.1))
    return round(fine, 1) + 0.0  # no -0.0


def _contrast(edges: NDArray[np.float32], angle: float) -> float:
    """How much the rows' means differ from row to row once the picture is turned clockwise by an angle."""
    import cv2
    import numpy as np

    height, width = edges.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -angle, 1.0)
    turned = cv2.warpAffine(np.stack([edges, np.ones_like(edges)], axis=-1), turn, (width, height))
    weight = turned[..., 1].sum(axis=1)
    rows = turned[..., 0].sum(axis=1)[weight > width / 4] / weight[weight > width / 4]
    return float(np.square(np.diff(rows)).mean()) if len(rows) > 1 else 0.0
