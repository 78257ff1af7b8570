"""Schemas that are recognised without the library are schemas by the library's own judgement."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hart_agent.tooling.discovery import all_tools
from hart_agent.tooling.validating import is_plain, problem_of

WORDS = ["type", "description", "format", "default", "enum", "minimum", "maximum", "items", "minItems", "maxItems"]
WORDS += ["minLength", "exclusiveMinimum", "properties", "required", "additionalProperties", "anyOf", "pattern"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False),
    st.sampled_from(["string", "array", "x", ["string", "null"], ["null", "null"], []]),
)
NAMES = st.sampled_from(["name", "bbox_2d", "type"])
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.dictionaries(
        st.sampled_from(WORDS),
        LEAVES | st.lists(NAMES, max_size=2) | st.dictionaries(NAMES, SCHEMAS) | SCHEMAS,
        max_size=3,
    )
)


@settings(max_examples=200, deadline=None)
@given(SCHEMAS)
def test_what_passes_as_plain_is_a_schema(schema: dict[str, Any]) -> None:
    if is_plain(schema):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schemas_of_the_installed_tools_are_plain() -> None:
    assert all(is_plain(tool.parameters) for tool in all_tools())


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "text"},
        {"type": ["null", "null"]},
        {"type": []},
        {"type": "object", "properties": {"n": {"minimum": "1"}}},
        {"type": "object", "required": ["n", "n"]},
        {"type": "array", "items": {"minItems": -1}},
        {"type": "array", "maxItems": True},
    ],
    ids=str,
)
def test_what_is_no_schema_is_named(schema: dict[str, Any]) -> None:
    assert problem_of(schema)
