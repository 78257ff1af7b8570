"""Zoom, crop and verify through the real runtime, on an image whose pixels tell where they are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import answer, coded_pixels
from PIL import Image

from hart_agent import CoordinateProfile, CoordinateSpace, ScriptedPolicy, ToolContext, ToolRuntime, ViewBudget
from hart_agent.dialogue.messages import Message, ToolCall, ToolSpec
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.records import ToolResult
from hart_agent.tooling.verification import made_check
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import ImageInput, SourceImage, View

BUDGET = ViewBudget(max_pixels=800 * 600)
"""The overview of the coded image, 3200 x 2400, is 800 x 600: 4 original pixels to a view pixel."""


class Desk:
    """A context with its overview, and the installed tools to use on it."""

    def __init__(self, image: ImageInput, script: Any = (), space: CoordinateSpace = CoordinateSpace.PIXEL) -> None:
        self.policy = ScriptedPolicy(script, CoordinateProfile(space, BUDGET))
        self.context = ToolContext(SourceImage(image), "what does the sign say?", self.policy)
        self.overview = self.context.render(self.context.image.size.box, "overview")
        self._runtime = ToolRuntime(discover_tools())

    def use(self, name: str, **arguments: Any) -> tuple[ToolResult, tuple[View, ...]]:
        return asyncio.run(self._runtime.execute(ToolCall("call1", name, arguments, ""), self.context))

    def see(self, name: str, **arguments: Any) -> View:
        result, (view,) = self.use(name, **arguments)
        assert result.error is None
        assert view.id in result.text
        assert view.frame.size == Size(*view.image.size)
        assert view.image.size[0] * view.image.size[1] <= BUDGET.max_pixels
        return view


def shows_exactly(view: View, *box: int) -> bool:
    return view.frame.box == Box(*box) and np.array_equal(view.image, coded_pixels(*box))


def test_the_three_tools_are_installed_and_come_first() -> None:
    assert [tool.name for tool in discover_tools()][:3] == ["crop", "verify", "zoom"]


def test_zoom_magnifies_the_original_not_the_overview(coded_path: Path) -> None:
    view = Desk(coded_path).see("zoom", bbox_2d=[100, 100, 150, 137.5])
    assert view.frame.box == Box(400, 400, 600, 550)
    original = Image.fromarray(coded_pixels(400, 400, 600, 550))
    assert np.array_equal(view.image, original.resize((800, 600), Image.Resampling.LANCZOS))


def test_zoom_on_as_much_as_the_budget_holds_shows_original_pixels(coded_path: Path) -> None:
    assert shows_exactly(Desk(coded_path).see("zoom", bbox_2d=[300, 200, 500, 350]), 1200, 800, 2000, 1400)


@pytest.mark.parametrize(
    ("space", "bbox"),
    [
        (CoordinateSpace.PIXEL, [100, 150, 150, 200]),
        (CoordinateSpace.THOUSAND, [125, 250, 187.5, 1000 / 3]),
        (CoordinateSpace.UNIT, [0.125, 0.25, 0.1875, 1 / 3]),
    ],
)
def test_crop_keeps_exact_original_pixels_in_every_space(
    coded_path: Path, space: CoordinateSpace, bbox: list[float]
) -> None:
    desk = Desk(coded_path, space=space)
    assert shows_exactly(desk.see("crop", bbox_2d=bbox, label="sign"), 400, 600, 600, 800)


def test_a_crop_on_a_zoomed_view_is_mapped_through_it(coded_path: Path) -> None:
    desk = Desk(coded_path)
    assert desk.see("zoom", bbox_2d=[100, 100, 150, 137.5]).id == "view1"  # 4 view pixels to an original pixel
    assert shows_exactly(desk.see("crop", bbox_2d=[80, 40, 480, 280], image="view1", label="sign"), 420, 410, 520, 470)
    nested = desk.see("zoom", bbox_2d=[80, 40, 480, 340], image="view1")  # original 420, 410, 520, 485; 4 to 1 again
    assert (nested.id, nested.image.size) == ("view3", (400, 300))
    assert shows_exactly(desk.see("crop", bbox_2d=[0, 0, 160, 200], image="view3", label="word"), 420, 410, 460, 460)


def test_evidence_adds_up(coded_path: Path) -> None:
    desk = Desk(coded_path)
    first, _ = desk.use("crop", bbox_2d=[0, 0, 50, 50], label="sign", text="STOP")
    desk.use("zoom", bbox_2d=[0, 0, 50, 50])
    second, _ = desk.use("crop", bbox_2d=[100, 0, 150, 50], label="door")
    found = [(item.box, item.label, item.text, item.view_id) for item in desk.context.evidence]
    assert found == [
        (Box(0, 0, 200, 200), "sign", "STOP", "view1"),
        (Box(400, 0, 600, 200), "door", None, "view3"),
    ]
    assert ("evidence 1" in first.text, "evidence 2" in second.text) == (True, True)
    assert desk.context.evidence_views == [desk.context.views["view1"], desk.context.views["view3"]]


def test_the_same_crop_again_is_the_same_evidence(coded_path: Path) -> None:
    desk = Desk(coded_path)
    sign = {"bbox_2d": [0, 0, 50, 50], "label": "sign"}
    said = [desk.use("crop", **sign | more)[0].text for more in ({}, {"text": "STOP"}, {}, {"label": "door"}, {})]
    assert [text.split(":")[0] for text in said] == [
        "view1 is now evidence 1",
        "view2 is now evidence 2",  # other words about it
        "view3 is evidence 1, as before",
        "view4 is now evidence 3",
        "view5 is evidence 1, as before",
    ]
    kept = [(item.label, item.text, item.view_id) for item in desk.context.evidence]
    assert kept == [("sign", None, "view1"), ("sign", "STOP", "view2"), ("door", None, "view4")]
    assert len(desk.context.views) == 6  # it is shown each time


@pytest.mark.parametrize("tool", ["zoom", "crop"])
def test_a_box_of_one_pixel_becomes_a_view_and_the_model_is_told(coded_path: Path, tool: str) -> None:
    desk = Desk(coded_path)
    extra = {"label": "dot"} if tool == "crop" else {}
    result, (view,) = desk.use(tool, bbox_2d=[100, 100, 100.25, 100.25], **extra)
    assert view.frame.box == Box(397, 397, 405, 405)
    assert view.image.size == (32, 32)
    assert "too thin" in result.text
    assert "8x8" in result.text


@pytest.mark.parametrize("tool", ["zoom", "crop"])
def test_a_hair_of_a_box_is_widened_to_the_accepted_shape(coded_path: Path, tool: str) -> None:
    desk = Desk(coded_path)
    extra = {"label": "line"} if tool == "crop" else {}
    result, (view,) = desk.use(tool, bbox_2d=[0, 300, 800, 300.5], **extra)  # 3200 x 2 original pixels
    assert view.frame.box == Box(0, 1185, 3200, 1217)
    assert "grown to 3200x32" in result.text


@pytest.mark.parametrize("size", [(3, 2000), (6000, 20), (1, 1), (1, 5000), (20_000, 1)])
def test_extreme_images_give_views_that_any_policy_accepts(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    desk = Desk(Image.fromarray(pixels))
    views = [desk.overview]
    corner = [*desk.overview.image.size]
    for tool, extra in (("zoom", {}), ("crop", {"label": "all"})):
        views.append(desk.see(tool, bbox_2d=[0, 0, *corner], **extra))
        views.append(desk.see(tool, bbox_2d=[0, 0, corner[0] / 2, corner[1] / 9], **extra))
    for view in views:
        assert min(view.image.size) >= 32
        assert max(view.image.size) <= 100 * min(view.image.size)


def test_a_refused_crop_is_no_evidence(coded_path: Path) -> None:
    desk = Desk(coded_path)
    for arguments in ({"bbox_2d": [9, 9, 5, 5], "label": "x"}, {"bbox_2d": [0, 0, 9, 9]}, {"label": "x"}):
        result, views = desk.use("crop", **arguments)
        assert (result.error, views) == ("tool_arguments", ())
    assert desk.context.evidence == []
    assert list(desk.context.views) == ["overview"]


@pytest.mark.parametrize(
    ("reply", "verdict", "words"),
    [
        (answer("Stop"), "supported", "'Stop'"),
        (answer("YIELD"), "unsupported", "'YIELD'"),
        ("<abstain>nothing to see</abstain>", "insufficient", "not enough"),
        ("I don't know", "insufficient", "not enough"),
        ('<tool_call>{"name": "zoom", "arguments": {}}</tool_call>', "insufficient", "not enough"),
    ],
)
def test_verify_compares_with_the_answer_from_the_crops(coded_path: Path, reply: str, verdict: str, words: str) -> None:
    desk = Desk(coded_path, [reply])
    desk.use("crop", bbox_2d=[0, 0, 50, 50], label="sign")
    result, views = desk.use("verify", answer="STOP")
    assert (result.error, views) == (None, ())
    assert result.text.startswith(f"{verdict}.")
    assert words in result.text
    assert [check.verdict.value for check in desk.context.verifications] == [verdict]


def test_the_check_that_was_made_last_counts(coded_path: Path) -> None:
    desk = Desk(coded_path, [answer("STOP")] * 2)
    desk.use("crop", bbox_2d=[0, 0, 50, 50], label="sign")
    assert made_check(desk.context, "STOP") is None
    desk.use("verify", answer="YIELD")
    desk.use("verify", answer="STOP")
    assert made_check(desk.context, "YIELD") is None  # the policy has changed its mind since
    check = made_check(desk.context, "STOP")
    assert check is not None
    assert check.verdict == "supported"


def test_verify_without_evidence_does_not_ask(coded_path: Path) -> None:
    result, _ = Desk(coded_path).use("verify", answer="STOP")  # an empty script: asking would fail
    assert result.text.startswith("insufficient.")


def test_verify_shows_the_crops_and_the_question_and_nothing_else(coded_path: Path) -> None:
    heard: list[Sequence[Message]] = []

    def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        heard.append(messages)
        assert not tools
        return answer("STOP")

    desk = Desk(coded_path, speak)
    desk.use("zoom", bbox_2d=[0, 0, 100, 100])
    desk.use("crop", bbox_2d=[0, 0, 50, 50], label="LABEL-ONE", text="TEXT-ONE")
    desk.use("crop", bbox_2d=[100, 0, 150, 50], label="LABEL-TWO")
    desk.use("verify", answer="SECRET")
    (conversation,) = heard
    assert [view for message in conversation for view in message.views] == desk.context.evidence_views
    text = "\n".join(message.text for message in conversation)
    assert "what does the sign say?" in text
    assert not any(word in text for word in ("LABEL", "TEXT-ONE", "SECRET"))
