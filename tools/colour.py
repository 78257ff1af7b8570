"""Name the colours of a region."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from PIL import Image, ImageColor

from hart_agent.tooling.decorator import tool
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDE = 256
"""Pixels: a region is shrunk to this for counting."""

_COLOURS = 5
_LEAST = 0.02
"""Share of the region below which a colour is not named."""


@tool
def colour(context: ToolContext, bbox_2d: Box, image: View | None = None) -> str:
    """Measure the colours of a region of the original photo: its main ones with their shares, as sRGB values and the
    nearest CSS names. Light and shadow are part of what is measured; make the box tight.
    """
    shrink = min(1.0, _SIDE / max(bbox_2d.width, bbox_2d.height))
    size = Size(max(1, round(bbox_2d.width * shrink)), max(1, round(bbox_2d.height * shrink)))
    pixels = context.image.render(bbox_2d, size)
    shades = pixels.quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)
    palette = shades.getpalette() or []
    counted = sorted(shades.getcolors() or [], reverse=True)
    lines: list[str] = []
    for count, index in counted:
        share = count / size.area
        if share >= _LEAST or not lines:
            assert isinstance(index, int)
            lines.append(f"{share:.0%} {_described(tuple(palette[3 * index : 3 * index + 3]))}")
    mean = tuple(round(band) for band in pixels.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))  # type: ignore[union-attr]
    return f"mean {_described(mean)}\nmain colours:\n" + "\n".join(lines)


def _described(rgb: tuple[int, ...]) -> str:
    import numpy as np

    names, table = _named_colours()
    distances = np.linalg.norm(table - _lab(np.array([rgb], dtype=np.uint8)), axis=1)
    red, green, blue = rgb
    return f"#{red:02x}{green:02x}{blue:02x} rgb({red}, {green}, {blue}), nearest to {names[int(distances.argmin())]}"


@functools.cache
def _named_colours() -> tuple[list[str], NDArray[np.float32]]:
    """The CSS colours, one name for each, and their L*a*b* values, shape (N, 3)."""
    import numpy as np

    by_value = {ImageColor.getrgb(name): name for name in sorted(ImageColor.colormap, reverse=True)}
    return list(by_value.values()), _lab(np.array(list(by_value), dtype=np.uint8))


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIE L*a*b* of sRGB colours, shape (N, 3): distances there are about as large as they look."""
    import cv2
    import numpy as np

    return np.asarray(cv2.cvtColor((rgb / np.float32(255)).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0])
