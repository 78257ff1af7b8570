"""Reading images: lazily, upright, within limits, and always from the original.

`SourceImage` hides how a file is decoded. An overview uses scaled decoding where the format has it (JPEG), a region is
cut out of one full decode that is kept until `close`. Pixels are 8-bit RGB whatever the file holds.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar

from PIL import Image, UnidentifiedImageError

from hart_agent.errors import ImageError
from hart_agent.vision.geometry import Box, Frame, Size, oriented_to_stored


@dataclass(frozen=True)
class EncodedImage:
    """An image file in memory, out of a table, say.

    Attributes:
        name: for messages and traces.
        data: the bytes of the file.
    """

    name: str
    data: bytes = field(repr=False)


ImageInput: TypeAlias = "str | os.PathLike[str] | Image.Image | EncodedImage"

DEFAULT_MAX_IMAGE_PIXELS = 300_000_000
"""Pixels. Larger images are refused before decoding; a full decode of this many takes about 1.2 GB."""

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
    `close`, to free them. Safe to share between threads.

    Args:
        source: a path, an image file in memory, or a PIL image (which is not modified or closed).
        max_pixels: refuse larger images, counted before decoding.

    Raises:
        ImageError: the file is missing, not an image, empty, or too large. Damage inside the pixel data shows only
            when they are decoded, as the same error.
    """

    IN_MEMORY: Final = "image in memory"
    """The name of an image that was given as pixels."""

    def __init__(self, source: ImageInput, *, max_pixels: int = DEFAULT_MAX_IMAGE_PIXELS) -> None:
        self.path: Path | None = None
        self._lock = threading.RLock()
        self._pixels: Image.Image | None = None
        self._whole: tuple[Size, Image.Image] | None = None
        self._given = source if isinstance(source, Image.Image) else None
        self._encoded = source if isinstance(source, EncodedImage) else None
        if not isinstance(source, Image.Image | EncodedImage):
            self.path = Path(os.fspath(source))
        with self._header() as header:
            stored = Size(*_checked(header.size, max_pixels, self.name))
            turned = header.format == "TIFF"  # by Pillow itself, as it decodes
            # Scaling a CMYK file as it is decoded would change its colours; the caller's own image would stay small.
            self._scalable = self._given is None and header.format in ("JPEG", "MPO") and header.mode in ("RGB", "L")
            orientation = 1 if turned else header.getexif().get(_ORIENTATION_TAG, 1)
        self._orientation = orientation if orientation in _UPRIGHT else 1
        self.size = Size(stored.height, stored.width) if self._orientation >= 5 else stored
        """Width and height in original pixels: after the EXIF orientation."""

    @property
    def origin(self) -> Path | Image.Image | EncodedImage:
        """What the image was made from."""
        found = self.path or self._given or self._encoded
        assert found is not None
        return found

    @property
    def name(self) -> str:
        """The path as given, the name of an image file in memory, or `IN_MEMORY`."""
        if self._encoded is not None:
            return self._encoded.name
        return str(self.path) if self.path else self.IN_MEMORY

    def sha256(self) -> str:
        """Hash of the file's bytes, or of the pixels of an image in memory."""
        if self._given is not None:
            return hashlib.sha256(self._given.tobytes()).hexdigest()
        if self._encoded is not None:
            return hashlib.sha256(self._encoded.data).hexdigest()
        assert self.path is not None
        _check_file(self.path)
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def at_hand(self, size: Size) -> bool:
        """Whether an episode can begin, with an overview of the given size, without reading or decoding anything."""
        return False

    def render(self, box: Box, size: Size) -> Image.Image:
        """The region at the given size, RGB, resampled from the original (Lanczos) only if the sizes differ.

        The whole image is kept until `close`, for many episodes may look at it.

        Args:
            box: in original pixels.
            size: of the result, in pixels.

        Raises:
            ImageError: the pixel data is damaged.
        """
        if box != self.size.box:
            return self._rendered(box, size)
        with self._lock:
            if self._whole is None or self._whole[0] != size:
                self._whole = size, self._rendered(box, size)
            return self._whole[1]

    def _rendered(self, box: Box, size: Size) -> Image.Image:
        stored = oriented_to_stored(box, self._orientation, self.size)
        target = (size.height, size.width) if self._orientation >= 5 else (size.width, size.height)
        with self._lock, _decoding(self.name):
            if box == self.size.box and (self._scalable or self._pixels is None):  # the same whatever came before
                pixels = self._scaled_decode(target)
            else:
                pixels = self._decoded().crop(stored.as_tuple())
            if pixels.size != target:
                pixels = pixels.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
        transposition = _UPRIGHT.get(self._orientation)
        return pixels.transpose(transposition) if transposition is not None else pixels

    def close(self) -> None:
        """Free the decoded pixels. The image can still be used: it is decoded again when needed."""
        with self._lock:
            self._pixels = self._whole = None

    def __enter__(self) -> SourceImage:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _decoded(self) -> Image.Image:
        """All pixels as stored, RGB; decoded once."""
        if self._pixels is None:
            with self._header() as image:
                self._pixels = _to_rgb(image)
        return self._pixels

    def _scaled_decode(self, size: tuple[int, int]) -> Image.Image:
        """The whole image at no less than the given size, decoded at a reduced scale where the format can."""
        with self._header() as image:
            if self._scalable:
                image.draft(None, size)
            pixels = _to_rgb(image)
            return pixels.copy() if pixels is self._given else pixels

    @contextmanager
    def _header(self) -> Iterator[Image.Image]:
        with _decoding(self.name):
            if self._given is not None:
                yield self._given
                return
            if self.path is not None:
                _check_file(self.path)
            assert self.path is not None or self._encoded is not None
            with Image.open(self.path or io.BytesIO(self._encoded.data)) as image:  # type: ignore[union-attr]
                yield image


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
def _decoding(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a hostile or damaged file into an ImageError that names the file."""
    try:
        with _pillow_limit_lifted:
            yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(f"{name}: not enough memory to decode it. Shrink the image or free memory.") from error
    except PermissionError as error:
        raise ImageError(f"{name}: may not be read. Change the file's permissions.") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image that can be read. Convert it to JPEG or PNG.") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ValueError, ... on damaged files
        raise ImageError(f"{name}: the image is damaged ({error}). Get an intact copy, or save it again.") from error


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise
    except (OSError, ValueError) as error:  # missing; or no possible file name
        raise ImageError(f"{path}: no such file. Check the path of the image.") from error
    if not stat.S_ISREG(mode):  # reading a pipe could wait for ever
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise ImageError(f"{path} is {kind}. Give the path of one image file.")


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


def _to_rgb(image: Image.Image) -> Image.Image:
    """Eight-bit RGB of any mode: 16-bit and float greys are scaled, transparency is laid on white."""
    if image.mode.startswith("I;16"):
        image = image.convert("I")
    if image.mode in ("I", "F"):
        low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
        if low < 0 or high > 65535:  # no common scale: stretch what is there
            factor = 255.0 / ((high - low) or 1.0)
            offset = -low * factor
        else:
            factor, offset = (1.0 if high <= 255 else 1 / 257), 0.0
        return image.point(lambda value: value * factor + offset).convert("L").convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")  # no second copy of a large image
