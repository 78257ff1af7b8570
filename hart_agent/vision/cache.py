"""Images that several questions of a batch share: opened once, decoded once for the overview, and freed early."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS, EncodedImage, ImageInput, SourceImage

_MAX_BYTES = 128_000_000
_OVERHEAD = 20_000
"""Bytes that an open image takes at most, beside its pixels."""


def is_url(image: str) -> bool:
    """Whether an image is to be had over HTTP."""
    return image.lower().startswith(("http://", "https://"))


class SharedImage(SourceImage):
    """A `SourceImage` that several questions may use at once. It keeps its overview and its hash; all other pixels
    are freed when the last question has left it.

    Args:
        source: see `SourceImage`.
        max_pixels: see `SourceImage`.
        grown: called with the image when it has begun to keep its overview.
    """

    def __init__(
        self, source: ImageInput, *, max_pixels: int, grown: Callable[[SharedImage], None] = lambda image: None
    ) -> None:
        super().__init__(source, max_pixels=max_pixels)
        self._grown = grown
        self._working = threading.Lock()  # may be held for long, so never by an event loop
        self._counting = threading.Lock()
        self._users = 0
        self._digest: str | None = None
        self._overview: Image.Image | None = None

    @property
    def kept_bytes(self) -> int:
        """What it keeps in memory while nobody uses it."""
        encoded = len(self.origin.data) if isinstance(self.origin, EncodedImage) else 0
        overview = 3 * self._overview.width * self._overview.height if self._overview is not None else 0
        return _OVERHEAD + encoded + overview

    def at_hand(self, size: Size) -> bool:
        return self._digest is not None and self._kept(size) is not None

    def sha256(self) -> str:
        if self._digest is None:
            with self._working:
                self._digest = self._digest or super().sha256()
        return self._digest

    def render(self, box: Box, size: Size) -> Image.Image:
        if box != self.size.box:
            return super().render(box, size)
        if (kept := self._kept(size)) is not None:
            return kept
        with self._working:
            if (kept := self._kept(size)) is not None:  # made by another question meanwhile
                return kept
            pixels = super().render(box, size)
            if self._overview is not None:  # the whole image at a size that the model asked for
                return pixels
            self._overview = pixels
        self._grown(self)
        return pixels

    def _kept(self, size: Size) -> Image.Image | None:
        """The overview, if it is there and has that size."""
        kept = self._overview
        return kept if kept is not None and kept.size == (size.width, size.height) else None

    def __enter__(self) -> SharedImage:
        with self._counting:
            self._users += 1
        return self

    def __exit__(self, *error: object) -> None:
        with self._counting:
            self._users -= 1
            last = self._users == 0
        if last:
            self.close()


class ImageCache:
    """Opens the images of a batch, and keeps those that were used last, each with its overview.

    Args:
        max_bytes: of all that is kept between questions.
        max_pixels: of one image; larger ones are refused.
        allow_download: whether images may be URLs.
    """

    def __init__(
        self,
        *,
        max_bytes: int = _MAX_BYTES,
        max_pixels: int = DEFAULT_MAX_IMAGE_PIXELS,
        allow_download: bool = False,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._allow_download = allow_download
        self._lock = threading.Lock()
        self._images: OrderedDict[str, SharedImage] = OrderedDict()
        self._counted: dict[str, int] = {}
        self._bytes = 0

    async def open(self, image: ImageInput | SourceImage) -> SourceImage:
        """The image; the same object for the same path as long as it is kept.

        Raises:
            ImageError: it can't be had, or can't be used.
        """
        if isinstance(image, SourceImage):
            return image
        if not isinstance(image, str | os.PathLike):
            return await asyncio.to_thread(SourceImage, image, max_pixels=self._max_pixels)
        name = str(Path(image)) if not is_url(os.fspath(image)) else os.fspath(image)
        with self._lock:
            if (kept := self._images.get(name)) is not None:
                self._images.move_to_end(name)
                return kept
        source = await self._source(name)
        made = await asyncio.to_thread(SharedImage, source, max_pixels=self._max_pixels, grown=self._count)
        with self._lock:
            kept = self._images.setdefault(name, made)
        self._count(kept)
        return kept

    async def _source(self, name: str) -> Path | EncodedImage:
        if not is_url(name):
            return Path(name)
        if not self._allow_download:
            raise ImageError(f"{name} is a URL, and downloads are not allowed. Allow them, or give a file.")
        from hart_agent.vision.download import download  # with the HTTP of the standard library, which takes its time

        return EncodedImage(name, await download(name))

    def _count(self, image: SharedImage) -> None:
        """Take into account how much an image keeps, and forget those that were not used for the longest time."""
        with self._lock:
            if self._images.get(image.name) is not image:  # forgotten already
                return
            self._bytes += image.kept_bytes - self._counted.get(image.name, 0)
            self._counted[image.name] = image.kept_bytes
            while self._bytes > self._max_bytes and len(self._images) > 1:
                name, _ = self._images.popitem(last=False)
                self._bytes -= self._counted.pop(name)
