"""Metadata of an image file: orientation, bits, frames. Broken metadata never makes an image unusable."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import IO, Final

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

warnings.filterwarnings("ignore", "Corrupt EXIF data", UserWarning, r"PIL\.")  # it is ignored

_ORIENTATION: Final = 0x0112
_BITS_PER_SAMPLE: Final = 258
_PHOTOMETRIC: Final = 262
_MAX_SAMPLE: Final = (281, 341)
"""TIFF's MaxSampleValue and SMaxSampleValue."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_KEPT_OF_PNG: Final = (b"tRNS", b"eXIf", b"sBIT")
"""Ancillary chunks that are kept if their checksum is right; the rest of the metadata is dropped."""

_TAIL: Final = 262_144
"""Bytes at the end of a PNG in which an eXIf chunk behind the pixels is looked for."""

_KEPT_OF_WEBP: Final = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
_METADATA_FLAGS: Final = 0b0010_1100
"""Of a WebP: profile, EXIF and XMP."""


def orientation_of(image: Image.Image, file: IO[bytes] | None) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none, it can't be read, or the decoder turns the image itself.

    Args:
        image: whose header is read.
        file: that it is read from; None for an image of the caller's.
    """
    if image.format == "TIFF":
        return 1
    try:
        if image.format == "PNG" and file is not None:
            if "exif" not in image.info and (late := _late_exif(file)) is not None:
                image.info["exif"] = late
            value = Image.Image.getexif(image).get(_ORIENTATION, 1)  # PNG's own would decode the image first
        else:
            value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # struct.error, SyntaxError, ... from a broken block
        return 1
    return value if value in range(1, 9) else 1


def declared_maximum(image: Image.Image, file: IO[bytes] | None) -> int | None:
    """The largest value that samples of more than eight bits can have, where the file says so."""
    if isinstance(image, TiffImageFile):
        for tag in _MAX_SAMPLE:
            if (value := image.tag_v2.get(tag)) is not None:
                return int(value[0] if isinstance(value, tuple) else value) or None
        bits = max(image.tag_v2.get(_BITS_PER_SAMPLE, (16,)))
        return (1 << bits) - 1 if 8 < bits < 16 else None
    if image.format == "PNG" and file is not None:
        for kind, data in _png_header(file):
            if kind == b"sBIT" and data:
                return (1 << max(data)) - 1
    return None


def white_is_zero(image: Image.Image) -> bool:
    """Whether a grey TIFF stores white as zero."""
    return isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0


def deep_channels(image: Image.Image) -> int:
    """How many channels of 16 bits, which Pillow would cut to eight, a colour image has in its file; 0 if none."""
    if isinstance(image, TiffImageFile):
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, ())
        plain = image.tag_v2.get(_ORIENTATION, 1) == 1 and image.tag_v2.get(_PHOTOMETRIC) == 2
        return len(bits) if plain and len(bits) in (3, 4) and set(bits) == {16} else 0
    if image.format == "PNG" and image.tile and str(image.tile[0][3]).endswith(";16B"):  # type: ignore[attr-defined]
        return len(image.getbands()) if len(image.getbands()) > 1 else 0
    return 0


def without_metadata(file: IO[bytes]) -> bytes | None:
    """The same image without what is not needed to show it; None for formats where that is not worth a try."""
    file.seek(0)
    data = file.read()
    if data.startswith(_PNG):
        return _bare_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _bare_webp(data)
    return None


def _bare_png(data: bytes) -> bytes:
    parts = [_PNG]
    place = len(_PNG)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind, end = data[place + 4 : place + 8], place + 12 + length
        critical = not kind[:1].islower()
        if critical or (kind in _KEPT_OF_PNG and _checksum_fits(data[place + 4 : end])):
            parts.append(data[place:end])
        place = end
    return b"".join(parts)


def _checksum_fits(chunk: bytes) -> bool:
    return len(chunk) >= 8 and zlib.crc32(chunk[:-4]) == int.from_bytes(chunk[-4:], "big")


def _png_header(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The chunks before the pixels."""
    place = file.tell()
    file.seek(len(_PNG))
    try:
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            length = int.from_bytes(head[:4], "big")
            if length > _TAIL:
                file.seek(length + 4, os.SEEK_CUR)
                continue
            yield head[4:], file.read(length)
            file.read(4)
    finally:
        file.seek(place)


def _late_exif(file: IO[bytes]) -> bytes | None:
    """The eXIf chunk of a PNG that stands behind its pixels, as it may."""
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    file.seek(place)
    at = tail.rfind(b"eXIf")
    if at < 4:
        return None
    end = at + 8 + int.from_bytes(tail[at - 4 : at], "big")
    return tail[at + 4 : end - 4] if _checksum_fits(tail[at:end]) else None


def _bare_webp(data: bytes) -> bytes:
    parts = []
    place = 12
    while place + 8 <= len(data):
        kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        end = place + 8 + length + length % 2
        if kind == b"VP8X":
            parts.append(data[place : place + 8] + bytes([data[place + 8] & ~_METADATA_FLAGS]) + data[place + 9 : end])
        elif kind in _KEPT_OF_WEBP:
            parts.append(data[place:end])
        place = end
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body
