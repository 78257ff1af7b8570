"""The embedded reader through the whole product: real models, real files, drawn signs on a real photo."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from kept_runs import KeptRuns
from PIL import Image, ImageDraw, ImageFont, ImageOps
from variations import slow_but

from hart_agent import Agent, Box, EpisodeConfig, InstallError, Mode, StopReason, Trajectory, Verdict
from hart_agent.backends.embedded import EmbeddedPolicy
from hart_agent.trace import result_json

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "drawn_scenes"))

from scenes import draw_scene

BACKGROUND = Path(__file__).resolve().parents[3] / "examples" / "images" / "backgrounds" / "fig.jpg"
TEXT = "Phone 0482 716 395"
NUMBER = "0482 716 395"
UNHURRIED = EpisodeConfig(max_seconds=600)
"""The right answer, however busy the machine is."""


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent(config=UNHURRIED)


def draw_sign(
    size: tuple[int, int], at: tuple[int, int], lines: tuple[str, ...], font_size: int = 24
) -> tuple[Image.Image, list[Box]]:
    """A white board with black text on a photo, and the exact bounds of each line's ink. Capital letters are 17 px high
    with the font's size of 24, and 14 px with 20."""
    image = ImageOps.fit(Image.open(BACKGROUND).convert("RGB"), size)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=font_size)
    left, top = at
    draw.rectangle((left - 20, top - 20, left + 300, top + 40 * len(lines) + 10), "white", "black", 3)
    boxes = []
    for index, line in enumerate(lines):
        place = (left, top + 40 * index)
        draw.text(place, line, "black", font)
        boxes.append(Box(*map(int, draw.textbbox(place, line, font))))
    return image, boxes


@pytest.fixture(scope="module")
def small() -> tuple[Image.Image, Box]:
    """A photo of 360x260 with one sign, and the box of its phone number's line."""
    image, boxes = draw_sign((360, 260), (40, 130), ("Marwick Bakery", TEXT))
    return image, boxes[1]


def ask_number(agent: Agent, path: Path) -> Trajectory:
    return agent.ask(path, "What is the phone number of the bakery?")


def assert_found(result: Trajectory, box: Box) -> None:
    assert result.answer == NUMBER, result
    assert result.verdict is Verdict.SUPPORTED
    assert result.evidence[0].box.iou(box) >= 0.5, (result.evidence, box)


@pytest.mark.long
def test_a_small_sign_in_a_large_photo_is_found_read_and_verified(agent: Agent, tmp_path: Path) -> None:
    image, boxes = draw_sign((5312, 2988), (3900, 2100), ("Marwick Bakery", "14 Alderford Lane", TEXT), font_size=20)
    path = tmp_path / "photo.jpg"
    image.save(path, quality=90)
    result = agent.ask(path, "what is on the sign?")
    assert result.answer == f"Marwick Bakery 14 Alderford Lane {TEXT}"
    assert result.verdict is Verdict.SUPPORTED
    text, panel = boxes[0].union(boxes[1]).union(boxes[2]), Box(3880, 2080, 4200, 2230)
    assert result.evidence[0].box.iou(panel) >= 0.5
    assert result.evidence[0].box.overlap(text) == text.area
    names = [[call.call.name for call in turn.results] for turn in result.turns]
    assert set(names[0]) == {"zoom"}
    assert names[-2:] == [["crop", "verify"], []]
    assert result.stop_reason is StopReason.ANSWERED
    assert not any(call.error for turn in result.turns for call in turn.results)


def test_what_text_cannot_answer_is_declined_without_looking(agent: Agent, small: tuple[Image.Image, Box]) -> None:
    result = agent.ask(small[0], "What colour is the bicycle?")
    assert result.answer is None
    assert result.stop_reason is StopReason.ABSTAINED
    assert result.reason is not None
    assert result.reason.startswith("I can't tell: the embedded reader only reads text; to answer this, ")
    assert len(result.turns) == 1


def test_a_kind_of_text_that_is_not_there_is_declined_by_its_name(agent: Agent, small: tuple[Image.Image, Box]) -> None:
    result = agent.ask(small[0], "What does the bread cost?")
    assert result.answer is None
    assert result.reason == "I can't tell: the text that I can read doesn't mention 'bread'."
    result = agent.ask(small[0], "What are the opening hours?")
    assert result.answer is None
    assert result.reason == "I can't tell: I found no opening hours in the text that I can read."


