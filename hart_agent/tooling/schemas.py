"""From Python annotations to JSON Schema, and from JSON values to what the annotation says."""

from __future__ import annotations

import enum
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from hart_agent.errors import PluginError, ToolArgumentsError
from hart_agent.tooling.protocol import BOX_SCHEMA, VIEW_SCHEMA
from hart_agent.tooling.validating import problem_of, validator_of
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import View

_EXPECTED: Final = (
    "expected str, int, float, bool, Literal, an Enum, list[...], dict[str, ...], a union of these, Box, list[Box], "
    "View, or one of them with | None"
)
_NULL: Final = "null"


@dataclass(frozen=True)
class Kind:
    """A type of argument.

    Attributes:
        schema: JSON Schema 2020-12.
        convert: from a value that fits the schema to the annotation's type.
        to_json: the inverse, for defaults.
        optional: whether None is among its values.
        place: whether it holds a box or a view, which the runtime converts before `convert` sees them.
    """

    schema: dict[str, Any]
    convert: Callable[[Any], Any] = lambda value: value
    to_json: Callable[[Any], Any] = lambda value: value
    optional: bool = False
    place: bool = False


class Keywords:
    """More keywords of JSON Schema for an annotation: `Annotated[int, Keywords(minimum=1)]`."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords

    def __repr__(self) -> str:
        return f"Keywords({', '.join(f'{name}={value!r}' for name, value in self.keywords.items())})"


def _number(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ToolArgumentsError("the number is not finite, or far too large")
    return number


_PLAIN: Final[dict[Any, Kind]] = {
    str: Kind({"type": "string"}),
    bool: Kind({"type": "boolean"}),
    int: Kind({"type": "integer"}, int),  # 2.0 is an integer in JSON Schema
    float: Kind({"type": "number"}, _number),
    Box: Kind(BOX_SCHEMA, place=True),
    View: Kind(VIEW_SCHEMA, place=True),
}


def kind_of(annotation: Any, where: str) -> Kind:
    """How a model writes a value of an annotation.

    Args:
        annotation: evaluated, no text.
        where: names the parameter, for the error.

    Raises:
        PluginError: a model can't write such a value.
    """
    if (plain := _PLAIN.get(annotation) if isinstance(annotation, type) else None) is not None:
        return plain
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum) and list(annotation):
        return _literal(tuple(annotation), where)
    makers = {
        Annotated: _annotated,
        Literal: _literal,
        Union: _union,
        types.UnionType: _union,
        list: _list,
        Sequence: _list,
        dict: _mapping,
        Mapping: _mapping,
    }
    if origin in makers and arguments:
        return makers[origin](arguments, where)
    raise PluginError(f"{where} has the type {annotation!r}, which no model can write; {_EXPECTED}")


def _annotated(arguments: tuple[Any, ...], where: str) -> Kind:
    kind = kind_of(arguments[0], where)
    for note in arguments[1:]:
        if not isinstance(note, Keywords):
            raise PluginError(f"{where} is annotated with {note!r}; expected Keywords, such as Keywords(minimum=1)")
        schema = kind.schema | note.keywords
        if problem := problem_of(schema):
            raise PluginError(f"{where} is annotated with {note!r}: {problem}")
        kind = replace(kind, schema=schema)
    return kind


def _literal(values: tuple[Any, ...], where: str) -> Kind:
    written = [value.value if isinstance(value, enum.Enum) else value for value in values]
    types_found = {_json_type(value, where) for value in written}
    kind = Kind({"type": _one_or_many(types_found), "enum": list(written)}, optional=None in values)
    return replace(kind, convert=_lookup(written, values), to_json=_lookup(values, written))


def _lookup(keys: Sequence[Any], values: Sequence[Any]) -> Callable[[Any], Any]:
    """Compares type and value: True is not 1, but 1.0 is, as in JSON."""

    def find(wanted: Any) -> Any:
        for key, value in zip(keys, values, strict=True):
            if key == wanted and isinstance(key, bool) == isinstance(wanted, bool):
                return value
        return wanted

    return find


def _union(arguments: tuple[Any, ...], where: str) -> Kind:
    rest = [argument for argument in arguments if argument is not types.NoneType]
    optional = len(rest) < len(arguments)
    if len(rest) == 1:
        return _optional(kind_of(rest[0], where))
    kinds = [_without_places(argument, where) for argument in rest]
    validators = [validator_of(kind.schema) for kind in kinds]

    def convert(value: Any) -> Any:
        return next(kind.convert(value) for kind, check in zip(kinds, validators, strict=True) if check.is_valid(value))

    def to_json(value: Any) -> Any:
        written = [kind.to_json(value) for kind in kinds]
        return next((item for item, check in zip(written, validators, strict=True) if check.is_valid(item)), value)

    kind = Kind({"anyOf": [kind.schema for kind in kinds]}, convert, to_json)
    return _optional(kind) if optional else kind


def _optional(kind: Kind) -> Kind:
    """Models often write null for what they leave out."""
    schema = dict(kind.schema)
    if "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": _NULL}]
    else:
        known = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*known, *({_NULL} - set(known))]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    return replace(
        kind,
        schema=schema,
        convert=lambda value: None if value is None else kind.convert(value),
        to_json=lambda value: None if value is None else kind.to_json(value),
        optional=True,
    )


def _list(arguments: tuple[Any, ...], where: str) -> Kind:
    items = kind_of(Box, where) if arguments[0] is Box else _without_places(arguments[0], where)
    return Kind(
        {"type": "array", "items": items.schema},
        lambda value: [items.convert(element) for element in value],
        lambda value: [items.to_json(element) for element in value],
        place=items.place,
    )


def _mapping(arguments: tuple[Any, ...], where: str) -> Kind:
    if arguments[0] is not str:
        raise PluginError(f"{where} has a dict with keys of {arguments[0]!r}; expected str, JSON's only kind of key")
    values = _without_places(arguments[1], where)
    return Kind(
        {"type": "object", "additionalProperties": values.schema},
        lambda value: {key: values.convert(element) for key, element in value.items()},
        lambda value: {key: values.to_json(element) for key, element in value.items()},
    )


def _without_places(annotation: Any, where: str) -> Kind:
    """The runtime looks for boxes and views where a parameter is one, or a list of boxes, and nowhere deeper."""
    kind = kind_of(annotation, where)
    if kind.place:
        raise PluginError(f"{where} has a Box or a View inside another type; {_EXPECTED}")
    return kind


def _json_type(value: Any, where: str) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", types.NoneType: _NULL}
    if type(value) not in names:
        raise PluginError(f"{where} can be {value!r}, which is not a JSON value; expected text, numbers, True or False")
    return names[type(value)]


def _one_or_many(found: set[str]) -> str | list[str]:
    return found.pop() if len(found) == 1 else sorted(found)
