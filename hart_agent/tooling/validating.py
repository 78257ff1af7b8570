"""JSON Schemas of tools. The library that validates takes as long to load as the agent: it is loaded on use.

So that an agent is made without it, the schemas that most tools have, of a few keywords, are recognised here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import jsonschema

Validator: TypeAlias = "jsonschema.Draft202012Validator"

_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def validator_of(schema: Mapping[str, Any]) -> Validator:
    """What validates values by a schema, which is taken to be one."""
    import jsonschema

    return jsonschema.Draft202012Validator(schema)


def best_failure(validator: Validator, value: Any) -> jsonschema.ValidationError | None:
    """What is most telling of what a schema finds wrong with a value; None if it fits.

    Raises:
        ValueError, OverflowError: the library quotes and divides numbers that Python won't.
    """
    import jsonschema

    failure: jsonschema.ValidationError | None = jsonschema.exceptions.best_match(validator.iter_errors(value))
    return failure


def problem_of(schema: Any) -> str | None:
    """Why something is no JSON Schema 2020-12; None if it is one."""
    try:
        return None if is_plain(schema) else _problem_of_text(json.dumps(schema))
    except (TypeError, ValueError, RecursionError) as error:  # cycles and objects that no JSON holds
        return str(error)


@cache
def _problem_of_text(schema: str) -> str | None:
    """As JSON; the check takes 8 ms, and the same schemas come again and again."""
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(json.loads(schema))
    except jsonschema.SchemaError as error:
        return str(error.message)
    return None


def is_plain(schema: Any) -> bool:
    """Whether something is a JSON Schema of the keywords that most tools use, and of no others."""
    return isinstance(schema, dict) and all(word in _PLAIN and _PLAIN[word](value) for word, value in schema.items())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _are_types(value: Any) -> bool:
    return _are_names(value) and _TYPES.issuperset(value) and len(value) > 0


def _are_members(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(name) and is_plain(member) for name, member in value.items())


_PLAIN: Final[dict[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("description", "format"), _is_text),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), _is_count),
    "type": lambda value: _are_types([value] if _is_text(value) else value),
    "default": _is_scalar,
    "enum": lambda value: isinstance(value, list) and all(map(_is_scalar, value)),
    "items": is_plain,
    "properties": _are_members,
    "required": _are_names,
    "additionalProperties": lambda value: isinstance(value, bool),
}
"""Keywords, each with whether a value is one that the specification allows it."""
