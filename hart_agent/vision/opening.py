"""The one door for images: a path, `~`, file://, a data URL, an http(s) URL, standard input, or pixels."""

from __future__ import annotations

import base64
import binascii
import logging
import os
import re
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote_to_bytes, urlsplit

from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision.files import EncodedImage
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS, ImageInput, SourceImage
from hart_agent.vision.urls import is_url, public_url

_log = logging.getLogger(__name__)

STANDARD_INPUT: Final = "-"
MAX_BYTES: Final = 200_000_000
"""Of a file that is held in memory."""

_PAGE: Final = re.compile(r"#page=([0-9]{1,6})\Z")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOSTS: Final = ("", "localhost")


def open_image(
    image: ImageInput,
    *,
    page: int | None = None,
    allow_download: bool = False,
    max_pixels: int = DEFAULT_MAX_IMAGE_PIXELS,
    stdin: IO[bytes] | None = None,
) -> SourceImage:
    """An image, wherever it is.

    A text that ends in `#page=2` names a page of the file before it, as does `page`; a file whose own name is that text
    goes first. If a file has more frames or pages than the one shown, that is logged.

    Args:
        image: a path, a URL (http, https, file, data), an image file in memory, or a PIL image.
        page: which frame or page to show, from 1.
        allow_download: whether an http or https URL may be fetched.
        max_pixels: refuse larger images.
        stdin: what "-" is read from; None if that is a path like any other.

    Raises:
        ImageError: see `SourceImage`; or a URL can't be fetched.
    """
    source, found = locate(image, allow_download=allow_download, stdin=stdin)
    return announced(SourceImage(source, max_pixels=max_pixels, page=found if page is None else page))


def locate(
    image: ImageInput, *, allow_download: bool, stdin: IO[bytes] | None = None
) -> tuple[Path | Image.Image | EncodedImage, int | None]:
    """Where an image's bytes are, fetched if they are not on this machine, and the page that its name asks for.

    Args:
        image, allow_download, stdin: see `open_image`.

    Raises:
        ImageError: they can't be fetched, or that is not allowed.
    """
    if isinstance(image, Image.Image | EncodedImage):
        return image, None
    if not isinstance(image, str | os.PathLike):
        raise ImageError(
            f"an image is a path, a URL, a PIL image or an EncodedImage, not a {type(image).__name__}. Give the bytes "
            "of a file as EncodedImage(name, data), an array as Image.fromarray(array)."
        )
    text = os.fspath(image)
    if not text:
        raise ImageError("no image is named: an empty path is a folder. Give the path of one image file.")
    if text == STANDARD_INPUT and stdin is not None:
        return EncodedImage("standard input", _limited(stdin.read(MAX_BYTES + 1), "standard input")), None
    if text[:5].lower() == "data:":
        url, page = _split_page(text)
        return EncodedImage("data URL", _data(url)), page
    if not is_url(text):
        if (scheme := _SCHEME.match(text)) and scheme[1].lower() != "file" and not _exists(Path(text)):
            raise ImageError(
                f"{public_url(text)}: nothing is fetched over {scheme[1]}, only over http and https. Download it, and "
                "give the file."
            )
        return local_path(text)
    url, page = _split_page(text)
    if not allow_download:
        raise ImageError(
            f"{public_url(url)} is a URL, and downloads are not allowed. Allow them: --allow-download, or "
            "open_image(url, allow_download=True) in Python; or give a file."
        )
    from hart_agent.vision.download import fetch  # with the HTTP of the standard library, which takes its time

    return EncodedImage(public_url(url), fetch(url, max_bytes=MAX_BYTES)), page


def local_path(text: str) -> tuple[Path, int | None]:
    """The path that a text names, as a path or as a file URL, and the page.

    Raises:
        ImageError: it is a file URL of another machine, or a damaged one.
    """
    if text[:7].lower() == "file://":
        url, page = _split_page(text)
        try:
            parts = urlsplit(url)
        except ValueError as error:  # half an IPv6 address
            raise ImageError(f"{text} is not a valid file URL ({error}). Give the path of the image.") from error
        if parts.netloc.lower() not in _HOSTS:
            raise ImageError(f"{text} is on another machine ({parts.netloc}). Give a file of this one.")
        from urllib.request import url2pathname

        return Path(url2pathname(parts.path)), page
    if _exists(Path(text)):
        return Path(text), None
    stem, page = _split_page(text)
    path = Path(stem)
    try:
        return path.expanduser(), page
    except RuntimeError:  # no such user
        return path, page


def seen_from(folder: Path, text: str) -> str | Path:
    """What a file of a folder means by an image's name: a path starts at the folder, a URL and `~` where they do."""
    if is_url(text) or text[:5].lower() in ("data:", "file:") or (text[:2] == "~/" and not _exists(folder / text)):
        return text
    return folder / text


def announced(source: SourceImage) -> SourceImage:
    """The same image; logs that there are more frames or pages, unless one was chosen."""
    if source.frames > 1 and source.page is None:
        _log.warning(
            "%s holds %d frames or pages; the first one is shown. Choose another with --page, or #page=2 behind "
            "its name.", source.name, source.frames,
        )  # fmt: skip
    return source


def _split_page(text: str) -> tuple[str, int | None]:
    found = _PAGE.search(text[-16:])
    return (text[: -len(found[0])], int(found[1])) if found else (text, None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _data(url: str) -> bytes:
    """The bytes of a data URL (RFC 2397)."""
    head, comma, body = url.partition(",")
    if not comma:
        raise ImageError("a data URL without its comma; expected data:image/png;base64,...")
    data = unquote_to_bytes(body)
    if head.lower().endswith(";base64"):
        try:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        except binascii.Error as error:
            raise ImageError(f"a data URL whose base64 is damaged ({error}). Encode the file again.") from error
    return _limited(data, "a data URL")


def _limited(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name}: more than {MAX_BYTES / 1e6:.0f} MB. Save it as a file and give its path.")
    return data
