"""Tools that raise, hang, return garbage or huge pictures: the model is told, the bug is named, the episode goes on."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conftest import answer, tool_call
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hart_agent import (
    Agent,
    Box,
    CoordinateProfile,
    CoordinateSpace,
    ScriptedPolicy,
    ToolContext,
    ToolOutput,
    ViewBudget,
)
from hart_agent.agent.trajectory import Trajectory
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.records import Evidence, ToolResult
from hart_agent.tooling.standalone import open_context, original_pixels
from hart_agent.vision.source import SourceImage, View

PICTURE = Image.new("RGB", (400, 300), "teal")
PROFILE = CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=100_000, grid=4))


class Rogue:
    """A tool that does what the test wants."""

    name = "rogue"
    description = "Does anything."
    parameters = {"type": "object", "properties": {}}

    def __init__(self, run: Callable[[ToolContext], Any], timeout: float | None = None) -> None:
        self._run = run
        self.timeout = timeout

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        return self._run(context)


def meet(tool: Any) -> tuple[ToolResult, Trajectory, list[Sequence[Message]]]:
    """An episode that calls the tool, then crops, then answers: the tool's result, the trajectory, what was sent."""
    sent: list[Sequence[Message]] = []
    script = iter([tool_call("rogue"), tool_call("crop", bbox_2d=[0, 0, 50, 50], label="x"), answer("fine")])

    def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        sent.append(list(messages))
        return next(script)

    agent = Agent(ScriptedPolicy(speak, PROFILE), tools=[*discover_tools(), tool], verify=False)
    trajectory = agent.ask(PICTURE, "what?")
    return trajectory.turns[0].results[0], trajectory, sent


def box(context: ToolContext) -> Box:
    return context.image.size.box


def forged(context: ToolContext) -> View:
    return View("view1", "rogue", Image.new("RGB", (5000, 5000)), context.views["overview"].frame)


def raises(error: BaseException) -> Callable[[ToolContext], Any]:
    def run(context: ToolContext) -> Any:
        raise error

    return run


def exits_later(context: ToolContext) -> Any:
    async def leave() -> str:
        raise SystemExit(4)

    return leave()


def waits_for_what_was_cancelled(context: ToolContext) -> Any:
    async def wait() -> str:
        helper = asyncio.ensure_future(asyncio.sleep(10, "late"))
        helper.cancel()
        return await helper

    return wait()


def commits_then_raises(context: ToolContext) -> Any:
    view = context.render(box(context), "rogue")
    context.evidence.append(Evidence(view.frame.box, "never", None, view.id))
    raise ValueError("after all")


