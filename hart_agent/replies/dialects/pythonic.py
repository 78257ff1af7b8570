"""Pythonic calls: `[NAME(KEY='VALUE')]`, bare or between markers (Llama 4, LFM2, Gemma 3's fences).

They are read as syntax; nothing is ever run.
"""

from __future__ import annotations

import ast
import re

from hart_agent.errors import ReplyFormatError
from hart_agent.replies.dialects.base import Block, Dialect
from hart_agent.replies.json_repair import Ending
from hart_agent.replies.literals import literal, parse_expression
from hart_agent.replies.results import RawCall, Schemas

_LOOK = re.compile(r"\s*\[?\s*[A-Za-z_][\w.]{0,99}\((?:\s*\)|\s*[A-Za-z_]\w{0,99}\s*=)")
_OWN_MARKERS = frozenset(("<|tool_call_start|>", "<|python_start|>"))
_OWN_MARKERS = frozenset(("<|tool_call_start|>", "<|python_start|>"))
_NO_CALL = re.compile(r"\s*\[\s*\]")


def _fits(block: Block, schemas: Schemas) -> bool:
    if block.opener in _OWN_MARKERS:
        return not block.body.lstrip().startswith(("{", "[{"))
    return _LOOK.match(block.body) is not None


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    if block.ending is Ending.LIMIT and not block.body.rstrip().endswith(("]", ")")):
        raise ReplyFormatError("It was cut off.")
    if _NO_CALL.fullmatch(block.body):
        return []
    tree = parse_expression(block.body)
    nodes = tree.elts if isinstance(tree, ast.List | ast.Tuple) else [tree]
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
        ("<|python_tag|>", ""),
        ("<tool_call>", "</tool_call>"),
    ),
    fits=_fits,
    read=_read,
)
