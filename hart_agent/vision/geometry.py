"""Sizes, boxes and the mapping between coordinate spaces: the only code that converts or rounds coordinates.

The canonical space is *original pixels*: the image as stored, after its EXIF orientation has been applied, with the
origin in the top left corner. A `Box` is half-open in that space. Models speak other spaces (`CoordinateSpace`) on the
view that they were sent; a `Frame` knows where that view lies in the original.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from hart_agent.errors import ToolArgumentsError

Rect: TypeAlias = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in a space that the surrounding code names."""

MIN_BOX_SIDE = 8
"""Original pixels. A box thinner than this holds nothing to read, so it is grown to this side."""

_SLACK = 0.01
"""Of a view's side. A box that reaches less far beyond the edge was meant to end at the edge."""

_FAR = 64
"""View pixels. A model that counts pixels may slip by less beyond the edge, above all on a small view."""

_EPSILON = 1e-6
"""Original pixels. Absorbs floating-point noise, so that a box mapped to a model's space and back is itself again."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, both at least 1."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a size needs at least 1x1 pixels, got {self.width}x{self.height}")

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def box(self) -> Box:
        """The box that covers an image of this size."""
        return Box(0, 0, self.width, self.height)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Box:
    """A region in original pixels, half-open: columns x0 to x1 - 1, rows y0 to y1 - 1; never empty."""

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 and 0 <= self.y0 < self.y1):
            raise ValueError(f"a box needs 0 <= x0 < x1 and 0 <= y0 < y1, got {self.as_tuple()}")

    @classmethod
    def covering(cls, rect: Rect, within: Size) -> Box:
        """The smallest box that covers a rectangle, clipped to an image; at least one pixel.

        Args:
            rect: in original pixels, x0 <= x1 and y0 <= y1.
            within: the size of the original.
        """
        x0, x1 = _cover(rect[0], rect[2], within.width)
        y0, y1 = _cover(rect[1], rect[3], within.height)
        return cls(x0, y0, x1, y1)

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)

    @property
    def area(self) -> int:
        return self.width * self.height

    def as_tuple(self) -> tuple[int, int, int, int]:
        return (self.x0, self.y0, self.x1, self.y1)

    def overlap(self, other: Box) -> int:
        """The area, in pixels, that both boxes cover."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(0, width) * max(0, height)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        shared = self.overlap(other)
        return shared / (self.area + other.area - shared)

    def union(self, other: Box) -> Box:
        """The smallest box that covers both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def grown(self, width: int, height: int, within: Size) -> Box:
        """This box, widened about its centre to at least the given sides as far as the image allows."""
        x0, x1 = _grow(self.x0, self.x1, width, within.width)
        y0, y1 = _grow(self.y0, self.y1, height, within.height)
        return Box(x0, y0, x1, y1)

    def __str__(self) -> str:
        return f"[{self.x0}, {self.y0}, {self.x1}, {self.y1}]"


class CoordinateSpace(StrEnum):
    """How a model writes the coordinates of a point on a view that it was sent."""

    PIXEL = "pixel"
    """Pixels of the view as it was sent (Qwen2.5-VL)."""
    THOUSAND = "thousand"
    """0 to 1000 along each side (Qwen3-VL, InternVL)."""
    UNIT = "unit"
    """0 to 1 along each side."""

    def extent(self, view: Size) -> tuple[float, float]:
        """The coordinates of a view's lower right corner in this space."""
        if self is CoordinateSpace.PIXEL:
            return float(view.width), float(view.height)
        side = 1000.0 if self is CoordinateSpace.THOUSAND else 1.0
        return side, side

    @property
    def words(self) -> str:
        """How its numbers run, in words for a model."""
        return _SPACE_WORDS[self]

    def contains(self, rect: Rect, view: Size) -> bool:
        """Whether a box with these numbers lies on a view, or less than 1 % of a side beyond its edge."""
        sides = self.extent(view) * 2
        return all(-_SLACK * side < value < (1 + _SLACK) * side for value, side in zip(rect, sides, strict=True))

    def likelier(self, rect: Rect, view: Size) -> CoordinateSpace | None:
        """Another space, if a box with these numbers can hardly have been written in this one; otherwise None.

        Args:
            rect: finite, x before y.
            view: the size of the view on which it was written.
        """
        largest, beyond = max(rect), (1 + _SLACK) * 1000
        if self is CoordinateSpace.UNIT:
            if largest <= 2:  # a little beyond the edge
                return None
            return CoordinateSpace.THOUSAND if largest < beyond else CoordinateSpace.PIXEL
        if largest > 0 and CoordinateSpace.UNIT.contains(rect, view):
            return CoordinateSpace.UNIT
        if self is CoordinateSpace.THOUSAND:
            return CoordinateSpace.PIXEL if largest >= beyond else None
        far = rect[2] - view.width >= _FAR or rect[3] - view.height >= _FAR
        return CoordinateSpace.THOUSAND if far and CoordinateSpace.THOUSAND.contains(rect, view) else None


