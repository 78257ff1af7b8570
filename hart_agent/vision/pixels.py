"""Pixels of any mode as 8-bit sRGB: deep greys and floats by their range, profiles, transparency on a fitting ground.

A conversion is made once from the whole image and works on any part of it, so that a region looks the same alone as
within the whole, and a decoded image can be kept in its own mode, in as few bytes as that takes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from hart_agent.vision.strips import STRIP, Conversion, Pixels, mapped, strips, unchanged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import ImageCms

_GROUNDS: Final = (255, 0, 128)
"""Greys on which transparency can be laid, in the order of preference."""

_FAINT: Final = 64
"""A pixel within so many levels of its ground can hardly be told from it."""

_MANY: Final = 0.1
"""Share of faint pixels from which another ground than white is considered."""

_SAME: Final = 2
"""Levels by which a profile may differ from sRGB and be taken for it."""

_BASES: Final = {"LA": "L", "La": "L", "RGBA": "RGB", "RGBa": "RGB", "PA": "RGB", "P": "RGB", "1": "L"}
"""The modes whose colours are those of another mode."""

_COLOUR_SPACES: Final = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}


def conversion_of(image: Pixels, *, maximum: int | None = None, inverted: bool = False) -> Conversion:
    """How the pixels of an image, and those of each part of it, become RGB.

    Args:
        image: of any mode.
        maximum: the largest value that a grey of more than eight bits can have, if the file says so.
        inverted: whether such a grey has white at its lowest value.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _stretching(image, maximum, inverted)
    colours = _colours(image)
    if not _may_be_transparent(image):
        return colours
    ground = _ground(image)

    def composite(part: Image.Image) -> Image.Image:
        layer = part.convert("RGBA")
        base = part.convert("L") if _BASES.get(part.mode) == "L" else layer.convert("RGB")
        result = Image.new("RGB", part.size, (ground,) * 3)
        result.paste(colours(base), mask=layer.getchannel("A"))
        return result

    return composite


