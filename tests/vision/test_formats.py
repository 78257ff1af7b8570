"""Which files are opened, by which decoders, and that metadata never makes one unusable."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import coded_pixels
from image_files import png_chunk
from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision.formats import FORMATS
from hart_agent.vision.geometry import Size
from hart_agent.vision.source import EncodedImage, SourceImage

HEIC = Path(__file__).parent / "data" / "two.heic"
"""Two images of 64 x 48 pixels: red 4x, green 5y, blue 40 in the first and 200 in the second."""

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 20 10
%%EndComments
{} loop
%%EOF
"""
RUNS_GHOSTSCRIPT = "from PIL import Image; import sys; Image.open(sys.argv[1]).load()"
OPENS = (
    "from hart_agent.vision.source import SourceImage; import sys; "
    "image = SourceImage(sys.argv[1]); image.render(image.size.box, image.size)"
)


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "photo.eps"])
def test_postscript_is_never_handed_to_ghostscript(tmp_path: Path, name: str) -> None:
    """Pillow alone runs the program that is called gs; the package refuses the file before that."""
    (tmp_path / name).write_bytes(EPS)
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran\nexit 1\n")
    ghostscript.chmod(0o755)
    environment = {**os.environ, "PATH": f"{ghostscript.parent}:{os.environ['PATH']}"}

    def run(code: str) -> str:
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr

    errors = run(OPENS)
    assert "not an image that can be read, but PostScript" in errors
    assert not (tmp_path / "ran").exists()
    if name == "photo.png":  # that the trap works
        run(RUNS_GHOSTSCRIPT)
        assert (tmp_path / "ran").exists()


def test_a_lazy_image_of_the_callers_is_not_handed_to_ghostscript_either() -> None:
    with pytest.raises(ImageError, match="opened as EPS is not decoded"):
        SourceImage(Image.open(io.BytesIO(EPS)))


@pytest.mark.parametrize("content", [b"%PDF-1.7\n1 0 obj\n", b"\xd7\xcd\xc6\x9a" + bytes(60), b"<?xml version='1.0'?>"])
def test_other_files_for_programs_are_named(content: bytes) -> None:
    with pytest.raises(ImageError, match=r"^scan: not an image that can be read, but \w+.* Convert it to PNG\.$"):
        SourceImage(EncodedImage("scan", content))


def test_no_format_whose_decoder_starts_a_program_is_allowed() -> None:
    assert not {"EPS", "PDF", "WMF", "FITS", "BUFR", "GRIB", "HDF5", "MPEG", "PSD"} & set(FORMATS)


@pytest.mark.parametrize(("page", "blue"), [(None, 40), (1, 40), (2, 200)])
def test_heic(page: int | None, blue: int) -> None:
    source = SourceImage(HEIC, page=page)
    assert (source.size, source.frames) == (Size(64, 48), 2)
    pixels = np.asarray(source.render(source.size.box, source.size)).astype(int)
    x, y = np.meshgrid(np.arange(64), np.arange(48))
    expected = np.stack([x * 4, y * 5, np.full_like(x, blue)], axis=-1)
    assert np.abs(pixels - expected).mean() < 6


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_avif(tmp_path: Path, orientation: int) -> None:
    image = Image.fromarray(coded_pixels(0, 0, 64, 48))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "photo.avif", quality=100, exif=exif, subsampling="4:4:4")
    source = SourceImage(tmp_path / "photo.avif")
    turn = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}
    upright = image if turn[orientation] is None else image.transpose(turn[orientation])
    pixels = np.asarray(source.render(source.size.box, source.size)).astype(int)
    assert np.abs(pixels - np.asarray(upright)).mean() < 3


def with_exif(image: Image.Image, kind: str, block: bytes) -> bytes:
    """The image as a file with that EXIF block, whatever it holds."""
    buffer = io.BytesIO()
    if kind == "JPEG":
        image.save(buffer, "JPEG", quality=95, subsampling=0)
        data = buffer.getvalue()
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block + data[2:]
    if kind == "PNG":
        image.save(buffer, "PNG")
        data = buffer.getvalue()
        return data[:33] + png_chunk(b"eXIf", block) + data[33:]
    image.save(buffer, "WEBP", lossless=True, exif=b"Exif\0\0" + block)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "block", [b"", b"nonsense", b"MM\0*\0\0\0\xff", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"]
)
def test_broken_exif_is_passed_over(small: Image.Image, kind: str, block: bytes) -> None:
    source = SourceImage(EncodedImage("photo", with_exif(small, kind, block)))
    assert source.size == Size(64, 48)
    pixels = np.asarray(source.render(source.size.box, source.size)).astype(int)
    assert np.abs(pixels - np.asarray(small)).mean() < (6 if kind == "JPEG" else 0.01)


def png_with(small: Image.Image, chunk: bytes, *, behind: bool = False) -> bytes:
    """A PNG with one more chunk before or behind its pixels."""
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    data = buffer.getvalue()
    place = len(data) - 12 if behind else 33
    return data[:place] + chunk + data[place:]


BAD_CHECKSUM = png_chunk(b"tEXt", b"Comment\0hello")[:-4] + b"\0\0\0\0"
BROKEN_PROFILE = png_chunk(b"iCCP", b"name\0\0" + b"no zlib")
TEXT_BOMB = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000)))


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("chunk", [BAD_CHECKSUM, BROKEN_PROFILE, TEXT_BOMB], ids=["checksum", "profile", "text bomb"])
def test_broken_chunks_of_a_png_are_passed_over(small: Image.Image, chunk: bytes, behind: bool) -> None:
    source = SourceImage(EncodedImage("photo", png_with(small, chunk, behind=behind)))
    assert np.array_equal(source.render(source.size.box, source.size), small)


