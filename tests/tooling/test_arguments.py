"""Arguments as models write them, in the form that a schema asks for."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hart_agent import Box, ScriptedPolicy, ToolContext, ToolRuntime
from hart_agent.dialogue.messages import ToolCall
from hart_agent.tooling.arguments import normalise
from hart_agent.tooling.decorator import Keywords, tool
from hart_agent.tooling.protocol import BOX_SCHEMA
from hart_agent.vision.source import SourceImage

SCHEMA: dict[str, Any] = {
    "type": "object",
    "$defs": {"level": {"type": "integer"}},
    "properties": {
        "bbox_2d": BOX_SCHEMA,
        "boxes": {"type": "array", "items": BOX_SCHEMA},
        "count": {"type": "integer", "minimum": 1},
        "share": {"type": ["number", "null"]},
        "label": {"type": "string"},
        "either": {"type": ["string", "integer"]},
        "deep": {"type": "boolean"},
        "words": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "options": {
            "type": "object",
            "properties": {"size": {"type": "number"}, "name": {"type": "string"}},
            "additionalProperties": False,
        },
        "mode": {"enum": ["fast", "7"]},
        "level": {"$ref": "#/$defs/level"},
        "anything": True,
    },
    "required": ["bbox_2d"],
    "additionalProperties": False,
}
BOX = {"bbox_2d": [1, 2, 3, 4]}


def normalised(arguments: dict[str, Any], schema: dict[str, Any] = SCHEMA) -> tuple[dict[str, Any], list[str]]:
    return normalise(arguments, jsonschema.Draft202012Validator(schema))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"count": None}, {}),  # null for what may be left out
        ({"label": None, "options": None, "boxes": None}, {}),
        ({"share": None}, {"share": None}),  # here null is a value
        ({"options": {"size": None, "name": "x"}}, {"options": {"name": "x"}}),
        ({"count": "3"}, {"count": 3}),
        ({"count": "3.0"}, {"count": 3.0}),
        ({"count": "three"}, {"count": "three"}),
        ({"share": "0.5"}, {"share": 0.5}),
        ({"share": "-2e-1"}, {"share": -0.2}),
        ({"share": "NaN"}, {"share": "NaN"}),
        ({"share": "1e999"}, {"share": "1e999"}),
        ({"share": "true"}, {"share": "true"}),
        ({"deep": "true"}, {"deep": True}),
        ({"label": "7"}, {"label": "7"}),  # a text is what is asked for
        ({"label": 7}, {"label": 7}),
        ({"either": "7"}, {"either": "7"}),
        ({"mode": "7"}, {"mode": "7"}),
        ({"level": "7"}, {"level": "7"}),
        ({"anything": "7"}, {"anything": "7"}),
        ({"words": '["a", "b"]'}, {"words": ["a", "b"]}),
        ({"words": "a, b"}, {"words": "a, b"}),
        ({"words": '{"a": 1}'}, {"words": '{"a": 1}'}),
        ({"rows": [["1", 2], "[3]"]}, {"rows": [[1, 2], [3]]}),
        ({"options": '{"size": "4", "name": "5"}'}, {"options": {"size": 4, "name": "5"}}),
        ({"boxes": "[[1, 2, 3, 4]]"}, {"boxes": [[1, 2, 3, 4]]}),
        ({"bbox_2d": "1, 2, 3, 4"}, {}),
    ],
)
def test_what_leaves_no_doubt_is_read(written: dict[str, Any], read: dict[str, Any]) -> None:
    before = json.dumps(written)
    arguments, notes = normalised(BOX | written)
    assert arguments == BOX | read
    assert all(type(arguments[name]) is type(value) for name, value in read.items())
    assert not notes
    assert json.dumps(written) == before


def test_what_the_tool_does_not_know_is_ignored_and_named() -> None:
    arguments, notes = normalised(BOX | {"img_idx": 0, "options": {"size": 1, "colour": "red"}})
    assert arguments == BOX | {"options": {"size": 1}}
    assert notes == ["Ignored, because the tool does not take it: img_idx, options.colour."]
    _, (note,) = normalised(BOX | {"x" * 90_000: 1})
    assert len(note) < 300


@pytest.mark.parametrize("extra", [{"additionalProperties": True}, {"additionalProperties": {"type": "integer"}}, {}])
def test_a_tool_that_wants_further_arguments_gets_them(extra: dict[str, Any]) -> None:
    schema = {name: value for name, value in SCHEMA.items() if name != "additionalProperties"} | extra
    assert normalised(BOX | {"colour": 7}, schema) == (BOX | {"colour": 7}, [])


def test_null_for_what_must_be_there_is_refused_by_the_schema() -> None:
    arguments, _ = normalised({"bbox_2d": None})
    assert arguments == {"bbox_2d": None}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 2000)
    | st.floats(-9, 9)
    | st.sampled_from(["3", "[1,2,3,4]", "null", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["size", "name", "x0", "bbox"]), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([*SCHEMA["properties"], "bbox", "box", "x0", "y0", "x1", "y1", "other"]),
        JSON | JSON.map(json.dumps),
        max_size=6,
    )
)
def test_normalised_arguments_are_left_as_they_are(arguments: dict[str, Any]) -> None:
    once, _ = normalised(arguments)
    assert normalised(once) == (once, [])


@given(st.fixed_dictionaries({"bbox_2d": st.lists(st.integers(0, 99), min_size=4, max_size=4)}), JSON)
def test_arguments_that_fit_the_schema_are_left_as_they_are(box: dict[str, Any], value: Any) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for name in SCHEMA["properties"]:
        arguments = box | {name: value}
        if validator.is_valid(arguments):
            assert normalise(arguments, validator)[0] == arguments


@tool
def measure(bbox_2d: Box, count: Annotated[int, Keywords(minimum=2)], label: str, deep: bool = False) -> str:
    """Measure.

    Args:
        count: how often
        label: what
        deep: whether
    """
    return f"{bbox_2d} {count} {label} {deep}"


GOOD: dict[str, Any] = {"bbox_2d": [0, 0, 100, 50], "count": 3, "label": "x"}


def call(arguments: dict[str, Any]) -> tuple[str | None, str]:
    context = ToolContext(SourceImage(Image.new("RGB", (200, 100))), "what?", ScriptedPolicy([]))
    context.render(context.image.size.box, "overview")
    result, _ = asyncio.run(ToolRuntime([measure]).execute(ToolCall("call1", "measure", arguments, ""), context))
    return result.error, result.text


def test_a_call_with_all_of_it_reaches_the_tool() -> None:
    written = {"box": ["0", "0", "100", "50"], "count": "3", "label": "x", "deep": None, "img_idx": 1}
    assert call(written) == (None, "Ignored, because the tool does not take it: img_idx. [0, 0, 100, 50] 3 x False")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": "many"}, ["measure: count:", "integer", '"count": 2']),
        ({"count": 1}, ["measure: count:", "minimum", '"count": 2']),
        ({"label": 5}, ["measure: label:", "string", '"label": "..."']),
        ({"deep": "maybe"}, ["measure: deep:", "boolean", '"deep": false']),
        ({"label": None}, ["measure: label:", "string"]),
        ({"bbox_2d": "there"}, ["measure: bbox_2d:", "such as [24, 25, 96, 60]"]),
        ({"bbox_2d": [9, 9, 1, 1]}, ["measure: bbox_2d:", "inverted", "such as [24, 25, 96, 60]"]),
    ],
)
def test_errors_name_the_argument_and_show_the_form_that_works(change: dict[str, Any], words: list[str]) -> None:
    error, text = call(GOOD | change)
    assert error == "tool_arguments"
    assert all(word in text for word in words), text


def test_a_missing_argument_is_answered_with_a_whole_call() -> None:
    error, text = call({"bbox_2d": [0, 0, 9, 9], "label": "x"})
    assert error == "tool_arguments"
    assert "'count' is a required property" in text
    assert '"count": 2, "label": "..."' in text
