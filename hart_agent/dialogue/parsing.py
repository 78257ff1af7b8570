"""Reading a reply: the only place that turns a model's text into tool calls, an answer or an abstention.

A reply may hold, in order of precedence:

1. native calls, parsed by the server;
2. the first block in the text. If it is a call, `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, every call
   of the reply counts and an answer behind it is set aside, for it was written before the results were seen. If it is
   `<answer>...</answer>` or `<abstain>...</abstain>`, the episode ends there and what follows is ignored;
3. JSON calls in ```fences```, or a reply that is nothing but such a JSON object.

JSON is read strictly, after at most the repairs of `_repaired`. Model text is never evaluated.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from hart_agent.errors import ReplyFormatError

_BLOCK = re.compile(
    r"<(?P<tag>tool_call|answer|abstain)>(?P<body>.*?)(?:</(?P=tag)>|(?=<(?:tool_call|answer|abstain)>)|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_FENCE = re.compile(r"```(?:json|tool_call)?\s*(?P<body>.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_MAX_JSON = 100_000
"""Characters. No honest call is longer; a limit keeps hostile text cheap."""

_MAX_DEPTH = 32
"""Levels of nesting in a call. Deeper JSON can be read but not written: it would break the trace."""

HINT = (
    'Reply with a tool call, <tool_call>{"name": "...", "arguments": {...}}</tool_call>, or with your final '
    "<answer>...</answer>, or, if the image can't answer the question, <abstain>why</abstain>."
)


@dataclass(frozen=True)
class RawCall:
    """A call that was read from a reply but not yet checked against any tool.

    Attributes:
        name: the tool's name as written.
        arguments: the JSON object.
        raw: the text of the call, unchanged.
    """

    name: str
    arguments: dict[str, Any]
    raw: str


@dataclass(frozen=True)
class ParsedReply:
    """What a reply asks for: calls, or an answer, or an abstention; or an error that tells the model what to mend.

    Attributes:
        calls: in order.
        answer: the final answer.
        abstention: why the model gives none.
        set_aside: an answer that was written in the same turn as a call, and does not count.
        error: why none of these could be read.
    """

    calls: tuple[RawCall, ...] = ()
    answer: str | None = None
    abstention: str | None = None
    set_aside: str | None = None
    error: ReplyFormatError | None = None


def parse_reply(text: str, native_calls: tuple[tuple[str, str], ...] = ()) -> ParsedReply:
    """Read a reply. Never raises, whatever the text."""
    try:
        if native_calls:
            return ParsedReply(calls=tuple(_native_call(name, body) for name, body in native_calls))
        blocks = list(_BLOCK.finditer(text))
        if blocks:
            return _parse_blocks(blocks)
        fenced = [match["body"] for match in _FENCE.finditer(text)] or [text]
        candidates = [body.strip() for body in fenced if body.strip().startswith("{") and '"name"' in body]
        if candidates:
            return ParsedReply(calls=tuple(_call(body) for body in candidates))
        raise ReplyFormatError(f"The reply holds neither a tool call nor an answer. {HINT}")
    except ReplyFormatError as error:
        return ParsedReply(error=error)


def _parse_blocks(blocks: list[re.Match[str]]) -> ParsedReply:
    first = blocks[0]
    tag, body = first["tag"].lower(), first["body"].strip()
    if tag == "tool_call":
        calls = tuple(_call(match["body"]) for match in blocks if match["tag"].lower() == "tool_call")
        answers = [match["body"].strip() for match in blocks if match["tag"].lower() == "answer"]
        return ParsedReply(calls=calls, set_aside=answers[0] if answers else None)
    if tag == "abstain":
        return ParsedReply(abstention=body or "no reason given")
    if not body:
        raise ReplyFormatError(f"The answer is empty. {HINT}")
    return ParsedReply(answer=body)


def _native_call(name: str, body: str) -> RawCall:
    arguments = _load(body or "{}")
    if not isinstance(arguments, dict):
        raise ReplyFormatError(f"The arguments of {name!r} must be a JSON object, got {body[:200]!r}.")
    return RawCall(name, arguments, body)


def _call(raw: str) -> RawCall:
    fence = _FENCE.fullmatch(raw.strip())
    value = _load(fence["body"] if fence else raw)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ReplyFormatError(f'A tool call must be a JSON object with "name" and "arguments". {HINT}')
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):  # some servers' dialects encode the arguments twice
        arguments = _load(arguments)
    if not isinstance(arguments, dict):
        raise ReplyFormatError('"arguments" must be a JSON object, such as {"bbox_2d": [0, 0, 10, 10]}.')
    return RawCall(value["name"], arguments, raw)


def _load(text: str) -> Any:
    text = text.strip()
    if len(text) > _MAX_JSON:
        raise ReplyFormatError(f"The call is {len(text)} characters long; at most {_MAX_JSON} are read.")
    problem = ""
    for candidate in (text, _repaired(text)):
        try:
            value = json.loads(
                candidate, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_finite_integer
            )
        except (ValueError, RecursionError) as error:
            problem = problem or str(error)
            continue
        if _depth_exceeds(value, _MAX_DEPTH):
            raise ReplyFormatError(f"The call is nested more than {_MAX_DEPTH} levels deep.")
        return value
    raise ReplyFormatError(f"The call is not valid JSON ({problem}): {text[:200]!r}. {HINT}")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]}... is too large")
    return value


def _finite_integer(text: str) -> int:
    _finite(text)
    return int(text)


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        if not containers:
            return False
        level = [inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def _repaired(text: str) -> str:
    """Undo three slips that leave no doubt of the meaning: text behind the object, trailing commas, missing closers."""
    closers: list[str] = []
    kept: list[str] = []
    in_string = escaped = False
    for character in text:
        kept.append(character)
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
            continue
        if character == '"':
            in_string = True
        elif character in "{[":
            closers.append("}" if character == "{" else "]")
        elif character in "}]":
            if not closers or closers.pop() != character:
                return text
            if not closers:
                break
    if in_string:
        return text
    complete = "".join(kept) + "".join(reversed(closers))
    return _without_trailing_commas(complete)


def _without_trailing_commas(text: str) -> str:
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', text)
    return "".join(piece if piece.startswith('"') else re.sub(r",(?=\s*[}\]])", "", piece) for piece in pieces)
