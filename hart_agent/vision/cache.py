"""Images that several questions of a batch share: opened once, decoded once for the overview, and freed early."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path

from PIL import Image

from hart_agent.concurrency import in_thread
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.opening import announced, locate
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS, EncodedImage, ImageInput, SourceImage
from hart_agent.vision.urls import is_url

_MAX_BYTES = 128_000_000
_OVERHEAD = 20_000
"""Bytes that an open image takes at most, in addition to its pixels."""


class SharedImage(SourceImage):
    """A `SourceImage` that several questions may use at once. It keeps its overview and its hash; all other pixels
    are freed when the last question has left it.

    Args:
        source: see `SourceImage`.
        max_pixels: see `SourceImage`.
        page: see `SourceImage`.
        grown: called with the image when it has begun to keep its overview.
    """

    def __init__(
        self,
        source: ImageInput,
        *,
        max_pixels: int,
        page: int | None = None,
        grown: Callable[[SharedImage], None] = lambda image: None,
    ) -> None:
        super().__init__(source, max_pixels=max_pixels, page=page)
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

    def render(self, box: Box, size: Size, resampling: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
        if box != self.size.box or resampling != Image.Resampling.LANCZOS:
            return super().render(box, size, resampling)
        if (kept := self._kept(size)) is not None:
            return kept
        with self._working:
            if (kept := self._kept(size)) is not None:  # made by another question meanwhile
                return kept
            pixels = super().render(box, size, resampling)
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
    """Opens the images of many questions: what several ask about at once is opened, downloaded and decoded once. Keeps
    those that were used last, each with its overview.

    Args:
        max_bytes: of all that is kept between questions; 0 to keep nothing that no question uses.
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
        used: weakref.WeakValueDictionary[str, SharedImage] = weakref.WeakValueDictionary()
        self._known: MutableMapping[str, SharedImage] = self._images if max_bytes else used
        self._counted: dict[str, int] = {}
        self._bytes = 0
        self._opening: dict[tuple[asyncio.AbstractEventLoop, str], _Flight] = {}

    async def open(self, image: ImageInput | SourceImage) -> SourceImage:
        """The image; the same object for the same name as long as it is kept and its file stays the same. However many
        ask for it at once, it is opened, and downloaded, once.

        Raises:
            ImageError: it can't be fetched, or can't be used.
        """
        if isinstance(image, SourceImage):
            return image
        if not isinstance(image, str | os.PathLike):
            found, _ = locate(image, allow_download=False)
            return await asyncio.to_thread(SourceImage, found, max_pixels=self._max_pixels)
        name = os.fspath(image)
        name = name if is_url(name) else str(Path(name))
        with self._lock:
            kept = self._known.get(name)
            if kept is not None and kept.current:
                if name in self._images:
                    self._images.move_to_end(name)
                return kept
            if kept is not None:  # another file is there now; reported to whoever looks at the old one
                self._forget(name)
        key = asyncio.get_running_loop(), name
        flight = self._opening.get(key)
        if flight is None:
            flight = self._opening[key] = _Flight(self._opened(os.fspath(image), name))
        try:
            return await flight.join()
        finally:
            if flight.over:
                self._opening.pop(key, None)

    async def _opened(self, image: str, name: str) -> SharedImage:
        def make() -> SharedImage:
            source, page = locate(image, allow_download=self._allow_download)
            grown = functools.partial(self._count, name)
            made = SharedImage(source, max_pixels=self._max_pixels, page=page, grown=grown)
            announced(made)
            return made

        made = await in_thread(make)
        with self._lock:
            kept = self._known.setdefault(name, made)
        self._count(name, kept)
        return kept

    def _count(self, name: str, image: SharedImage) -> None:
        """Take into account how much an image keeps, and forget those that were not used for the longest time."""
        with self._lock:
            if self._images.get(name) is not image:  # forgotten already
                return
            self._bytes += image.kept_bytes - self._counted.get(name, 0)
            self._counted[name] = image.kept_bytes
            while self._bytes > self._max_bytes and len(self._images) > 1:
                self._forget(next(iter(self._images)))

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
        self._bytes -= self._counted.pop(name, 0)


class _Flight:
    """Work that several wait for; it is cancelled when the last of them has gone."""

    def __init__(self, work: Awaitable[SharedImage]) -> None:
        self._task = asyncio.ensure_future(work)
        self._waiting = 0

    @property
    def over(self) -> bool:
        """Whether nobody needs it any more."""
        return self._waiting == 0

    async def join(self) -> SharedImage:
        """The result of the work."""
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self._task.cancel()
