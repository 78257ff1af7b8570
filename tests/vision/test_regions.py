"""TIFFs that are decoded by regions: the pixels of a plain decode, whatever the file holds; what is read and kept."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import cmyk_profile, tiff
from PIL import Image, ImageCms, ImageOps

from hart_agent.errors import ImageError
from hart_agent.vision import regions, strips
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import EncodedImage, SourceImage

REGION = Box(21, 9, 90, 70)
RAMP = np.linspace(0, 1, 100 * 120).reshape(100, 120)
COLOURS = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1], RAMP / 2 + 0.3], axis=-1)
PHOTO = np.rint(COLOURS * 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def every_tiff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read as the large ones are, a thousand pixels at a time."""
    monkeypatch.setattr(regions, "SMALLEST", 1)
    monkeypatch.setattr(strips, "STRIP", 1000)


def looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, np.ndarray]:
    """The whole image by regions, and decoded whole; after seeing that a region is a part of it."""
    by_regions = SourceImage(path)
    part = by_regions.render(REGION, REGION.size)
    whole = by_regions.render(by_regions.size.box, by_regions.size)
    assert isinstance(by_regions._decoded()[0], regions.Regions)
    assert np.array_equal(part, whole.crop(REGION.as_tuple()))
    with monkeypatch.context() as patch:
        patch.setattr(regions, "SMALLEST", 10**9)
        patch.setattr(strips, "STRIP", 10**9)
        plain = SourceImage(path)
        decoded = plain.render(plain.size.box, plain.size)
        assert isinstance(plain._decoded()[0], Image.Image)
        small = plain.render(plain.size.box, Size(37, 23))
    assert np.array_equal(by_regions.render(by_regions.size.box, Size(37, 23)), small)
    return np.asarray(whole).astype(int), np.asarray(decoded).astype(int)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LAB", "I;16", "I", "F", "LA", "RGBA"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_strips_of_every_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, compression: str) -> None:
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = Image.fromarray((RAMP * 60_000).astype(kind))
    elif mode == "LAB":
        image = Image.frombytes("LAB", (120, 100), PHOTO[..., :3].tobytes())
    elif mode in ("LA", "RGBA"):
        image = Image.fromarray(PHOTO).convert(mode)
    else:
        image = Image.fromarray(PHOTO[..., :3]).convert(mode)
    image.save(tmp_path / "image.tif", compression=compression, strip_size=2048)
    by_regions, plain = looked_at(tmp_path / "image.tif", monkeypatch)
    assert np.array_equal(by_regions, plain)
    assert len(np.unique(plain)) > 1
    if mode in ("1", "L", "P", "RGB", "CMYK"):
        with Image.open(tmp_path / "image.tif") as decoded:
            assert np.array_equal(plain, decoded.convert("RGB"))


@pytest.mark.parametrize(("compression", "mode"), [("jpeg", "RGB"), ("jpeg", "L"), ("packbits", "RGB"),
                                                   ("group4", "1"), ("group3", "1")])  # fmt: skip
def test_other_compressions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, mode: str) -> None:
    image = Image.fromarray(PHOTO[..., :3]).convert(mode)
    image.save(tmp_path / "image.tif", compression=compression, strip_size=256 if mode == "1" else 2048)
    by_regions, plain = looked_at(tmp_path / "image.tif", monkeypatch)
    assert np.array_equal(by_regions, plain)


SAMPLES = {
    "grey": PHOTO[..., 0],
    "RGB": PHOTO[..., :3],
    "RGBA": PHOTO,
    "deep": (RAMP * 60_000).astype(np.uint16),
    "float": RAMP.astype(np.float32),
}


