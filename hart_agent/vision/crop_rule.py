"""How the crops of a published agent are cut: the region around the box that it wrote, and the size of its view.

Our own tools cut exactly the box and magnify it as far as the budget allows. Agents were trained with other crops, and
see best in those.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from PIL import Image

from hart_agent.errors import ToolArgumentsError
from hart_agent.vision.geometry import Box, Rect, Size


class Rounding(StrEnum):
    """Which whole pixels a box stands for."""

    COVER = "cover"
    """All that it touches."""
    NEAREST = "nearest"
    """Each side goes to the nearest edge of a pixel."""
    DOWN = "down"
    """Each side goes to the edge before it."""


class Resampling(StrEnum):
    """The filter that makes a crop larger or smaller."""

    LANCZOS = "lanczos"
    BICUBIC = "bicubic"

    @property
    def filter(self) -> Image.Resampling:
        """As Pillow names it."""
        return Image.Resampling[self.name]


@dataclass(frozen=True, slots=True)
class CropRule:
    """From a box to a crop. First the region: grown, padded, brought to its least side; then the size.

    Lengths are in original pixels unless said otherwise. The image of a box is that on which it was written: the
    original, or a crop, beyond which no region reaches.

    Attributes:
        grow: each side is made so many times as long, about the box's centre.
        pad: added on each side, as a share of the image's side.
        pad_limit: `pad` adds at most so much; 0 for no limit.
        min_side: a side that is shorter is made so long, about the box's centre.
        keeps_shape: whether `min_side` enlarges both sides alike.
        max_aspect: the shorter side is made long enough for this ratio; 0 for no limit.
        refused_side: a region with a side of at most this is refused.
        refused_aspect: a region with a larger ratio of its sides is refused; 0 for none.
        rounding: of the region to whole pixels.
        enlarge: the crop is shown so many times as large as it is.
        fill: it is shown as large as the budget and its largest magnification allow, instead.
        stretch: each side is shown in at least so many pixels, whatever that does to the shape.
        min_pixels: the area in which it is shown at least.
        resampling: the filter.
    """

    grow: float = 1.0
    pad: float = 0.0
    pad_limit: int = 0
    min_side: int = 0
    keeps_shape: bool = False
    max_aspect: float = 0.0
    refused_side: int = 0
    refused_aspect: float = 0.0
    rounding: Rounding = Rounding.COVER
    enlarge: float = 1.0
    fill: bool = False
    stretch: int = 1
    min_pixels: int = 1
    resampling: Resampling = Resampling.LANCZOS

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> CropRule:
        """The inverse of `to_json`.

        Raises:
            TypeError, ValueError: a field doesn't exist, or can't have its value.
        """
        kinds: dict[str, Callable[[Any], Any]] = {"rounding": Rounding, "resampling": Resampling}
        read: dict[str, Any] = {name: kinds.get(name, _same)(value) for name, value in values.items()}
        return cls(**read)

    def to_json(self) -> dict[str, Any]:
        """The fields that don't have their default."""
        pairs = ((field, getattr(self, field.name)) for field in fields(self))
        return {field.name: value for field, value in pairs if value != field.default}

    def region(self, rect: Rect, image: Box) -> Box:
        """What is cut out.

        Args:
            rect: the box, in original pixels, x0 <= x1 and y0 <= y1, within the image.
            image: where the image of the box lies in the original.

        Raises:
            ToolArgumentsError: the region is refused.
        """
        left, right = self._padded(rect[0], rect[2], image.x0, image.x1)
        top, bottom = self._padded(rect[1], rect[3], image.y0, image.y1)
        width, height = right - left, bottom - top
        least_width, least_height = float(self.min_side), float(self.min_side)
        if self.keeps_shape and 0 < min(width, height) < self.min_side:
            ratio = self.min_side / min(width, height)
            least_width, least_height = width * ratio, height * ratio
        if self.max_aspect:
            least_width, least_height = (
                max(least_width, height / self.max_aspect), max(least_height, width / self.max_aspect)
            )  # fmt: skip
        x0, x1 = self._rounded(*_widened(left, right, least_width, image.x0, image.x1), image.x0, image.x1)
        y0, y1 = self._rounded(*_widened(top, bottom, least_height, image.y0, image.y1), image.y0, image.y1)
        self._check(x1 - x0, y1 - y0)
        return Box(x0, y0, x1, y1)

    def size(self, region: Size, *, grid: int, max_pixels: int, max_magnification: float = 4.0) -> Size:
        """In which size a region is shown, in pixels: on the grid, as the processors of Qwen's models would have it.

        Args:
            region: in original pixels.
            grid: that divides both sides.
            max_pixels: the largest area.
            max_magnification: with `fill`.
        """
        width, height = max(region.width, self.stretch), max(region.height, self.stretch)
        scale = min(max_magnification, math.sqrt(max_pixels / (width * height))) if self.fill else self.enlarge
        return smart_size(width * scale, height * scale, grid, min(self.min_pixels, max_pixels), max_pixels)

    def _padded(self, low: float, high: float, start: int, stop: int) -> tuple[float, float]:
        centre, half = (low + high) / 2, (high - low) / 2 * self.grow
        rim = self.pad * (stop - start)
        rim = min(rim, self.pad_limit) if self.pad_limit else rim
        if self.grow != 1:
            low, high = centre - half, centre + half
        return max(float(start), low - rim), min(float(stop), high + rim)

    def _rounded(self, low: float, high: float, start: int, stop: int) -> tuple[int, int]:
        """Whole pixels, at least one; noise of floating-point numbers does not count."""
        if self.rounding is Rounding.NEAREST:
            first, last = round(low), round(high)
        elif self.rounding is Rounding.DOWN:
            first, last = math.floor(low + _NOISE), math.floor(high + _NOISE)
        else:
            first, last = math.floor(low + _NOISE), math.ceil(high - _NOISE)
        first = min(max(first, start), stop - 1)
        return first, min(max(last, first + 1), stop)

    def _check(self, width: int, height: int) -> None:
        if min(width, height) <= self.refused_side:
            raise ToolArgumentsError(
                f"the region is {width}x{height} pixels, which is too small: expected more than {self.refused_side} "
                "on each side"
            )
        if self.refused_aspect and max(width, height) > self.refused_aspect * min(width, height):
            raise ToolArgumentsError(
                f"the region is {width}x{height} pixels, which is too thin: expected a ratio of its sides of at most "
                f"{self.refused_aspect:g}"
            )


_NOISE = 1e-6


def _same(value: Any) -> Any:
    return value


def smart_size(width: float, height: float, grid: int, min_pixels: int, max_pixels: int) -> Size:
    """The size to which the processors of Qwen2-VL and later bring an image.

    Args:
        width, height: of the image, in pixels.
        grid: that divides both sides of the result.
        min_pixels, max_pixels: bounds of its area; where no size lies between them, the upper one holds.

    Source: transformers, image_processing_qwen2_vl, which exceeds the upper bound in that case.
    """
    sides = [max(grid, round(side / grid) * grid) for side in (width, height)]
    if math.prod(sides) < min_pixels:
        scale = math.sqrt(min_pixels / (width * height))
        sides = [math.ceil(side * scale / grid) * grid for side in (width, height)]
    if math.prod(sides) > max_pixels:
        scale = math.sqrt(max_pixels / (width * height))
        sides = [max(grid, math.floor(side * scale / grid) * grid) for side in (width, height)]
    return Size(*sides)


def _widened(low: float, high: float, length: float, start: int, stop: int) -> tuple[float, float]:
    """An interval made longer about its centre, as far as there is room."""
    missing = max(0.0, length - (high - low)) / 2
    return max(float(start), low - missing), min(float(stop), high + missing)