def from_deep(samples: NDArray[np.uint16], maximum: int | None) -> Image.Image:
    """Eight bits of 16-bit colours. Black stays zero, so that colours keep their ratios; white is the largest value of
    the declared bits, else of the fewest bits that hold all samples.

    Args:
        samples: height x width x (blue, green, red and, with four channels, alpha), as OpenCV decodes them.
        maximum: the largest value that a sample can have, if the file says so.
    """
    import numpy as np

    height, width, channels = samples.shape
    largest = max(int(samples[y : y + STRIP // width + 1, :, :3].max()) for y in range(0, height, STRIP // width + 1))
    if maximum is None or largest > maximum:
        maximum = (1 << max(8, largest.bit_length())) - 1
    table = np.minimum(np.rint(np.arange(65536) * (255 / maximum)), 255).astype(np.uint8)
    alpha = (np.arange(65536) >> 8).astype(np.uint8)
    whole = Image.new("RGBA" if channels == 4 else "RGB", (width, height))
    for y in range(0, height, STRIP // width + 1):
        strip = samples[y : y + STRIP // width + 1]
        bands = [table[strip[..., channel]] for channel in (2, 1, 0)]
        if channels == 4:
            bands.append(alpha[strip[..., 3]])
        whole.paste(Image.fromarray(np.stack(bands, axis=-1)), (0, y))
    return whole


def _plain(part: Image.Image) -> Image.Image:
    return part.convert("RGB")


def _colours(image: Pixels) -> Conversion:
    """RGB of the image's colours, without regard to transparency."""
    base = _BASES.get(image.mode, image.mode)
    transform = _transform(image.info.get("icc_profile"), base)
    if transform is None:
        return unchanged if image.mode == "RGB" else _plain

    from PIL import ImageCms

    def to_srgb(part: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(part if part.mode == base else part.convert(base), transform)
        assert converted is not None
        return converted

    return to_srgb


def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """To sRGB; None if there is no profile, it does not fit or can't be read, or it is sRGB itself."""
    if not profile or mode not in _COLOUR_SPACES:
        return None
    from PIL import ImageCms

    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _COLOUR_SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return None if mode in ("L", "RGB") and _changes_nothing(transform, mode) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    from PIL import ImageCms

    levels = range(0, 256, 15)
    if mode == "L":
        probe = Image.frombytes("L", (len(levels), 1), bytes(levels))
    else:
        colours = bytes(value for red in levels for green in levels for blue in levels for value in (red, green, blue))
        probe = Image.frombytes("RGB", (len(levels) ** 3, 1), colours)
    converted = ImageCms.applyTransform(probe, transform)
    assert converted is not None
    pairs = zip(converted.tobytes(), probe.convert("RGB").tobytes(), strict=True)
    return all(abs(after - before) <= _SAME for after, before in pairs)


def _may_be_transparent(image: Pixels) -> bool:
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _ground(image: Pixels) -> int:
    """The grey on which the pixels at the edge of transparency show: white, unless many of them would vanish there.

    What borders on transparency is what the ground must set off: a letter's edge, or the outline of a drawing, not
    the white paper inside it.
    """
    import numpy as np

    extremes = list(mapped(image, strips(image), _opacities))
    visible = max(high for _, high in extremes) // 2 + 1  # half as opaque as the image gets
    counts = dict.fromkeys(_GROUNDS, 0)
    total = 0
    clear = [box for box, (lowest, _) in zip(strips(image), extremes, strict=True) if lowest < visible]
    for layer in mapped(image, clear, lambda part: part.convert("RGBA")):
        alpha = np.asarray(layer.getchannel("A"))
        edge = (alpha >= visible) & _next_to(alpha < visible)
        histogram = np.bincount(np.asarray(layer.convert("L"))[edge], minlength=256)
        total += int(histogram.sum())
        for ground in _GROUNDS:
            counts[ground] += int(histogram[max(0, ground - _FAINT + 1) : ground + _FAINT].sum())
    white = _GROUNDS[0]
    best = min(_GROUNDS, key=counts.__getitem__)
    return best if counts[white] > _MANY * total and counts[best] < counts[white] / 2 else white


def _next_to(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels with one of the mask among their eight neighbours, and those of the mask."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    near = wide.copy()
    near[1:] |= wide[:-1]
    near[:-1] |= wide[1:]
    return near


def _opacities(part: Image.Image) -> tuple[int, int]:
    """The smallest and the largest."""
    low, high = part.convert("RGBA").getchannel("A").getextrema()
    assert isinstance(low, int)
    assert isinstance(high, int)
    return low, high


def _stretching(image: Pixels, maximum: int | None, inverted: bool) -> Conversion:
    """Greys of more than eight bits, and floats: by the declared bits if the values fit, else by their own range."""
    import numpy as np

    low, high = _range(image)
    if maximum is not None and low >= 0 and image.mode != "F":
        low, high = 0.0, float(maximum if high <= maximum else 65535)
    elif low == high:  # no range: keep the brightness, where the value has one
        low, high = 0.0, 65535.0 if image.mode != "F" else 1.0
    factor = 255.0 / (high - low)

    def stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
        wide: NDArray[np.floating[Any]] = values.astype(np.float64 if image.mode == "I" else np.float32)
        levels = np.nan_to_num((wide - low) * factor, nan=0.0, posinf=255.0, neginf=0.0)
        grey: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return np.invert(grey) if inverted else grey

    table = stretched(np.arange(65536)) if image.mode.startswith("I;16") else None

    def stretch(part: Image.Image) -> Image.Image:
        values = np.asarray(part)
        return Image.fromarray(stretched(values) if table is None else table[values]).convert("RGB")

    return stretch


def _range(image: Pixels) -> tuple[float, float]:
    """The smallest and the largest finite value; twice zero if there is none."""
    found = [extremes for extremes in mapped(image, strips(image), _finite_range) if extremes is not None]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else (0.0, 0.0)


def _finite_range(part: Image.Image) -> tuple[float, float] | None:
    import numpy as np

    values = np.asarray(part)
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else None
