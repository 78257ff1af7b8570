"""Reading images: lazily, upright, within limits, and always from the original.

`SourceImage` hides how a file is decoded. A file is decoded once, and its pixels are kept until `close`; only the
overview of a JPEG comes from a decode of its own, at a reduced scale. Of a large TIFF nothing is kept: the tiles that a
view needs are decoded for it. So are the first regions of a large JPEG, and those of a JPEG 2000, where there is a
library for it (`jpeg`, `jpeg2000`). Views are 8-bit sRGB whatever the file holds.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Generic, TypeAlias, TypeVar

from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision import vips
from hart_agent.vision.files import EncodedImage, ImageFile
from hart_agent.vision.formats import check_given, decoding, open_allowed
from hart_agent.vision.frames import frames_of
from hart_agent.vision.geometry import Box, Frame, Size, oriented_to_stored
from hart_agent.vision.jpeg import JpegRegions, jpeg_regions
from hart_agent.vision.jpeg2000 import Jpeg2000Regions, jpeg2000_regions
from hart_agent.vision.metadata import (
    declared_maximum,
    deep_channels,
    orientation_of,
    white_is_zero,
    without_metadata,
)
from hart_agent.vision.pixels import conversion_of, from_deep
from hart_agent.vision.readonly import freeze
from hart_agent.vision.regions import UPRIGHT, Regions, regions_of
from hart_agent.vision.strips import Conversion, Pixels, fitted

__all__ = ["DEFAULT_MAX_IMAGE_PIXELS", "EncodedImage", "ImageInput", "PerImage", "SourceImage", "View"]

ImageInput: TypeAlias = "str | os.PathLike[str] | Image.Image | EncodedImage"

DEFAULT_MAX_IMAGE_PIXELS = 300_000_000
"""Pixels. Larger images are refused before decoding; a full decode of this many takes about 1.2 GB."""

_T = TypeVar("_T")


class PerImage(Generic[_T]):
    """What was worked out from an image's pixels, kept as long as the image lives: views may share one."""

    def __init__(self) -> None:
        self._kept: dict[int, _T] = {}

    def __contains__(self, image: Image.Image) -> bool:
        return id(image) in self._kept

    def get(self, image: Image.Image, make: Callable[[], _T]) -> _T:
        """What is kept for this very image, made if there is nothing yet."""
        key = id(image)
        if key not in self._kept:
            self._kept[key] = make()
            weakref.finalize(image, self._kept.pop, key, None)
        return self._kept[key]


_hashes: PerImage[str] = PerImage()


@dataclass(frozen=True, eq=False)
class View:
    """Pixels that a policy sees, and where they came from.

    Attributes:
        id: the name by which the model refers to this view, unique in an episode.
        kind: what made it: "overview", or the name of the tool.
        image: RGB pixels.
        frame: where those pixels lie in the original.
    """

    id: str
    kind: str
    image: Image.Image
    frame: Frame

    @property
    def sha256(self) -> str:
        """Hash of the pixels, by which a replay proves that it shows the same."""
        return _hashes.get(self.image, lambda: hashlib.sha256(self.image.tobytes()).hexdigest())


