"""Where the runtime draws its lines: which tools may be called, what is told of a view, how long it is patient."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from test_runtime import Probe

from hart_agent import ScriptedPolicy, ToolContext, ToolError, ToolOutput, ToolRuntime
from hart_agent.dialogue.messages import ToolCall
from hart_agent.tooling import runtime as module
from hart_agent.tooling.records import ToolResult
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import SourceImage


@pytest.fixture
def context() -> ToolContext:
    made = ToolContext(SourceImage(Image.new("RGB", (2000, 1000))), "what?", ScriptedPolicy([]))
    made.add_view("overview", Image.new("RGB", (1000, 500)), Box(0, 0, 2000, 1000))
    return made


def called(runtime: ToolRuntime, context: ToolContext, name: str = "probe") -> ToolResult:
    return asyncio.run(runtime.execute(ToolCall("call1", name, {"count": 1}, ""), context))[0]


def named(name: str) -> Probe:
    tool = Probe()
    tool.name = name
    return tool


def test_only_the_named_tools_may_be_called_and_the_whole_set_stays(context: ToolContext) -> None:
    whole = ToolRuntime([named("look"), named("probe")])
    one, none = whole.only({"probe", "unheard of"}), whole.only(())
    assert [[spec.name for spec in each.specs] for each in (whole, one, none)] == [["look", "probe"], ["probe"], []]
    assert called(one, context).text == "done"
    assert called(one, context, "look").text == "Error: there is no tool 'look'; the tools are probe."
    assert called(none, context, "look").text.startswith("Error: no tool may be called now, not even 'look'. ")
    assert called(none, context, "look").error == "unknown_tool"
    assert called(whole, context, "look").text == "done"


@pytest.mark.parametrize("pointable", [True, False])
def test_on_which_view_no_box_can_be_given_is_said(context: ToolContext, pointable: bool) -> None:
    def show(context: ToolContext, arguments: dict[str, Any]) -> ToolOutput:
        view = context.add_view("probe", Image.new("RGB", (100, 50)), Box(0, 0, 200, 100), pointable=pointable)
        return ToolOutput("shown", views=(view,))

    note = "No box can be given on view1: point on the image from which it was made. "
    assert called(ToolRuntime([Probe(show)]), context).text == ("" if pointable else note) + "shown"


@pytest.mark.parametrize(("width", "stretched"), [(100, False), (160, False), (161, True), (230, True)])
def test_a_view_that_is_shown_stretched_is_said_to_be(context: ToolContext, width: int, stretched: bool) -> None:
    """100 x 100 pixels of the original are shown as `width` x 100."""

    def show(context: ToolContext, arguments: dict[str, Any]) -> ToolOutput:
        return ToolOutput("shown", (context.add_view("probe", Image.new("RGB", (width, 100)), Box(0, 0, 100, 100)),))

    note = "view1 is shown stretched: the photo is too thin there to be shown in its true shape. "
    assert called(ToolRuntime([Probe(show)]), context).text == note * stretched + "shown"


@pytest.mark.parametrize(("length", "kept"), [(1000, "x" * 1000), (1001, "x" * 1000 + " [...]")])
def test_of_a_long_error_the_model_is_told_the_beginning(context: ToolContext, length: int, kept: str) -> None:
    def fail(context: ToolContext, arguments: dict[str, Any]) -> str:
        raise ToolError("x" * length)

    assert called(ToolRuntime([Probe(fail)]), context).text == f"Error: {kept}".rstrip(".") + "."


def test_what_a_tool_should_have_returned_is_said(context: ToolContext, caplog: pytest.LogCaptureFixture) -> None:
    for returned, words in (
        (None, "run returned NoneType; expected a str or a ToolOutput"),
        (ToolOutput(b"x"), "the text of the ToolOutput is a bytes; expected a str"),  # type: ignore[arg-type]
    ):
        assert words in called(ToolRuntime([Probe(lambda *_, given=returned: given)]), context).text


def test_a_call_has_a_minute_by_default_as_the_docs_say() -> None:
    assert inspect.signature(type(ToolRuntime([]))).parameters["timeout"].default == 60


def test_the_loop_stands_still_only_for_a_tool_that_was_quick(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop waits on the spot for a tool whose last call took less than a millisecond, and for no other."""
    now, patiences = [0.0], []

    async def on_the_spot(function: Callable[[], Any], *, patience: float) -> Any:
        patiences.append(patience)
        return function()

    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module, "in_thread", on_the_spot)
    times = iter([0.0009, 0.0009, 0.0011, 0.9, 0.0001, 0.0009])

    def takes(context: ToolContext, arguments: dict[str, Any]) -> str:
        now[0] += next(times)
        return "done"

    def hangs(context: ToolContext, arguments: dict[str, Any]) -> str:
        raise KeyError("before it was known to be quick")

    tool = Probe(takes)
    runtime = ToolRuntime([tool])
    seconds = [called(runtime, context).seconds for _ in range(6)]
    assert seconds == pytest.approx([0.0009, 0.0009, 0.0011, 0.9, 0.0001, 0.0009])
    assert patiences == [0, 0.002, 0.002, 0, 0, 0.002]
    tool._run = hangs
    called(runtime, context)
    called(runtime, context)
    assert patiences[6:] == [0.002, 0]