def test_the_orientation_of_a_png_may_stand_behind_its_pixels(small: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    block = png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    source = SourceImage(EncodedImage("photo", png_with(small, block, behind=True)))
    expected = small.transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(source.render(source.size.box, source.size), expected)


def test_a_webp_whose_exif_claims_to_be_longer_than_the_file(small: Image.Image) -> None:
    data = bytearray(with_exif(small, "WEBP", b"MM\0*"))
    place = data.rindex(b"EXIF")
    data[place + 4 : place + 8] = struct.pack("<I", 10_000_000)
    source = SourceImage(EncodedImage("photo", bytes(data)))
    assert np.array_equal(source.render(source.size.box, source.size), small)


def test_a_progressive_jpeg_of_endless_scans_is_refused(tmp_path: Path, small: Image.Image) -> None:
    small.save(tmp_path / "photo.jpg", progressive=True)
    assert SourceImage(tmp_path / "photo.jpg").size == Size(64, 48)
    data = (tmp_path / "photo.jpg").read_bytes()
    scan = data[data.rindex(b"\xff\xda") : -2]
    slow = data[:-2] + scan * 500 + data[-2:]
    (tmp_path / "slow.jpg").write_bytes(slow)
    for source in (tmp_path / "slow.jpg", EncodedImage("slow.jpg", slow)):
        with pytest.raises(ImageError, match="scans"):
            SourceImage(source)


def test_pages_are_chosen_by_number(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (20 + number, 10), (number, 0, 0)) for number in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    for number in (1, 2, 3):
        source = SourceImage(tmp_path / "scan.tif", page=number)
        assert (source.size, source.frames) == (Size(19 + number, 10), 3)
        assert source.render(source.size.box, source.size).getpixel((5, 5)) == (number - 1, 0, 0)
    for number in (0, 4):
        with pytest.raises(ImageError, match="no such page; expected 1 to 3"):
            SourceImage(tmp_path / "scan.tif", page=number)


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}], ids=["classic", "BigTIFF"])
@pytest.mark.parametrize("pages", [1, 3])
def test_pages_of_a_tiff_are_counted(tmp_path: Path, pages: int, options: dict[str, bool]) -> None:
    images = [Image.new("L", (20, 10))] * pages
    images[0].save(tmp_path / "scan.tif", save_all=True, append_images=images[1:], **options)
    data = (tmp_path / "scan.tif").read_bytes()
    with Image.open(tmp_path / "scan.tif") as scan:
        assert scan.n_frames == pages
    assert SourceImage(EncodedImage("scan", data)).frames == pages


def test_a_tiff_whose_pages_form_a_ring(tmp_path: Path) -> None:
    Image.new("L", (20, 10)).save(tmp_path / "ring.tif")
    data = bytearray((tmp_path / "ring.tif").read_bytes())
    (first,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[first : first + 2])
    data[first + 2 + 12 * entries : first + 6 + 12 * entries] = data[4:8]
    assert SourceImage(EncodedImage("ring", bytes(data))).frames == 1


def test_an_image_in_memory_has_no_pages() -> None:
    with pytest.raises(ImageError, match="no pages to choose from"):
        SourceImage(Image.new("RGB", (9, 9)), page=1)


@pytest.mark.parametrize("frames", [1, 2, 7, 10_000, 30_000])
def test_frames_of_a_gif_are_counted_up_to_a_limit(tmp_path: Path, frames: int) -> None:
    first, second = Image.new("P", (20, 10), 1), Image.new("P", (20, 10), 2)
    for image in (first, second):
        image.putpalette([0, 0, 0, 200, 0, 0, 0, 0, 200])
    first.save(tmp_path / "film.gif", save_all=True, append_images=[second])
    data = (tmp_path / "film.gif").read_bytes()
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 2
    last = data[data.rindex(b"\x21\xf9") : -1]
    start = data[: data.rindex(b"\x21\xf9")]
    source = SourceImage(EncodedImage("film", start + last * (frames - 1) + b";"))
    assert source.frames == min(frames, 10_000)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_frames_are_chosen_by_number(tmp_path: Path, kind: str) -> None:
    colours = [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    frames = [Image.new("RGB", (20, 10), colour) for colour in colours]
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(tmp_path / "film", kind, save_all=True, append_images=frames[1:], **options)
    for number, colour in enumerate(colours, start=1):
        source = SourceImage(tmp_path / "film", page=number)
        assert source.frames == 3
        assert source.render(source.size.box, source.size).getpixel((5, 5)) == colour


def test_a_file_that_changes_while_it_is_in_use_is_noticed(tmp_path: Path, small: Image.Image) -> None:
    path, other = tmp_path / "photo.png", tmp_path / "other.png"

    def opened() -> SourceImage:
        shutil.rmtree(path, ignore_errors=True)
        small.save(path)
        return SourceImage(path)

    def replaced() -> None:
        small.transpose(Image.Transpose.ROTATE_180).save(other)
        other.replace(path)

    def touched() -> None:
        os.utime(path, ns=(1, 1))

    def appended() -> None:
        path.write_bytes(path.read_bytes() + b"more")

    for change in (replaced, touched, appended):
        source = opened()
        assert source.current
        change()
        assert not source.current
        with pytest.raises(ImageError, match="was changed while it was in use"):
            source.render(source.size.box, source.size)
        with pytest.raises(ImageError, match="was changed while it was in use"):
            source.sha256()
