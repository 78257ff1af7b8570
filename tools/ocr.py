"""Read the text in a region."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

from hart_agent.tooling.decorator import tool
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import View

if TYPE_CHECKING:
    from hart_agent.ocr import TextReader

_LARGEST = 4_000_000
"""Pixels that are read at once, some seconds on two cores; a larger region is shrunk to this."""

_SMALLEST = 640
"""Pixels. A region whose longer side is less is enlarged up to three times: the reader wants letters of 9 pixels."""

_MOST_LINES = 100


@tool(timeout=120)
def ocr(context: ToolContext, bbox_2d: Box | None = None, image: View | None = None) -> str:
    """Read the text in a region of the original photo: each line with its place and how sure the reading is. Doesn't
    need letters that you can make out yourself; give a region rather than the whole photo, or small text is missed.

    Args:
        bbox_2d: [x0, y0, x1, y1], the region; the whole image if left out
        image: name of the image on which the box was read; the overview if left out
    """
    view = image or context.views["overview"]
    box = bbox_2d or view.frame.box
    longest = max(box.width, box.height)
    scale = min(math.sqrt(_LARGEST / box.area), max(1.0, min(3.0, _SMALLEST / longest)))
    size = Size(max(1, round(box.width * scale)), max(1, round(box.height * scale)))
    found = _reader().read(context.image.render(box, size))
    shrunk = f" The region was shrunk {1 / scale:.1f} times to be read; small text needs a smaller one."
    note = shrunk if scale < 1 else ""
    if not found:
        return f"No text was found there.{note}"
    lines = []
    for line in found[:_MOST_LINES]:
        columns, rows = zip(*line.quad, strict=True)
        x, y = box.width / size.width, box.height / size.height
        rect = (
            max(box.x0 + min(columns) * x, box.x0), max(box.y0 + min(rows) * y, box.y0),
            min(box.x0 + max(columns) * x, box.x1), min(box.y0 + max(rows) * y, box.y1),
        )  # fmt: skip
        lines.append(f"{line.text!r} at {context.locate(rect, view)}, confidence {line.confidence:.2f}")
    if len(found) > _MOST_LINES:
        lines.append(f"{len(found) - _MOST_LINES} more lines below are left out; give a smaller region.")
    return f"Text from top to bottom.{note}\n" + "\n".join(lines)


@functools.cache
def _reader() -> TextReader:
    from hart_agent.ocr import TextReader

    return TextReader()
