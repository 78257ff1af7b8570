"""Measure in pixels, and in real lengths where one is known."""

from __future__ import annotations

import math
from typing import Annotated

from hart_agent.errors import ToolError
from hart_agent.tooling.decorator import Keywords, tool
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import View

_Length = Annotated[float, Keywords(exclusiveMinimum=0)]


@tool
def ruler(
    context: ToolContext,
    bbox_2d: Box,
    other: Box | None = None,
    reference: Box | None = None,
    reference_length: _Length | None = None,
    unit: Annotated[str, Keywords(maxLength=20)] = "m",
    image: View | None = None,
) -> str:
    """Measure an object's box on the original photo: width, height and diagonal, and the distance to another's. With a
    reference of known length, all are given in real units, too; that holds only for what is as far away as it and faces
    the camera alike.

    Args:
        other: box of another object: the distance from centre to centre, and the gap between the boxes, are reported
        reference: box of a thing whose real length is known
        reference_length: the real length of the reference's longer side
        unit: of that length, such as m or cm
    """
    if (reference is None) != (reference_length is None):
        raise ToolError("give both, the box 'reference' and its 'reference_length', or neither")
    factor = None
    if reference is not None and reference_length is not None:
        factor = reference_length / max(reference.width, reference.height)

    def shown(pixels: float) -> str:
        return f"{pixels:.1f} pixels" + (f" = {pixels * factor:.4g} {unit}" if factor is not None else "")

    lines = [
        "On the original photo:",
        f"width {shown(bbox_2d.width)}",
        f"height {shown(bbox_2d.height)}",
        f"diagonal {shown(math.hypot(bbox_2d.width, bbox_2d.height))}",
    ]
    if other is not None:
        across = (other.x0 + other.x1 - bbox_2d.x0 - bbox_2d.x1) / 2
        down = (other.y0 + other.y1 - bbox_2d.y0 - bbox_2d.y1) / 2
        gap_x = max(0, other.x0 - bbox_2d.x1, bbox_2d.x0 - other.x1)
        gap_y = max(0, other.y0 - bbox_2d.y1, bbox_2d.y0 - other.y1)
        lines.append(f"centre to centre {shown(math.hypot(across, down))} ({across:+.1f} across, {down:+.1f} down)")
        lines.append(f"gap between the boxes {shown(math.hypot(gap_x, gap_y))}")
    if factor is not None:
        lines.append("Real lengths hold only at the reference's distance from the camera.")
    return "\n".join(lines)
