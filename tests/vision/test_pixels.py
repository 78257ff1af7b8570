"""The right pixels: deep greys and colours, floats, profiles, transparency; the same for a region and for the whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from image_files import cmyk_profile, png_chunk
from PIL import Image, ImageCms, ImageDraw, ImageFont

from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import SourceImage

RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)


def pixels_of(path: Path) -> np.ndarray:
    """The whole image, after seeing that a region shows the same pixels, decoded before or after it."""
    region = Box(7, 5, 40, 33)
    source, again = SourceImage(path), SourceImage(path)
    part = np.asarray(again.render(region, region.size))
    whole = np.asarray(source.render(source.size.box, source.size))
    assert np.array_equal(part, whole[5:33, 7:40])
    assert np.array_equal(source.render(region, region.size), part)
    assert np.array_equal(again.render(source.size.box, source.size), whole)
    return whole.astype(int)


def save_deep(path: Path, values: np.ndarray, **options: Any) -> None:
    Image.fromarray(values.astype(np.uint16)).save(path, **options)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_grey_of_any_bits_in_sixteen_spans_the_range(tmp_path: Path, ending: str, bits: int) -> None:
    save_deep(tmp_path / f"deep.{ending}", np.rint(RAMP * (2**bits - 1)))
    grey = pixels_of(tmp_path / f"deep.{ending}")
    assert np.abs(grey - RAMP[..., None] * 255).max() <= 1


def test_a_range_that_does_not_begin_at_zero_is_stretched(tmp_path: Path) -> None:
    save_deep(tmp_path / "thermal.png", np.rint(20_000 + RAMP * 500))
    assert np.abs(pixels_of(tmp_path / "thermal.png") - RAMP[..., None] * 255).max() <= 1


def test_declared_bits_keep_a_dark_image_dark(tmp_path: Path) -> None:
    """Half of the range of 12 bits is used: TIFF says so in MaxSampleValue, PNG in sBIT."""
    values = np.rint(RAMP * 2047)
    save_deep(tmp_path / "dark.tif", values, tiffinfo={281: 4095})
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(buffer, "PNG")
    data = buffer.getvalue()
    (tmp_path / "dark.png").write_bytes(data[:33] + png_chunk(b"sBIT", b"\x0c") + data[33:])
    for name in ("dark.tif", "dark.png"):
        assert np.abs(pixels_of(tmp_path / name) - RAMP[..., None] * 255 * 2047 / 4095).max() <= 1


def test_samples_that_were_scaled_up_from_their_declared_bits(tmp_path: Path) -> None:
    """As the PNG standard wants it: 10 significant bits, stored as the upper ones of 16."""
    buffer = io.BytesIO()
    Image.fromarray((np.rint(RAMP * 500).astype(np.uint16)) << 6).save(buffer, "PNG")
    data = buffer.getvalue()
    (tmp_path / "scaled.png").write_bytes(data[:33] + png_chunk(b"sBIT", b"\x0a") + data[33:])
    assert np.abs(pixels_of(tmp_path / "scaled.png") - RAMP[..., None] * 255 * (500 * 64) / 65535).max() <= 1


def test_a_grey_tiff_whose_white_is_zero(tmp_path: Path) -> None:
    save_deep(tmp_path / "inverted.tif", np.rint(RAMP * 65535), tiffinfo={262: 0})
    with Image.open(tmp_path / "inverted.tif") as image:
        assert image.tag_v2[262] == 0
    assert np.abs(pixels_of(tmp_path / "inverted.tif") - (1 - RAMP[..., None]) * 255).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.5, 2.0), (0.0, 255.0), (1e-9, 2e-9), (0.0, 1e30)])
def test_floats_span_the_range_of_their_finite_values(tmp_path: Path, low: float, high: float) -> None:
    values = (low + RAMP * (high - low)).astype(np.float32)
    values[0, 1], values[0, 2], values[0, 3] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save(tmp_path / "float.tif")
    grey = pixels_of(tmp_path / "float.tif")
    assert np.abs(grey[1:] - RAMP[1:, :, None] * 255).max() <= 1
    assert grey[0, 1:4, 0].tolist() == [0, 255, 0]


def test_an_image_without_finite_values_is_no_damage(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 64), np.nan, np.float32)).save(tmp_path / "nothing.tif")
    assert not pixels_of(tmp_path / "nothing.tif").any()


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_colours_of_any_bits_in_sixteen(tmp_path: Path, ending: str, bits: int) -> None:
    """Pillow would keep the upper byte: of 10 bits, nothing."""
    colours = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1] / 2], axis=-1)
    cv2.imwrite(str(tmp_path / f"deep.{ending}"), np.rint(colours[..., ::-1] * (2**bits - 1)).astype(np.uint16))
    assert np.abs(pixels_of(tmp_path / f"deep.{ending}") - colours * 255).max() <= 1


def test_deep_colours_with_transparency(tmp_path: Path) -> None:
    layers = np.stack([RAMP, RAMP[::-1], RAMP / 2, RAMP[:, ::-1]], axis=-1)
    samples = np.rint(layers * 65535).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), samples[..., [2, 1, 0, 3]])
    expected = (layers[..., :3] * layers[..., 3:] + 1 - layers[..., 3:]) * 255
    assert np.abs(pixels_of(tmp_path / "deep.png") - expected).max() <= 2


def profile_bytes(path_or_name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(path_or_name)).tobytes()  # type: ignore[arg-type]


def wide_gamut() -> bytes:
    """sRGB with its red and green primaries swapped: any colour tells whether the profile was used."""
    data = bytearray(profile_bytes("sRGB"))
    count = int.from_bytes(data[128:132], "big")
    tags = {bytes(data[place : place + 4]): place for place in range(132, 132 + 12 * count, 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = data[green + 4 : green + 12], data[red + 4 : red + 12]
    return bytes(data)


def colour_chart() -> Image.Image:
    values = np.random.default_rng(5).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(np.kron(values, np.ones((8, 8, 1), np.uint8)))


@pytest.mark.parametrize("ending", ["png", "tif", "webp", "jpg"])
def test_colours_are_converted_to_srgb(tmp_path: Path, ending: str) -> None:
    chart, path = colour_chart(), tmp_path / f"photo.{ending}"
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}.get(ending, {})
    chart.save(path, icc_profile=wide_gamut(), **options)
    decoded = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert np.abs(pixels_of(path) - decoded[..., [1, 0, 2]]).max() <= 3


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_an_srgb_profile_changes_no_pixel(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"photo.{ending}"
    colour_chart().save(path, icc_profile=profile_bytes("sRGB"))
    assert np.array_equal(pixels_of(path), np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("profile", [b"nonsense", bytes(200), profile_bytes("LAB")], ids=["text", "zeros", "LAB"])
def test_a_profile_that_does_not_fit_is_passed_over(tmp_path: Path, profile: bytes) -> None:
    colour_chart().save(tmp_path / "photo.png", icc_profile=profile)
    assert np.array_equal(pixels_of(tmp_path / "photo.png"), colour_chart())


def test_an_overview_by_scaled_decoding_is_converted_too(tmp_path: Path) -> None:
    image = Image.new("RGB", (1600, 1200), (200, 40, 90))
    image.save(tmp_path / "photo.jpg", icc_profile=wide_gamut(), quality=100)
    source = SourceImage(tmp_path / "photo.jpg")
    pixels = np.asarray(source.render(source.size.box, Size(200, 150))).astype(int)
    assert np.abs(pixels - [40, 200, 90]).max() <= 3


def test_transparency_and_a_profile_together(tmp_path: Path) -> None:
    chart = colour_chart().convert("RGBA")
    chart.putalpha(180)
    chart.save(tmp_path / "photo.png", icc_profile=wide_gamut())
    layers = np.asarray(chart).astype(float)
    alpha = layers[..., 3:] / 255
    expected = layers[..., [1, 0, 2]] * alpha + 255 * (1 - alpha)
    assert np.abs(pixels_of(tmp_path / "photo.png") - expected).max() <= 4


def words(colour: tuple[int, int, int], *, mode: str = "RGBA") -> Image.Image:
    """A word on transparency."""
    image = Image.new("RGBA", (160, 60), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((10, 10), "STOP", (*colour, 255), ImageFont.load_default(size=36))
    return image if mode == "RGBA" else image.convert(mode)


def contrast(path: Path, ink: np.ndarray) -> float:
    """How many levels, at least, the ink lies from the ground, on average."""
    source = SourceImage(path)
    grey = np.asarray(source.render(source.size.box, source.size).convert("L")).astype(int)
    return float(np.abs(grey[ink].mean() - grey[0, 0]))


@pytest.mark.parametrize("level", [0, 60, 128, 200, 230, 255])
@pytest.mark.parametrize("kind", ["RGBA png", "RGBA webp", "LA png", "P gif"])
def test_words_on_transparency_can_be_read_whatever_their_colour(tmp_path: Path, kind: str, level: int) -> None:
    mode, ending = kind.split()
    image = words((level,) * 3)
    ink = np.asarray(image.getchannel("A")) > 200
    path = tmp_path / f"words.{ending}"
    (image if mode == "P" else image.convert(mode)).save(path, **({"lossless": True} if ending == "webp" else {}))
    assert contrast(path, ink) > 60


def test_a_faint_white_watermark_is_laid_on_black(tmp_path: Path) -> None:
    mark = words((255, 255, 255))
    mark.putalpha(mark.getchannel("A").point(lambda value: value * 2 // 5))
    mark.save(tmp_path / "mark.png")
    ink = np.asarray(mark.getchannel("A")) > 90
    assert contrast(tmp_path / "mark.png", ink) > 60


def test_a_drawing_with_white_boxes_and_black_lines_stays_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for x in (20, 240):
        draw.rectangle((x, 40, x + 140, 160), (255, 255, 255, 255), (0, 0, 0, 255), 2)
    draw.line((160, 100, 240, 100), (0, 0, 0, 255), 3)
    image.save(tmp_path / "drawing.png")
    source = SourceImage(tmp_path / "drawing.png")
    assert source.render(source.size.box, source.size).getpixel((0, 0)) == (255, 255, 255)


def test_black_and_white_words_on_one_transparent_ground_can_both_be_read(tmp_path: Path) -> None:
    image = Image.new("RGBA", (160, 120), (0, 0, 0, 0))
    image.paste(words((255, 255, 255)), (0, 0))
    image.paste(words((0, 0, 0)), (0, 60))
    image.save(tmp_path / "both.png")
    ink = np.asarray(image.getchannel("A")) > 200
    for rows in (slice(0, 60), slice(60, 120)):
        part = np.zeros_like(ink)
        part[rows] = ink[rows]
        assert contrast(tmp_path / "both.png", part) > 60


@pytest.mark.long
def test_large_images_are_converted_in_strips_without_a_seam(tmp_path: Path) -> None:
    """Five megapixels: more than are converted at once."""
    across, down = np.meshgrid(np.arange(2500), np.arange(2000))
    layers = np.stack([across % 256, down % 256, (across + down) % 256, 255 - down % 200], axis=-1).astype(np.uint8)
    Image.fromarray(layers).save(tmp_path / "large.png", compress_level=1)
    source = SourceImage(tmp_path / "large.png")
    whole = np.asarray(source.render(source.size.box, source.size)).astype(float)
    alpha = layers[..., 3:] / 255
    assert np.abs(whole - (layers[..., :3] * alpha + 255 * (1 - alpha))).max() <= 1


@pytest.mark.parametrize("ending", ["tif", "jpg"])
def test_a_cmyk_profile_says_what_its_inks_look_like(tmp_path: Path, ending: str) -> None:
    """This one's cyan is the red of sRGB, L*a*b* (53.2, 80.1, 67.2); black is black; all else is paper."""
    inks = {
        (c, m, y, k): (0, 0, 0) if k else (100, 0, 0) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
    }
    inks |= {(1, m, y, 0): (53, 80, 67) for m in (0, 1) for y in (0, 1)}
    chart = Image.new("CMYK", (64, 48), (0, 0, 0, 0))
    chart.paste((255, 0, 0, 0), (16, 0, 32, 48))
    chart.paste((0, 0, 0, 255), (32, 0, 48, 48))
    chart.save(
        tmp_path / f"print.{ending}", icc_profile=cmyk_profile(inks), **({"quality": 100} if ending == "jpg" else {})
    )
    pixels = pixels_of(tmp_path / f"print.{ending}")
    for x, expected in ((8, [255, 255, 255]), (24, [255, 0, 0]), (40, [0, 0, 0])):
        assert np.abs(pixels[24, x] - expected).max() <= 6


