"""JPEG 2000s by levels and regions: the pixels of a plain decode, with and without GDAL, and what is left to Pillow."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision import jpeg2000
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import EncodedImage, SourceImage

# What the package ignores when it loads the library, pytest shows again.
pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")

REGION = Box(41, 59, 133, 180)
NOISE = np.random.default_rng(7).integers(0, 256, (40, 60, 3), np.uint8)
PHOTO = Image.fromarray(NOISE).resize((300, 200), Image.Resampling.BICUBIC)


@pytest.fixture(autouse=True)
def every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read as the large ones are."""
    monkeypatch.setattr(jpeg2000, "SMALLEST", 1)


@pytest.fixture(params=[True, False], ids=["rasterio", "without"])
def gdal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether regions are decoded by GDAL."""
    if not request.param:
        monkeypatch.setattr(jpeg2000, "_rasterio", lambda: None)
    elif jpeg2000._rasterio() is None:
        assert os.environ.get("CI") != "true", "rasterio is missing: pip install hart-agent[large]"
        pytest.skip("rasterio is not installed (pip install hart-agent[large])")
    return bool(request.param)


def encoded(image: Image.Image = PHOTO, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG2000", **options)
    return buffer.getvalue()


def plain(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"irreversible": True, "quality_mode": "rates", "quality_layers": [20]},
        {"tile_size": (128, 128)},
        {"num_resolutions": 1},
        {"progression": "RPCL", "quality_mode": "rates", "quality_layers": [40, 10], "irreversible": True},
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_regions_are_those_of_a_plain_decode(tmp_path: Path, gdal: bool, mode: str, options: dict[str, Any]) -> None:
    data = encoded(PHOTO.convert(mode), **options)
    (tmp_path / "photo.jp2").write_bytes(data)
    for source in (SourceImage(tmp_path / "photo.jp2"), SourceImage(EncodedImage("photo", data))):
        for box in (REGION, Box(0, 0, 1, 1), Box(299, 199, 300, 200), Box(0, 100, 300, 101)):
            assert source.render(box, box.size).tobytes() == plain(data).crop(box.as_tuple()).tobytes()
        decoded = source._decoded()[0]
        assert isinstance(decoded, jpeg2000.Jpeg2000Regions)
        assert (decoded._whole is None) == gdal
        assert source.render(source.size.box, source.size).tobytes() == plain(data).tobytes()


def small(image: Image.Image) -> np.ndarray:
    """Its pixels, but for the edges."""
    return np.asarray(image).astype(int)[2:-2, 2:-2]


@pytest.mark.parametrize(("size", "level"), [((903, 602), (226, 151)), ((901, 601), (451, 301))])
def test_an_overview_comes_from_a_level_and_looks_like_one_of_the_whole(
    gdal: bool, size: tuple[int, int], level: tuple[int, int]
) -> None:
    """A quarter, rounded up, is more than twice the wanted size; Pillow would take a quarter of 901 for 225.

    Samples of a level lie where the first of four pixels does, so that all is a little off: by less than a third of a
    pixel of the overview.
    """
    data = encoded(PHOTO.resize(size, Image.Resampling.BICUBIC))
    source = SourceImage(EncodedImage("photo", data))
    overview = source.render(source.size.box, Size(90, 60))
    decoded = source._decoded()[0]
    assert isinstance(decoded, jpeg2000.Jpeg2000Regions)
    assert decoded._whole is None
    shown = decoded.at_least((90, 60))
    assert (shown.width, shown.height) == level
    whole, third = plain(data), size[0] / 90 / 3
    moved = whole.transform(size, Image.Transform.AFFINE, (1, 0, -third, 0, 1, -third), Image.Resampling.BICUBIC)
    right, off = (small(image.resize((90, 60), Image.Resampling.LANCZOS)) for image in (whole, moved))
    assert np.abs(small(overview) - right).mean() < np.abs(off - right).mean()


@pytest.mark.parametrize("mode", ["LA", "RGBA", "I;16", "CMYK"])
def test_other_modes_are_decoded_whole(mode: str) -> None:
    image = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 200) if mode == "I;16" else PHOTO.convert(mode)
    source = SourceImage(EncodedImage("photo", encoded(image)))
    source.render(Box(0, 0, 5, 5), Size(5, 5))
    assert not isinstance(source._decoded()[0], jpeg2000.Jpeg2000Regions)


def test_a_bare_code_stream_and_other_colours_are_decoded_whole() -> None:
    bare, boxed = encoded(no_jp2=True), bytearray(encoded())
    assert jpeg2000.header_of(io.BytesIO(bare)) is None
    assert jpeg2000.header_of(io.BytesIO(boxed)) == (5, 16)
    place = boxed.index(b"colr") + 7
    assert boxed[place : place + 4] == struct.pack(">I", 16)
    boxed[place : place + 4] = struct.pack(">I", 18)  # sYCC
    for data in (bare, bytes(boxed)):
        source = SourceImage(EncodedImage("photo", data))
        shown = source.render(REGION, REGION.size)
        assert not isinstance(source._decoded()[0], jpeg2000.Jpeg2000Regions)
        assert shown.tobytes() == plain(data).crop(REGION.as_tuple()).tobytes()


def test_damage_is_named_wherever_the_file_breaks_off(gdal: bool) -> None:
    data = encoded()
    for length in (len(data) // 3, len(data) // 2):
        source = SourceImage(EncodedImage("photo", data[:length]))
        with pytest.raises(ImageError, match="damaged"):
            source.render(REGION, REGION.size)


def test_headers_cut_or_changed_anywhere_never_raise() -> None:
    data = encoded()
    start = data.index(b"\xff\x52") + 20
    for length in range(start):
        assert jpeg2000.header_of(io.BytesIO(data[:length])) is None or length >= start - 20
    random = np.random.default_rng(3)
    for _ in range(3000):
        changed = bytearray(data[:start])
        for place in random.integers(0, start, 3):
            changed[place] = random.integers(256)
        found = jpeg2000.header_of(io.BytesIO(changed))
        assert found is None or 0 <= found.levels <= 32


def test_a_file_that_changes_is_noticed(tmp_path: Path, gdal: bool) -> None:
    path = tmp_path / "photo.jp2"
    path.write_bytes(encoded())
    source = SourceImage(path)
    source.render(source.size.box, Size(60, 40))
    path.write_bytes(encoded(PHOTO.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    os.utime(path, (1, 1))
    with pytest.raises(ImageError, match="changed"):
        source.render(REGION, REGION.size)