class SourceImage:
    """The original image of a question, opened lazily.

    Opening reads only the header; pixels are decoded when a view needs them. Use it as a context manager, or call
    `close`, to free them. Safe to share between threads. `hart_agent.vision.opening.open_image` opens one by URL, too.

    Args:
        source: a path, an image file in memory, or a PIL image (which is not modified or closed).
        max_pixels: refuse larger images, counted before decoding.
        page: which frame or page of the file to show, from 1; None for the first.

    Attributes:
        size: width and height in original pixels: after the EXIF orientation.
        frames: how many frames or pages the file has; of a stereo photo, one.

    Raises:
        ImageError: the file is missing, not an image, empty, or too large, or has no such page. Damage inside the
            pixel data shows only when they are decoded, as the same error; so does a file that has changed meanwhile.
    """

    IN_MEMORY: Final = "image in memory"
    """The name of an image that was given as pixels."""

    def __init__(
        self, source: ImageInput, *, max_pixels: int = DEFAULT_MAX_IMAGE_PIXELS, page: int | None = None
    ) -> None:
        self.path: Path | None = None
        self.page = page
        self._lock = threading.RLock()
        self._pixels: tuple[Pixels, Conversion] | None = None
        self._whole: tuple[Size, Image.Image] | None = None
        self._bare: bytes | None = None
        self._given = source if isinstance(source, Image.Image) else None
        if self._given is not None and page is not None:
            raise ImageError("an image in memory has no pages to choose from. Call its seek() before.")
        self._file: ImageFile | EncodedImage | None = source if isinstance(source, EncodedImage) else None
        if not isinstance(source, Image.Image | EncodedImage):
            self.path = Path(os.fspath(source))
            with decoding(self.name):
                self._file = ImageFile(self.path)
        self._use(lambda image, file: self._read_header(image, file, max_pixels))

    def _read_header(self, image: Image.Image, file: IO[bytes] | None, max_pixels: int) -> None:
        stored = self._stored = Size(*_checked(image.size, max_pixels, self.name))
        # The second frame of an MPO is the other eye's view, or a map for bright screens: nothing to choose.
        self.frames = 1 if file is None or image.format == "MPO" else frames_of(image, file)
        # Scaling a CMYK file as it is decoded would change its colours; the caller's own image would stay small.
        scalable = file is not None and image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")
        self._scalable = scalable and self.page in (None, 1)
        self._orientation = orientation_of(image, file)
        self.size = Size(stored.height, stored.width) if self._orientation >= 5 else stored

    @property
    def turned(self) -> bool:
        """Whether the file's EXIF orientation turns or mirrors its pixels."""
        return self._orientation > 1

    @property
    def sideways(self) -> bool:
        """Whether the image as it is stored in the file lies on its side."""
        return self._orientation >= 5

    def upright(self, box: Box) -> Box:
        """A box of the pixels as they are stored in the file, in original pixels: turned with the image."""
        back = {6: 8, 8: 6}.get(self._orientation, self._orientation)
        return oriented_to_stored(box, back, self._stored)

    @property
    def origin(self) -> Path | Image.Image | EncodedImage:
        """What the image was made from."""
        if self._given is not None:
            return self._given
        assert self._file is not None
        return self._file if isinstance(self._file, EncodedImage) else self._file.path

    @property
    def name(self) -> str:
        """The path as given, the name of an image file in memory, or `IN_MEMORY`; with the page, if one was chosen."""
        name = self._file.name if self._file is not None else str(self.path or self.IN_MEMORY)
        return name if self.page is None else f"{name}#page={self.page}"

    @property
    def current(self) -> bool:
        """Whether the file is still the one that was opened."""
        return self._file.current if isinstance(self._file, ImageFile) else True

    def sha256(self) -> str:
        """Hash of the file's bytes, or of the pixels of an image in memory."""
        if self._given is not None:
            return hashlib.sha256(self._given.tobytes()).hexdigest()
        assert self._file is not None
        with decoding(self.name):
            return self._file.sha256()

    def at_hand(self, size: Size) -> bool:
        """Whether an episode can begin, with an overview of the given size, without reading or decoding anything."""
        return False

    def render(self, box: Box, size: Size, resampling: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
        """The region at the given size, RGB, resampled from the original only if the sizes differ.

        The whole image is kept until `close`, for many episodes may look at it, and is read-only for that reason; a
        region is the caller's own.

        Args:
            box: in original pixels.
            size: of the result, in pixels.
            resampling: the filter.

        Raises:
            ImageError: the pixel data is damaged.
        """
        if box != self.size.box or resampling != Image.Resampling.LANCZOS:
            return self._rendered(box, size, resampling)
        with self._lock:
            if self._whole is None or self._whole[0] != size:
                self._whole = size, freeze(self._rendered(box, size, resampling))
            return self._whole[1]

    def _rendered(self, box: Box, size: Size, resampling: Image.Resampling) -> Image.Image:
        stored = oriented_to_stored(box, self._orientation, self.size)
        target = (size.height, size.width) if self._orientation >= 5 else (size.width, size.height)
        with self._lock, decoding(self.name):
            if box == self.size.box:
                pixels = self._scaled_decode(target, resampling)
            else:
                pixels = self._region(stored, target, resampling)
        transposition = UPRIGHT.get(self._orientation)
        return pixels.transpose(transposition) if transposition is not None else pixels

    def close(self) -> None:
        """Free the decoded pixels. The image can still be used: it is decoded again when needed."""
        with self._lock:
            self._pixels = self._whole = None

    def __enter__(self) -> SourceImage:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _scaled_decode(self, size: tuple[int, int], resampling: Image.Resampling) -> Image.Image:
        """The whole image, as it is stored, from the fewest pixels that the file offers for that size."""
        if self._scalable and 2 * size[0] <= self._stored.width and 2 * size[1] <= self._stored.height:
            return self._use(lambda image, file: _scaled(image, size, resampling))
        decoded, convert = self._decoded()
        shown = decoded.at_least(size) if isinstance(decoded, Regions | JpegRegions | Jpeg2000Regions) else decoded
        pixels = fitted(shown, Size(shown.width, shown.height).box, convert, size, resampling)
        return pixels.copy() if pixels is self._given else pixels

    def _region(self, box: Box, size: tuple[int, int], resampling: Image.Resampling) -> Image.Image:
        """A region, as it is stored."""
        decoded, convert = self._decoded()
        shown = decoded.serving(box) if isinstance(decoded, JpegRegions) else decoded
        return fitted(shown, box, convert, size, resampling)

    def _decoded(self) -> tuple[Pixels, Conversion]:
        """The pixels as stored, in the file's own mode, and how they become RGB; decoded once."""
        if self._pixels is None:
            self._pixels = self._use(self._decode)
        return self._pixels

    def _decode(self, image: Image.Image, file: IO[bytes] | None) -> tuple[Pixels, Conversion]:
        maximum = declared_maximum(image, file)
        inverted = white_is_zero(image)
        profile = image.info.get("icc_profile")
        if file is not None and deep_channels(image):
            deep = _decode_deep(image, file, maximum)
            if deep is not None:
                deep.info["icc_profile"] = profile
                return deep, conversion_of(deep)
        elif self._file is not None:
            place = image, self.page or 1, self._file.opened
            by_parts = regions_of(*place) or jpeg_regions(*place) or jpeg2000_regions(image, self._file.opened)
            parts = by_parts or (vips.png(image, file) if file is not None else None)
            if parts is not None:
                return parts, conversion_of(parts, maximum=maximum, inverted=inverted)
        image.load()
        return image, conversion_of(image, maximum=maximum, inverted=inverted)

    def _use(self, work: Callable[[Image.Image, IO[bytes] | None], _T]) -> _T:
        """Do something with the opened image; where its metadata is broken, with the image without it."""
        with decoding(self.name):
            if self._given is not None:
                check_given(self._given)
                return work(self._given, None)
            assert self._file is not None
            if self._bare is not None:
                return self._work_on(io.BytesIO(self._bare), work)
            with self._file.opened() as file:
                try:
                    return self._work_on(file, work)
                except (ImageError, MemoryError):
                    raise
                except Exception as error:
                    bare = without_metadata(file)
                    if bare is None:
                        raise
                    try:
                        result = self._work_on(io.BytesIO(bare), work)
                    except Exception:
                        raise error from None
                    self._bare = bare
                    return result

    def _work_on(self, file: IO[bytes], work: Callable[[Image.Image, IO[bytes] | None], _T]) -> _T:
        with open_allowed(file) as image:
            if self.page is not None:
                frames = frames_of(image, file)
                if not 1 <= self.page <= frames:
                    raise ImageError(f"{self.name}: there is no such page; expected 1 to {frames}.")
                image.seek(self.page - 1)
            return work(image, file)


def _decode_deep(image: Image.Image, file: IO[bytes], maximum: int | None) -> Image.Image | None:
    """A colour image of 16 bits a channel, which Pillow would cut to the upper eight; None if OpenCV can't read it."""
    import cv2
    import numpy as np

    place = file.tell()
    file.seek(0)
    try:
        samples = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # it is larger than OpenCV allows, say
        return None
    finally:
        file.seek(place)
    if samples is None or samples.dtype != np.uint16 or samples.shape[:2] != (image.height, image.width):
        return None
    return from_deep(samples, maximum) if samples.ndim == 3 else None


def _scaled(image: Image.Image, size: tuple[int, int], resampling: Image.Resampling) -> Image.Image:
    image.draft(None, size)
    image.load()
    return fitted(image, Size(*image.size).box, conversion_of(image), size, resampling)


def _checked(size: tuple[int, int], max_pixels: int, name: str) -> tuple[int, int]:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width}x{height}).")
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width}x{height} = {width * height / 1e6:.0f} megapixels, over the limit of "
            f"{max_pixels / 1e6:.0f}. If you trust the file, raise the limit: --max-image-megapixels "
            f"{-(-width * height // 1_000_000)}, or max_pixels in Python."
        )
    return size
