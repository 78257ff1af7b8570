"""Pythonic calls: `[NAME(KEY='VALUE')]`, bare or between markers (Llama 4, LFM2, OLMo 3, Gemma 3's fences).

They are read as syntax; nothing is ever run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hart_agent.dialogue.dialects.base import Block, Dialect
from hart_agent.dialogue.json_repair import Ending
from hart_agent.dialogue.literals import literal, parse_expressions
from hart_agent.dialogue.results import RawCall, Schemas
from hart_agent.errors import ReplyFormatError

_LOOK = re.compile(r"\s*(?:\[\s*)?[A-Za-z_][\w.]{0,99}\((?:\s*\)|\s*[A-Za-z_]\w{0,99}\s*=)")
_BARE = re.compile(r"\[\s*(?P<name>[A-Za-z_][\w.]{0,99})\((?:\s*\)|\s*[A-Za-z_]\w{0,99}\s*=)")
_OWN_MARKERS = frozenset(("<|tool_call_start|>", "<|python_start|>", "<function_calls>"))
_NO_CALL = re.compile(r"\s*\[\s*\]")


def bare_calls(text: str, schemas: Schemas) -> Iterator[tuple[str, bool]]:
    """Find lists of calls without markers. Takes time proportional to the length of the text.

    Args:
        text: words, perhaps with calls among them.
        schemas: the tools. In the midst of words a list counts only if its first call names one of them.

    Yields:
        Each list as written, and whether its last bracket is there.
    """
    first = len(text) - len(text.lstrip())
    position = 0
    while found := _BARE.search(text, position):
        end = _list_end(text, found.start())
        if found["name"] in schemas or found.start() == first:
            yield text[found.start() : end], end is not None
        if end is None:
            return
        position = end


def _list_end(text: str, start: int) -> int | None:
    depth, quote, escaped = 0, "", False
    for index in range(start, len(text)):
        character = text[index]
        if quote:
            if not escaped and character == quote:
                quote = ""
            escaped = character == "\\" and not escaped
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return index + 1
    return None


def _fits(block: Block, schemas: Schemas) -> bool:
    if block.opener in _OWN_MARKERS:
        return not block.body.lstrip().startswith(("{", "[{"))
    return _LOOK.match(block.body) is not None


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    if block.ending is Ending.LIMIT and not block.body.rstrip().endswith(("]", ")")):
        raise ReplyFormatError("It was cut off.")
    if _NO_CALL.fullmatch(block.body):
        return []
    nodes = parse_expressions(block.body)
    return [_call(node, block.body if len(nodes) == 1 else _source(node, block.body)) for node in nodes]


def _source(node: ast.expr, body: str) -> str:
    try:
        return ast.unparse(node)
    except RecursionError:
        return body


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise ReplyFormatError("A call begins with the name of a function.")
    return ".".join(reversed([*parts, node.id]))


def _call(node: ast.expr, raw: str) -> RawCall:
    if not isinstance(node, ast.Call):
        return RawCall("", {}, raw, ReplyFormatError(f"{raw[:200]!r} is not a call."))
    name = ""
    try:
        name = _dotted(node.func)
        if node.args or any(keyword.arg is None for keyword in node.keywords):
            raise ReplyFormatError("Each argument needs its name.")
        arguments = {keyword.arg: literal(keyword.value) for keyword in node.keywords if keyword.arg}
    except ReplyFormatError as error:
        return RawCall(name, {}, raw, error)
    return RawCall(name, arguments, raw)


PYTHONIC = Dialect(
    name="pythonic",
    form="[NAME(KEY='VALUE')]",
    markers=(
        ("<|tool_call_start|>", "<|tool_call_end|>"),
        ("<|python_start|>", "<|python_end|>"),
        ("<function_calls>", "</function_calls>"),
        ("<|python_tag|>", ""),
        ("<tool_call>", "</tool_call>"),
    ),
    fits=_fits,
    read=_read,
)
