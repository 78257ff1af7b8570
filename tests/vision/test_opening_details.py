"""What people give for an image and is none: each kind is named, with what to do."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from hart_agent.errors import ImageError, NoSuchImageError
from hart_agent.vision import opening
from hart_agent.vision.opening import open_image

PNG = "Convert it to PNG."
FRAME = "Save one of its frames: ffmpeg -i VIDEO -frames:v 1 frame.png"
PDF = "PDF, which pdftoppm -r 200 -png FILE.pdf page turns into images"
ARCHIVE = "an archive or a document. Unpack it, and give one image file."
KINDS = [
    (b"", "an empty file. Get it again."),
    (b"%!PS-Adobe-3.0", f"PostScript. {PNG}"),
    (b"\xc5\xd0\xd3\xc6 ", f"PostScript. {PNG}"),
    (b"\n%PDF-1.7", f"{PDF}. {PNG}"),
    (b"\xd7\xcd\xc6\x9a", f"WMF. {PNG}"),
    (b" <svg xmlns=''/>", f"SVG. {PNG}"),
    (b" " * 60 + b"<svg", f"SVG. {PNG}"),
    (b"<!DOCTYPE html>", "a web page. Save the image itself, not the page that shows it."),
    (b"\n<HTML>", "a web page. Save the image itself, not the page that shows it."),
    (b"<?xml version='1.0'?>", f"XML or SVG. {PNG}"),
    (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS. Get the file itself: git lfs pull"),
    (b"\0\0\0\x20ftypisom", f"a video. {FRAME}"),
    (b"\0\0\0\x20ftypqt  ", f"a video. {FRAME}"),
    (b"\x1aE\xdf\xa3", f"a video. {FRAME}"),
    (b"RIFF\0\0\0\0AVI ", f"a video. {FRAME}"),
    (b"\0\0\0\x20ftypcrx ", "a camera's raw file. Export it as JPEG."),
    (b"II*\0\x10\0\0\0CR", "a camera's raw file. Export it as JPEG."),
    (b"FUJIFILMCCD-RAW 0201", "a camera's raw file. Export it as JPEG."),
    (b"8BPS\0\x01", "a file of Photoshop. Export it as PNG."),
    (b"PK\x03\x04", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!\x1a\x07", ARCHIVE),
    (b"\x1f\x8b\x08", ARCHIVE),
]


@pytest.mark.parametrize(("content", "kind"), KINDS)
def test_other_kinds_of_files_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError) as refused:
        open_image(path)
    assert str(refused.value) == f"{path}: not an image that can be read, but {kind}"


def refusal(given: str | Path) -> str:
    with pytest.raises(ImageError) as refused:
        open_image(given)
    return str(refused.value)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} is a folder. Give the path of one image file."
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == f"{tmp_path / 'pipe'} is a pipe or a device. Give the path of one image file."
    (tmp_path / "ring").symlink_to("ring")
    assert refusal(tmp_path / "ring") == (
        f"{tmp_path / 'ring'}: no such file, but a link that leads back to itself. Give the path of the image."
    )
    (tmp_path / "link").symlink_to("gone.png")
    assert refusal(tmp_path / "link") == (
        f"{tmp_path / 'link'}: no such file: it is a link to gone.png, which is not there. Give the path of the image."
    )
    assert refusal(tmp_path / "gone.png") == f"{tmp_path / 'gone.png'}: no such file. Check the path of the image."
    long = tmp_path / ("x" * 300)
    assert refusal(long) == f"{long}: no such file: no name is so long. Check the path of the image."
    with pytest.raises(NoSuchImageError):
        open_image("a\0b.png")
    assert refusal("").startswith("no image is named: an empty path is a folder.")
    assert refusal("ftp://host/a.png") == (
        "ftp://host/a.png: nothing is fetched over ftp, only over http and https. Download it, and give the file."
    )
    assert "on another machine (host)" in refusal("file://host/a.png")


def encoded(size: tuple[int, int] = (3, 2)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG")
    return file.getvalue()


def test_what_is_held_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded()
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    monkeypatch.setattr(opening, "MAX_BYTES", len(data))
    assert open_image("-", stdin=io.BytesIO(data)).size.width == 3
    assert open_image(url).size.width == 3
    monkeypatch.setattr(opening, "MAX_BYTES", len(data) - 1)
    for given, name in (("-", "standard input"), (url, "a data URL")):
        with pytest.raises(ImageError, match=f"^{name}: more than 0 MB. Save it as a file and give its path.$"):
            open_image(given, stdin=io.BytesIO(data))
    assert refusal("data:image/png;base64") == "a data URL without its comma; expected data:image/png;base64,..."
    assert "whose base64 is damaged" in refusal("data:image/png;base64,A")


@pytest.mark.parametrize("frames", [1, 2])
def test_further_frames_are_told_of_unless_one_was_chosen(
    tmp_path: Path, frames: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pages.tif"
    first, *others = [Image.new("L", (4, 4), 80 * frame) for frame in range(frames)]
    first.save(path, save_all=True, append_images=others)
    open_image(path)
    assert [f"holds {frames} frames or pages" in message for message in caplog.messages] == [True] * (frames > 1)
    caplog.clear()
    open_image(path, page=1)
    open_image(f"{path}#page=1")
    assert caplog.messages == []
