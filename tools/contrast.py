"""Make faint detail visible."""

from __future__ import annotations

from typing import Annotated

from PIL import Image

from hart_agent.tooling.decorator import Keywords, tool
from hart_agent.tooling.protocol import ToolContext, ToolOutput
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import View

_TILES = 8
"""Along each side: the squares within which the contrast is evened out."""


@tool
def contrast(
    context: ToolContext,
    bbox_2d: Box,
    strength: Annotated[float, Keywords(minimum=1, maximum=20)] = 3,
    image: View | None = None,
) -> ToolOutput:
    """Show a region of the original photo, magnified, with its local contrast raised: for faint, dark, hazy or
    overexposed detail. Brightness is changed, so don't judge colours or light by it.

    Args:
        strength: 1 to 20: how far contrast may be raised; high values show noise, too
    """
    import cv2
    import numpy as np

    lightness, *colour = cv2.split(cv2.cvtColor(np.asarray(context.pixels(bbox_2d, magnify=True)), cv2.COLOR_RGB2LAB))
    equalised = cv2.createCLAHE(clipLimit=strength, tileGridSize=(_TILES, _TILES)).apply(lightness)
    pixels = cv2.cvtColor(cv2.merge([equalised, *colour]), cv2.COLOR_LAB2RGB)
    view = context.add_view("contrast", Image.fromarray(pixels), bbox_2d)
    return ToolOutput(
        f"{view.id}: {view.frame.size} pixels, local contrast raised (CLAHE, limit {strength:g}).", (view,)
    )
