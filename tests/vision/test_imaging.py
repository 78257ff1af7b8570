"""Reading real files: orientations, modes, formats, exact regions, overviews, threads."""

from __future__ import annotations

import concurrent.futures
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import coded_pixels
from PIL import Image, ImageOps

from hart_agent.errors import ImageError
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import EncodedImage, SourceImage

REGION = Box(5, 9, 37, 30)


def rendered(source: SourceImage, box: Box) -> np.ndarray:
    return np.asarray(source.render(box, box.size))


def gradient(mode: str) -> Image.Image:
    """64 x 48 pixels with all values of all channels on the way, alpha included."""
    x, y = np.meshgrid(np.arange(64), np.arange(48))
    channels = [x * 4, y * 5, (x * 7 + y * 3) % 256, (x * 2 + y * 3) % 256]
    return Image.merge("RGBA", [Image.fromarray(channel.astype(np.uint8)) for channel in channels]).convert(mode)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_exif_orientations_are_as_pillow_turns_them(
    tmp_path: Path, small: Image.Image, ending: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    small.save(tmp_path / f"turned.{ending}", exif=exif, quality=95)
    with Image.open(tmp_path / f"turned.{ending}") as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    assert upright.size == ((48, 64) if orientation >= 5 else (64, 48))
    source = SourceImage(tmp_path / f"turned.{ending}")
    assert (source.size.width, source.size.height) == upright.size
    assert np.array_equal(rendered(source, source.size.box), upright)
    assert np.array_equal(rendered(source, REGION), upright.crop(REGION.as_tuple()))


@pytest.mark.parametrize("kind", ["L png", "L jpg", "RGB png", "RGB jpg", "RGB tif", "RGB webp", "RGB bmp", "P png",
                                  "1 png", "1 tif", "CMYK jpg", "CMYK tif"])  # fmt: skip
def test_opaque_modes_are_as_pillow_decodes_them(tmp_path: Path, kind: str) -> None:
    mode, ending = kind.split()
    path = tmp_path / f"image.{ending}"
    gradient("RGB").convert(mode).save(path)
    decoded = Image.open(path).convert("RGB")
    assert len(np.unique(np.asarray(decoded).reshape(-1, 3), axis=0)) > 1
    source = SourceImage(path)
    assert np.array_equal(rendered(source, source.size.box), decoded)
    assert np.array_equal(rendered(source, REGION), decoded.crop(REGION.as_tuple()))


@pytest.mark.parametrize(("mode", "ending"), [("LA", "png"), ("RGBA", "png"), ("RGBA", "webp"), ("RGBA", "tif")])
def test_transparency_is_laid_on_white(tmp_path: Path, mode: str, ending: str) -> None:
    path = tmp_path / f"image.{ending}"
    gradient(mode).save(path, **({"lossless": True, "exact": True} if ending == "webp" else {}))
    layers = np.asarray(gradient(mode).convert("RGBA")).astype(float)
    expected = layers[..., :3] * layers[..., 3:] / 255 + 255 - layers[..., 3:]
    source = SourceImage(path)
    assert np.abs(rendered(source, source.size.box) - expected).max() <= 1


@pytest.mark.parametrize("ending", ["png", "gif"])
def test_the_transparent_colour_of_a_palette_is_white(tmp_path: Path, ending: str) -> None:
    image = Image.new("P", (20, 10), 1)
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.paste(0, (0, 0, 10, 10))
    image.save(tmp_path / f"image.{ending}", transparency=0)
    pixels = rendered(SourceImage(tmp_path / f"image.{ending}"), Box(0, 0, 20, 10))
    assert pixels[5, 5].tolist() == [255, 255, 255]
    assert pixels[5, 15].tolist() == [0, 0, 200]


def test_sixteen_bit_grey_keeps_its_scale(tmp_path: Path) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / "deep.png")
    pixels = rendered(SourceImage(tmp_path / "deep.png"), Box(0, 0, 256, 256))
    assert np.abs(pixels - (values / 257)[..., None]).max() < 1
    assert pixels.max() == 255


@pytest.mark.parametrize("value", [-5, 70_000])
def test_a_constant_image_without_a_common_scale_is_no_damage(value: int) -> None:
    assert rendered(SourceImage(Image.new("I", (9, 9), value)), Box(0, 0, 9, 9)).shape == (9, 9, 3)


