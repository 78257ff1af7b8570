"""Large images a strip at a time: converted and resampled without ever being held whole.

What comes out is the same, bit for bit, as from Pillow's methods on the whole image.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from PIL import Image

from hart_agent.vision.geometry import Box
from hart_agent.vision.samples import Samples

STRIP: Final = 4_000_000
"""Pixels that are converted at once."""

_GAP: Final = 3.0
"""Before an image is resampled it is averaged over whole pixels to so many times the wanted size, at least."""

_THREADS: Final = min(4, os.cpu_count() or 1)
_WIDE: Final = 8_000_000
"""Pixels of a strip from which one is decoded at a time."""

Conversion: TypeAlias = Callable[[Image.Image], Image.Image]
"""Makes 8-bit RGB of a part of the image for which it was made."""

Area: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels, half-open."""

_T = TypeVar("_T")


class Pixels(Protocol):
    """An image, all of it decoded, or decoded as its parts are asked for (`Regions`)."""

    @property
    def info(self) -> dict[Any, Any]:
        """What the file says of it: its colour profile, for one."""
        ...

    @property
    def mode(self) -> str:
        """Pillow's name of how its pixels are stored."""
        ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    def crop(self, box: Area) -> Image.Image:
        """A part, of the same mode."""
        ...


def unchanged(part: Image.Image) -> Image.Image:
    """The conversion of what is RGB already."""
    return part


def strips(image: Pixels, area: Area | None = None) -> Iterator[Area]:
    """An image, or an area of it, from top to bottom in parts, which end where rows that are decoded together end."""
    x0, y0, x1, y1 = area or (0, 0, image.width, image.height)
    together = int(getattr(image, "rows", 1))
    rows = max(1, STRIP // (x1 - x0) // together) * together
    while y0 < y1:
        stop = min(y0 // rows * rows + rows, y1)
        yield x0, y0, x1, stop
        y0 = stop


def mapped(image: Pixels, areas: Iterable[Area], work: Callable[[Image.Image], _T]) -> Iterator[_T]:
    """The results of some work on parts of an image, in order. Parts that are yet to be decoded are so in threads."""
    areas = list(areas)
    wide = any((x1 - x0) * (y1 - y0) > _WIDE for x0, y0, x1, y1 in areas)
    if isinstance(image, Image.Image | Samples) or len(areas) < 2 or _THREADS < 2 or wide:
        yield from (work(image.crop(area)) for area in areas)
        return
    waiting: deque[Future[_T]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for area in areas:
                waiting.append(pool.submit(lambda area: work(image.crop(area)), area))
                if len(waiting) > _THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def fitted(
    image: Pixels, box: Box, convert: Conversion, size: tuple[int, int], resampling: Image.Resampling
) -> Image.Image:
    """A region as RGB at a size, resampled only if that differs from its own.

    Args:
        image: that holds it.
        box: the region, in pixels of the image.
        convert: the image's conversion.
        size: width and height in pixels.
        resampling: the filter.
    """
    area = box.as_tuple()
    if (box.width, box.height) == size:
        return _in_strips(image, area, convert)
    if box.area <= STRIP or size[0] > box.width:  # Pillow may begin with the columns of what it widens
        return _in_strips(image, area, convert).resize(size, resampling, reducing_gap=_GAP)
    across, down = (
        max(1, int(side / wanted / _GAP)) for side, wanted in zip((box.width, box.height), size, strict=True)
    )
    narrowed = Image.new("RGB", (size[0], -(-box.height // down)))
    row = 0
    for part, rows in _in_multiples(mapped(image, strips(image, area), convert), down):
        reduced = part.reduce((across, down), (0, rows.start, part.width, rows.stop))
        wide = (0.0, 0.0, box.width / across, float(reduced.height))
        narrowed.paste(reduced.resize((size[0], reduced.height), resampling, wide), (0, row))
        row += reduced.height
        del part  # before the next is decoded
    return narrowed.resize(size, resampling, (0.0, 0.0, float(size[0]), box.height / down))


def _in_strips(image: Pixels, area: Area, convert: Conversion) -> Image.Image:
    """A region as RGB at its own size, converted a few million pixels at a time, so that nothing is held twice."""
    x0, y0, x1, y1 = area
    if isinstance(image, Image.Image) and convert is unchanged:
        return image if area == (0, 0, image.width, image.height) else image.crop(area)
    if (x1 - x0) * (y1 - y0) <= STRIP:
        return convert(image.crop(area))
    whole = Image.new("RGB", (x1 - x0, y1 - y0))
    row = 0
    for part in mapped(image, strips(image, area), convert):
        whole.paste(part, (0, row))
        row += part.height
    return whole


def _in_multiples(parts: Iterable[Image.Image], rows: int) -> Iterator[tuple[Image.Image, range]]:
    """The same rows in parts, with those that count in each: multiples of a number, but for the last."""
    left: Image.Image | None = None
    for part in parts:
        top = 0
        if left is not None:
            top = min(rows - left.height, part.height)
            left = _stacked(left, part.crop((0, 0, part.width, top)))
            if left.height < rows:
                continue
            yield left, range(rows)
        whole = top + (part.height - top) // rows * rows
        if whole > top:
            yield part, range(top, whole)
        left = part.crop((0, whole, part.width, part.height)) if whole < part.height else None
        del part  # before the next is decoded
    if left is not None:
        yield left, range(left.height)


def _stacked(upper: Image.Image, lower: Image.Image) -> Image.Image:
    both = Image.new(upper.mode, (upper.width, upper.height + lower.height))
    both.paste(upper, (0, 0))
    both.paste(lower, (0, upper.height))
    return both
