"""Files that can't be used: each is an ImageError of one line that names the file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from image_files import png_header
from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision.geometry import Size
from hart_agent.vision.source import SourceImage


def decode(path: Path) -> None:
    source = SourceImage(path)
    source.render(source.size.box, Size(10, 10))
    source.render(source.size.box, source.size)


def refusal(path: Path) -> str:
    """The message with which a path is refused, after the checks that hold for all of them."""
    with pytest.raises(ImageError) as caught:
        decode(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.jpg")
    assert "no such file" in refusal(tmp_path / "missing" / "image.jpg")
    assert "no such file" in refusal(tmp_path / ("long" * 2000))
    assert "folder" in refusal(tmp_path)
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "missing.jpg")
    assert "no such file" in refusal(tmp_path / "dangling.jpg")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in refusal(tmp_path / "pipe")


@pytest.mark.parametrize(
    "content", [b"", b"Dear all,\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG", bytes(500)]
)
def test_what_is_not_an_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "note.jpg"
    path.write_bytes(content)
    assert "not an image" in refusal(path)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "tif", "bmp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files(tmp_path: Path, small: Image.Image, ending: str, share: float) -> None:
    path = tmp_path / f"cut.{ending}"
    small.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refusal(path)


def test_damaged_pixel_data(tmp_path: Path, small: Image.Image) -> None:
    path = tmp_path / "flipped.png"
    small.save(path)
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 40):
        content[place] ^= 0xFF
    path.write_bytes(bytes(content))
    assert "damaged" in refusal(path)


def test_a_bomb_is_refused_by_its_header_and_the_message_names_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(60_000, 60_000))
    message = refusal(path)
    assert "60000x60000 = 3600 megapixels" in message
    assert "--max-image-megapixels 3600" in message
    assert "max_pixels" in message


def test_the_limit_can_be_raised_and_lowered(tmp_path: Path, small: Image.Image) -> None:
    small.save(tmp_path / "image.png")
    assert SourceImage(tmp_path / "image.png", max_pixels=64 * 48).size == Size(64, 48)
    with pytest.raises(ImageError, match="--max-image-megapixels 1,"):
        SourceImage(tmp_path / "image.png", max_pixels=64 * 48 - 1)
    with pytest.raises(ImageError, match="image in memory has 64x48"):
        SourceImage(small, max_pixels=64 * 48 - 1)


def test_a_file_without_permission(tmp_path: Path, small: Image.Image) -> None:
    path = tmp_path / "private.png"
    small.save(path)
    path.chmod(0o000)
    if os.getuid() != 0:
        assert "may not be read" in refusal(path)
        return
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # root may read everything, so a child gives up being root
        message = "no error"
        try:
            os.setuid(65534)
            decode(path)
        except BaseException as error:
            message = f"{type(error).__name__}: {error}"
        finally:
            os.write(writer, message.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    message = os.read(reader, 10_000).decode()
    assert message == f"ImageError: {path}: may not be read. Change the file's permissions."


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match="no pixels"):
        SourceImage(Image.fromarray(np.zeros((4, 4, 3), np.uint8)).crop((0, 0, 0, 4)))


def test_a_file_that_vanishes_is_an_image_error(tmp_path: Path, small: Image.Image) -> None:
    path = tmp_path / "image.png"
    small.save(path)
    source = SourceImage(path)
    path.unlink()
    with pytest.raises(ImageError, match="no such file"):
        source.render(source.size.box, source.size)
    with pytest.raises(ImageError, match="no such file"):
        source.sha256()
