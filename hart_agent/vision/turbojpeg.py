"""TurboJPEG 3, where it is installed: a region of a JPEG, for which only what it shows is decoded.

The rows above a region are passed over: their codes are read, which can't be avoided, and no pixels are made of them.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any, Final

from PIL import Image

from hart_agent.vision.samples import Samples

_NAMES: Final = {"win32": ("turbojpeg.dll",), "darwin": ("libturbojpeg.0.dylib", "libturbojpeg.dylib")}
_OTHER_NAMES: Final = ("libturbojpeg.so.0",)

_DECOMPRESS: Final = 1
_WIDTH, _HEIGHT = 5, 6
_FORMATS: Final = {"RGB": (0, 3), "L": (6, 1)}
"""By Pillow's mode: TurboJPEG's pixel format, and bytes a pixel."""

_ALIGNED: Final = 32
"""Pixels: a multiple of the widths of all blocks that are decoded together."""

_MARGIN: Final = 32
"""Pixels that are decoded around a region, for colours are smoothed with those of the neighbours."""


class GivenUpError(Exception):
    """The library gave up, or would warn: for a plain decode to say what is wrong, or to do better."""


def available() -> bool:
    """Whether regions can be decoded."""
    return _library() is not None


def region(data: bytes, box: tuple[int, int, int, int], size: tuple[int, int], mode: str) -> Image.Image:
    """A part of a JPEG, with the pixels of a plain decode.

    Args:
        data: the file.
        box: half-open, in pixels as they are stored.
        size: of the whole image.
        mode: "RGB" or "L".

    Raises:
        GivenUpError: see there.
    """
    x0 = max(0, box[0] - _MARGIN) // _ALIGNED * _ALIGNED
    y0 = max(0, box[1] - _MARGIN) // _ALIGNED * _ALIGNED
    x1, y1 = min(size[0], box[2] + _MARGIN), min(size[1], box[3] + _MARGIN)
    pixels = _decoded(data, (x0, y0, x1, y1), size, mode)
    return Image.frombytes(mode, (x1 - x0, y1 - y0), pixels).crop((box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0))


def whole(data: bytes, size: tuple[int, int], mode: str) -> Samples:
    """All of a JPEG; arguments and errors as of `region`."""
    import numpy as np

    pixels = _decoded(data, (0, 0, *size), size, mode)
    return Samples(np.frombuffer(memoryview(pixels), np.uint8).reshape(size[1], size[0], -1), mode, {})


def _decoded(data: bytes, box: tuple[int, int, int, int], size: tuple[int, int], mode: str) -> memoryview:
    library = _library()
    assert library is not None
    pixel_format, depth = _FORMATS[mode]
    width, height = box[2] - box[0], box[3] - box[1]
    handle = library.tj3Init(_DECOMPRESS)
    if not handle:
        raise MemoryError("TurboJPEG can't begin")
    try:
        pixels = ctypes.create_string_buffer(width * height * depth)
        done = (
            library.tj3DecompressHeader(handle, data, len(data)) == 0
            and (library.tj3Get(handle, _WIDTH), library.tj3Get(handle, _HEIGHT)) == size
            and library.tj3SetCroppingRegion(handle, _Region(box[0], box[1], width, height)) == 0
            and library.tj3Decompress8(handle, data, len(data), pixels, 0, pixel_format) == 0
        )
        if not done:
            raise GivenUpError(library.tj3GetErrorStr(handle).decode(errors="replace"))
    finally:
        library.tj3Destroy(handle)
    return memoryview(pixels)


class _Region(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("x", "y", "width", "height")]


@functools.cache
def _library() -> Any:
    """The system's library; None if there is none, or one before version 3."""
    for name in _NAMES.get(sys.platform, _OTHER_NAMES):
        try:
            library = ctypes.CDLL(name)
            place, size = ctypes.c_void_p, ctypes.c_size_t
            library.tj3Init.argtypes, library.tj3Init.restype = [ctypes.c_int], place
            library.tj3Destroy.argtypes = [place]
            library.tj3GetErrorStr.argtypes, library.tj3GetErrorStr.restype = [place], ctypes.c_char_p
            library.tj3Get.argtypes = [place, ctypes.c_int]
            library.tj3SetCroppingRegion.argtypes = [place, _Region]
            library.tj3DecompressHeader.argtypes = [place, ctypes.c_char_p, size]
            library.tj3Decompress8.argtypes = [place, ctypes.c_char_p, size, place, ctypes.c_int, ctypes.c_int]
        except (OSError, AttributeError):  # not there; of version 2
            continue
        return library
    return None
