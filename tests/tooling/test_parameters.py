"""Arguments that pass as plain are right by the library's judgement, and in the form that the tool asks for."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hart_agent.tooling.arguments import normalise
from hart_agent.tooling.discovery import all_tools
from hart_agent.tooling.parameters import Parameters
from hart_agent.tooling.protocol import BOX_SCHEMA, VIEW_SCHEMA

NAMES = st.sampled_from(["a", "b", "bbox_2d"])
KINDS = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
TEXTS = st.sampled_from(["", "a", "1", "null", "[1, 2, 3, 4]"])
NUMBERS = st.integers(-3, 5) | st.sampled_from([0.0, 1.0, 2.5, float("inf"), float("nan"), 10**400])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS | st.lists(NUMBERS, min_size=4, max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=5,
)
KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": KINDS | st.lists(KINDS, min_size=1, max_size=3, unique=True),
    "enum": st.lists(SCALARS, max_size=4),
    "minimum": st.integers(-2, 3),
    "maximum": st.integers(0, 4),
    "exclusiveMinimum": st.integers(0, 2),
    "exclusiveMaximum": st.integers(0, 2),
    "minLength": st.integers(0, 2),
    "maxLength": st.integers(0, 2),
    "minItems": st.integers(0, 5),
    "maxItems": st.integers(0, 5),
    "format": st.sampled_from(["bbox", "view", "date"]),
    "default": SCALARS,
    "const": SCALARS,
    "description": TEXTS,
    "not": st.just({"type": "integer"}),
    "pattern": st.just("^a"),
}
PLAIN = st.sampled_from([{"type": "integer"}, {"type": ["number", "null"]}, BOX_SCHEMA, VIEW_SCHEMA])
MEMBERS = st.recursive(
    st.booleans() | PLAIN | st.fixed_dictionaries({}, optional=KEYWORDS),
    lambda inner: st.fixed_dictionaries({"items": inner}, optional=KEYWORDS),
    max_leaves=2,
)
SCHEMAS = st.fixed_dictionaries(
    {"type": st.just("object") | st.just(["object", "null"]), "properties": st.dictionaries(NAMES, MEMBERS)},
    optional={
        "required": st.lists(NAMES, unique=True, max_size=2),
        "additionalProperties": st.booleans() | st.just({"type": "integer"}),
        "description": TEXTS,
        "minProperties": st.integers(0, 2),
        "patternProperties": st.just({"a": {"type": "string"}}),
    },
)


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=5))
def test_what_passes_as_plain_fits_and_needs_no_change(schema: dict[str, Any], calls: list[dict[str, Any]]) -> None:
    validator, parameters = jsonschema.Draft202012Validator(schema), Parameters(schema)
    for arguments in calls:
        if parameters.plainly_fit(arguments):
            assert validator.is_valid(arguments)
            assert normalise(arguments, validator) == (arguments, [])


def members(**properties: Any) -> Parameters:
    return Parameters({"type": "object", "properties": properties, "required": ["n"], "additionalProperties": False})


@pytest.mark.parametrize(
    ("member", "plain", "others"),
    [
        ({"type": "integer"}, [0, -7], [1.0, True, "1", None]),
        ({"type": "number", "minimum": 2}, [2, 2.5], [1, "3", None]),
        ({"type": ["string", "null"]}, ["", None], [1]),
        ({"type": "string", "enum": ["x", "y"], "maxLength": 3}, ["x"], ["z", 1]),
        ({"type": ["boolean", "integer", "null"], "enum": [1, None]}, [None], [1, True]),
        ({"type": ["number", "null"], "exclusiveMinimum": 0}, [0.5, None], [0, "1"]),
        (BOX_SCHEMA, [[1, 2, 3.5, 4]], [[1, 2, 3], [1, 2, 3, "4"], "1 2 3 4", {"x0": 1}]),
        ({"type": "array", "items": BOX_SCHEMA}, [[], [[1, 2, 3, 4]]], [[1, 2, 3, 4], [[1]]]),
        ({"type": "array", "items": {"type": "array", "format": "bbox"}}, [[[1, 2, 3, 4]]], [[[1, 2], [3, 4]]]),
        ({"type": "array", "items": {"type": "string"}}, [], [["a"]]),  # the tool's own, which it may change
    ],
    ids=str,
)
def test_which_values_are_plain(member: dict[str, Any], plain: list[Any], others: list[Any]) -> None:
    parameters = members(n=member)
    assert [value for value in plain + others if parameters.plainly_fit({"n": value})] == plain
    assert not parameters.plainly_fit({})  # `n` is required
    assert not parameters.plainly_fit({"n": plain[0] if plain else others[0], "m": 1})


def test_the_usual_calls_of_the_installed_tools_are_plain() -> None:
    tools = {tool.name: Parameters(tool.parameters) for tool in all_tools()}
    box = [100, 200, 300, 400]
    assert tools["zoom"].plainly_fit({"bbox_2d": box})
    assert tools["zoom"].plainly_fit({"bbox_2d": box, "image": "view1"})
    assert tools["crop"].plainly_fit({"bbox_2d": box, "label": "a sign"})


def test_where_boxes_and_views_are() -> None:
    boxes = {"type": "array", "items": BOX_SCHEMA}
    found = members(n=VIEW_SCHEMA, all=boxes, one=BOX_SCHEMA, other={"type": "string"}, anything=True)
    assert (found.views, found.boxes) == (["n"], [("all", True), ("one", False)])