@pytest.mark.parametrize(
    ("kind", "order", "big"),
    [(kind, "<", big) for kind in SAMPLES for big in (False, True)]
    + [
        (kind, ">", False) for kind in SAMPLES if kind != "float"
    ],  # that, and a large file, Pillow doesn't read rightly
)
def test_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, order: str, big: bool) -> None:
    samples = SAMPLES[kind]
    tags = {338: (2,)} if samples.shape[2:] == (4,) else {}
    (tmp_path / "image.tif").write_bytes(tiff([(samples, tags)], order=order, big=big))
    by_regions, plain = looked_at(tmp_path / "image.tif", monkeypatch)
    assert np.array_equal(by_regions, plain)
    if samples.shape[2:] == (3,):
        assert np.array_equal(by_regions, samples)
    elif samples.ndim == 2:
        assert np.abs(by_regions - RAMP[..., None] * 255).max() <= 1


def test_colours_of_sixteen_bits_are_decoded_whole(tmp_path: Path) -> None:
    (tmp_path / "image.tif").write_bytes(tiff([(np.rint(COLOURS[..., :3] * 65535).astype(np.uint16), {})]))
    source = SourceImage(tmp_path / "image.tif")
    pixels = np.asarray(source.render(source.size.box, source.size)).astype(int)
    assert np.abs(pixels - COLOURS[..., :3] * 255).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("tile", [16, None], ids=["tiles", "strips"])
def test_orientations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orientation: int, tile: int | None) -> None:
    samples = np.ascontiguousarray(PHOTO[..., :3])
    (tmp_path / "image.tif").write_bytes(tiff([(samples, {274: (orientation,)})], tile=tile))
    by_regions, plain = looked_at(tmp_path / "image.tif", monkeypatch)
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(samples)
    image.info["exif"] = exif.tobytes()
    assert np.array_equal(by_regions, ImageOps.exif_transpose(image))
    assert np.array_equal(by_regions, plain)


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    inks = {
        (c, m, y, k): (100 - 50 * k, 40 * c, 30 * m) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
    }
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(PHOTO[..., :3]).convert(mode)
    profile = cmyk_profile(inks) if mode == "CMYK" else lab
    image.save(tmp_path / "image.tif", icc_profile=profile, strip_size=2048)
    by_regions, plain = looked_at(tmp_path / "image.tif", monkeypatch)
    assert np.array_equal(by_regions, plain)
    with Image.open(tmp_path / "image.tif") as decoded:
        assert np.array_equal(plain, decoded.convert("RGB")) == (mode == "RGB")


@pytest.mark.parametrize("below", [False, True], ids=["pages", "sub-directories"])
def test_an_overview_comes_from_the_smallest_copy_that_is_large_enough(tmp_path: Path, below: bool) -> None:
    """Each level has a grey of its own."""
    sizes = [(100, 120), (50, 60), (25, 30)]
    greys = [np.full(size, 50 + 50 * number, np.uint8) for number, size in enumerate(sizes)]
    pages: list[tuple[np.ndarray, dict[int, Any]]] = [(grey, {254: (int(i > 0),)}) for i, grey in enumerate(greys)]
    (tmp_path / "pyramid.tif").write_bytes(tiff(pages, below=below))
    source = SourceImage(tmp_path / "pyramid.tif")
    for size, grey in ((Size(120, 100), 50), (Size(61, 50), 50), (Size(60, 50), 100), (Size(30, 20), 150)):
        assert np.unique(source.render(source.size.box, size)).tolist() == [grey]
    assert np.unique(source.render(REGION, Size(20, 20))).tolist() == [50]


@pytest.mark.parametrize("tags", [{}, {254: (1,), 262: (0,)}], ids=["another page", "of other colours"])
def test_a_page_that_is_no_smaller_copy_is_not_taken_for_one(tmp_path: Path, tags: dict[int, Any]) -> None:
    pages = [(np.full((100, 120), 50, np.uint8), {}), (np.full((50, 60), 100, np.uint8), tags)]
    (tmp_path / "pages.tif").write_bytes(tiff(pages))
    source = SourceImage(tmp_path / "pages.tif")
    assert np.unique(source.render(source.size.box, Size(30, 25))).tolist() == [50]
    if not tags:
        second = SourceImage(tmp_path / "pages.tif", page=2)
        assert np.unique(second.render(second.size.box, second.size)).tolist() == [100]


