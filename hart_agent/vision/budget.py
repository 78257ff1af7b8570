"""How large a view may be: the pixel budget and the grid of a model family."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hart_agent.vision.crop_rule import CropRule, smart_size
from hart_agent.vision.geometry import CoordinateSpace, Size, box_order


@dataclass(frozen=True, slots=True)
class ViewBudget:
    """The sizes of image that a policy accepts.

    Attributes:
        max_pixels: the largest area of one view, in pixels.
        grid: both sides of a view are multiples of this many pixels (patch size x merge size).
        min_side: the shortest side of a view, in pixels; smaller regions are enlarged.
        max_aspect: the largest ratio of the longer to the shorter side.
        max_magnification: `zoom` enlarges by at most this factor.
    """

    max_pixels: int
    grid: int = 1
    min_side: int = 32
    max_aspect: float = 100.0
    max_magnification: float = 4.0

    def fit(self, region: Size) -> Size:
        """The view's size for a region at its own resolution, shrunk only where the budget demands it."""
        return self._scaled(region, 1.0)

    def magnify(self, region: Size) -> Size:
        """The view's size at the best magnification that the budget allows."""
        return self._scaled(region, self.max_magnification)

    def _scaled(self, region: Size, largest: float) -> Size:
        # An image of an extreme shape can't be grown like a box; its view is stretched instead, and the frame knows.
        width = max(float(region.width), region.height / self.max_aspect)
        height = max(float(region.height), region.width / self.max_aspect)
        scale = max(largest, self.min_side / min(width, height))
        scale = min(scale, math.sqrt(self.max_pixels / (width * height)))
        shorter, longer = sorted((width * scale, height * scale))
        short = max(self._snap(shorter), self._floor(self.min_side), self.grid)
        short = min(short, max(self._floor(math.sqrt(self.max_pixels)), self.grid))
        room = min(self.max_pixels / short, self.max_aspect * short)
        long = max(min(self._snap(longer), self._floor(room)), short)
        return Size(long, short) if width > height else Size(short, long)

    def _snap(self, side: float) -> int:
        """The nearest multiple of the grid."""
        return math.floor(side / self.grid + 0.5) * self.grid

    def _floor(self, side: float) -> int:
        """The largest multiple of the grid that fits."""
        return math.floor(side / self.grid + 1e-9) * self.grid


@dataclass(frozen=True, slots=True)
class CoordinateProfile:
    """How a policy sees and points.

    Attributes:
        space: in which it writes boxes.
        budget: the sizes of its views.
        y_first: whether it writes y before x, [y0, x0, y1, x1].
        adaptive: whether `space` is a first guess: the policy's profile is replaced when its boxes fit another one.
        crop: how its crops are cut; None for exactly its boxes, as large as the tool wants them.
    """

    space: CoordinateSpace
    budget: ViewBudget
    y_first: bool = False
    adaptive: bool = False
    crop: CropRule | None = None

    @property
    def box(self) -> str:
        """How a box is written, to show."""
        return box_order(self.y_first)

    def view_size(self, region: Size, *, whole: bool = False, magnify: bool = False) -> Size:
        """In which size a region of the original is shown, in pixels.

        Args:
            region: its size in original pixels.
            whole: whether it is the whole image, to which a crop's rule does not apply.
            magnify: whether it is shown as large as the budget allows, where no rule says otherwise.
        """
        budget, rule = self.budget, self.crop
        if rule is None:
            return budget.magnify(region) if magnify else budget.fit(region)
        if whole or not magnify:
            return smart_size(region.width, region.height, budget.grid, 1, budget.max_pixels)
        return rule.size(
            region, grid=budget.grid, max_pixels=budget.max_pixels, max_magnification=budget.max_magnification
        )
