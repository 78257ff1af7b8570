"""The photos that the page works on: kept in memory, bounded, and shown by tiles rendered from the original."""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from PIL import Image

from hart_agent.html.pictures import scaled
from hart_agent.serve.errors import RequestError
from hart_agent.vision.cache import SharedImage
from hart_agent.vision.files import EncodedImage
from hart_agent.vision.geometry import Box, Size

TILE: Final = 512
"""Pixels of a tile's side."""
_BASE_PIXELS: Final = 8_000_000
"""Of the rendering from which the coarse tiles are cut. A JPEG of 100 megapixels is decoded for it at a quarter of its
scale, in half the time of a whole decode; and the first steps into it need no other."""
_QUALITY: Final = 90
_CLOSE_UP: Final = 640
"""Pixels of the longer side of a magnified region."""
_MAX_MAGNIFICATION: Final = 8
_MAX_PHOTOS: Final = 16
_MAX_BYTES: Final = 400_000_000
"""Of the files of all photos."""


class Photo:
    """A photo, and its tiles. At level n, a pixel of a tile is 2^n x 2^n pixels of the original.

    Args:
        image: the original; its pixels stay decoded until `close`.
    """

    def __init__(self, image: SharedImage) -> None:
        self.image = image
        longest = max(image.size.width, image.size.height)
        self.levels = max(1, (max(1, -(-longest // TILE)) - 1).bit_length() + 1)
        self._base_level = next(n for n in range(64) if image.size.area >> (2 * n) <= _BASE_PIXELS)
        self._coarse: list[Image.Image] = []
        self._lock = threading.Lock()
        image.__enter__()

    def close(self) -> None:
        """Free the pixels as soon as no question needs them."""
        self.image.__exit__()

    def prepare(self) -> None:
        """Decode it, so that the first close look is as quick as the others.

        Raises:
            ImageError: the pixel data is damaged.
        """
        self._coarse_level(self._base_level)
        self.image.render(Box(0, 0, 1, 1), Size(1, 1))

    def tile(self, level: int, column: int, row: int) -> bytes:
        """A tile as JPEG.

        Raises:
            RequestError: there is no such tile.
            ImageError: the pixel data is damaged.
        """
        side, size = TILE << min(level, 32), self.image.size
        x0, y0 = column * side, row * side
        if level >= self.levels or x0 >= size.width or y0 >= size.height:
            raise RequestError(404, "there is no such tile", code="not_found")
        box = Box(x0, y0, min(x0 + side, size.width), min(y0 + side, size.height))
        target = scaled(box.size, 1 / (1 << level))
        if level >= self._base_level and self._base_level > 0:
            return _jpeg(self._cut(level, x0, y0, target))
        # Averages of whole pixels are many times quicker than resampling, and each tile is looked at for a moment.
        pixels = self.image.render(box, box.size).reduce(1 << level)
        return _jpeg(
            pixels
            if pixels.size == (target.width, target.height)
            else pixels.resize((target.width, target.height), Image.Resampling.LANCZOS)
        )

    def close_up(self, box: Box) -> bytes:
        """A region as JPEG, magnified if it is small."""
        factor = min(_MAX_MAGNIFICATION, _CLOSE_UP / max(box.width, box.height))
        return _jpeg(
            self.image.render(box, Size(max(1, round(box.width * factor)), max(1, round(box.height * factor)))),
            sharp=True,
        )

    def _coarse_level(self, level: int) -> Image.Image:
        """The whole photo at a level from which tiles are cut; all of them are made at once."""
        with self._lock:
            if not self._coarse:
                size = self.image.size
                made = [self.image.render(size.box, scaled(size, 1 / (1 << self._base_level)))]
                while len(made) < self.levels - self._base_level:
                    made.append(made[-1].reduce(2))
                self._coarse = made
            return self._coarse[level - self._base_level]

    def _cut(self, level: int, x0: int, y0: int, target: Size) -> Image.Image:
        """A tile of a coarse level, to the nearest pixel of that level."""
        whole, size = self._coarse_level(level), self.image.size
        left = max(0, min(round(x0 * whole.width / size.width), whole.width - target.width))
        upper = max(0, min(round(y0 * whole.height / size.height), whole.height - target.height))
        return whole.crop((left, upper, left + target.width, upper + target.height))


class Photos:
    """The photos of all pages; the ones used longest ago go first.

    Args:
        max_pixels: of one photo, and of all that are kept, unless it is only one.
        max_photos: so many are kept.
    """

    def __init__(self, max_pixels: int, *, max_photos: int = _MAX_PHOTOS) -> None:
        self._max_pixels = max_pixels
        self._max_photos = max_photos
        self._kept: OrderedDict[str, Photo] = OrderedDict()

    def open(self, name: str, data: bytes) -> Photo:
        """A photo of a file's bytes, which is not kept yet.

        Raises:
            ImageError: it can't be used.
        """
        return Photo(SharedImage(EncodedImage(name, data), max_pixels=self._max_pixels))

    def keep(self, photo: Photo) -> dict[str, Any]:
        """Keep a photo. Returns what the page must know of it, its id among that."""
        name = secrets.token_hex(12)
        self._kept[name] = photo
        while len(self._kept) > 1 and self._too_much:
            self._kept.popitem(last=False)[1].close()
        return self.describe(name)

    def describe(self, name: str) -> dict[str, Any]:
        """What the page must know of a photo that is kept.

        Raises:
            RequestError: it isn't kept (any more).
        """
        photo = self.get(name)
        size, shown = photo.image.size, Path(photo.image.name).name
        return {
            "id": name, "name": shown, "width": size.width, "height": size.height, "tile": TILE, "levels": photo.levels,
        }  # fmt: skip

    def get(self, name: str) -> Photo:
        """A photo by its id.

        Raises:
            RequestError: it isn't kept (any more).
        """
        photo = self._kept.get(name)
        if photo is None:
            raise RequestError(404, "the photo is no longer kept; choose it again", code="not_found")
        self._kept.move_to_end(name)
        return photo

    @property
    def _too_much(self) -> bool:
        photos = self._kept.values()
        pixels, kept = sum(photo.image.size.area for photo in photos), sum(photo.image.kept_bytes for photo in photos)
        return len(photos) > self._max_photos or pixels > self._max_pixels or kept > _MAX_BYTES


def _jpeg(image: Image.Image, *, sharp: bool = False) -> bytes:
    """The image as JPEG; if it is to be sharp, with colours at full resolution, which takes twice as long."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0 if sharp else 2)
    return buffer.getvalue()
