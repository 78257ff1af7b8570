"""Tools from typed functions: the schema that a model sees, and the values that the function gets."""

from __future__ import annotations

import asyncio
import enum
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hart_agent import Agent, Box, ScriptedPolicy, ToolContext, ToolOutput, ToolRuntime, View
from hart_agent.dialogue.messages import ToolCall
from hart_agent.errors import ToolArgumentsError
from hart_agent.tooling.decorator import FunctionTool, Keywords, tool
from hart_agent.tooling.protocol import BOX_SCHEMA, VIEW_SCHEMA, Tool
from hart_agent.tooling.records import ToolResult
from hart_agent.vision.source import SourceImage


class Shade(enum.Enum):
    DARK = "dark"
    LIGHT = "light"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 3


@pytest.fixture
def context() -> ToolContext:
    """An image of 2000 x 1000 whose overview is 1000 x 500."""
    made = ToolContext(SourceImage(Image.new("RGB", (2000, 1000))), "what?", ScriptedPolicy([]))
    made.add_view("overview", Image.new("RGB", (1000, 500)), Box(0, 0, 2000, 1000))
    return made


def call(made: Any, context: ToolContext, timeout: float = 60, **arguments: Any) -> ToolResult:
    runtime = ToolRuntime([made], timeout=timeout)
    return asyncio.run(runtime.execute(ToolCall("call1", made.name, arguments, ""), context))[0]


def recorder(annotation: Any, *default: Any) -> tuple[FunctionTool, list[Any]]:
    """A tool with one parameter, and what it was called with."""
    seen: list[Any] = []

    def probe(value: Any = default[0] if default else None) -> str:
        """Probe.

        Args:
            value: to probe
        """
        seen.append(value)
        return "done"

    if not default:
        probe.__defaults__ = None
    probe.__annotations__["value"] = annotation
    return tool(probe), seen


