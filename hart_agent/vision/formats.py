"""Which image files are opened, and how: the only place where the package lets a decoder see a file.

Pillow knows formats whose decoder starts a program (PostScript is handed to Ghostscript) or that are no photos or
scans; it is asked for those of `FORMATS` only.

A decoder runs in this process. A helper with limits of its own could be ended when it hangs, but starting Python with
Pillow takes 40 to 60 ms of processor time for each image, before it hands over a byte of its pixels, where 20 ms would
be bearable; and a fork of a process with threads is not safe. What these decoders do is bounded instead: by the pixels,
which are counted first, by the frames (see `frames`), and by the scans of a progressive JPEG, which are counted here.
"""

from __future__ import annotations

import mmap
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, Final

from PIL import Image, UnidentifiedImageError

from hart_agent.errors import ImageError, NoSuchImageError

FORMATS: Final = (
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "AVIF", "JPEG2000", "PPM", "ICO", "ICNS", "TGA", "PCX", "QOI",
    "SGI",
)  # fmt: skip
"""Pillow's names of the formats that are opened; the common ones first. MPO, of stereo cameras, opens as JPEG."""

_HEIF: Final = "HEIF"
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS: Final = (b"avif", b"avis")

_CONVERT: Final = "Convert it to PNG."
_FRAME: Final = "Save one of its frames: ffmpeg -i VIDEO -frames:v 1 frame.png"
_OTHERS: Final = (
    (r"\Z", "an empty file", "Get it again."),
    (r"\s*%!PS|\xc5\xd0\xd3\xc6", "PostScript", _CONVERT),
    (r"\s*%PDF", "PDF, which pdftoppm -r 200 -png FILE.pdf page turns into images", _CONVERT),
    (r"\xd7\xcd\xc6\x9a", "WMF", _CONVERT),
    (r"\s*<svg", "SVG", _CONVERT),
    (r"(?i)\s*<(!doctype html|html)", "a web page", "Save the image itself, not the page that shows it."),
    (r"\s*<\?xml", "XML or SVG", _CONVERT),
    (r"version https://git-lfs", "a pointer of Git LFS", "Get the file itself: git lfs pull"),
    (r".{4}ftyp(isom|iso\d|mp4\d|avc1|M4V|qt |3g|dash)|\x1aE\xdf\xa3|RIFF.{4}AVI ", "a video", _FRAME),
    (r".{4}ftypcrx|II\*\0.{4}CR|FUJIFILMCCD-RAW|IIRO|IIU\0", "a camera's raw file", "Export it as JPEG."),
    (r"8BPS", "a file of Photoshop", "Export it as PNG."),
    (r"PK\x03\x04|7z\xbc\xaf|Rar!|\x1f\x8b", "an archive or a document", "Unpack it, and give one image file."),
)
"""How files begin that people take for images, what they are, and what to do; read as Latin-1."""

_MAX_SCANS: Final = 200
"""Of a progressive JPEG. Encoders write about ten; each goes over the whole image, so thousands would take hours."""


def open_allowed(file: IO[bytes]) -> Image.Image:
    """The image in a file, its header read, its pixels not.

    Raises:
        ImageError: it is of a format that is not opened.
        UnidentifiedImageError: it is of no known format.
        Exception: whatever a decoder raises on a damaged file.
    """
    prefix = file.read(64)  # Pillow begins at 0 whatever was read
    formats = (_HEIF,) if _is_heif(prefix) else FORMATS
    try:
        image = Image.open(file, formats=formats)
    except UnidentifiedImageError:
        text = prefix.decode("latin-1")
        other = next((row for row in _OTHERS if re.match(row[0], text, re.DOTALL)), None)
        if other is None:
            raise
        raise ImageError(f"not an image that can be read, but {other[1]}. {other[2]}") from None
    _check_scans(image, file)
    return image


def check_given(image: Image.Image) -> None:
    """Refuse an image of the caller's that is still to be decoded, by a decoder that is not used here.

    Raises:
        ImageError: it is such an image.
    """
    if getattr(image, "tile", None) and image.format not in (*FORMATS, _HEIF, "MPO"):
        raise ImageError(
            f"an image that Pillow opened as {image.format} is not decoded here. Call its load() if you trust the file."
        )


def _is_heif(prefix: bytes) -> bool:
    """Whether it is a HEIC or HEIF file; makes its decoder known to Pillow if so."""
    if prefix[4:8] != b"ftyp" or prefix[8:12] not in _HEIF_BRANDS:
        return False
    if any(brand in prefix for brand in _AVIF_BRANDS):  # "mif1" says nothing of the codec
        return False
    import pi_heif

    if _HEIF not in Image.OPEN:
        pi_heif.register_heif_opener()
    return True


def _check_scans(image: Image.Image, file: IO[bytes]) -> None:
    if not image.info.get("progressive"):
        return
    try:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            has_more = _has_more_scans(data)
    except (OSError, ValueError):  # a file in memory
        file.seek(0)
        has_more = _has_more_scans(file.read())
    if has_more:
        raise ImageError(
            f"a JPEG of more than {_MAX_SCANS} scans, made to keep its readers busy. Save it again as an ordinary JPEG."
        )


def _has_more_scans(data: bytes | mmap.mmap) -> bool:
    return any(islice(re.finditer(rb"\xff\xda", data), _MAX_SCANS, None))


class _PillowLimit:
    """Lifts Pillow's own pixel limit while any thread is inside: ours is explicit, comes first, and can be raised."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                Image.MAX_IMAGE_PIXELS = self._limit


_pillow_limit_lifted = _PillowLimit()


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a hostile or damaged file into an ImageError that names the file."""
    try:
        with _pillow_limit_lifted:
            yield
    except ImageError as error:
        named = isinstance(error, NoSuchImageError) or name in str(error)
        raise error if named else ImageError(f"{name}: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{name}: not enough memory to decode it. Shrink the image or free memory.") from error
    except PermissionError as error:
        raise ImageError(f"{name}: may not be read. Change the file's permissions.") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image that can be read. Convert it to JPEG or PNG.") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ValueError, ... on damaged files
        raise ImageError(f"{name}: the image is damaged ({error}). Get an intact copy, or save it again.") from error
