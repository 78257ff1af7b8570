"""A large JPEG 2000 by what it offers: its overview from a smaller level of its wavelets, its regions by GDAL.

The levels are decoded by Pillow. Regions need rasterio (`hart-agent[large]`), whose wheels hold GDAL; without it, the
image is decoded once, and kept. Either way a region's pixels are those of a plain decode.
"""

from __future__ import annotations

import functools
import struct
import threading
import warnings
from typing import IO, Any, Final, NamedTuple

from PIL import Image

from hart_agent.vision.formats import open_allowed
from hart_agent.vision.regions import Opener
from hart_agent.vision.samples import Samples
from hart_agent.vision.strips import Pixels

SMALLEST: Final = 16_000_000
"""Pixels from which a JPEG 2000 is read so."""

_FINER: Final = 2
"""How many times the wanted width and height a level has at least, so that what is shown of it is as sharp as from the
whole image."""

_BANDS: Final = {"L": 1, "RGB": 3}
_PLAIN_COLOURS: Final = (16, 17)
"""sRGB and grey with sRGB's curve (ISO/IEC 15444-1, I.5.3.3): all others are Pillow's to convert."""

_SIGNATURE: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
_START: Final = b"\xff\x4f"
_STYLE: Final = 0xFF52
_MOST_BOXES: Final = 100
"""Boxes, and segments of the header, that are passed over."""


class Header(NamedTuple):
    """What the header of a file says.

    Attributes:
        levels: times that width and height can be halved.
        colours: the number of the colour space; 0 for any that is given by a profile.
    """

    levels: int
    colours: int


class Jpeg2000Regions:
    """A JPEG 2000 of which only what is asked for is decoded, where that can be done. Has what `Pixels` asks for.

    Attributes:
        mode: as Pillow decodes it.
        info: what the file says of it.
        width, height: in pixels.
    """

    def __init__(self, image: Image.Image, opened: Opener, levels: int) -> None:
        self.mode = image.mode
        self.info: dict[Any, Any] = dict(image.info)
        self.width, self.height = image.size
        self._opened = opened
        self._levels = levels
        self._lock = threading.Lock()
        self._whole: Pixels | None = None

    def at_least(self, size: tuple[int, int]) -> Pixels:
        """The smallest level from which the whole image is well shown at that size.

        What it shows lies up to a quarter of a pixel of that size lower and further right than in the image, for a
        level keeps every second sample of the one before, the first one included.
        """
        levels = range(self._levels, 0, -1)
        level = next((level for level in levels if self._serves(level, size)), 0)
        return self._read(level) if level else self._decoded()

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """The pixels of a region.

        Raises:
            ImageError: the file has changed.
            Exception: whatever a decoder raises on a damaged file.
        """
        if self._whole is None and (rasterio := _rasterio()) is not None:
            with self._opened() as file:
                part = _region(rasterio, file.read(), box, (self.width, self.height), self.mode)
            if part is not None:
                return part
        return self._decoded().crop(box)

    def _serves(self, level: int, size: tuple[int, int]) -> bool:
        """Whether a level is fine enough, and Pillow, which rounds its size, takes the size that it has: rounded up."""
        sides = (self.width, self.height)
        fine = all(side >> level >= _FINER * wanted for side, wanted in zip(sides, size, strict=True))
        return fine and all((side + (1 << level - 1)) >> level == -(-side >> level) for side in sides)

    def _decoded(self) -> Pixels:
        with self._lock:
            if self._whole is None:
                self._whole = self._read(0)
            return self._whole

    def _read(self, level: int) -> Image.Image:
        with self._opened() as file:
            image = open_allowed(file)
            image.reduce = level  # type: ignore[method-assign, assignment]  # the plugin's way to choose a level
            image.load()
        return image


def jpeg2000_regions(image: Image.Image, opened: Opener) -> Jpeg2000Regions | None:
    """The image by regions; None if it is better decoded whole.

    Args:
        image: whose header is read.
        opened: opens its file.
    """
    fit = image.format == "JPEG2000" and image.mode in _BANDS and image.width * image.height >= SMALLEST
    if not fit:
        return None
    with opened() as file:
        header = header_of(file)
    return Jpeg2000Regions(image, opened, header.levels) if header and header.colours in _PLAIN_COLOURS else None


def header_of(file: IO[bytes]) -> Header | None:
    """The header of a JPEG 2000 in its usual container (JP2); None of any other, or one that is damaged."""
    file.seek(0)
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        return None
    colours, place = 0, len(_SIGNATURE)
    for _ in range(_MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return None
        length, kind = struct.unpack(">I4s", head[:8])
        size = 8
        if length == 1 and len(head) == 16:
            (length,), size = struct.unpack(">Q", head[8:]), 16
        if kind == b"jp2c":
            levels = _levels(file, place + size)
            return None if levels is None else Header(levels, colours)
        if kind == b"colr" and not colours and len(head) >= 15 and head[8] == 1:
            (colours,) = struct.unpack(">I", head[11:15])
        if kind == b"jp2h":  # holds boxes of its own
            length = size
        if length < size:
            return None
        place += length
    return None


def _levels(file: IO[bytes], place: int) -> int | None:
    """The times that width and height can be halved, by the coding style of the code stream that begins there."""
    file.seek(place)
    if file.read(2) != _START:
        return None
    for _ in range(_MOST_BOXES):
        segment = file.read(4)
        if len(segment) < 4:
            return None
        marker, length = struct.unpack(">HH", segment)
        body = file.read(length - 2) if length >= 2 else b""
        if marker == _STYLE and len(body) > 5:
            return min(body[5], 32)
        if length < 2:
            return None
    return None


def _region(
    rasterio: Any, data: bytes, box: tuple[int, int, int, int], size: tuple[int, int], mode: str
) -> Image.Image | None:
    """The pixels of a region; None if GDAL has something to object."""
    import numpy as np

    x0, y0, x1, y1 = box
    try:
        with rasterio.MemoryFile(data) as held, held.open(driver="JP2OpenJPEG", GEOREF_SOURCES="NONE") as opened:
            bytes_of_each = ("uint8",) * _BANDS[mode]
            if (opened.width, opened.height) != size or tuple(opened.dtypes) != bytes_of_each:
                return None
            planes = opened.read(window=((y0, y1), (x0, x1)))
    except rasterio.errors.RasterioError:
        return None
    return Samples(np.moveaxis(planes, 0, -1), mode, {}).crop((0, 0, x1 - x0, y1 - y0))


@functools.cache
def _rasterio() -> Any:
    """The library; None if it isn't installed."""
    try:
        import rasterio
        import rasterio.errors
    except ImportError:
        return None
    # A photo has no place on the globe.
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    return rasterio
