"""`hart-agent doctor` tells in whose words a served model calls, and what it says works."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback import Behaviour, Loopback, say, serve
from openai_asks import images, words
from PIL import Image
from pointing_model import find_red
from typer.testing import CliRunner

from hart_agent.cli import app
from hart_agent.doctor import Check, Report, Status, examine_server

Say = Callable[[list[float]], str]


def agent(mark: str, space: float | None, called: Say) -> Callable[[dict[str, Any], int], Behaviour]:
    """A model that points when it is asked to, and calls a tool only where its own mark is in the prompt.

    Args:
        mark: of the prompts that it was trained with.
        space: the largest coordinate; None for pixels.
        called: how it writes a call for a box.
    """

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        text, shown = words(body), images(body)
        target = find_red(shown[0]) if shown else None
        if target is None:
            return say("<answer>x</answer>" if "<question>" in text else "I see nothing.")
        size, bounds = target
        box = [value * (space / size[index % 2] if space else 1) for index, value in enumerate(bounds)]
        if "Give the bounding box" in text:
            return say(json.dumps({"bbox_2d": box}))
        return say(called(box) if mark in text else "It is red.")

    return behave


def grounding(box: list[float]) -> str:
    return f'<grounding>{{"bbox_2d": {box}, "source": "original_image"}}</grounding>'


def zoom(box: list[float]) -> str:
    arguments = {"bbox_2d": box, "label": "it", "img_idx": 0}
    return f"<tool_call>{json.dumps({'name': 'image_zoom_in_tool', 'arguments': arguments})}</tool_call>"


MINI_O3, QWEN3 = agent("<grounding>", 1.0, grounding), agent("img_idx", 1000.0, zoom)
PRESS = '<tool_call>{"name": "press", "arguments": {"number": 7}}</tool_call>'


def examine(server: Loopback) -> tuple[Report, dict[str, Check]]:
    report = asyncio.run(examine_server(server.url, None, None))
    return report, {check.name: check for check in report.checks}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "behave", "spoken"),
    [
        ("SenseNova-MARS-8B", QWEN3, "sensenova-mars"),
        ("qwen3-vl-4b", QWEN3, "qwen3-vl"),
    ],
)
def test_the_vocabulary_is_found_by_asking(model: str, behave: Any, spoken: str) -> None:
    with serve(behave, models=[{"id": model}]) as server:
        report, found = examine(server)
    assert found["vocabulary"].flags == ("--vocabulary", spoken), report.to_json()
    assert report.usable
    assert report.flags[-2:] == ("--vocabulary", spoken)
    assert "--coordinates" not in report.flags
    assert "--tool-format" not in report.flags


def test_what_the_doctor_says_works(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", (560, 420), (205, 205, 205)).save(photo)
    with serve(MINI_O3) as server:
        report, found = examine(server)
    assert found["vocabulary"].flags == ("--vocabulary", "mini-o3")
    with serve([say(grounding([0, 0, 0.5, 0.5])), say("<answer>grey</answer>")]) as server:
        flags = [server.url if flag.startswith("http") else flag for flag in report.flags]
        done = CliRunner().invoke(app, ["ask", str(photo), "what is there?", *flags, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["answer"], told["verdict"]) == ("grey", "supported")
    assert told["evidence"] == [{"box": [0, 0, 280, 210], "label": "", "inferred": True}]


@pytest.mark.slow
def test_a_model_that_speaks_ours_needs_no_vocabulary_and_one_that_speaks_none_is_told_of() -> None:
    ours = agent("press", None, lambda box: PRESS)

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        return say(PRESS) if "button 7" in words(body) else ours(body, number)

    with serve(behave) as server:
        _, found = examine(server)
    assert "vocabulary" not in found
    with serve(agent("a mark that no prompt has", None, lambda box: "")) as server:
        report, found = examine(server)
    assert found["vocabulary"].status is Status.WARN
    assert found["vocabulary"].data == {"spoken": [], "asked": 11}
    assert not report.usable
