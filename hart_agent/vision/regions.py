"""A TIFF by regions: only the tiles or strips that a region needs are read and decoded.

They are put into a small TIFF of their own, which is decoded like any other file: whatever the tiles hold, their pixels
are those of a plain decode. A smaller copy of the image that the file holds (the level of a pyramid) serves overviews.
"""

from __future__ import annotations

import dataclasses
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain, islice, takewhile
from typing import IO, Any, Final, TypeAlias, cast

from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision import vips
from hart_agent.vision.directories import Directory, directories, headed, longs, sub_directories
from hart_agent.vision.formats import open_allowed
from hart_agent.vision.geometry import Box, Size, oriented_to_stored

Opener: TypeAlias = Callable[[], AbstractContextManager[IO[bytes]]]

SMALLEST: Final = 16_000_000
"""Pixels from which a TIFF is read by regions. A smaller one is decoded whole, once, for all its views."""

_MOST_AT_ONCE: Final = 32_000_000
"""Pixels in a row of tiles, or a strip; of larger ones nothing is gained."""

_WIDTH, _HEIGHT, _SUBFILE, _COMPRESSION, _DESCRIPTION, _ORIENTATION = 256, 257, 254, 259, 270, 274
_STRIPS, _STRIP_ROWS, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_PLANES, _SAMPLES = 284, 277
_COLOURS: Final = 262
_PLAIN: Final = (1, 2, 6)
"""Grey with black at zero, RGB, and the YCbCr of JPEG."""

_OLD_JPEG: Final = 6
"""A compression whose tables lie anywhere in the file."""

_FORM: Final = (258, 259, 262, 266, 277, 284, 292, 293, 317, 320, 332, 338, 339, 347, 529, 530, 531, 532)
"""The tags that say how samples are encoded: bits, compression, colours, predictor, palette, tables, ..."""

_SAME: Final = (258, 262, 277, 320, 338, 339)
"""Those in which a smaller copy must agree with the image."""

_MOST_LEVELS: Final = 32
_SLIDE: Final = b"Aperio"
"""How the description of a microscope's slide (SVS) begins, whose levels are pages that don't call themselves so."""

UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How the pixels of each EXIF orientation are turned to be seen."""


@dataclasses.dataclass(frozen=True)
class Regions:
    """An image of which only what is asked for is decoded; has what `Pixels` asks for, upright.

    Attributes:
        mode: as Pillow decodes it.
        info: what the file says of it.
        size: of the upright image.
        rows: so many are decoded together, at least.
    """

    mode: str
    info: dict[Any, Any]
    size: tuple[int, int]
    _opened: Opener
    _directory: Directory
    _levels: tuple[Directory, ...] = ()

    @property
    def width(self) -> int:
        return self.size[0]

    @property
    def height(self) -> int:
        return self.size[1]

    @property
    def rows(self) -> int:
        return self._chunk.width if self._orientation >= 5 else self._chunk.height

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """The pixels of a region.

        Raises:
            ImageError: the file has changed.
            Exception: whatever a decoder raises on a damaged file.
        """
        stored = oriented_to_stored(Box(*box), self._orientation, Size(*self.size))
        width, height = self._chunk.width, self._chunk.height
        columns = range(stored.x0 // width, -(-stored.x1 // width))
        rows = range(stored.y0 // height, -(-stored.y1 // height))
        part = self._decoded(rows, columns)
        left, top = columns.start * width, rows.start * height
        wanted = (stored.x0 - left, stored.y0 - top, stored.x1 - left, stored.y1 - top)
        cut = part._new(part.im) if wanted == (0, 0, *part.size) else part.crop(wanted)  # crop would copy the whole
        return cut.transpose(UPRIGHT[self._orientation]) if self._orientation in UPRIGHT else cut

    def at_least(self, size: tuple[int, int]) -> Regions:
        """The smallest copy of the image in the file that has that size or more; the image itself if there is none."""
        found = self
        for level in self._levels:
            whole = _stored_size(level)
            upright = (whole.height, whole.width) if self._orientation >= 5 else (whole.width, whole.height)
            if size[0] <= upright[0] <= found.width and size[1] <= upright[1] <= found.height:
                found = dataclasses.replace(self, size=upright, _directory=_turned(level, self._directory), _levels=())
        return found

    @property
    def _orientation(self) -> int:
        value = self._directory.number(_ORIENTATION, 1)
        return value if value in UPRIGHT else 1

    @property
    def _chunk(self) -> Size:
        """The size of a tile, or a strip."""
        return _chunk(self._directory)

    def _decoded(self, rows: range, columns: range) -> Image.Image:
        """The tiles, or strips, of these numbers, as they are stored."""
        chunk, whole = self._chunk, _stored_size(self._directory)
        size = Size(
            min(columns.stop * chunk.width, whole.width) - columns.start * chunk.width,
            min(rows.stop * chunk.height, whole.height) - rows.start * chunk.height,
        )
        data = self._cut(rows, columns, size)
        plain = self._directory.number(_COLOURS, 1) in _PLAIN
        if plain and (faster := vips.tiff(data, self.mode, (size.width, size.height))) is not None:
            return faster
        image = open_allowed(io.BytesIO(data))
        image.load()
        if image.mode != self.mode:
            raise ImageError(f"a part of the image is {image.mode}, not {self.mode}")
        return image

    def _cut(self, rows: range, columns: range, size: Size) -> bytearray:
        """A TIFF of these tiles, or strips, which together have that size."""
        found, chunk, whole = self._directory, self._chunk, _stored_size(self._directory)
        tiled = _TILES in found.entries
        places, lengths = (_TILES, _TILE_BYTES) if tiled else (_STRIPS, _STRIP_BYTES)
        across, down = -(-whole.width // chunk.width), -(-whole.height // chunk.height)
        planes = found.number(_SAMPLES, 1) if found.number(_PLANES, 1) == 2 else 1
        numbers = [(plane * down + y) * across + x for plane in range(planes) for y in rows for x in columns]
        offsets, counts = found.numbers(places), found.numbers(lengths)
        entries = {tag: found.entries[tag] for tag in _FORM if tag in found.entries}
        numbered = {
            _WIDTH: size.width,
            _HEIGHT: size.height,
            **({_TILE_WIDTH: chunk.width, _TILE_HEIGHT: chunk.height} if tiled else {_STRIP_ROWS: chunk.height}),
        }
        entries |= {tag: longs(found.order, value) for tag, value in numbered.items()}
        with self._opened() as opened:
            file = cast(io.BufferedIOBase, opened)
            end = file.seek(0, io.SEEK_END)
            there = [max(0, min(counts[number], end - offsets[number])) for number in numbers]
            entries[lengths] = longs(found.order, *there)
            head, starts = headed(found.order, entries, places, there)
            data = bytearray(starts[-1] + there[-1])  # read into, for a row of a large file takes tens of megabytes
            data[: len(head)] = head
            for number, start, count in zip(numbers, starts, there, strict=True):
                file.seek(offsets[number])
                file.readinto(memoryview(data)[start : start + count])
        return data


def regions_of(image: Image.Image, page: int, opened: Opener) -> Regions | None:
    """The image by regions; None if its format has no regions, or it is better decoded whole.

    Args:
        image: whose header is read.
        page: of the file, from 1.
        opened: opens its file.
    """
    if image.format != "TIFF" or image.width * image.height < SMALLEST:
        return None
    with opened() as file:
        try:
            following = islice(directories(file), page - 1, None)
            found = next(following)
            levels = tuple(_levels(file, found, following)) if _divided(found) else None
        except (ValueError, LookupError, StopIteration, struct.error):  # a plain decode says what is wrong
            return None
    if levels is None:
        return None
    return Regions(image.mode, dict(image.info), image.size, opened, found, levels)


def _levels(file: IO[bytes], image: Directory, following: Iterator[Directory]) -> Iterator[Directory]:
    """Smaller copies of an image: those that call themselves so, look the same way, and have its shape."""
    size = _stored_size(image)
    if not image.entries.get(_DESCRIPTION, (0, 0, b""))[2].startswith(_SLIDE):
        following = takewhile(lambda level: level.number(_SUBFILE, 0) & 1, following)
    for level in islice(chain(sub_directories(file, image), following), _MOST_LEVELS):
        small = _stored_size(level)
        alike = all(level.entries.get(tag) == image.entries.get(tag) for tag in _SAME)
        ratio = size.width / small.width
        in_shape = abs(size.height / ratio - small.height) <= 1 + small.height / small.width
        if alike and in_shape and _divided(level):
            yield level


def _divided(found: Directory) -> bool:
    """Whether parts of an image can be decoded alone."""
    if found.number(_COMPRESSION, 1) == _OLD_JPEG or _WIDTH not in found.entries or _HEIGHT not in found.entries:
        return False
    whole, chunk = _stored_size(found), _chunk(found)
    at_once = chunk.height * max(whole.width, chunk.width)
    places, lengths = (_TILES, _TILE_BYTES) if _TILES in found.entries else (_STRIPS, _STRIP_BYTES)
    enough = len(found.numbers(places)) == len(found.numbers(lengths)) > 0
    return enough and at_once <= _MOST_AT_ONCE


def _chunk(found: Directory) -> Size:
    whole = _stored_size(found)
    if _TILES in found.entries:
        return Size(found.number(_TILE_WIDTH, whole.width), found.number(_TILE_HEIGHT, whole.height))
    return Size(whole.width, min(found.number(_STRIP_ROWS, whole.height), whole.height))


def _stored_size(found: Directory) -> Size:
    return Size(found.number(_WIDTH, 1), found.number(_HEIGHT, 1))


def _turned(level: Directory, image: Directory) -> Directory:
    """A smaller copy that is turned as the image is."""
    turn = {tag: entry for tag, entry in image.entries.items() if tag == _ORIENTATION}
    return dataclasses.replace(level, entries={**level.entries, **turn})
