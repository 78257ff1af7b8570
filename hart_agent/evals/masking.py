"""The original with its evidence painted over, for the control that takes the evidence away."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Size
from hart_agent.vision.source import SourceImage

_GREY = (127, 127, 127)
_RESAMPLING_REACH = 3
"""Lanczos lets a pixel show as far as this many pixels of the coarser of the two images away."""


class MaskedImage(SourceImage):
    """An image that shows grey where the given boxes are, in every view of it.

    Args:
        source: the image; it isn't changed.
        boxes: what is hidden, in original pixels.

    Raises:
        ImageError: the image can't be used.
    """

    def __init__(self, source: SourceImage, boxes: Sequence[Box]) -> None:
        super().__init__(source.origin, max_pixels=source.size.area, page=source.page)
        self._file = source._file  # in the same state, which a changed file has not
        self._hidden = tuple(boxes)

    def render(self, box: Box, size: Size, resampling: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
        """The region at the given size, with the hidden boxes grey, and as much around them as resampling smears.

        Args:
            box: in original pixels.
            size: of the result, in pixels.
            resampling: the filter; no other reaches further than Lanczos.

        Raises:
            ImageError: the pixel data is damaged.
        """
        pixels = super().render(box, size, resampling).copy()
        frame = Frame(box, size)
        draw = ImageDraw.Draw(pixels)
        for hidden in self._hidden:
            x0, y0, x1, y1 = frame.from_original(hidden.as_tuple(), CoordinateSpace.PIXEL)
            reach_x = 0 if size == box.size else _RESAMPLING_REACH * max(1.0, size.width / box.width)
            reach_y = 0 if size == box.size else _RESAMPLING_REACH * max(1.0, size.height / box.height)
            # A drawn rectangle holds its last row and column.
            corners = [math.floor(x0 - reach_x), math.floor(y0 - reach_y)]
            corners += [math.ceil(x1 + reach_x) - 1, math.ceil(y1 + reach_y) - 1]
            draw.rectangle(corners, fill=_GREY)
        return pixels
