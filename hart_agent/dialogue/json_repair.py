"""Strict JSON after a few repairs that leave no doubt about the meaning.

Repaired are words after a value, trailing commas and missing closers. A value that may be half is never completed: a
text that simply ends inside a number, a literal or a string is refused, for 60 may have been 600.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from hart_agent.errors import ReplyFormatError

MAX_JSON = 100_000
"""Characters. No honest call is longer; a limit keeps hostile text cheap."""

MAX_DEPTH = 32
"""Levels of nesting in a call. Deeper JSON can be read but not written: it would break the trace."""

MAX_CALLS = 128
"""Calls, or blocks of calls, that are read of one reply. No turn runs as many."""

_SEPARATORS = re.compile(r"[\s,;]*")
_NEXT_VALUE = re.compile(r"\{|\[\s*\{")
_STRING = re.compile(r'("(?:[^"\\]|\\.)*(?:"|\\?\Z))', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")


class Ending(Enum):
    """What follows a text."""

    MARKER = auto()
    """A closing tag, or whatever the model wrote next: the last value is whole."""
    STOP = auto()
    """Nothing, and the model ended by itself."""
    LIMIT = auto()
    """Nothing, for the model reached its token limit."""


def json_values(text: str, ending: Ending) -> Iterator[tuple[Any, str]]:
    """Read JSON values that follow each other; words after the last one are ignored.

    Args:
        text: the values.
        ending: what follows the text.

    Yields:
        Each value, or the `ReplyFormatError` that stands in its place, and its text.
    """
    if len(text) > MAX_JSON:
        yield ReplyFormatError(f"It is {len(text)} characters long; at most {MAX_JSON} are read."), text
        return
    start = _skip(text, 0)
    while True:
        value, end = _value(text, start, ending)
        yield value, text[start:end]
        start = _skip(text, end)
        if not _NEXT_VALUE.match(text, start):
            return


def json_value(text: str, ending: Ending) -> Any:
    """Read the first JSON value of a text.

    Raises:
        ReplyFormatError: there is none, or it can't be read without guessing.
    """
    value, _ = next(json_values(text, ending))
    if isinstance(value, ReplyFormatError):
        raise value
    return value


def whole_json(text: str) -> Any:
    """Read a text that is one JSON value and nothing else, without any repair.

    Raises:
        ReplyFormatError: it is not.
    """
    try:
        value = _DECODER.decode(text) if len(text) <= MAX_JSON else None
    except (ValueError, RecursionError) as error:
        raise ReplyFormatError(f"It is not valid JSON ({error}): {text[:200]!r}.") from error
    if len(text) > MAX_JSON or nesting_exceeds(value, MAX_DEPTH):
        raise ReplyFormatError("It is too long, or nested too deeply.")
    return value


def nesting_exceeds(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested deeper than `limit` levels."""
    level = [value]
    for _ in range(limit + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        if not containers:
            return False
        level = [inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def finite(text: str) -> float:
    """A number that JSON can hold.

    Raises:
        ValueError: it is infinite or not a number.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]}... is too large")
    return value


def _value(text: str, start: int, ending: Ending) -> tuple[Any, int]:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        end, missing = _balanced(text, start)
        candidate = _repaired(text[start:end], missing, ending)
        try:
            value = _DECODER.decode(candidate) if candidate else None
        except (ValueError, RecursionError):
            candidate = None
        if not candidate:
            return ReplyFormatError(f"It is not valid JSON ({error}): {text[start : start + 200]!r}."), end
    openers = text.count("{", start, end) + text.count("[", start, end)  # at least as many as levels
    if openers > MAX_DEPTH and nesting_exceeds(value, MAX_DEPTH):
        return ReplyFormatError(f"It is nested more than {MAX_DEPTH} levels deep."), end
    return value, end


def _balanced(text: str, start: int) -> tuple[int, str | None]:
    """Where the value at `start` ends, and the closers that it lacks; None if no closers can complete it."""
    closers: list[str] = []
    in_string = escaped = False
    for index in range(start, len(text)):
        character = text[index]
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "{[":
            closers.append("}" if character == "{" else "]")
        elif character in "}]":
            if not closers or closers.pop() != character:
                return len(text), None
            if not closers:
                return index + 1, ""
    return len(text), None if in_string else "".join(reversed(closers))


def _repaired(text: str, missing: str | None, ending: Ending) -> str | None:
    if missing is None:
        return None
    last = text.rstrip()[-1:]
    whole = {Ending.MARKER: last not in {"{", "[", ":"}, Ending.STOP: last in {"}", "]", '"'}, Ending.LIMIT: False}
    if missing and not whole[ending]:
        return None
    pieces = _STRING.split(text + missing)
    return "".join(piece if piece.startswith('"') else _TRAILING_COMMA.sub("", piece) for piece in pieces)


def _skip(text: str, start: int) -> int:
    separators = _SEPARATORS.match(text, start)
    return separators.end() if separators else start


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite_integer(text: str) -> int:
    if len(text) > sys.float_info.max_10_exp:  # digits that any float has room for
        finite(text)
    return int(text)


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=finite, parse_int=_finite_integer, strict=False
)
"""Line breaks inside strings are read as they are: models write them, and their meaning is plain."""
