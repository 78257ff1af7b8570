"""What libvips decodes, are the pixels that Pillow decodes; what it can't decode so, Pillow does."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from image_files import png_chunk, tiff
from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision import regions, strips, vips
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.samples import Samples
from hart_agent.vision.source import EncodedImage, SourceImage

SAMPLES = np.random.default_rng(2).integers(0, 256, (70, 90, 4), np.uint8)
BOX = Box(11, 7, 63, 64)


@pytest.fixture(autouse=True)
def every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read as the large ones are, a thousand pixels at a time."""
    monkeypatch.setattr(vips, "SMALLEST", 1)
    monkeypatch.setattr(regions, "SMALLEST", 1)
    monkeypatch.setattr(strips, "STRIP", 1000)


@pytest.fixture
def library() -> None:
    if vips._vips() is None:
        assert os.environ.get("CI") != "true", "pyvips is missing: pip install hart-agent[large]"
        pytest.skip("pyvips is not installed (pip install hart-agent[large])")


def views(source: SourceImage) -> list[bytes]:
    """A region, all of it, and a small copy."""
    wanted = (BOX, BOX.size), (source.size.box, source.size), (source.size.box, Size(31, 17))
    return [source.render(box, size).tobytes() for box, size in wanted]


def alike(data: bytes, path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether libvips decoded an image file, which looks the same by Pillow, from the disk and in memory."""
    path.write_bytes(data)
    source, held = SourceImage(path), SourceImage(EncodedImage("photo", data))
    found = views(source)
    assert views(held) == found
    with monkeypatch.context() as patch:
        patch.setattr(vips, "_vips", lambda: None)
        patch.setattr(regions, "SMALLEST", 10**9)
        patch.setattr(strips, "STRIP", 10**9)
        plain = SourceImage(path)
        assert views(plain) == found
        assert isinstance(plain._decoded()[0], Image.Image)
    return isinstance(source._decoded()[0], Samples)


def png(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pngs(library: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    image = Image.fromarray(SAMPLES)
    image = Image.fromarray(SAMPLES[..., 0].astype(np.uint16) * 200) if mode == "I;16" else image.convert(mode)
    assert alike(png(image), tmp_path / "photo.png", monkeypatch) == (mode in ("L", "LA", "RGB", "RGBA"))


@pytest.mark.parametrize("bits", [2, 4])
def test_greys_of_few_bits(library: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    import zlib

    rows = np.packbits(np.unpackbits(SAMPLES[:, : 90 * bits // 8 + 1, 0], axis=1)[:, : 90 * bits], axis=1)
    head = (90).to_bytes(4, "big") + (70).to_bytes(4, "big") + bytes([bits, 0, 0, 0, 0])
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")
    alike(data, tmp_path / "photo.png", monkeypatch)


@pytest.mark.parametrize("colour", [(3, 4, 5), None])
def test_a_transparent_colour_and_a_rotated_png(
    library: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colour: tuple[int, int, int] | None
) -> None:
    exif = Image.Exif()
    exif[274] = 6
    options = {"transparency": colour} if colour else {"exif": exif}
    assert alike(png(Image.fromarray(SAMPLES[..., :3]), **options), tmp_path / "photo.png", monkeypatch) == (not colour)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_strips(library: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, compression: str) -> None:
    decoded = list[Image.Image | None]()
    faster = vips.tiff
    monkeypatch.setattr(vips, "tiff", lambda *given: decoded.append(faster(*given)) or decoded[-1])
    buffer = io.BytesIO()
    Image.fromarray(SAMPLES).convert(mode).save(buffer, "TIFF", compression=compression, strip_size=2048)
    alike(buffer.getvalue(), tmp_path / "photo.tif", monkeypatch)
    assert decoded
    assert None not in decoded


@pytest.mark.parametrize("tags", [{}, {262: (0,)}, {274: (8,)}], ids=["plain", "white is zero", "turned"])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles(
    library: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tags: dict[int, tuple[int, ...]], channels: int
) -> None:
    samples = SAMPLES[..., 0] if channels == 1 else SAMPLES[..., :3]
    if channels == 1 or 262 not in tags:
        alike(tiff([(samples, tags)]), tmp_path / "photo.tif", monkeypatch)


@pytest.mark.parametrize("damage", ["cut", "checksum"])
def test_a_damaged_png_is_refused_as_by_pillow(library: None, damage: str) -> None:
    data = png(Image.fromarray(SAMPLES))
    middle = len(data) // 2
    broken = data[:middle] if damage == "cut" else data[:middle] + bytes(9) + data[middle + 9 :]
    source = SourceImage(EncodedImage("photo", broken))
    with pytest.raises(ImageError, match="photo: the image is damaged"):
        source.render(Box(0, 60, 90, 70), Size(90, 10))


def test_a_file_that_has_changed_is_noticed(library: None, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(png(Image.fromarray(SAMPLES)))
    source = SourceImage(path)
    path.write_bytes(png(Image.fromarray(SAMPLES[::-1])))
    os.utime(path, ns=(1, 1))
    with pytest.raises(ImageError, match="was changed while it was in use"):
        source.render(BOX, BOX.size)