_SPACE_WORDS = {
    CoordinateSpace.PIXEL: "in pixels",
    CoordinateSpace.THOUSAND: "from 0 to 1000 along each side",
    CoordinateSpace.UNIT: "from 0 to 1 along each side",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a view's pixels lie in the original.

    Attributes:
        box: the region shown, in original pixels.
        size: the view's own size in pixels, after resizing.
    """

    box: Box
    size: Size

    @property
    def scale(self) -> float:
        """View pixels per original pixel, along x."""
        return self.size.width / self.box.width

    @property
    def stretch(self) -> float:
        """How many times larger one axis is shown than the other; at least 1. Fitting a grid takes up to 1.5."""
        ratio = self.scale * self.box.height / self.size.height
        return max(ratio, 1 / ratio)

    def to_original(self, rect: Rect, space: CoordinateSpace, *, y_first: bool = False) -> Rect:
        """A rectangle that a model wrote on this view, in original pixels; neither rounded nor clipped.

        Args:
            rect: in `space`; (y0, x0, y1, x1) with `y_first`.
            space: in which the model writes.
            y_first: whether it writes y before x.
        """
        width, height = space.extent(self.size)
        sx, sy = self.box.width / width, self.box.height / height
        x0, y0, x1, y1 = swap_axes(rect) if y_first else rect
        return (
            self.box.x0 + x0 * sx, self.box.y0 + y0 * sy, self.box.x0 + x1 * sx, self.box.y0 + y1 * sy
        )  # fmt: skip

    def from_original(self, rect: Rect, space: CoordinateSpace, *, y_first: bool = False) -> Rect:
        """The inverse of `to_original`; not rounded."""
        width, height = space.extent(self.size)
        sx, sy = width / self.box.width, height / self.box.height
        x0, y0, x1, y1 = rect
        written = (
            (x0 - self.box.x0) * sx, (y0 - self.box.y0) * sy, (x1 - self.box.x0) * sx, (y1 - self.box.y0) * sy
        )  # fmt: skip
        return swap_axes(written) if y_first else written


def swap_axes(rect: Rect) -> Rect:
    """The same rectangle with y before x, or back."""
    a, b, c, d = rect
    return b, a, d, c


def box_order(y_first: bool) -> str:
    """How a box is written, to show."""
    return "[y0, x0, y1, x1]" if y_first else "[x0, y0, x1, y1]"


def resolve_box(
    rect: Rect,
    space: CoordinateSpace,
    frame: Frame,
    image: Size,
    max_aspect: float,
    *,
    y_first: bool = False,
    region: Callable[[Rect, Box], Box] | None = None,
) -> tuple[Box, list[str]]:
    """Place a model's box on the original: convert, clip, and grow what is too thin to use.

    Args:
        rect: the box as the model wrote it, in `space` on the view described by `frame`.
        space: the space that the model speaks.
        frame: the view that the model referred to.
        image: the original's size.
        max_aspect: the largest ratio of the longer to the shorter side that the policy accepts.
        y_first: whether the model writes y before x.
        region: what is cut out for a box in original pixels, given also the box of its view; by default the box, and
            more where that is too thin. See `hart_agent.vision.crop_rule.CropRule`.

    Returns:
        The box in original pixels, and a sentence for the model about each change; clipping by less than 1 % of a side
        is not worth one.

    Raises:
        ToolArgumentsError: the box is inverted, not finite, or lies wholly outside the view.
    """
    extent_x, extent_y = space.extent(frame.size)
    x0, y0, x1, y1 = swap_axes(rect) if y_first else rect
    if not all(math.isfinite(value) for value in rect):
        raise ToolArgumentsError(f"the box {plain_box(rect)} holds a number that is not finite")
    if x1 < x0 or y1 < y0:
        raise ToolArgumentsError(
            f"the box {plain_box(rect)} is inverted: expected {box_order(y_first)} with x0 <= x1 and y0 <= y1, "
            "the top left corner first"
        )
    if x1 < 0 or y1 < 0 or x0 > extent_x or y0 > extent_y:
        raise ToolArgumentsError(
            f"the box {plain_box(rect)} lies outside the view: x goes from 0 to {extent_x:g}, y from 0 to {extent_y:g}"
        )
    notes = []
    clipped = (max(x0, 0.0), max(y0, 0.0), min(x1, extent_x), min(y1, extent_y))
    if not space.contains((x0, y0, x1, y1), frame.size):
        shown = swap_axes(clipped) if y_first else clipped
        notes.append(f"The box reached beyond the view and was clipped to {plain_box(shown)}.")
    placed = frame.to_original(clipped, space)
    box = Box.covering(placed, image) if region is None else region(placed, frame.box)
    usable = box.grown(MIN_BOX_SIDE, MIN_BOX_SIDE, image) if region is None else box
    shorter = math.ceil(max(usable.width, usable.height) / max_aspect)
    usable = usable.grown(shorter, shorter, image)
    if usable != box:
        notes.append(f"The box was too thin to use and was grown to {usable.width}x{usable.height} original pixels.")
    return usable, notes


def oriented_to_stored(box: Box, orientation: int, oriented: Size) -> Box:
    """Where a region of the upright image lies in the pixels as they are stored in the file.

    Args:
        box: in original pixels, that is, after the EXIF orientation was applied.
        orientation: the EXIF orientation, 1 to 8.
        oriented: the size of the upright image.
    """
    x0, y0, x1, y1 = box.as_tuple()
    if orientation in (2, 3, 6, 7):  # x runs backwards in the file
        x0, x1 = oriented.width - x1, oriented.width - x0
    if orientation in (3, 4, 7, 8):  # y runs backwards in the file
        y0, y1 = oriented.height - y1, oriented.height - y0
    return Box(y0, x0, y1, x1) if orientation >= 5 else Box(x0, y0, x1, y1)


def _cover(low: float, high: float, limit: int) -> tuple[int, int]:
    start = min(max(math.floor(low + _EPSILON), 0), limit - 1)
    stop = min(max(math.ceil(high - _EPSILON), start + 1), limit)
    return start, stop


def _grow(low: int, high: int, length: int, limit: int) -> tuple[int, int]:
    length = min(max(length, high - low), limit)
    start = min(max(low - (length - (high - low)) // 2, 0), limit - length)
    return start, start + length


def plain_box(rect: Rect) -> str:
    """A box as a model writes it."""
    return "[" + ", ".join(f"{value:g}" for value in rect) + "]"
