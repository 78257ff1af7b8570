"""Arguments that are written as text, converted to what the tool's schema asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hart_agent.dialogue.json_repair import whole_json
from hart_agent.dialogue.literals import literal_text
from hart_agent.dialogue.results import Schemas
from hart_agent.errors import ReplyFormatError

_PADDED = re.compile(r"-?0\d{1,18}", re.ASCII)
_CHECKS: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


def typed_arguments(name: str, texts: Mapping[str, str], schemas: Schemas) -> dict[str, Any]:
    """Convert the arguments of a tool.

    Args:
        name: the tool's name.
        texts: the arguments as written.
        schemas: the schemas of the tools; an argument without one is read as JSON if it is JSON.
    """
    properties = schemas.get(name, {}).get("properties", {})
    properties = properties if isinstance(properties, Mapping) else {}
    return {key: typed_value(text, properties.get(key)) for key, text in texts.items()}


def typed_value(text: str, schema: Any) -> Any:
    """The value that a text stands for, if it is of a type that the schema names; otherwise the text itself."""
    wanted = set(json_types(schema)) & {*_CHECKS, "string"}
    if wanted == {"string"}:
        return text
    value = _read(text, padded="integer" in wanted)
    if not wanted:
        return value
    fits = any(
        isinstance(value, _CHECKS.get(kind, ())) and (kind == "boolean" or not isinstance(value, bool))
        for kind in wanted
    )
    return value if fits else text


def json_types(schema: Any) -> Iterator[str]:
    """The JSON types that a schema names, its alternatives included; none if it names none."""
    if not isinstance(schema, Mapping):
        return
    named = schema.get("type")
    yield from [named] if isinstance(named, str) else named if isinstance(named, list) else []
    for keyword in ("anyOf", "oneOf"):
        alternatives = schema.get(keyword)
        for alternative in alternatives if isinstance(alternatives, list) else []:
            if isinstance(alternative, Mapping):
                inner = alternative.get("type")
                yield from [inner] if isinstance(inner, str) else inner if isinstance(inner, list) else []
    if not named and isinstance(schema.get("enum"), list) and all(isinstance(item, str) for item in schema["enum"]):
        yield "string"


def _read(text: str, *, padded: bool) -> Any:
    """The text as JSON or as a Python literal, otherwise the text itself. `padded` allows integers such as 007."""
    stripped = text.strip()
    if padded and _PADDED.fullmatch(stripped):
        return int(stripped)
    try:
        return whole_json(stripped)
    except ReplyFormatError:
        pass
    if stripped[:1] in {"[", "{", "("} or stripped in {"True", "False", "None"}:
        try:
            return literal_text(stripped)
        except ReplyFormatError:
            pass
    return text