def test_a_phone_number_that_is_not_there_is_not_made_up(agent: Agent) -> None:
    image, _ = draw_sign((380, 260), (40, 130), ("MARWICK BAKERY", "14 ALDERFORD LANE"), font_size=20)
    result = agent.ask(image, "What is the phone number?")
    assert (result.answer, result.stop_reason, result.evidence) == (None, StopReason.ABSTAINED, ())
    assert result.reason == "I can't tell: I found no phone number in the text that I can read."


def test_capitals_of_14_pixels_are_read_in_place(agent: Agent) -> None:
    image, boxes = draw_sign((380, 260), (40, 130), ("MARWICK BAKERY", "14 ALDERFORD LANE"), font_size=20)
    result = agent.ask(image, "What is the address?")
    assert (result.answer, result.verdict) == ("14 ALDERFORD LANE", Verdict.SUPPORTED)
    (evidence,) = result.evidence
    assert (evidence.label, evidence.text) == ("address", "14 ALDERFORD LANE")
    assert evidence.box.iou(boxes[1]) >= 0.5
    assert evidence.box.overlap(boxes[1]) == boxes[1].area
    names = [[call.call.name for call in turn.results] for turn in result.turns]
    assert names == [["crop", "verify"], []]


def test_a_picture_without_text_gets_no_answer(agent: Agent) -> None:
    result = agent.ask(Image.new("RGB", (600, 450), "grey"), "what does the sign say?")
    assert (result.answer, result.stop_reason) == (None, StopReason.ABSTAINED)
    assert result.reason == "I can't tell: I found no readable text in the picture."


@pytest.mark.parametrize("size", [(1, 1), (40, 40), (3, 2000), (2000, 3)])
def test_odd_sizes_are_no_trouble(agent: Agent, size: tuple[int, int]) -> None:
    result = agent.ask(Image.new("RGB", size, "white"), "read all the text")
    assert (result.answer, result.stop_reason) == (None, StopReason.ABSTAINED)


@pytest.mark.parametrize("orientation", slow_but([6], range(1, 9)))
def test_every_exif_orientation_gives_the_same_answer(
    agent: Agent, small: tuple[Image.Image, Box], tmp_path: Path, orientation: int
) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    image, box = small
    stored = image.transpose(undo[orientation]) if orientation in undo else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    stored.save(path, quality=92, exif=exif)
    with Image.open(path) as saved:  # Pillow itself says that this file shows the photo upright
        assert ImageOps.exif_transpose(saved).size == image.size
    assert_found(ask_number(agent, path), box)


def _sixteen_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def _transparent(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    layer.putalpha(255)
    layer.paste((0, 0, 0, 0), (0, 0, 300, 100))  # away from the sign
    return layer


@pytest.mark.parametrize(
    ("convert", "name"),
    [
        pytest.param(lambda image: image.convert("L"), "grey.jpg", marks=pytest.mark.slow),
        (_sixteen_bit, "sixteen.png"),
        pytest.param(lambda image: image.quantize(128), "palette.png", marks=pytest.mark.slow),
        pytest.param(_transparent, "alpha.png", marks=pytest.mark.slow),
        pytest.param(lambda image: image.convert("CMYK"), "cmyk.jpg", marks=pytest.mark.slow),
        pytest.param(lambda image: image, "photo.webp", marks=pytest.mark.slow),
        pytest.param(lambda image: image, "photo.tif", marks=pytest.mark.slow),
    ],
    ids=["grey", "16-bit", "palette", "alpha", "CMYK", "WebP", "TIFF"],
)
def test_every_kind_of_pixel_gives_the_same_answer(agent, small, tmp_path: Path, convert, name: str) -> None:  # type: ignore[no-untyped-def]
    image, box = small
    convert(image).save(tmp_path / name)
    assert_found(ask_number(agent, tmp_path / name), box)


@pytest.mark.slow
def test_the_same_question_gives_the_same_trajectory(
    agent: Agent, small: tuple[Image.Image, Box], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeptRuns, "keeps", False)

    def without_times(value: object) -> object:
        if isinstance(value, dict):
            return {key: without_times(item) for key, item in value.items() if key != "seconds"}
        return [without_times(item) for item in value] if isinstance(value, list) else value

    first, second = (each.ask(small[0], "what is the phone number?") for each in (agent, Agent(config=UNHURRIED)))
    assert without_times(result_json(first)) == without_times(result_json(second))


def test_missing_models_are_told_with_the_command_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "rapidocr" else find_spec(name))
    with pytest.raises(InstallError, match="pip install --force-reinstall onnxruntime rapidocr"):
        EmbeddedPolicy()


