"""How many frames or pages a file has, counted without decoding any, and only so far: a file can hold millions."""

from __future__ import annotations

import struct
from typing import IO, Final

from PIL import Image

_MOST: Final = 10_000

_NEXT_PAGE: Final = {
    b"II*\0": ("<I", 4, "<H", 2, 12), b"MM\0*": (">I", 4, ">H", 2, 12),
    b"II+\0": ("<Q", 8, "<Q", 8, 20), b"MM\0+": (">Q", 8, ">Q", 8, 20),
}  # fmt: skip
"""By how a TIFF begins: where its first directory is named, and how long a directory's count and entries are."""


def frames_of(image: Image.Image, file: IO[bytes]) -> int:
    """How many frames or pages there are, 10,000 at most.

    Args:
        image: whose header is read.
        file: that it is read from.
    """
    place = file.tell()
    try:
        if image.format == "GIF":
            return _gif_frames(file)
        if image.format == "TIFF":
            return _tiff_pages(file)
        return min(int(getattr(image, "n_frames", 1)), _MOST)
    except Exception:  # a later one is damaged
        return 1
    finally:
        file.seek(place)


def _tiff_pages(file: IO[bytes]) -> int:
    """The directories of a TIFF, each of which names the next one."""
    file.seek(0)
    offset, offset_size, count, count_size, entry = _NEXT_PAGE[file.read(4)]
    file.seek(offset_size)  # 4 in a classic TIFF, 8 in a BigTIFF
    (following,) = struct.unpack(offset, file.read(offset_size))
    seen: set[int] = set()
    while following and following not in seen and len(seen) < _MOST:
        file.seek(following)
        if len(head := file.read(count_size)) < count_size:
            break
        seen.add(following)
        file.seek(following + count_size + entry * struct.unpack(count, head)[0])
        if len(tail := file.read(offset_size)) < offset_size:
            break
        (following,) = struct.unpack(offset, tail)
    return max(1, len(seen))


def _gif_frames(file: IO[bytes]) -> int:
    """The images of a GIF: its blocks are walked over, nothing is decoded."""
    file.seek(0)
    data = file.read()
    place = 13 + _palette_bytes(data[10])
    count = 0
    while place < len(data) and count < _MOST:
        kind = data[place]
        if kind == 0x2C:  # an image
            count += 1
            place += 11 + _palette_bytes(data[place + 9])
        elif kind == 0x21:  # an extension
            place += 2
        else:  # the end
            break
        while place < len(data) and data[place]:
            place += 1 + data[place]
        place += 1
    return max(1, count)


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
