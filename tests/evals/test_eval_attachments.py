"""What a run keeps with its list: the pages of traces with the gold boxes, and photos; opened in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from PIL import Image

from hart_agent import Agent, ScriptedPolicy
from hart_agent.concurrency import run
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.report import write_comparison
from hart_agent.evals.runner import EvalSettings

GOLD, FOUND = [300, 100, 420, 180], [360, 100, 480, 180]
REPLIES = ['<tool_call>{"name": "crop", "arguments": {"bbox_2d": [360, 100, 480, 180], "label": "sign"}}</tool_call>',
           "<answer>STOP</answer>", "<answer>STOP</answer>"]  # fmt: skip


def ask(folder: Path, replies: list[str], *, turned: bool = False) -> Path:
    """A run over a question on a photo that is grey but for a red square where the gold box is."""
    folder.mkdir()
    image = Image.new("RGB", (800, 600), "grey")
    image.paste("red", (300, 100, 420, 180))
    exif = image.getexif()
    if turned:
        image = image.transpose(Image.Transpose.ROTATE_90)  # stored on its side; EXIF says how it is turned back
        exif[0x0112] = 6
    image.save(folder / "a photo.png", exif=exif)
    line = {"image": "a photo.png", "question": "What does it say?", "answer": "STOP", "boxes": [GOLD]}
    (folder / "questions.jsonl").write_text(json.dumps(line))
    items = load_dataset("jsonl", folder / "questions.jsonl")
    agent = Agent(ScriptedPolicy(replies))
    out = folder / "run 1"
    run(evaluate_folder(agent, "jsonl", items, out, EvalSettings(traces=True), {}))
    return out


def red_share(shot: Image.Image, box: list[float]) -> float:
    """How much of the inside of a box on a screenshot is red; the rest is the evidence's line across it."""
    x0, y0, x1, y1 = (round(side) for side in box)
    inside = shot.crop((x0 + 4, y0 + 4, x1 - 4, y1 - 4))
    red, green, _ = np.moveaxis(np.asarray(inside), 2, 0)
    return float(((red > 200) & (green < 60)).mean())


@pytest.mark.browser
@pytest.mark.parametrize("turned", [False, True])
def test_gold_boxes_lie_on_the_photo_and_the_trace_is_a_page(browser: Browser, tmp_path: Path, *, turned: bool) -> None:
    out = ask(tmp_path / "data", REPLIES, turned=turned)
    (photo,) = (out / "photos").iterdir()
    assert photo.stat().st_size < 100_000
    browser.open(out / "questions.html")
    browser.js("return new Promise(done => setTimeout(done, 200))")
    assert any(url.endswith(f"photos/{photo.name}") for url in browser.requests())
    assert red_share(browser.screenshot(), browser.rect("#panel .gold-box")) > 0.9
    assert "gold, 50 % of it covered" in browser.js("return document.querySelector('.legend').textContent")
    link = browser.js("return document.querySelector('#panel a').getAttribute('href')")
    assert link.startswith("pages/")
    browser.js("document.querySelector('#panel a').click()")
    browser.js("return new Promise(done => setTimeout(done, 200))")
    assert browser.driver.current_url.endswith(link)
    text = browser.js("return document.querySelector('main').innerText")
    assert "Gold box 1: covered to 50%" in text
    assert "The answer counts as right. Right is: STOP" in text
    assert red_share(browser.screenshot(), browser.rect(".gold .frame")) > 0.9
    assert browser.js("return document.querySelector('.evidence .frame').getAttribute('x')") == str(FOUND[0])
    assert [url for url in browser.requests() if not url.startswith("file:")] == []


@pytest.mark.browser
def test_two_runs_beside_each_other_show_photo_and_both_traces(browser: Browser, tmp_path: Path) -> None:
    first, second = ask(tmp_path / "a", REPLIES), ask(tmp_path / "b", ["<answer>GO</answer>"])
    (tmp_path / "pages of mine").mkdir()
    write_comparison(first, second, tmp_path / "pages of mine" / "both.html")
    browser.open(tmp_path / "pages of mine" / "both.html")
    browser.js("return new Promise(done => setTimeout(done, 200))")
    assert red_share(browser.screenshot(), browser.rect("#panel .gold-box")) > 0.9
    links = browser.js("return [...document.querySelectorAll('#panel a')].map(node => node.href)")
    assert [Path(link).name.endswith(".html") for link in links] == [True, True]
    for link in links:
        browser.visit(link)
        assert "Gold box 1" in browser.js("return document.querySelector('main').innerText")
    assert "missed" in browser.js("return document.querySelector('main').innerText")


def test_a_run_without_traces_keeps_photos_only(tmp_path: Path) -> None:
    out = ask(tmp_path / "data", REPLIES)
    assert {path.name for path in out.iterdir()} >= {"pages", "traces", "photos"}
    agent = Agent(ScriptedPolicy(REPLIES))
    items = load_dataset("jsonl", tmp_path / "data" / "questions.jsonl")
    plain = tmp_path / "plain"
    run(evaluate_folder(agent, "jsonl", items, plain, EvalSettings(), {}))
    assert not (plain / "pages").exists()
    assert len(list((plain / "photos").iterdir())) == 1
    assert '"trace":null' in (plain / "questions.html").read_text()
