"""What a tool takes, made ready for many calls: where its boxes and views are, and which arguments plainly fit.

Most calls are plain: known names, and values of simple types. These are recognised here in microseconds, without the
library that validates, which takes about as long as all the rest of a turn. All others are left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, TypeAlias

from hart_agent.tooling.arguments import holds_boxes, is_box
from hart_agent.tooling.protocol import VIEW_FORMAT
from hart_agent.tooling.validating import Validator, validator_of

Check: TypeAlias = Callable[[Any], bool]

_REMARKS: Final = frozenset({"title", "description", "default", "examples", "format"})
"""Keywords that refuse nothing."""

_OBJECT: Final = frozenset({"type", "properties", "required", "additionalProperties"})

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "string": (str,),
}
_KEYWORDS: Final[Mapping[str, tuple[tuple[type, ...], Callable[[Any], Check]]]] = {
    "minimum": ((int, float), lambda limit: lambda value: value >= limit),
    "maximum": ((int, float), lambda limit: lambda value: value <= limit),
    "exclusiveMinimum": ((int, float), lambda limit: lambda value: value > limit),
    "exclusiveMaximum": ((int, float), lambda limit: lambda value: value < limit),
    "minLength": ((str,), lambda limit: lambda value: len(value) >= limit),
    "maxLength": ((str,), lambda limit: lambda value: len(value) <= limit),
    "minItems": ((list,), lambda limit: lambda value: len(value) >= limit),
    "maxItems": ((list,), lambda limit: lambda value: len(value) <= limit),
    "items": ((list,), lambda schema: _each(check_of(schema))),
    "enum": ((bool, int, float, list, str, type(None)), lambda choices: lambda value: _is_chosen(value, choices)),
}
"""Keywords, each with the types of the values that it can refuse, and what makes its check."""


class Parameters:
    """The parameters of a tool.

    Args:
        schema: of its arguments, an object.

    Attributes:
        views: the names of those that are views.
        boxes: the names of those that are boxes, each with whether it is a list of them.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = dict(schema)
        properties = schema.get("properties", {})
        self.views = [name for name, member in properties.items() if _is_view(member)]
        self.boxes = [(name, not is_box(member)) for name, member in properties.items() if _is_placed(member)]
        self._required = frozenset(schema.get("required", ()))
        self._plain = _words(schema) <= _OBJECT and schema.get("type") == "object"
        self._checks = {name: check_of(member) for name, member in properties.items()}

    @cached_property
    def validator(self) -> Validator:
        """What judges arguments that don't plainly fit."""
        return validator_of(self._schema)

    def plainly_fit(self, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments fit the schema, in the form that it asks for; others than plain ones are not passed."""
        if not (self._plain and self._required <= arguments.keys()):
            return False
        return all(name in self._checks and self._checks[name](value) for name, value in arguments.items())


def check_of(schema: Any) -> Check:
    """A check that passes no value that a schema refuses, but may not pass all that it takes.

    Lists are passed only where they are boxes, in whose place the tool is given others: it may change any other list,
    which then has to be its own.
    """
    if not isinstance(schema, Mapping):
        return _pass_none
    words, named = _words(schema) - {"type"}, schema.get("type", ())
    kinds = [named] if isinstance(named, str) else named
    if not (_KEYWORDS.keys() >= words and _TYPES.keys() >= set(kinds)) or ("array" in kinds and not _is_placed(schema)):
        return _pass_none
    tests = {
        known: [make(schema[word]) for word, (refused, make) in _KEYWORDS.items() if word in words and known in refused]
        for kind in kinds
        for known in _TYPES[kind]
    }
    if is_box(schema) and list in tests:
        tests[list].append(_are_four_numbers)

    def check(value: Any) -> bool:
        kind = type(value)
        return kind in tests and all(test(value) for test in tests[kind])

    return check


def _are_four_numbers(values: list[Any]) -> bool:
    """Whether a box is in the form that others are brought into, whatever its schema takes."""
    return len(values) == 4 and all(type(value) in (int, float) for value in values)


def _each(fits: Check) -> Check:
    return lambda values: all(map(fits, values))


def _is_chosen(value: Any, choices: list[Any]) -> bool:
    """Whether a text or null is one of the choices: of numbers and booleans, Python takes some for each other."""
    return (value is None or isinstance(value, str)) and value in choices


def _pass_none(value: Any) -> bool:
    return False


def _words(schema: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(schema) - _REMARKS


def _is_view(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("format") == VIEW_FORMAT


def _is_placed(schema: Any) -> bool:
    return is_box(schema) or holds_boxes(schema)
