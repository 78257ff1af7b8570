"""From a JSON value to calls, whatever names its parts have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from hart_agent.dialogue.json_repair import MAX_CALLS, Ending, json_value, json_values
from hart_agent.dialogue.results import RawCall
from hart_agent.errors import ReplyFormatError

_NAMES = ("name", "tool_name", "function_name", "tool", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "params")
_BOOKKEEPING = frozenset(("id", "type", "index", "call_id", "tool_call_id"))
_MAX_ENCODINGS = 2
"""How often arguments may be wrapped in a JSON string."""


def json_calls(text: str, ending: Ending) -> list[RawCall]:
    """Read the calls of a text: objects one after the other, or lists of them.

    Args:
        text: JSON, perhaps inside a code fence.
        ending: what follows the text.
    """
    body = unfenced(text)
    fenced = body is not text
    values = json_values(body, Ending.MARKER if fenced and text.rstrip().endswith("```") else ending)
    found = list(islice(values, MAX_CALLS))
    return [call for value, raw in found for call in _calls(value, raw if len(found) > 1 else text)]


def named_call(name: str, arguments: str, ending: Ending, raw: str) -> RawCall:
    """A call whose name stands apart from its arguments.

    Args:
        name: the tool's name.
        arguments: a JSON object as text; nothing at all means no arguments.
        ending: what follows `arguments`.
        raw: the text of the call.
    """
    try:
        value = {} if ending is Ending.MARKER and not arguments.strip() else json_value(arguments, ending)
        return RawCall(name, _arguments({} if value is None else value), raw)
    except ReplyFormatError as error:
        return RawCall(name, {}, raw, ReplyFormatError(f"The arguments of {name[:80]!r} can't be read. {error}"))


def unfenced(text: str) -> str:
    """The inside of a text that is one code fence; otherwise the text itself."""
    stripped = text.strip()
    if not stripped.startswith("```"):
        return text
    _, _, inside = stripped.partition("\n")
    return inside.removesuffix("```") if inside else text


def _calls(value: Any, raw: str) -> Iterator[RawCall]:
    if isinstance(value, list):
        for item in value:
            yield from _calls(item, raw) if isinstance(item, dict) else [_bad(raw)]
        return
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        yield from _calls(value["tool_calls"], raw)
        return
    yield _call(value, raw)


def _call(value: Any, raw: str) -> RawCall:
    if isinstance(value, ReplyFormatError):
        return RawCall("", {}, raw, value)
    if isinstance(value, dict) and isinstance(value.get("function"), dict):  # as the chat completions API writes it
        value = value["function"]
    if not isinstance(value, dict):
        return _bad(raw)
    key = next((key for key in _NAMES if key in value), None)
    if key is None or not isinstance(value[key], str):
        return _bad(raw)
    name = value[key]
    wrapper = next((alias for alias in _ARGUMENTS if alias in value), None)
    if wrapper is None:
        flat = {part: inner for part, inner in value.items() if part != key and part not in _BOOKKEEPING}
        return RawCall(name, flat, raw)
    try:
        return RawCall(name, _arguments(value[wrapper]), raw)
    except ReplyFormatError as error:
        return RawCall(name, {}, raw, error)


def _arguments(value: Any) -> dict[str, Any]:
    for _ in range(_MAX_ENCODINGS):
        if isinstance(value, str):
            value = json_value(value, Ending.STOP)
    if not isinstance(value, dict):
        raise ReplyFormatError('"arguments" must be a JSON object, such as {"bbox_2d": [0, 0, 10, 10]}.')
    return value


def _bad(raw: str) -> RawCall:
    return RawCall("", {}, raw, ReplyFormatError('It must be a JSON object with "name" and "arguments".'))