def test_an_overview_of_a_cmyk_photo_has_the_colours_of_its_regions(tmp_path: Path) -> None:
    """A scaled decode would change them."""
    gradient = np.linspace(0, 255, 1600).astype(np.uint8)
    bands = [np.tile(gradient, (1200, 1)), np.tile(gradient[:1200, None], (1, 1600))]
    photo = Image.merge("CMYK", [Image.fromarray(band) for band in (*bands, bands[0][::-1], bands[1] // 3)])
    photo.save(tmp_path / "photo.jpg", quality=95)
    with Image.open(tmp_path / "photo.jpg") as image:
        full = image.convert("RGB").resize((200, 150), Image.Resampling.LANCZOS)
    source = SourceImage(tmp_path / "photo.jpg")
    overview = np.asarray(source.render(source.size.box, Size(200, 150))).astype(int)
    assert np.abs(overview - np.asarray(full)).max() <= 3


@pytest.mark.parametrize("size", [(1, 1), (700, 1), (1, 700)])
@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "I;16", "F"])
def test_the_thinnest_images(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    Image.new(mode, size).save(tmp_path / "thin.tif")
    source = SourceImage(tmp_path / "thin.tif")
    assert source.render(source.size.box, Size(32, 32)).size == (32, 32)
    assert source.render(Box(0, 0, 1, 1), Size(1, 1)).mode == "RGB"
