"""JPEGs by regions: the pixels of a plain decode, whatever the file holds; and when one is decoded whole."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from hart_agent.errors import ImageError
from hart_agent.vision import jpeg, turbojpeg
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.jpeg import JpegRegions
from hart_agent.vision.source import EncodedImage, SourceImage

SIZE = Size(330, 250)
REGIONS = (
    Box(0, 0, 40, 30),
    Box(101, 103, 222, 161),
    Box(290, 220, 330, 250),
    Box(5, 200, 6, 201),
    Box(0, 99, 330, 120),
)


@pytest.fixture(autouse=True)
def every_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read as the large ones are."""
    monkeypatch.setattr(jpeg, "SMALLEST", 1)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system's TurboJPEG 3, else the one that the package turbojpeg brings for these tests."""
    if not turbojpeg.available():
        brought = [str(file.locate()) for file in _files_of("turbojpeg") if file.name.startswith("libturbojpeg")]
        monkeypatch.setattr(turbojpeg, "_OTHER_NAMES", brought)
        turbojpeg._library.cache_clear()
    if not turbojpeg.available():
        assert os.environ.get("CI") != "true", "TurboJPEG 3 is missing: install the system's, or the extra `test`"
        pytest.skip("TurboJPEG 3 is not installed: install the system's, or the extra `test`")
    yield
    turbojpeg._library.cache_clear()


def _files_of(package: str) -> list[metadata.PackagePath]:
    try:
        return metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return []


def photo(mode: str = "RGB") -> Image.Image:
    """Colours that change from pixel to pixel, which the smoothing of colours would show."""
    samples = np.random.default_rng(1).integers(0, 256, (SIZE.height, SIZE.width, 3), np.uint8)
    ramp = np.linspace(0, 200, SIZE.width).astype(np.uint8)
    return Image.fromarray((samples // 4 + ramp[None, :, None] // 2 * 2).astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 90, **options})
    return buffer.getvalue()


def regions_are_equal(data: bytes, expected: Image.Image) -> SourceImage:
    for box in REGIONS:
        source = SourceImage(EncodedImage("photo", data))
        turned = Box(*box.as_tuple()) if source.size == SIZE else Box(box.y0, box.x0, box.y1, box.x1)
        found = source.render(turned, turned.size)
        assert np.array_equal(found, expected.crop(turned.as_tuple())), box
    return source


def plainly(data: bytes) -> Image.Image:
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:1:1"])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"optimize": True, "quality": 30}], ids=str)
def test_colours(library: None, subsampling: str, options: dict[str, Any]) -> None:
    data = encoded(photo(), subsampling=subsampling, **options)
    source = regions_are_equal(data, plainly(data))
    assert isinstance(source._decoded()[0], JpegRegions)


@pytest.mark.parametrize(
    "options", [{"mode": "L"}, {"keep_rgb": True}, {"progressive": True}, {"mode": "CMYK"}], ids=str
)
def test_other_kinds(library: None, options: dict[str, Any]) -> None:
    options = dict(options)
    mode = options.pop("mode", "RGB")
    data = encoded(photo(mode), **options)
    source = regions_are_equal(data, plainly(data).convert("RGB"))
    by_regions = mode != "CMYK" and not options.get("progressive")
    assert isinstance(source._decoded()[0], JpegRegions) == by_regions


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations(library: None, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(photo(), exif=exif)
    regions_are_equal(data, plainly(data))


def test_a_profile(library: None, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(photo(), icc_profile=_swapped())
    with monkeypatch.context() as patch:
        patch.setattr(jpeg, "SMALLEST", 10**9)
        plain = SourceImage(EncodedImage("photo", data))
        expected = plain.render(plain.size.box, plain.size)
    assert not np.array_equal(expected, plainly(data))
    regions_are_equal(data, expected)


def _swapped() -> bytes:
    """sRGB's profile with the primaries of red and green changed for one another."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")


def test_a_whole_decode_takes_over_when_the_regions_have_paid_for_it(
    library: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Box]()
    alone = turbojpeg.region

    def region(data: bytes, box: tuple[int, int, int, int], *rest: Any) -> Image.Image:
        asked.append(Box(*box))
        return alone(data, box, *rest)

    monkeypatch.setattr(turbojpeg, "region", region)
    data = encoded(photo())
    source = SourceImage(EncodedImage("photo", data))
    whole = plainly(data)
    boxes = [Box(10 * n, 115, 10 * n + 20, 125) for n in range(20)]  # in the middle of the height
    for box in boxes:
        assert np.array_equal(source.render(box, box.size), whole.crop(box.as_tuple()))
    assert asked == boxes[:5]
    source.close()
    source.render(boxes[0], boxes[0].size)
    assert asked == [*boxes[:5], boxes[0]]
    source.render(Box(0, 0, 330, 249), Size(330, 249))
    assert len(asked) == 6


def test_where_the_library_warns_pillow_decodes_what_is_there(library: None) -> None:
    data = bytearray(encoded(photo(), restart_marker_rows=1))
    at = data.rindex(b"\xff\xd1")
    data[at : at + 2] = b"\xff\xd5"
    with pytest.raises(turbojpeg.GivenUpError):
        turbojpeg.region(bytes(data), (0, 0, 330, 250), (330, 250), "RGB")
    regions_are_equal(bytes(data), plainly(bytes(data)))


def test_a_file_that_is_cut_off_is_damaged(library: None) -> None:
    data = encoded(photo())
    source = SourceImage(EncodedImage("photo", data[: len(data) // 2]))
    with pytest.raises(ImageError, match="photo: the image is damaged"):
        source.render(Box(300, 200, 330, 250), Size(30, 50))


def test_a_file_that_changes_between_two_regions_is_noticed(library: None, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(photo()))
    source = SourceImage(path)
    source.render(REGIONS[0], REGIONS[0].size)
    path.write_bytes(encoded(photo(), quality=50))
    os.utime(path, ns=(1, 1))
    with pytest.raises(ImageError, match="was changed while it was in use"):
        source.render(REGIONS[1], REGIONS[1].size)


def test_without_the_library_a_jpeg_is_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turbojpeg, "_library", lambda: None)
    data = encoded(photo())
    source = regions_are_equal(data, plainly(data))
    assert isinstance(source._decoded()[0], Image.Image)
