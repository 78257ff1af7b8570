"""libvips, where it is installed: PNGs, and parts of TIFFs, decoded in less time than Pillow takes.

What it decodes are the pixels that Pillow decodes. Whatever else there is, and whatever it warns of, is left to Pillow.
"""

from __future__ import annotations

import functools
import os
from typing import IO, Any, Final

from PIL import Image

from hart_agent.vision.samples import Samples

_BANDS: Final = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}

SMALLEST: Final = 16_000_000
"""Pixels from which a PNG is decoded so."""


def png(image: Image.Image, file: IO[bytes]) -> Samples | None:
    """The pixels of a PNG; None if that is Pillow's to do.

    Args:
        image: whose header is read.
        file: that it is read from.
    """
    fit = image.format == "PNG" and image.mode in _BANDS and "transparency" not in image.info
    if not fit or image.info.get("interlace") or image.width * image.height < SMALLEST or (vips := _vips()) is None:
        return None
    form = image.mode, image.size
    try:
        number = file.fileno()
    except OSError:  # it is in memory
        place, number = file.tell(), -1
        file.seek(0)
        source = vips.Source.new_from_memory(file.read())
        file.seek(place)
        return _samples(_decoded(vips.Image.pngload_source, source, *form), image)
    place = os.lseek(number, 0, os.SEEK_CUR)  # shared with the file's own buffer, which must not notice
    os.lseek(number, 0, os.SEEK_SET)
    try:
        return _samples(_decoded(vips.Image.pngload_source, vips.Source.new_from_descriptor(number), *form), image)
    finally:
        os.lseek(number, place, os.SEEK_SET)


def tiff(data: bytes | bytearray, mode: str, size: tuple[int, int]) -> Image.Image | None:
    """The pixels of a TIFF in memory; None if that is Pillow's to do.

    Args:
        data: the file.
        mode: Pillow's name of how its pixels are stored.
        size: width and height.
    """
    if mode not in ("L", "RGB") or (vips := _vips()) is None:
        return None
    decoded = _decoded(vips.Image.tiffload_source, vips.Source.new_from_memory(data), mode, size)
    return Image.frombuffer(mode, size, decoded, "raw", mode, 0, 1) if decoded is not None else None


def _samples(decoded: Any, image: Image.Image) -> Samples | None:
    import numpy as np

    if decoded is None:
        return None
    samples = np.frombuffer(decoded, np.uint8).reshape(image.height, image.width, -1)
    return Samples(samples, image.mode, dict(image.info))


def _decoded(load: Any, source: Any, mode: str, size: tuple[int, int]) -> Any:
    """The bytes of an image, row after row; None if they aren't what is expected."""
    vips = _vips()
    try:
        # In the caller's thread: the decoders of both formats do one thing at a time, and threads would only wait.
        found = load(source, access="sequential", fail_on="warning").copy()
        found.set_type(vips.GValue.gint_type, "concurrency", 1)
        fit = (found.format, found.bands, found.width, found.height) == ("uchar", _BANDS[mode], *size)
        return found.write_to_memory() if fit else None
    except vips.Error:
        return None


@functools.cache
def _vips() -> Any:
    """The library; None if it isn't installed."""
    try:
        import pyvips
    except (ImportError, OSError):  # OSError: the package without the library
        return None
    return pyvips
