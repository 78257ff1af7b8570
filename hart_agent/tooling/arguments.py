"""Arguments as models write them, in the form that a tool's schema asks for.

Only what leaves no doubt is changed: null for what may be left out, arguments that the tool doesn't know, JSON or
numbers written as texts, boxes in their usual shapes. Whatever else doesn't fit is for the schema to refuse.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from hart_agent.dialogue.text_values import json_types, typed_value
from hart_agent.tooling.box_shapes import named_box, read_box, read_boxes
from hart_agent.tooling.protocol import BOX_FORMAT
from hart_agent.tooling.validating import Validator, best_failure

_MAX_FOUND: Final = 300
"""Characters of what a schema finds wrong: it may quote the whole of what the model wrote."""

_MAX_LISTED: Final = 200
"""Characters of the names of arguments that were ignored."""


def schema_of(validator: Validator) -> Mapping[str, Any]:
    """The schema of a tool's parameters, which is an object."""
    assert isinstance(validator.schema, Mapping)
    return validator.schema


def is_box(schema: Any) -> bool:
    """Whether a schema is that of a box."""
    return isinstance(schema, Mapping) and schema.get("format") == BOX_FORMAT


def holds_boxes(schema: Any) -> bool:
    """Whether a schema is that of a list of boxes."""
    return isinstance(schema, Mapping) and is_box(schema.get("items"))


def schema_error(arguments: Mapping[str, Any], validator: Validator, box_form: Callable[[], str]) -> str | None:
    """What is wrong with normalised arguments, and what to write, in words for the model; None if they fit.

    Args:
        arguments: normalised.
        validator: of the tool's parameters.
        box_form: says how to write a box.
    """
    try:
        failure = best_failure(validator, arguments)
    except (ValueError, OverflowError):
        return "a number is far too large"
    if failure is None:
        return None
    place = ".".join(map(str, failure.absolute_path))
    found = failure.message if len(failure.message) <= _MAX_FOUND else f"{failure.message[:_MAX_FOUND]} [...]"
    schema = schema_of(validator)
    properties = schema.get("properties", {})
    if not place:
        required = {name: properties.get(name) for name in schema.get("required", [])}
        whole = json.dumps({name: example_of(member) for name, member in required.items()}, ensure_ascii=False)
        form = f"The arguments look like {whole}"
        return f"{found}. {form}. {box_form()}" if any(map(is_box, required.values())) else f"{found}. {form}"
    name = str(failure.absolute_path[0])
    member = properties.get(name)
    if is_box(member) or holds_boxes(member):
        return f"{place}: {found}. {box_form()}"
    return f'{place}: {found}. Write it such as "{name}": {json.dumps(example_of(member), ensure_ascii=False)}'


def example_of(schema: Any) -> Any:
    """A value that a schema asks for, to show its form; keywords beyond types, bounds and choices don't count."""
    if not isinstance(schema, Mapping):
        return "..."
    for keyword in ("default", "const", "minimum"):
        if keyword in schema:
            return schema[keyword]
    if schema.get("enum"):
        return schema["enum"][0]
    types = [kind for kind in json_types(schema) if kind != "null"]
    kind = types[0] if types else "string"
    if kind == "object":
        return {name: example_of(member) for name, member in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema.get("items"))] if not is_box(schema) else ["..."] * 4
    return {"integer": 1, "number": 0.5, "boolean": True}.get(kind, "...")


def normalise(
    arguments: Mapping[str, Any], validator: Validator, *, y_first: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """Bring arguments into the form that the schema asks for. Normalised arguments are left as they are.

    Args:
        arguments: as the model wrote them; not changed.
        validator: of the tool's parameters.
        y_first: whether the policy writes y before x.

    Returns:
        The arguments, and a sentence for the model about each thing that was ignored.
    """
    ignored: list[str] = []
    schema = schema_of(validator)
    fitted = _Normaliser(validator, y_first, ignored).members(_with_box(arguments, schema), schema, "")
    if not ignored:
        return fitted, []
    listed = ", ".join(ignored)
    listed = listed if len(listed) <= _MAX_LISTED else f"{listed[:_MAX_LISTED]} [...]"
    return fitted, [f"Ignored, because the tool does not take it: {listed}."]


class _Normaliser:
    def __init__(self, validator: Validator, y_first: bool, ignored: list[str]) -> None:
        self._validator = validator
        self._y_first = y_first
        self._ignored = ignored

    def members(self, values: Mapping[str, Any], schema: Mapping[str, Any], place: str) -> dict[str, Any]:
        """The members of an object."""
        properties, required = schema.get("properties", {}), schema.get("required", [])
        closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
        fitted = {}
        for name, value in values.items():
            if name in properties:
                member = properties[name]
                if value is not None or name in required or self._validator.evolve(schema=member).is_valid(None):
                    fitted[name] = self._value(value, member, f"{place}{name}.")
            elif closed:
                self._ignored.append(f"{place}{name}")
            else:
                fitted[name] = value
        return fitted

    def _value(self, value: Any, schema: Any, place: str) -> Any:
        if not isinstance(schema, Mapping):
            return value
        if is_box(schema) or holds_boxes(schema):
            read = read_box if is_box(schema) else read_boxes
            boxes = read(value, y_first=self._y_first)
            return value if boxes is None else boxes
        types = set(json_types(schema))
        if isinstance(value, str) and types and "string" not in types:
            value = typed_value(value, schema)
        if isinstance(value, dict) and isinstance(schema.get("properties"), Mapping):
            return self.members(value, schema, place)
        if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
            return [self._value(item, schema["items"], place) for item in value]
        return value


def _with_box(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments with the one box that must be there under its name, if it stands under another."""
    properties = schema.get("properties", {})
    required = [name for name in schema.get("required", []) if is_box(properties.get(name))]
    missing = [name for name in required if arguments.get(name) is None]
    found = named_box({name: value for name, value in arguments.items() if name not in properties})
    if len(missing) != 1 or found is None:
        return arguments
    names, box = found
    return {name: value for name, value in arguments.items() if name not in names} | {missing[0]: box}
