"""The pictures of a page: JPEG data URLs, each within its share of a budget of bytes."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

from PIL import Image

from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import SourceImage

PHOTO_BYTES = 700_000
CROPS_BYTES = 600_000
THUMBNAILS_BYTES = 800_000
"""Bytes of the overview, of all evidence and of all other views. Base64 makes them a third larger, so a page stays well
under 3 MB."""

_LARGEST_AREA = 2_000_000
_QUALITIES = (90, 80, 68)
_SMALLEST_SIDE = 16


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
        self._left = {"crops": CROPS_BYTES, "views": THUMBNAILS_BYTES}

    def overview(self, shown: Size) -> Picture:
        """The whole image as the policy saw it first.

        Args:
            shown: the overview's own size in pixels.
        """
        return fitted(self._source.render(self._source.size.box, _bounded(shown)), PHOTO_BYTES)

    def crop(self, box: Box, share: int) -> Picture:
        """An evidence region at the original's full resolution, or as near to it as the budget allows.

        Args:
            box: in original pixels.
            share: how many crops, this one included, are still to come.
        """
        return self._fitted("crops", box, box.size, share)

    def view(self, box: Box, shown: Size, share: int) -> Picture:
        """A view as the policy saw it, or as near to it as the budget allows. What was magnified is not: the browser
        magnifies it again.

        Args:
            box: in original pixels.
            shown: the view's own size in pixels, which may be stretched.
            share: how many views, this one included, are still to come.
        """
        return self._fitted("views", box, Size(min(shown.width, box.width), min(shown.height, box.height)), share)

    def _fitted(self, kind: str, box: Box, size: Size, share: int) -> Picture:
        picture = fitted(self._source.render(box, _bounded(size)), self._left[kind] // share, sharp=True)
        self._left[kind] -= picture.bytes
        return picture


def _bounded(size: Size) -> Size:
    return scaled(size, math.sqrt(_LARGEST_AREA / size.area))


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
