"""The door at its bounds: pages, names, brands and scans of which one more or less counts, and files that change."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from hart_agent.errors import ImageError
from hart_agent.vision.files import EncodedImage
from hart_agent.vision.files import ImageFile as DiskFile
from hart_agent.vision.geometry import Size
from hart_agent.vision.opening import open_image
from hart_agent.vision.source import ImageInput, SourceImage


def refusal(given: ImageInput, page: int | None = None) -> str:
    with pytest.raises(ImageError) as refused:
        open_image(given, page=page)
    return str(refused.value)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(source: SourceImage) -> np.ndarray:
    return np.asarray(source.render(source.size.box, source.size)).astype(int)


def test_what_counts_as_a_page(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)  # the longest name that there is: with a page behind it none could have it
    pages = [Image.new("L", (20 + number, 10)) for number in (1, 2, 3)]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])
    assert open_image(f"{path}#page=000003").size == Size(23, 10)
    assert open_image(f"{path}#page=3", page=2).size == Size(22, 10)
    for given, page in ((f"{path}#page=0", None), (path, 0), (f"{path}#page=2", 0)):
        assert "there is no such page; expected 1 to 3" in refusal(given, page)
    assert refusal("gone.tif#page=2") == "gone.tif: no such file. Check the path of the image."
    for name in ("gone.tif#page=2\n", "gone.tif#page=1234567", "gone.tif#page=٣"):
        assert refusal(name).startswith(f"{name}: no such file.")


def test_standard_input_has_a_name_and_is_read_to_a_byte_beyond_200_mb(small: Image.Image) -> None:
    asked = []

    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size)
            return super().read(size)

    assert open_image("-", stdin=Pipe(saved(small, "PNG"))).name == "standard input"
    assert asked == [200_000_001]


def test_a_file_in_memory_keeps_its_bytes_out_of_messages(small: Image.Image) -> None:
    source = open_image(EncodedImage("row 7", saved(small, "PNG")))
    assert repr(source.origin) == "EncodedImage(name='row 7')"


def test_a_brand_is_looked_for_where_brands_are(small: Image.Image) -> None:
    """An AVIF may be of the brand of HEIF first; a word at the same place of another format is none."""
    avif = bytearray(saved(small, "AVIF", quality=100, subsampling="4:4:4"))
    assert avif[8:20] == b"avif\0\0\0\0avif"
    avif[8:12] = b"mif1"
    assert np.abs(pixels(open_image(EncodedImage("photo", bytes(avif)))) - np.asarray(small)).mean() < 3
    ppm = b"P6\n#was heic\n2 1\n255\n" + bytes(range(6))
    assert pixels(open_image(EncodedImage("photo", ppm))).tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_a_stereo_photo_that_is_still_to_be_decoded_is_taken(small: Image.Image) -> None:
    stereo = saved(small, "MPO", save_all=True, append_images=[small], quality=100, subsampling=0)
    given = Image.open(io.BytesIO(stereo))
    assert given.format == "MPO"
    assert np.abs(pixels(open_image(given)) - np.asarray(small)).mean() < 3


@pytest.mark.parametrize(("scans", "refused"), [(200, False), (201, True), (300, True)])
def test_so_many_scans_of_a_progressive_jpeg_are_read(
    tmp_path: Path, small: Image.Image, scans: int, refused: bool
) -> None:
    data = saved(small, "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    data = data[:-2] + last * (scans - data.count(b"\xff\xda")) + data[-2:]
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    for given in (path, EncodedImage(str(path), data)):
        if refused:
            assert refusal(given) == (
                f"{path}: a JPEG of more than 200 scans, made to keep its readers busy. Save it again as an ordinary "
                "JPEG."
            )
        else:
            assert open_image(given).size == Size(64, 48)


def test_a_lack_of_memory_is_no_damage(tmp_path: Path, small: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: object) -> None:
        raise MemoryError

    small.save(tmp_path / "photo.gif")
    source = SourceImage(tmp_path / "photo.gif")
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(
        ImageError, match=r"photo\.gif: not enough memory to decode it\. Shrink the image or free memory"
    ):
        source.render(source.size.box, source.size)


def test_a_message_names_a_file_once(tmp_path: Path) -> None:
    path = tmp_path / "gone.png"
    with pytest.raises(ImageError) as refused:
        SourceImage(path, page=2)
    assert str(refused.value) == f"{path}: no such file. Check the path of the image."


def test_another_file_is_not_read_and_one_that_changes_meanwhile_is_not_believed(tmp_path: Path) -> None:
    path, seen = tmp_path / "a", []
    path.write_bytes(b"first")
    kept = DiskFile(path)
    assert kept.current

    def use() -> None:
        with kept.opened() as file:
            seen.append(file.read())
            path.write_bytes(b"longer")

    for _ in range(2):
        with pytest.raises(ImageError, match="was changed while it was in use"):
            use()
    assert seen == [b"first"]
    path.unlink()
    assert not kept.current
