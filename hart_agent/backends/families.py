"""How each family of models sees and points: its pixel grid, its limits, and the space of its boxes.

A view is resized here, to the family's own grid and within its processor's limits, before it is sent. The server then
has nothing left to resize, so the size in which a pixel family writes its boxes is known. (Qwen3-VL's processor
enlarges views below 256 x 256; its boxes are relative, so that only the count of tokens heeds it.)

Sources: transformers' image processors of qwen2_vl, qwen3_vl and internvl (grids, limits, aspect); for the spaces
QwenLM/Qwen3-VL issues 676 and 1741, and InternVL's chat data format (also OpenGVLab/InternVL issue 844).
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hart_agent.errors import ConfigError
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace, Size

DEFAULT_MAX_PIXELS = 1_200_000
"""Pixels of one view: about 1500 tokens of grid 28, or 1200 of grid 32, so that an overview and a dozen views fit
into a context of 32k tokens. It is near the 1280 * 28 * 28 that Qwen's own examples use for grounding."""

_AUTO = "auto"
"""In place of a space: the family's at first."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Family:
    """What models of one family have in common.

    Attributes:
        name: for messages.
        pattern: regular expression, searched in the lower-case `model_type` or name.
        space: in which the family writes boxes.
        grid: pixels; patch size x merge size. One cell is one token.
        max_aspect: longer to shorter side; its processor refuses, or distorts, more.
        min_pixels: area below which its processor enlarges a view.
        max_pixels: area above which its processor shrinks a view, so that its size is no longer known.
        tokens_per_view: an upper bound, for families that cut views into tiles instead of cells of the grid.
    """

    name: str
    pattern: str
    space: CoordinateSpace
    grid: int
    max_aspect: float
    min_pixels: int
    max_pixels: int
    tokens_per_view: int | None = None

    def profile(self, space: CoordinateSpace | None = None, max_pixels: int | None = None) -> CoordinateProfile:
        """The family's profile.

        Args:
            space: overrides the family's.
            max_pixels: the largest area of one view, by default `DEFAULT_MAX_PIXELS`.

        Raises:
            ConfigError: `max_pixels` is not within what the family accepts.
        """
        area = min(DEFAULT_MAX_PIXELS, self.max_pixels) if max_pixels is None else max_pixels
        min_side = 2 * self.grid
        if not min_side**2 <= area <= self.max_pixels:
            raise ConfigError(
                f"--max-pixels {area} does not suit models of the family {self.name}: give {min_side**2} to "
                f"{self.max_pixels} pixels a view"
            )
        return CoordinateProfile(
            space or self.space,
            ViewBudget(max_pixels=area, grid=self.grid, min_side=min_side, max_aspect=self.max_aspect),
        )

    def with_grid(self, config: Mapping[str, Any]) -> Family:
        """The family with a model's own grid, where its configuration tells one; the limits are as many tokens."""
        vision = config.get("vision_config") or {}
        patch, merge = vision.get("patch_size"), vision.get("spatial_merge_size")
        if self.tokens_per_view is not None or not isinstance(patch, int) or not isinstance(merge, int):
            return self
        grid = patch * merge
        scale = (grid / self.grid) ** 2
        least, most = round(self.min_pixels * scale), round(self.max_pixels * scale)
        return replace(self, grid=grid, min_pixels=least, max_pixels=most)

    def view_tokens(self, size: Size) -> int:
        """How many tokens a view of this size, in pixels, takes in the model's context; at least, what it may take."""
        if self.tokens_per_view is not None:
            return self.tokens_per_view
        enlarged = max(1.0, math.sqrt(self.min_pixels / size.area))
        return math.prod(math.ceil(side * enlarged / self.grid) for side in (size.width, size.height))


GENERIC = Family("unknown", "", CoordinateSpace.THOUSAND, 28, 100.0, 56 * 56, 2**24)
"""For unknown models: 0-1000, which most recent families use and which doesn't depend on what a server resizes."""

FAMILIES = (
    Family("Qwen2.5-VL", r"qwen-?2[._]?5[-_]?(vl|omni)", CoordinateSpace.PIXEL, 28, 200.0, 56 * 56, 16384 * 28 * 28),
    Family("Qwen2-VL", r"qwen-?2[-_]?vl", CoordinateSpace.THOUSAND, 28, 200.0, 56 * 56, 16384 * 28 * 28),
    Family("Qwen3-VL", r"qwen-?3([._]5|[-_]?vl)", CoordinateSpace.THOUSAND, 32, 200.0, 256 * 256, 4096 * 4096),
    # Views are cut into at most 12 tiles of 448 x 448 and a thumbnail, 256 tokens each; the most oblong cut is 12 : 1.
    Family("InternVL", r"intern[-_]?vl", CoordinateSpace.THOUSAND, 28, 12.0, 56 * 56, 12 * 448 * 448, 13 * 256),
)


def detect_family(model: str | None, config: Mapping[str, Any] | None = None) -> Family:
    """The family of a model, by its configuration's `model_type` or else by its name; `GENERIC` if neither is known.

    Args:
        model: a name or path, such as "Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5vl:7b" or a GGUF file's name.
        config: the model's Hugging Face configuration.
    """
    for hint in ((config or {}).get("model_type"), model):
        for family in FAMILIES:
            if hint and re.search(family.pattern, hint.lower()):
                return family.with_grid(config or {})
    return GENERIC


def detect_profile(
    model: str | None,
    config: Mapping[str, Any] | None = None,
    *,
    space: str | None = None,
    max_pixels: int | None = None,
) -> CoordinateProfile:
    """The coordinate profile of a model.

    Args:
        model: its name or path.
        config: its Hugging Face configuration, which is trusted more than the name.
        space: "pixel" (of the view as sent), "thousand" (0-1000) or "unit" (0-1) instead of the family's own; "auto"
            for the family's until boxes show another.
        max_pixels: the largest area of one view.

    Raises:
        ConfigError: there is no such space, or `max_pixels` is not within what the family accepts.
    """
    choices = [*CoordinateSpace, _AUTO]
    if space is not None and space not in choices:
        raise ConfigError(f"there are no coordinates {space!r}; choose --coordinates {' | '.join(choices)}")
    family = detect_family(model, config)
    if family is GENERIC and space is None:
        _log.warning(
            "the model %r is of no known family (%s); its boxes are taken to be 0-1000. If they come out wrong, "
            "choose --coordinates %s.",
            model, ", ".join(known.name for known in FAMILIES), " | ".join(choices),
        )  # fmt: skip
    if space == _AUTO:
        return replace(family.profile(None, max_pixels), adaptive=True)
    return family.profile(CoordinateSpace(space) if space else None, max_pixels)