def test_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue", "lime")]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    source = SourceImage(tmp_path / "film.gif")
    for _ in range(2):
        assert np.unique(rendered(source, Box(0, 0, 20, 10)).reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


def test_regions_are_the_original_pixels(coded_path: Path) -> None:
    source = SourceImage(coded_path)
    for box in (Box(0, 0, 1, 1), Box(3199, 2399, 3200, 2400), Box(1000, 700, 1301, 813), source.size.box):
        assert np.array_equal(rendered(source, box), coded_pixels(*box.as_tuple()))


def test_resampling_is_pillows_lanczos_of_the_region_alone(coded_path: Path) -> None:
    box = Box(100, 200, 300, 300)
    expected = Image.fromarray(coded_pixels(*box.as_tuple())).resize((800, 400), Image.Resampling.LANCZOS)
    assert np.array_equal(SourceImage(coded_path).render(box, Size(800, 400)), expected)


@pytest.mark.parametrize("orientation", [1, 6])
def test_an_overview_by_scaled_decoding_is_close_to_the_full_one(tmp_path: Path, orientation: int) -> None:
    x, y = np.meshgrid(np.linspace(0, 40, 3000), np.linspace(0, 30, 2000))
    waves = [np.sin(x + y), np.cos(x - y), np.sin(x) * np.cos(y)]
    photo = Image.fromarray(np.stack([127 + 120 * wave for wave in waves], axis=-1).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(tmp_path / "photo.jpg", quality=92, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "photo.jpg"))
    source = SourceImage(tmp_path / "photo.jpg")
    for width, height in ((617, 411), (300, 200), (1499, 1001)):
        overview = source.render(source.size.box, Size(width, height))
        assert overview.size == (width, height)
        full = upright.resize((width, height), Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(overview, float) - np.asarray(full, float)).mean() < 2


def test_an_image_in_memory_is_neither_changed_nor_closed(tmp_path: Path) -> None:
    pixels = np.kron(np.random.default_rng(3).integers(0, 256, (40, 50, 3), dtype=np.uint8), np.ones((16, 16, 1), "u1"))
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", quality=95)
    decoded = np.asarray(Image.open(tmp_path / "photo.jpg"))
    given = Image.open(tmp_path / "photo.jpg")  # its pixels are not read yet
    with SourceImage(given) as source:
        source.render(source.size.box, Size(100, 80))
        assert np.array_equal(rendered(source, Box(700, 500, 790, 600)), decoded[500:600, 700:790])
    assert given.size == (800, 640)
    assert np.array_equal(given, decoded)


def test_rendering_goes_on_after_close(coded_path: Path) -> None:
    source = SourceImage(coded_path)
    before = rendered(source, REGION)
    source.close()
    assert np.array_equal(rendered(source, REGION), before)


def test_hashes_are_those_of_the_file_or_the_pixels(coded_path: Path, small: Image.Image) -> None:
    assert SourceImage(coded_path).sha256() == hashlib.sha256(coded_path.read_bytes()).hexdigest()
    assert SourceImage(small).sha256() == hashlib.sha256(small.tobytes()).hexdigest()


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "gif"])
def test_pillows_own_limit_does_not_apply_and_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder, ending: str
) -> None:
    Image.fromarray(coded_pixels(0, 0, 100, 100)).save(tmp_path / f"image.{ending}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # twice that is Pillow's error, once its warning
    source = SourceImage(tmp_path / f"image.{ending}")
    source.render(source.size.box, Size(50, 50))
    source.render(Box(0, 0, 90, 90), Size(90, 90))
    source.render(source.size.box, source.size)
    source.render(Box(0, 0, 60, 60), Size(60, 60))
    assert not recwarn.list
    assert Image.MAX_IMAGE_PIXELS == 3000


def test_an_image_between_pillows_warning_and_our_limit_opens(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    side = 9500
    assert side**2 > Image.MAX_IMAGE_PIXELS
    Image.new("1", (side, side)).save(tmp_path / "large.tif", compression="group4")
    assert SourceImage(tmp_path / "large.tif").size == Size(side, side)
    assert not recwarn.list


def test_threads_can_share_an_image(coded_path: Path) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    shared = SourceImage(coded_path)

    def check(number: int) -> bool:
        source = shared if number % 2 else SourceImage(coded_path)
        box = Box(number * 97, number * 61, number * 97 + 50, number * 61 + 40)
        overview = source.render(source.size.box, Size(320, 240))
        exact = np.array_equal(rendered(source, box), coded_pixels(*box.as_tuple()))
        if number % 5 == 0:
            source.close()
        return exact and overview.size == (320, 240)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(16)))
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("wrap", [str, Path, Image.open])
def test_paths_and_pillow_images_are_equal_inputs(coded_path: Path, wrap: Callable[[Path], str | Path]) -> None:
    assert np.array_equal(rendered(SourceImage(wrap(coded_path)), REGION), coded_pixels(*REGION.as_tuple()))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_image_file_in_memory_is_read_like_the_file(tmp_path: Path, small: Image.Image, kind: str) -> None:
    path = tmp_path / "photo"
    small.save(path, kind)
    encoded = EncodedImage("row 7", path.read_bytes())
    for held in (SourceImage(encoded), SourceImage(SourceImage(encoded).origin)):
        file = SourceImage(path)
        assert (held.name, held.size, held.sha256()) == ("row 7", file.size, file.sha256())
        for box in (held.size.box, Box(5, 7, 31, 40)):
            assert held.render(box, Size(20, 20)).tobytes() == file.render(box, Size(20, 20)).tobytes()
    with pytest.raises(ImageError, match="row 8 is not an image"):
        SourceImage(EncodedImage("row 8", b"nothing"))