def test_a_function_becomes_the_tool_that_one_would_write_by_hand() -> None:
    @tool
    def measure(
        context: ToolContext,
        bbox_2d: Box,
        unit: Literal["cm", "inch"],
        times: int = 2,
        image: View | None = None,
    ) -> str:
        """Measure a region,
        carefully.

        Second paragraph.

        Args:
            unit: of the result
            times: how often it is
                measured

        Returns:
            A sentence.
        """
        return ""

    assert isinstance(measure, Tool)
    assert measure.name == "measure"
    assert measure.description == "Measure a region, carefully. Second paragraph."
    assert measure.timeout is None
    assert measure.parameters == {
        "type": "object",
        "properties": {
            "bbox_2d": BOX_SCHEMA,
            "unit": {"type": "string", "enum": ["cm", "inch"], "description": "of the result"},
            "times": {"type": "integer", "description": "how often it is measured", "default": 2},
            "image": VIEW_SCHEMA | {"type": ["string", "null"]},
        },
        "required": ["bbox_2d", "unit"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (float, {"type": "number"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Sequence[str], {"type": "array", "items": {"type": "string"}}),
        (list[list[float]], {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (Mapping[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (int | None, {"type": ["integer", "null"]}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (int | str | None, {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}),
        (Literal["a", 2], {"type": ["integer", "string"], "enum": ["a", 2]}),
        (Literal["a"] | None, {"type": ["string", "null"], "enum": ["a", None]}),
        (Shade, {"type": "string", "enum": ["dark", "light"]}),
        (Level, {"type": "integer", "enum": [1, 3]}),
        (Annotated[int, Keywords(minimum=1), Keywords(maximum=9)], {"type": "integer", "minimum": 1, "maximum": 9}),
        (Annotated[int, Keywords(minimum=1)] | None, {"type": ["integer", "null"], "minimum": 1}),
        (list[Box], {"type": "array", "items": BOX_SCHEMA}),
    ],
)
def test_types_become_schemas(annotation: Any, schema: dict[str, Any]) -> None:
    made, _ = recorder(annotation)
    assert made.parameters["properties"]["value"] == schema | {"description": "to probe"}
    jsonschema.Draft202012Validator.check_schema(made.parameters)


@pytest.mark.parametrize(
    ("annotation", "written", "value"),
    [
        (int, 2.0, 2),
        (float, 3, 3.0),
        (Shade, "light", Shade.LIGHT),
        (Level | None, 3, Level.HIGH),
        (Level | None, None, None),
        (list[Shade], ["dark", "light"], [Shade.DARK, Shade.LIGHT]),
        (dict[str, Shade], {"a": "dark"}, {"a": Shade.DARK}),
        (Shade | int, "dark", Shade.DARK),
        (Shade | int, 7, 7),
        (Literal[True, 1], 1, 1),
        (Box, [100, 50, 300, 250], Box(200, 100, 600, 500)),
        (Box | None, [100, 50, 300, 250], Box(200, 100, 600, 500)),
        (Box | None, None, None),
        (list[Box], [[100, 50, 300, 250], [0, 0, 20, 20]], [Box(200, 100, 600, 500), Box(0, 0, 40, 40)]),
        (list[Box] | None, None, None),
    ],
)
def test_values_reach_the_function_as_it_annotates_them(
    context: ToolContext, annotation: Any, written: Any, value: Any
) -> None:
    made, seen = recorder(annotation)
    assert call(made, context, value=written).error is None
    assert seen == [value]
    assert type(seen[0]) is type(value)


@pytest.mark.parametrize(
    ("annotation", "written", "words"),
    [
        (int, True, "integer"),
        (int, 1.5, "integer"),
        (Shade, "grey", "grey"),
        (Annotated[int, Keywords(minimum=1)], 0, "minimum"),
        (float, float("nan"), "not finite"),
        (float, 10**400, "too large"),
        (list[Box], [[0, 0, 9, 9], [9, 9, 0, 0]], "inverted"),
        (list[Box], [[0, 0, 9]], "value.0"),
        (Box, [0, 0, 10**400, 9], "too large"),
        (Box, None, "not of type"),
    ],
)
def test_what_does_not_fit_is_told_with_the_argument_and_reaches_nobody(
    context: ToolContext, annotation: Any, written: Any, words: str
) -> None:
    made, seen = recorder(annotation)
    result = call(made, context, value=written)
    assert result.error == "tool_arguments"
    assert words in result.text
    assert not seen


def test_the_view_is_the_one_on_which_the_boxes_were_written(context: ToolContext) -> None:
    seen: list[Any] = []

    @tool
    def probe(bbox_2d: Box, image: View | None = None) -> str:
        """Probe."""
        seen.extend((bbox_2d, image))
        return "done"

    zoomed = context.add_view("zoom", Image.new("RGB", (800, 400)), Box(1000, 400, 1200, 500))
    call(probe, context, bbox_2d=[40, 80, 400, 240], image=zoomed.id)
    assert seen == [Box(1010, 420, 1100, 460), zoomed]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4))
def test_a_value_arrives_if_and_only_if_it_fits_the_schema(value: Any) -> None:
    made, seen = recorder(list[float] | str | None)
    context = ToolContext(SourceImage(Image.new("RGB", (20, 10))), "what?", ScriptedPolicy([]))
    context.render(Box(0, 0, 20, 10), "overview")
    fits = value is None or isinstance(value, str)
    if isinstance(value, list):
        numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in value)
        fits = numbers and all(item - item == 0 for item in value)  # finite
    assert (call(made, context, value=value).error is None) == fits == bool(seen)


def test_defaults_are_the_functions_own_and_are_told() -> None:
    for annotation, default, written in [
        (Shade, Shade.DARK, "dark"),
        (list[Shade], [Shade.LIGHT], ["light"]),
        (int, 3, 3),
    ]:
        made, _ = recorder(annotation, default)
        assert made.parameters["properties"]["value"]["default"] == written
        assert made.parameters["required"] == []
    made, _ = recorder(int | None, None)
    assert "default" not in made.parameters["properties"]["value"]


def test_names_descriptions_and_timeouts_can_be_given() -> None:
    @tool(name="look-up", description="Look it up.", timeout=2)
    def look() -> str:
        return "x"

    assert (look.name, look.description, look.timeout) == ("look-up", "Look it up.", 2)
    assert look() == "x"


async def test_async_functions_are_awaited_and_plain_ones_run_in_threads(context: ToolContext) -> None:
    @tool
    async def waits() -> str:
        """Wait."""
        await asyncio.sleep(0)
        return threading.current_thread().name

    @tool
    def works() -> str:
        """Work."""
        return threading.current_thread().name

    runtime = ToolRuntime([waits, works])
    results = [await runtime.execute(ToolCall("c", name, {}, ""), context) for name in ("waits", "works")]
    main = threading.current_thread().name
    assert [result.text == main for result, _ in results] == [True, False]


async def test_an_async_function_starts_no_thread_and_its_errors_are_told(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    @tool
    async def shade(shade: Shade) -> str:
        """Say a shade.

        Args:
            shade: to say
        """
        if shade is Shade.LIGHT:
            raise ToolArgumentsError("too light")
        return shade.name

    runtime = ToolRuntime([shade])
    monkeypatch.setattr(threading, "Thread", None)
    calls = [ToolCall("c", "shade", {"shade": word}, "") for word in ("dark", "light", "grey")]
    results = [(await runtime.execute(each, context))[0] for each in calls]
    assert [result.error for result in results] == [None, "tool_arguments", "tool_arguments"]
    assert (results[0].text, results[1].text) == ("DARK", "Error: too light.")


@pytest.mark.parametrize(("own", "agents"), [(0.1, 30), (None, 0.1)])
def test_a_tools_own_timeout_comes_before_the_agents(context: ToolContext, own: float | None, agents: float) -> None:
    released = threading.Event()

    @tool(timeout=own)
    def hangs() -> str:
        """Hang."""
        released.wait(20)
        return "late"

    started = time.perf_counter()
    result = call(hangs, context, timeout=agents)
    released.set()
    assert (result.error, "within 0.1 seconds" in result.text) == ("tool_timeout", True)
    assert time.perf_counter() - started < 10


def test_a_function_serves_an_episode() -> None:
    @tool
    def halve(context: ToolContext, bbox_2d: Box) -> ToolOutput:
        """Show the left half of a region."""
        half = Box(bbox_2d.x0, bbox_2d.y0, (bbox_2d.x0 + bbox_2d.x1) // 2, bbox_2d.y1)
        return ToolOutput("its left half", (context.render(half, "halve"),))

    replies = [
        '<tool_call>{"name": "halve", "arguments": {"bbox_2d": [0, 0, 100, 40]}}</tool_call>',
        "<answer>x</answer>",
    ]
    trajectory = Agent(ScriptedPolicy(replies), tools=[halve]).ask(Image.new("RGB", (200, 100)), "what?")
    (result,) = trajectory.turns[0].results
    assert trajectory.answer == "x"
    assert (result.error, result.views[0].frame.box) == (None, Box(0, 0, 50, 40))
