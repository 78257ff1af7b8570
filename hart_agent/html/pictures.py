"""The pictures of a page: JPEG data URLs, each within its share of a budget of bytes."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

from PIL import Image

from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import SourceImage

PHOTO_BYTES = 1_100_000
CROPS_BYTES = 600_000
THUMBNAILS_BYTES = 300_000
"""Bytes of all JPEGs of a kind. Base64 makes them a third larger, so a page stays well under 3 MB."""

_PHOTO_SIDE = 2560
_CROP_AREA = 2_000_000
_THUMBNAIL_SIDE = 360
_QUALITIES = (90, 80, 68)
_SMALLEST_SIDE = 16
_LEAST_BYTES = 2_000


@dataclass(frozen=True)
class Picture:
    """A picture as a data URL, and its own size in pixels."""

    url: str
    size: Size
    bytes: int


class Gallery:
    """Makes the pictures of one page from its image."""

    def __init__(self, source: SourceImage) -> None:
        self._source = source
        self._left = {"crops": CROPS_BYTES, "thumbnails": THUMBNAILS_BYTES}

    def photo(self) -> Picture:
        """The whole image, downscaled."""
        whole = self._source.size
        size = scaled(whole, _PHOTO_SIDE / max(whole.width, whole.height))
        return fitted(self._source.render(whole.box, size), PHOTO_BYTES)

    def crop(self, box: Box, share: int) -> Picture:
        """An evidence region at the original's full resolution, or as near to it as the budget allows.

        Args:
            box: in original pixels.
            share: how many crops, this one included, are still to come.
        """
        size = scaled(box.size, math.sqrt(_CROP_AREA / box.area))
        picture = fitted(self._source.render(box, size), self._left["crops"] // share, sharp=True)
        self._left["crops"] -= picture.bytes
        return picture

    def thumbnail(self, box: Box, shown: Size) -> Picture | None:
        """A view, small; None when the page holds so many that the budget is spent.

        Args:
            box: in original pixels.
            shown: the view's own size in pixels, which may be stretched.
        """
        if self._left["thumbnails"] < _LEAST_BYTES:
            return None
        size = scaled(shown, _THUMBNAIL_SIDE / max(shown.width, shown.height))
        picture = fitted(self._source.render(box, size), THUMBNAILS_BYTES // 4)
        if picture.bytes > self._left["thumbnails"]:
            return None
        self._left["thumbnails"] -= picture.bytes
        return picture


def scaled(size: Size, factor: float) -> Size:
    """The size, shrunk by the factor; never enlarged."""
    factor = min(1.0, factor)
    return Size(max(1, round(size.width * factor)), max(1, round(size.height * factor)))


def fitted(image: Image.Image, limit: int, *, sharp: bool = False) -> Picture:
    """The best JPEG of at most `limit` bytes, or a tiny one; if `sharp`, with colours at full resolution, too."""
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality, subsampling=0 if sharp else 2)
            if buffer.tell() <= limit:
                break
        size = Size(*image.size)
        if buffer.tell() <= limit or max(image.size) <= _SMALLEST_SIDE:
            url = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
            return Picture(url, size, buffer.tell())
        shrunk = scaled(size, 0.75)
        image = image.resize((shrunk.width, shrunk.height), Image.Resampling.LANCZOS)
