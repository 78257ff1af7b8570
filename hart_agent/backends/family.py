"""How a family of models sees and points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hart_agent.errors import ConfigError
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace, Size

DEFAULT_MAX_PIXELS = 1_200_000
"""Pixels of one view: about 1500 tokens of grid 28, or 1200 of grid 32, so that an overview and a dozen views fit
into a context of 32k tokens. It is near the 1280 * 28 * 28 that Qwen's own examples use for grounding."""
_MAX_GRID = 256
"""Pixels; no model's is larger."""


@dataclass(frozen=True, slots=True)
class Family:
    """What models of one family have in common.

    Attributes:
        name: for messages.
        pattern: regular expression, searched in a `model_type` or name that `families.plain_name` has simplified.
        space: in which the family writes boxes.
        grid: pixels; patch size x merge size. One cell is one token.
        max_aspect: longer to shorter side; its processor refuses, or distorts, more.
        min_pixels: area below which its processor enlarges a view.
        max_pixels: area above which its processor shrinks a view, so that its size is no longer known.
        tokens_per_view: an upper bound, for families that cut views into tiles instead of cells of the grid.
        y_first: whether boxes are written [y0, x0, y1, x1].
        assumed: whether no source says in which space the family writes boxes.
        tuned: whether it was trained from another family, so that its name says more than its `model_type`.
        default_pixels: the largest area of one view where the user sets none.
    """

    name: str
    pattern: str
    space: CoordinateSpace
    grid: int
    max_aspect: float
    min_pixels: int
    max_pixels: int
    tokens_per_view: int | None = None
    y_first: bool = False
    assumed: bool = False
    tuned: bool = False
    default_pixels: int = DEFAULT_MAX_PIXELS

    def profile(self, space: CoordinateSpace | None = None, max_pixels: int | None = None) -> CoordinateProfile:
        """The family's profile.

        Args:
            space: overrides the family's.
            max_pixels: the largest area of one view, by default `default_pixels`.

        Raises:
            ConfigError: `max_pixels` is not within what the family accepts.
        """
        area = min(self.default_pixels, self.max_pixels) if max_pixels is None else max_pixels
        min_side = 2 * self.grid
        if not min_side**2 <= area <= self.max_pixels:
            raise ConfigError(
                f"--max-pixels {area} does not suit models of the family {self.name}: give {min_side**2} to "
                f"{self.max_pixels} pixels a view"
            )
        return CoordinateProfile(
            space or self.space,
            ViewBudget(max_pixels=area, grid=self.grid, min_side=min_side, max_aspect=self.max_aspect),
            self.y_first,
        )

    def of_checkpoint(self, config: Mapping[str, Any], processor: Mapping[str, Any]) -> Family:
        """The family with a checkpoint's own grid and limits, where its files name them.

        Args:
            config: of the model, which is trusted more than its processor.
            processor: the settings of its image processor. Its largest area is a default: no backend that runs a
                checkpoint lets the processor resize views, so that the user may choose a larger one.
        """
        vision = config.get("vision_config")
        sides = _sides(vision, "spatial_merge_size") or _sides(processor, "merge_size")
        if self.tokens_per_view is not None or sides is None:
            return self
        family = self._on_grid(math.prod(sides))
        least, most = _limits(processor)
        if least is not None:
            family = replace(family, min_pixels=least)
        if most is not None and most >= (2 * family.grid) ** 2:
            default = min(most, self.default_pixels)
            family = replace(family, default_pixels=default, max_pixels=max(most, family.max_pixels))
        return family

    def _on_grid(self, grid: int) -> Family:
        """The limits are as many tokens."""
        scale = (grid / self.grid) ** 2
        least, most = round(self.min_pixels * scale), round(self.max_pixels * scale)
        return replace(self, grid=grid, min_pixels=least, max_pixels=most)

    def view_tokens(self, size: Size) -> int:
        """How many tokens a view of this size, in pixels, takes in the model's context; at least, what it may take."""
        if self.tokens_per_view is not None:
            return self.tokens_per_view
        enlarged = max(1.0, math.sqrt(self.min_pixels / size.area))
        return math.prod(math.ceil(side * enlarged / self.grid) for side in (size.width, size.height))


def _sides(settings: Any, merge: str) -> tuple[int, int] | None:
    """The side of a patch in pixels, and the patches along the side of a token."""
    if not isinstance(settings, Mapping):
        return None
    patch, merged = settings.get("patch_size"), settings.get(merge)
    if isinstance(patch, int) and isinstance(merged, int) and 1 <= patch * merged <= _MAX_GRID:
        return patch, merged
    return None


def _limits(processor: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The least and the most pixels of an image, for processors that merge patches as Qwen2-VL's does."""
    if "merge_size" not in processor:  # others mean sides by the same names
        return None, None
    size = processor.get("size")
    size = size if isinstance(size, Mapping) else {}
    named = (("min_pixels", "shortest_edge"), ("max_pixels", "longest_edge"))
    given = [processor.get(name) or size.get(side) for name, side in named]
    # GLM's counts both of the frames that it makes of an image.
    frames = 2 if "glm" in str(processor.get("image_processor_type")).lower() else 1
    least, most = (value // frames if isinstance(value, int) and value > 0 else None for value in given)
    return least, most
