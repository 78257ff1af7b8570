"""A result in a notebook: what it shows, how large it gets, and that it never fails."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import answer, tool_call
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from hart_agent import Agent, Box, Evidence, ScriptedPolicy, Trajectory

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x00\ud800"


class Read(HTMLParser):
    """What a browser would make of the HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.pictures: list[Image.Image] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag != "img":
            self.open.append(tag)
            return
        head, data = (dict(attrs)["src"] or "").split(",")
        assert head == "data:image/jpeg;base64"
        self.pictures.append(Image.open(io.BytesIO(base64.b64decode(data))))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def ask(path: Path, box: tuple[int, int, int, int], label: str = "sign") -> Trajectory:
    crop = tool_call("crop", bbox_2d=list(box), label=label)
    return Agent(ScriptedPolicy([crop, answer("STOP"), answer("STOP")])).ask(path, "What does it say?")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """1600 x 800 pixels of grey, with a green square at (400, 200) to (600, 400)."""
    pixels = np.full((800, 1600, 3), 128, np.uint8)
    pixels[200:400, 400:600] = (0, 200, 0)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_the_answer_and_the_evidence_on_the_image_and_beside_it(photo: Path) -> None:
    result = ask(photo, (400, 200, 600, 400))
    (evidence,) = result.evidence
    shown = Read(result._repr_html_())
    for said in ("What does it say?", "STOP", "Verdict: supported", "sign", str(evidence.box)):
        assert said in shown.text
    whole, crop = shown.pictures
    assert whole.size == (800, 400)
    pixels = np.asarray(whole.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 180) & (pixels[..., 1] < 90)
    x0, y0, x1, y1 = (side // 2 for side in evidence.box.as_tuple())
    assert red[(y0 + y1) // 2, x0 - 2 : x0].any()
    assert red[(y0 + y1) // 2, x1 : x1 + 2].any()
    assert not red[y0 + 4 : y1 - 4, x0 + 4 : x1 - 4].any()
    middle = np.asarray(crop.convert("RGB"))[crop.height // 2, crop.width // 2].astype(int)
    assert np.abs(middle - (0, 200, 0)).max() < 12
    assert crop.width / crop.height == pytest.approx(evidence.box.width / evidence.box.height, rel=0.02)


@given(text=st.text() | st.just(HOSTILE))
def test_what_the_model_says_stays_text(text: str) -> None:
    result = Agent(ScriptedPolicy([answer("STOP")])).ask(Image.new("RGB", (40, 30)), "what?")
    evidence = Evidence(Box(0, 0, 9, 9), text, text, "v")
    shown = Read(replace(result, question=text, answer=text, reason=text, evidence=(evidence,))._repr_html_())
    assert set(shown.tags) <= {"div", "p", "b", "i", "table", "tbody", "tr", "td"}


@pytest.mark.long
def test_it_is_small_however_large_the_result_is(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (2000, 3000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png", compress_level=0)
    result = ask(tmp_path / "noise.png", (0, 0, 3000, 2000))
    item = replace(result.evidence[0], label='"' * 5000, text='"' * 5000)
    long = replace(result, question='"' * 9000, answer='"' * 9000, reason='"' * 9000, evidence=(item,) * 40)
    html = long._repr_html_()
    assert len(html.encode()) < 300_000
    shown = Read(html)
    assert len(shown.pictures) == 11
    assert "and 30 more" in shown.text


@pytest.mark.parametrize("fate", ["gone", "changed", "damaged", "a folder"])
def test_an_image_that_can_not_be_shown_is_named(photo: Path, fate: str) -> None:
    result = ask(photo, (400, 200, 600, 400))
    whole = photo.read_bytes()
    photo.unlink()
    if fate == "changed":
        Image.new("RGB", (10, 10)).save(photo)
    elif fate == "damaged":
        photo.write_bytes(whole[:60])
    elif fate == "a folder":
        photo.mkdir()
    shown = Read(result._repr_html_())
    assert shown.pictures == []
    assert "The image can't be shown" in shown.text
    assert photo.name in shown.text
    assert "STOP" in shown.text
    assert str(result.evidence[0].box) in shown.text


def test_an_image_that_was_in_memory_and_a_question_without_an_answer(small: Image.Image) -> None:
    shown = Read(Agent(ScriptedPolicy(["<abstain>too dark</abstain>"])).ask(small, "what?")._repr_html_())
    assert "No answer: too dark" in shown.text
    assert "given as pixels" in shown.text
    assert not re.search("table|img", " ".join(shown.tags))


def test_a_notebook_shows_it(photo: Path) -> None:
    """Through the part of IPython that asks objects how they look."""
    result = ask(photo, (400, 200, 600, 400))
    data, _ = DisplayFormatter().format(result)
    assert data["text/html"] == result._repr_html_()
