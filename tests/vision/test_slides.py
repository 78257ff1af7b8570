"""A microscope's slide (SVS) by its own levels, compared with OpenSlide, and beside pages that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
import pyvips
from PIL import Image

from hart_agent.vision import regions
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import SourceImage

NOISE = np.random.default_rng(4).integers(0, 256, (40, 60, 3), np.uint8)
PHOTO = np.asarray(Image.fromarray(NOISE).resize((1800, 1200), Image.Resampling.BICUBIC))


@pytest.fixture(autouse=True)
def every_tiff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "SMALLEST", 1)


def slide(path: Path, description: str) -> Path:
    """Tiles in JPEG with its halves as further pages, none of which calls itself a smaller copy."""
    image = pyvips.Image.new_from_array(PHOTO).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gstr_type, "image-description", description)
    options = {"compression": "jpeg", "Q": 95, "tile": True, "tile_width": 256, "tile_height": 256}
    image.tiffsave(str(path), pyramid=True, **options)
    data = bytearray(path.read_bytes())
    with path.open("rb") as file:
        assert len(list(regions.directories(file))) == 4
    plain = data.replace(
        b"\xfe\x00\x04\x00\x01\x00\x00\x00\x01\x00\x00\x00", b"\xfe\x00\x04\x00\x01\x00\x00\x00" + bytes(4)
    )
    assert plain != data
    path.write_bytes(plain)
    return path


def test_a_slide_looks_as_openslide_shows_it_and_its_levels_serve_the_overview(tmp_path: Path) -> None:
    path = slide(tmp_path / "slide.svs", "Aperio Image Library v10.0.51\n1800x1200 [0,0 1800x1200] (256x256) JPEG/RGB")
    by_openslide = openslide.OpenSlide(path)
    assert by_openslide.properties["openslide.vendor"] == "aperio"
    source = SourceImage(path)
    region = source.render(Box(700, 300, 1100, 600), Size(400, 300))
    expected = by_openslide.read_region((700, 300), 0, (400, 300)).convert("RGB")
    assert np.abs(np.asarray(region).astype(int) - np.asarray(expected)).max() <= 3  # two decoders of JPEG
    decoded = source._decoded()[0]
    assert isinstance(decoded, regions.Regions)
    assert [(level.width, level.height) for level in map(decoded.at_least, [(1800, 1200), (900, 600), (200, 100)])] == [
        (1800, 1200), *by_openslide.level_dimensions[1:2], by_openslide.level_dimensions[-1],
    ]  # fmt: skip
    overview = source.render(source.size.box, Size(225, 150))
    small = Image.fromarray(PHOTO).resize((225, 150), Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(overview).astype(int) - np.asarray(small)).mean() < 4


def test_the_pages_of_another_tiff_are_no_levels(tmp_path: Path) -> None:
    source = SourceImage(slide(tmp_path / "pages.tif", "Four scans"))
    source.render(Box(0, 0, 5, 5), Size(5, 5))
    decoded = source._decoded()[0]
    assert isinstance(decoded, regions.Regions)
    assert decoded.at_least((200, 100)) is decoded