def test_two_gigapixels_answer(tmp_path: Path) -> None:
    """44,800 x 44,800 pixels, of which the four tiles of a region are read, and a small copy for the overview."""
    side, tile = 44_800, 256
    small = np.tile(np.arange(175, dtype=np.uint8), (175, 1))
    data = tiff([(small, {254: (0,)}), (small, {254: (1,)})], tile=tile)
    path = tmp_path / "slide.tif"
    path.write_bytes(grown(data, side, tile))
    source = SourceImage(path, max_pixels=side * side)
    overview = source.render(source.size.box, Size(175, 175))
    assert np.array_equal(np.asarray(overview)[..., 0], small)
    region = source.render(Box(30_000, 20_000, 30_200, 20_100), Size(200, 100))
    expected = np.pad(small, (0, tile - 175))
    columns, rows = np.arange(30_000, 30_200) % tile, np.arange(20_000, 20_100) % tile
    assert np.array_equal(np.asarray(region)[..., 0], expected[np.ix_(rows, columns)])


def grown(data: bytes, side: int, tile: int) -> bytes:
    """A TIFF of one tile as one of a side's pixels, all of whose tiles lie at the same place."""
    count = (side // tile) ** 2
    (head,) = struct.unpack_from("<I", data, 4)
    result = bytearray(data)
    (entries,) = struct.unpack_from("<H", data, head)
    for at in range(head + 2, head + 2 + 12 * entries, 12):
        tag, kind, _, value = struct.unpack_from("<HHII", data, at)
        if tag in (256, 257):
            struct.pack_into("<I", result, at + 8, side)
        if tag in (324, 325):
            struct.pack_into("<HHII", result, at, tag, kind, count, len(result))
            result += struct.pack("<I", value) * count
    return bytes(result)


def test_a_file_that_changes_between_two_regions_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(tiff([(PHOTO[..., :3], {})]))
    source = SourceImage(path)
    source.render(REGION, REGION.size)
    path.write_bytes(tiff([(PHOTO[::-1, :, :3], {})]))
    os.utime(path, ns=(1, 1))
    with pytest.raises(ImageError, match="was changed while it was in use"):
        source.render(REGION, REGION.size)


@pytest.mark.parametrize("damage", ["tile", "count"])
def test_damage_is_an_image_error(damage: str) -> None:
    data = bytearray(tiff([(PHOTO[..., :3], {})]))
    if damage == "tile":
        data[20:60] = bytes(40)
    if damage == "count":
        at = data.index(struct.pack("<HH", 325, 4)) + 4
        struct.pack_into("<I", data, at, 7)
    source = SourceImage(EncodedImage("slide", bytes(data)))
    with pytest.raises(ImageError, match="slide: the image is damaged"):
        source.render(Box(0, 0, 120, 100), Size(120, 100))


def test_an_image_file_in_memory_is_read_by_regions_too() -> None:
    buffer = io.BytesIO(tiff([(PHOTO[..., :3], {})]))
    source = SourceImage(EncodedImage("row 7", buffer.getvalue()))
    assert np.array_equal(source.render(REGION, REGION.size), PHOTO[9:70, 21:90, :3])
    assert isinstance(source._decoded()[0], regions.Regions)


@pytest.mark.parametrize("size", [(37, 23), (120, 23), (17, 100), (300, 200), (1, 1)])
@pytest.mark.parametrize("box", [Box(0, 0, 120, 100), Box(3, 5, 118, 98)])
def test_what_is_resampled_in_strips_is_what_pillow_resamples(size: tuple[int, int], box: Box) -> None:
    image = Image.fromarray(PHOTO[..., :3])
    expected = image.crop(box.as_tuple()).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    assert np.array_equal(SourceImage(image).render(box, Size(*size)), expected)