@pytest.mark.parametrize("mode", slow_but([Mode.CLOSED_LOOP], [Mode.CLOSED_LOOP, Mode.MGPO, Mode.DIRECT]))
def test_it_works_in_every_mode(small: tuple[Image.Image, Box], mode: Mode) -> None:
    image, box = small
    result = Agent(config=EpisodeConfig(mode, max_seconds=600)).ask(image, "What is the phone number of the bakery?")
    assert result.answer == NUMBER
    if mode is Mode.DIRECT:
        assert result.evidence == ()
    else:
        assert result.verdict is (Verdict.UNCHECKED if mode == Mode.CLOSED_LOOP else Verdict.SUPPORTED)
        assert result.evidence[0].box.iou(box) >= 0.5
    nothing = Agent(config=EpisodeConfig(mode, max_seconds=600)).ask(image, "How many people are on the beach?")
    assert nothing.stop_reason is StopReason.ABSTAINED


@pytest.mark.slow
def test_a_sign_is_found_by_a_word_on_it(agent: Agent) -> None:
    scene = draw_scene(3002, 16, size=(5312, 2988))
    result = agent.ask(scene.image, "What is written on the sign with the word Parade?")
    assert (result.answer, result.verdict) == ("Ravensstow Parade 13-31", Verdict.SUPPORTED)


def test_without_an_answer_the_likeliest_lines_are_said(agent: Agent, small: tuple[Image.Image, Box]) -> None:
    image, box = small
    result = agent.ask(image, "What are the opening hours?")
    assert result.answer is None
    assert result.read is not None
    assert {line.text for line in result.read} == {"Marwick Bakery", TEXT}
    number = next(line for line in result.read if line.text == TEXT)
    assert number.box.iou(box) >= 0.5
    assert result_json(result)["read"][0].keys() == {"text", "box", "confidence"}


def test_what_was_read_comes_with_every_result(agent: Agent, small: tuple[Image.Image, Box]) -> None:
    for question in ("What is the phone number?", "What colour is the bicycle?"):
        assert "Marwick Bakery" in [line["text"] for line in result_json(agent.ask(small[0], question))["read"]]
    assert result_json(agent.ask(Image.new("RGB", (90, 90)), "What does it say?"))["read"] == []


def test_what_was_read_is_kept_when_time_ends_during_the_zooms(tmp_path: Path) -> None:
    image, _ = draw_sign((3000, 2000), (300, 300), ("Marwick Bakery", TEXT), font_size=90)
    result = Agent(config=EpisodeConfig(max_turns=1, max_seconds=600)).ask(image, "What is the price of the plums?")
    assert (result.answer, result.stop_reason) == (None, StopReason.MAX_TURNS)
    assert "zoom" in result.turns[0].reply.text
    assert "Marwick" in str(result.read)


def test_a_question_ends_in_time_and_says_what_it_has(small: tuple[Image.Image, Box]) -> None:
    unread = small[0].copy()
    unread.putpixel((0, 0), (1, 2, 3))  # what was read for another test is known at once
    result = Agent(config=EpisodeConfig(max_seconds=0.45)).ask(unread, "What is the phone number?")
    assert result.stop_reason in (StopReason.ABSTAINED, StopReason.MAX_SECONDS)
    assert result.reason in (
        "I can't tell: the time was up before I had read all of the picture; allow more with --max-seconds.",
        "no answer within 0.45 seconds",
    )


def test_all_the_text_is_given_sign_by_sign(agent: Agent) -> None:
    image, _ = draw_sign((560, 330), (220, 50), ("MARWICK BAKERY", "14 ALDERFORD LANE"), font_size=24)
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 200, 400, 280), "yellow", "black", 3)
    draw.text((60, 220), "KEEP LEFT", "black", ImageFont.load_default(size=30))
    result = agent.ask(image, "What text can you see?")
    assert result.answer == "MARWICK BAKERY 14 ALDERFORD LANE\nKEEP LEFT"
