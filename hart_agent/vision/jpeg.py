"""A large JPEG by regions, as long as that is cheaper than decoding it once."""

from __future__ import annotations

import threading
from typing import Any, Final

from PIL import Image

from hart_agent.vision import turbojpeg
from hart_agent.vision.formats import open_allowed
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.regions import Opener
from hart_agent.vision.strips import STRIP, Pixels

SMALLEST: Final = 16_000_000
"""Pixels from which a JPEG is read by regions."""

_PASSED_OVER: Final = 0.35
"""What passing over rows costs, of what decoding them does (`tests/benchmarks/zoom_paths.py`)."""


class JpegRegions:
    """A JPEG of which only what is asked for is decoded, until all regions together would have paid for a whole decode:
    then it is decoded, and kept. Has what `Pixels` asks for.

    Attributes:
        mode: as Pillow decodes it.
        info: what the file says of it.
        width, height: as it is stored, in pixels.
    """

    def __init__(self, image: Image.Image, opened: Opener) -> None:
        self.mode = image.mode
        self.info: dict[Any, Any] = dict(image.info)
        self.width, self.height = image.size
        self._opened = opened
        self._lock = threading.Lock()
        self._whole: Pixels | None = None
        self._spent = 0.0

    def at_least(self, size: tuple[int, int]) -> Pixels:
        """What the whole image is best taken from at that size: a whole decode."""
        return self._decoded()

    def serving(self, box: Box) -> Pixels:
        """What a region, in pixels, is best taken from."""
        rows = -(-box.area // STRIP) * box.y1 / self.height
        self._spent += _PASSED_OVER * rows + box.area / (self.width * self.height)
        return self if self._whole is None and self._spent <= 1 else self._decoded()

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """The pixels of a region.

        Raises:
            ImageError: the file has changed.
            Exception: whatever a decoder raises on a damaged file.
        """
        if self._whole is None:
            try:
                return turbojpeg.region(self._data(), box, (self.width, self.height), self.mode)
            except turbojpeg.GivenUpError:  # Pillow shows what warnings are about, and names what is wrong
                pass
        return self._decoded().crop(box)

    def _decoded(self) -> Pixels:
        with self._lock:
            if self._whole is None:
                try:
                    self._whole = turbojpeg.whole(self._data(), (self.width, self.height), self.mode)
                except turbojpeg.GivenUpError:
                    with self._opened() as file:
                        image = open_allowed(file)
                        image.load()
                    self._whole = image
            return self._whole

    def _data(self) -> bytes:
        with self._opened() as file:
            return file.read()


def jpeg_regions(image: Image.Image, page: int, opened: Opener) -> JpegRegions | None:
    """The image by regions; None if it is better decoded whole.

    Args:
        image: whose header is read.
        page: of the file, from 1.
        opened: opens its file.
    """
    # All scans of a progressive one have to be read for any region. The colours of CMYK are Pillow's to turn around.
    fit = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L") and not image.info.get("progressive")
    large = Size(*image.size).box.area >= SMALLEST
    return JpegRegions(image, opened) if fit and large and page == 1 and turbojpeg.available() else None
