"""Tests of the embedded text reader with its real models, on images drawn here."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kept_runs import KeptRuns
from PIL import Image, ImageDraw, ImageFont
from variations import slow_but

from hart_agent.ocr import TextLine, TextReader

Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def board(text: str, size: int, canvas: tuple[int, int], at: tuple[int, int]) -> tuple[Image.Image, Box]:
    """Draws a text on a blue board and returns the image and the box of the ink."""
    image = Image.new("RGB", canvas, (150, 160, 140))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=size)
    ink = draw.textbbox(at, text, font=font)
    draw.rectangle((ink[0] - 12, ink[1] - 12, ink[2] + 12, ink[3] + 12), fill=(20, 50, 120))
    draw.text(at, text, font=font, fill=(245, 245, 245))
    return image, ink


def bounds(line: TextLine) -> Box:
    xs, ys = zip(*line.quad, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def overlap(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(width, 0) * max(height, 0)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


@pytest.mark.parametrize("size", slow_but([16, 45], [16, 20, 32, 45]))
@pytest.mark.parametrize("text", ["OPEN DAILY 9-17", "CASH ONLY", "Gate B12"])
def test_reads_text_spaces_and_place(reader: TextReader, text: str, size: int) -> None:
    image, ink = board(text, size, (640, 480), (140, 200))
    (line,) = reader.read(image, 1.5)
    assert line.text == text
    assert 0.7 < line.confidence <= 1
    assert overlap(bounds(line), ink) >= 0.6  # the quadrilateral stands off the letters by some pixels


@pytest.mark.parametrize("angle", [10, -10, 90, -90, 180])
def test_reads_rotated_text_in_reading_direction(reader: TextReader, angle: int) -> None:
    image, _ = board("PLATFORM 7", 32, (400, 400), (110, 180))
    (line,) = reader.read(image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(150, 160, 140)))
    assert line.text == "PLATFORM 7"
    left, right = line.quad[0], line.quad[1]
    seen = math.degrees(math.atan2(left[1] - right[1], right[0] - left[0]))
    assert abs((seen - angle + 180) % 360 - 180) < 3


def test_orders_lines_from_top_to_bottom(reader: TextReader) -> None:
    image, _ = board("TICKETS", 28, (500, 300), (60, 40))
    lower, _ = board("MUSEUM", 28, (500, 150), (60, 40))
    image.paste(lower, (0, 150))
    assert [line.text for line in reader.read(image)] == ["TICKETS", "MUSEUM"]


@pytest.mark.parametrize("at", slow_but([(760, 500)], [(100, 90), (760, 500), (1300, 900)]))
def test_finds_text_too_small_to_read(reader: TextReader, at: tuple[int, int]) -> None:
    photo, ink = board("NO PARKING", 20, (4800, 3000), (at[0] * 3, at[1] * 3))
    overview = photo.resize((1600, 1000), Image.Resampling.LANCZOS)
    best = reader.find(overview)[0]
    assert 0 < best.score <= 1
    assert best.box[0] - 4 <= (ink[0] + ink[2]) / 6 <= best.box[2] + 4
    assert best.box[1] - 4 <= (ink[1] + ink[3]) / 6 <= best.box[3] + 4


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (31, 33)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_odd_images_give_nothing(reader: TextReader, size: tuple[int, int], mode: str) -> None:
    image = Image.new(mode, size)
    assert reader.read(image, 0.3) == reader.read(image, 2.0) == reader.find(image) == []


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_refuses_a_bad_scale(reader: TextReader, scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        reader.read(Image.new("RGB", (8, 8)), scale)


def test_threads_get_the_same_answer(
    reader: TextReader, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeptRuns, "keeps", False)
    image, _ = board("EXIT", 24, (320, 240), (100, 100))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(reader.read, [image] * 4))
    assert answers == [reader.read(image)] * 4
    assert capfd.readouterr() == ("", "")


def test_the_reader_leaves_nothing_in_the_users_home(tmp_path: Path) -> None:
    """onnxruntime would keep a device id and a queue of telemetry there."""
    script = "from hart_agent.ocr import TextReader; TextReader()"
    told = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in told} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []


def test_time_that_is_up_ends_the_search(reader: TextReader) -> None:
    image, _ = board("EXIT", 24, (320, 240), (100, 100))
    found = reader.detect(image, until=time.monotonic() - 1)
    assert not found.complete
    assert not found.heat.any()
    assert reader.read(image, until=time.monotonic() - 1) == []
    assert [line.text for line in reader.read(image, until=time.monotonic() + 600)] == ["EXIT"]


def test_letters_are_read_at_full_resolution_wherever_they_are_searched(reader: TextReader) -> None:
    image, ink = board("PLATFORM 7", 40, (900, 500), (300, 200))
    (line,) = reader.read(image, 0.5)
    assert line.text == "PLATFORM 7"
    assert overlap(bounds(line), ink) >= 0.6  # the quadrilateral stands off the letters by some pixels


def test_what_another_pass_has_read_is_left_out(reader: TextReader) -> None:
    image, _ = board("CASH ONLY", 32, (640, 480), (140, 200))
    ImageDraw.Draw(image).text((140, 330), "EXIT", font=ImageFont.load_default(size=32), fill=(245, 245, 245))
    lines = reader.read(image)
    assert [line.text for line in lines] == ["CASH ONLY", "EXIT"]
    (other,) = reader.read(image, 0.5, besides=lines[:1])
    assert other.text == "EXIT"
    assert not reader.read(image, 0.5, besides=lines)