BUGS: dict[str, tuple[Callable[[ToolContext], Any], str]] = {
    "raises": (raises(ValueError("odd")), "ValueError: odd"),
    "raises after committing": (commits_then_raises, "ValueError: after all"),
    "leaves the program": (raises(SystemExit(3)), "SystemExit"),
    "leaves the program, async": (exits_later, "SystemExit"),
    "is cancelled": (raises(asyncio.CancelledError()), "CancelledError"),
    "is cancelled, async": (waits_for_what_was_cancelled, "CancelledError"),
    "returns None": (lambda _: None, "NoneType"),
    "returns a lambda": (lambda _: lambda: "x", "function"),
    "returns a picture": (lambda _: PICTURE, "Image"),
    "returns a class": (lambda _: ToolOutput, "type"),
    "words that are none": (lambda _: ToolOutput(7), "int"),  # type: ignore[arg-type]
    "views that are none": (lambda _: ToolOutput("x", (PICTURE,)), "no view of this episode"),  # type: ignore[arg-type]
    "views that are no tuple": (lambda _: ToolOutput("x", 7), "TypeError"),  # type: ignore[arg-type]
    "a view made elsewhere": (lambda context: ToolOutput("x", (forged(context),)), "no view of this episode"),
    "evidence without a view": (
        lambda context: context.evidence.append(Evidence(box(context), "x", None, "view9")) or "x", "no evidence with",
    ),
    "evidence that is none": (lambda context: context.evidence.append("proof") or "x", "no evidence with"),  # type: ignore[func-returns-value]
    "a view of pixels that are none": (lambda context: context.add_view("rogue", b"pixels", box(context)), "bytes"),
    "a view in grey": (lambda context: context.add_view("rogue", PICTURE.convert("L"), box(context)), "mode L"),
    "a view from beyond": (lambda context: context.add_view("rogue", PICTURE, Box(0, 0, 900, 900)), "beyond"),
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_named_and_the_episode_goes_on(name: str, caplog: pytest.LogCaptureFixture) -> None:
    run, words = BUGS[name]
    with caplog.at_level(logging.ERROR):
        result, trajectory, _ = meet(Rogue(run))
    assert result.error == "tool_bug"
    assert words in result.text
    assert "'rogue'" in result.text
    assert "'rogue'" in caplog.text  # for the user, with the trace back
    assert (trajectory.answer, [item.label for item in trajectory.evidence]) == ("fine", ["x"])
    assert trajectory.evidence[0].view_id == "view1"  # what the tool had begun left no trace


def test_a_tool_that_hangs_is_given_up_and_what_it_does_later_counts_for_nothing() -> None:
    released, done = threading.Event(), threading.Event()

    def run(context: ToolContext) -> str:
        released.wait(30)
        view = context.render(box(context), "rogue")
        context.evidence.append(Evidence(view.frame.box, "late", None, view.id))
        done.set()
        return "late"

    started = time.perf_counter()
    replies = iter([tool_call("rogue"), tool_call("crop", bbox_2d=[0, 0, 50, 50], label="x"), answer("fine")])

    def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        if len(messages) > 2:  # the tool was given up; now it goes on, before the next call
            released.set()
            assert done.wait(10)
        return next(replies)

    agent = Agent(ScriptedPolicy(speak, PROFILE), tools=[*discover_tools(), Rogue(run, timeout=0.1)], verify=False)
    trajectory = agent.ask(PICTURE, "what?")
    result = trajectory.turns[0].results[0]
    assert (result.error, "within 0.1 seconds" in result.text) == ("tool_timeout", True)
    assert time.perf_counter() - started < 15
    assert [(item.label, item.view_id) for item in trajectory.evidence] == [("x", "view1")]


async def test_an_episode_that_is_cancelled_ends_at_once() -> None:
    async def wait(context: ToolContext) -> str:
        await asyncio.sleep(30)
        return "late"

    agent = Agent(ScriptedPolicy([tool_call("rogue")], PROFILE), tools=[Rogue(wait)], verify=False)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await agent.aask(PICTURE, "what?")


@pytest.mark.long
def test_a_picture_of_300_megapixels_reaches_no_policy() -> None:
    huge = Image.new("RGB", (20_000, 15_000))
    result, trajectory, sent = meet(
        Rogue(lambda context: ToolOutput("big", (context.add_view("rogue", huge, box(context)),)))
    )
    assert result.error is None
    assert trajectory.answer == "fine"
    views = [view for messages in sent for message in messages for view in message.views]
    assert {view.kind for view in views} == {"overview", "rogue", "crop"}
    for view in views:
        assert view.image.size == (view.frame.size.width, view.frame.size.height)
        assert view.frame.size.area <= PROFILE.budget.max_pixels
        assert view.frame.size.width % 4 == view.frame.size.height % 4 == 0
    (shown,) = [view for view in sent[1][-1].views if view.kind == "rogue"]
    assert shown.frame.box == PICTURE_BOX


PICTURE_BOX = Box(0, 0, 400, 300)


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([1, 14, 28, 32]), st.integers(40_000, 2_000_000))
def test_whatever_the_size_of_its_pixels_a_view_fits_the_budget(width: int, height: int, grid: int, most: int) -> None:
    budget = ViewBudget(max_pixels=most, grid=grid)
    policy = ScriptedPolicy([], CoordinateProfile(CoordinateSpace.PIXEL, budget))
    context = ToolContext(SourceImage(PICTURE), "what?", policy)
    view = context.add_view("rogue", Image.new("RGB", (width, height)), PICTURE_BOX)
    size = view.frame.size
    assert view.image.size == (size.width, size.height)
    assert size.area <= most
    assert size.width % grid == size.height % grid == 0
    assert max(view.image.size) <= budget.max_aspect * min(view.image.size) + grid
    if width * height <= most and grid == 1 and max(width, height) <= 100 * min(width, height):
        assert view.image.size == (width, height)


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_in_original_pixels_the_overview_is_the_original(width: int, height: int) -> None:
    """So that a person's box, in pixels of the original, is one on the overview."""
    source = SourceImage(Image.new("RGB", (width, height)))
    view = open_context(source, original_pixels(source)).views["overview"]
    assert view.image.size == (width, height)
