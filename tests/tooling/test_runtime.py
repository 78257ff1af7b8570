"""Running calls: what a tool is handed, and what the model is told when something is wrong."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hart_agent import Agent, ScriptedPolicy, ToolContext, ToolError, ToolOutput, ToolRuntime
from hart_agent.dialogue.messages import ToolCall
from hart_agent.errors import ConfigError, ImageError, PluginError, PolicyError
from hart_agent.tooling.protocol import BOX_SCHEMA, VIEW_SCHEMA
from hart_agent.tooling.records import ToolResult
from hart_agent.vision.geometry import Box, Frame, Size
from hart_agent.vision.source import SourceImage

Run = Callable[[ToolContext, dict[str, Any]], Any]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=5
)


class Probe:
    """A tool with a box, a view and a count, that does what the test wants and remembers what it was handed."""

    name = "probe"
    description = "probes"
    parameters = {
        "type": "object",
        "properties": {
            "bbox_2d": BOX_SCHEMA,
            "image": VIEW_SCHEMA,
            "count": {"type": "integer", "minimum": 1},
            "options": {"type": "object", "properties": {"deep": {"type": "string"}}},
        },
        "required": ["count"],
        "additionalProperties": False,
    }

    def __init__(self, run: Run = lambda context, arguments: "done") -> None:
        self.seen: dict[str, Any] = {}
        self._run = run

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        self.seen = arguments
        return self._run(context, arguments)


class AsyncProbe(Probe):
    async def run(self, context: ToolContext, arguments: dict[str, Any]) -> str:
        await asyncio.sleep(0)
        return f"awaited on {threading.current_thread().name}"


@pytest.fixture
def context() -> ToolContext:
    """An image of 2000 x 1000 whose overview is 1000 x 500."""
    made = ToolContext(SourceImage(Image.new("RGB", (2000, 1000))), "what?", ScriptedPolicy([]))
    made.add_view("overview", Image.new("RGB", (1000, 500)), Box(0, 0, 2000, 1000))
    return made


def execute(tool: Any, context: ToolContext, timeout: float = 60, name: str = "probe", **arguments: Any) -> ToolResult:
    runtime = ToolRuntime([tool], timeout=timeout)
    result, _ = asyncio.run(runtime.execute(ToolCall("call1", name, {"count": 1} | arguments, ""), context))
    return result


def test_an_unknown_tool_is_told_with_the_tools_there_are(context: ToolContext) -> None:
    result = execute(Probe(), context, name="enhance")
    assert result.error == "unknown_tool"
    assert all(name in result.text for name in ("enhance", "probe"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": "three"}, ["count", "integer"]),
        ({"count": 0}, ["count", "minimum"]),
        ({"bbox_2d": [1, 2, 3]}, ["bbox_2d", "short"]),
        ({"bbox_2d": [1, 2, 3, 4, 5]}, ["bbox_2d", "long"]),
        ({"bbox_2d": [1, 2, "three", 4]}, ["bbox_2d.2", "number"]),
        ({"bbox_2d": [True, False, True, True]}, ["bbox_2d", "number"]),
        ({"bbox_2d": "1,2,3"}, ["bbox_2d", "array"]),
        ({"bbox_2d": {"x": 1}}, ["bbox_2d", "array"]),
        ({"image": 1}, ["image", "string"]),
        ({"options": {"deep": 3}}, ["options.deep", "string"]),
        ({"image": "view7"}, ["view7", "overview"]),
        ({"bbox_2d": [900, 100, 800, 200]}, ["inverted"]),
        ({"bbox_2d": [5000, 100, 6000, 200]}, ["outside", "1000", "500"]),
    ],
)
def test_wrong_arguments_name_the_field(context: ToolContext, arguments: dict[str, Any], words: list[str]) -> None:
    tool = Probe()
    result = execute(tool, context, **arguments)
    assert result.error == "tool_arguments"
    assert all(word in result.text for word in words)
    assert not tool.seen


def test_a_missing_argument_is_named(context: ToolContext) -> None:
    result, _ = asyncio.run(ToolRuntime([Probe()]).execute(ToolCall("call1", "probe", {}, ""), context))
    assert result.error == "tool_arguments"
    assert "'count' is a required property" in result.text


def test_an_argument_that_the_tool_does_not_know_never_reaches_it(context: ToolContext) -> None:
    tool = Probe()
    result = execute(tool, context, colour="red")
    assert (result.error, tool.seen) == (None, {"count": 1})
    assert "colour" in result.text


def test_an_error_that_quotes_the_model_is_kept_short(context: ToolContext) -> None:
    for result in (execute(Probe(), context, count="x" * 90_000), execute(Probe(), context, name="y" * 90_000)):
        assert result.error
        assert len(result.text) < 2000


def test_boxes_reach_the_tool_in_original_pixels(context: ToolContext) -> None:
    tool = Probe()
    execute(tool, context, bbox_2d=[100, 50, 300, 250])
    assert tool.seen == {"count": 1, "bbox_2d": Box(200, 100, 600, 500)}


def test_boxes_on_a_zoomed_view_are_mapped_back_through_that_view(context: ToolContext) -> None:
    """The view shows columns 1000 to 1200, rows 400 to 500 at 4 view pixels to an original pixel."""
    zoomed = context.add_view("zoom", Image.new("RGB", (800, 400)), Box(1000, 400, 1200, 500))
    nested = context.add_view("zoom", Image.new("RGB", (500, 500)), Box(1010, 410, 1060, 460))
    tool = Probe()
    execute(tool, context, image=zoomed.id, bbox_2d=[40, 80, 400, 240])
    assert tool.seen["bbox_2d"] == Box(1010, 420, 1100, 460)
    assert tool.seen["image"] is zoomed
    execute(tool, context, image=nested.id, bbox_2d=[100, 100, 300, 205])
    assert tool.seen["bbox_2d"] == Box(1020, 420, 1040, 431)


def test_what_was_changed_about_a_box_comes_before_the_tools_words(context: ToolContext) -> None:
    result = execute(Probe(), context, bbox_2d=[-10, 0, 1, 1])
    assert result.error is None
    assert result.text.index("clipped") < result.text.index("grown") < result.text.index("done")


def test_the_recorded_call_keeps_what_the_model_wrote(context: ToolContext) -> None:
    result = execute(Probe(), context, bbox_2d=[100, 50, 300, 250], image="overview")
    assert result.call.arguments == {"count": 1, "bbox_2d": [100, 50, 300, 250], "image": "overview"}


def test_plain_functions_run_in_a_thread_and_coroutines_in_the_loop(context: ToolContext) -> None:
    main = threading.current_thread().name
    assert execute(Probe(lambda *_: threading.current_thread().name), context).text != main
    assert execute(AsyncProbe(), context).text == f"awaited on {main}"


def test_a_function_that_returns_an_awaitable_is_awaited(context: ToolContext) -> None:
    async def later() -> ToolOutput:
        return ToolOutput("later")

    def run(_: ToolContext, __: dict[str, Any]) -> Awaitable[ToolOutput]:
        return later()

    assert execute(Probe(run), context).text == "later"


def test_views_come_back_with_where_they_lie(context: ToolContext) -> None:
    def run(inner: ToolContext, _: dict[str, Any]) -> ToolOutput:
        return ToolOutput("see", (inner.add_view("probe", Image.new("RGB", (20, 10)), Box(4, 5, 44, 25)),))

    (view,) = execute(Probe(run), context).views
    assert (view.id, view.kind, view.frame) == ("view1", "probe", Frame(Box(4, 5, 44, 25), Size(20, 10)))


def raising(error: BaseException) -> Probe:
    def run(_: ToolContext, __: dict[str, Any]) -> str:
        raise error

    return Probe(run)


def test_a_tool_error_is_told_word_for_word(context: ToolContext) -> None:
    result = execute(raising(ToolError("no text in ../there... look elsewhere.")), context)
    assert (result.error, result.text) == ("tool_error", "Error: no text in ../there... look elsewhere.")


@pytest.mark.parametrize(
    "error", [ValueError("odd"), KeyError("odd"), StopIteration("odd"), SystemExit(3), TimeoutError("odd")]
)
def test_any_other_exception_is_a_bug_of_the_tool_and_named_as_such(context: ToolContext, error: BaseException) -> None:
    started = time.perf_counter()
    result = execute(raising(error), context, timeout=5)
    assert result.error == "tool_bug"
    assert type(error).__name__ in result.text
    assert "bug of the tool" in result.text
    assert time.perf_counter() - started < 3


@pytest.mark.parametrize("garbage", [None, 7, b"bytes", {"text": "x"}, ["x"]])
def test_garbage_from_a_tool_is_a_bug_of_the_tool(context: ToolContext, garbage: Any) -> None:
    result = execute(Probe(lambda *_: garbage), context)
    assert result.error == "tool_bug"
    assert type(garbage).__name__ in result.text


@pytest.mark.parametrize("error", [ImageError("damaged"), PolicyError("gone")])
def test_errors_of_the_image_and_the_policy_are_not_the_tools(context: ToolContext, error: Exception) -> None:
    with pytest.raises(type(error)):
        execute(raising(error), context)


def test_a_tool_that_hangs_is_given_up(context: ToolContext, tmp_path: Path) -> None:
    class Slow(Probe):
        async def run(self, context: ToolContext, arguments: dict[str, Any]) -> str:
            await asyncio.sleep(30)
            return "late"

    released, started = threading.Event(), time.perf_counter()
    try:
        for tool in (Slow(), Probe(lambda *_: str(released.wait(30)))):
            result = execute(tool, context, timeout=0.1)
            assert (result.error, "within 0.1 seconds" in result.text) == ("tool_timeout", True)
        replies = ['<tool_call>{"name": "probe", "arguments": {"count": 1}}</tool_call>', "<answer>x</answer>"]
        agent = Agent(ScriptedPolicy(replies), tools=[Probe(lambda *_: str(released.wait(30)))], tool_timeout=0.1)
        assert agent.ask(Image.new("RGB", (50, 50)), "what?").answer == "x"
        assert time.perf_counter() - started < 10  # nobody waits for the thread, not even the event loop's end
    finally:
        released.set()


def test_tools_that_can_not_be_used_are_refused_at_once() -> None:
    with pytest.raises(PluginError, match="two tools are named 'probe'"):
        ToolRuntime([Probe(), AsyncProbe()])
    broken = Probe()
    broken.parameters = {"type": "objekt"}
    with pytest.raises(PluginError, match="'probe' are not a JSON Schema"):
        ToolRuntime([broken])
    with pytest.raises(PluginError, match="lacks one of"):
        ToolRuntime([object()])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="positive"):
        ToolRuntime([Probe()], timeout=0)


@given(st.dictionaries(st.sampled_from(["bbox_2d", "image", "count", "x"]), ANYTHING))
def test_any_arguments_end_in_a_result(arguments: dict[str, Any]) -> None:
    context = ToolContext(SourceImage(Image.new("RGB", (200, 100))), "what?", ScriptedPolicy([]))
    context.render(Box(0, 0, 200, 100), "overview")
    call = ToolCall("call1", "probe", arguments, "")
    result, _ = asyncio.run(ToolRuntime([Probe()]).execute(call, context))
    assert result.error in {None, "tool_arguments"}
