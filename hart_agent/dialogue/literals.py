"""Python literals in a model's text, read as syntax and never run."""

from __future__ import annotations

import ast
import math
import re
import warnings
from typing import Any

from hart_agent.dialogue.json_repair import MAX_DEPTH, nesting_exceeds
from hart_agent.errors import ReplyFormatError

MAX_SOURCE = 20_000
"""Characters; Python's parser needs far more memory than text."""

_NOT_BRACKETS = re.compile(r"[^()\[\]{}]+")
_JSON_NAMES = {"true": True, "false": False, "null": None}


def parse_expressions(source: str) -> list[ast.expr]:
    """The syntax trees of expressions, separated by commas or line breaks, perhaps inside brackets.

    Raises:
        ReplyFormatError: the text is too long, nested too deeply, or something else than expressions.
    """
    source = source.strip()
    if len(source) > MAX_SOURCE:
        raise ReplyFormatError(f"It is {len(source)} characters long; at most {MAX_SOURCE} are read.")
    depth = deepest = 0
    for bracket in _NOT_BRACKETS.sub("", source):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH + 2:  # the list of calls and the call itself
        raise ReplyFormatError(f"It is nested more than {MAX_DEPTH} levels deep.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            statements = ast.parse(source).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ReplyFormatError(f"It is not valid syntax ({error}): {source[:200]!r}.") from error
    nodes: list[ast.expr] = []
    for statement in statements:
        if not isinstance(statement, ast.Expr):
            raise ReplyFormatError(f"It holds a statement: {source[:200]!r}.")
        value = statement.value
        nodes += value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    return nodes


def literal_text(source: str) -> Any:
    """The value of a text that is one literal.

    Raises:
        ReplyFormatError: it is not.
    """
    nodes = parse_expressions(f"[{source}]")
    if len(nodes) != 1:
        raise ReplyFormatError(f"It is not one value: {source[:200]!r}.")
    return literal(nodes[0])


class _JsonNames(ast.NodeTransformer):
    """Takes `true`, `false` and `null` for the constants that they are in JSON."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_JSON_NAMES[node.id]) if node.id in _JSON_NAMES else node


def literal(node: ast.expr) -> Any:
    """The value of a literal, as JSON would hold it.

    Raises:
        ReplyFormatError: the node is not a literal, or JSON has no such value.
    """
    try:
        value = _as_json(ast.literal_eval(_JsonNames().visit(node)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, OverflowError) as error:
        raise ReplyFormatError("Arguments must be literals: numbers, texts, lists and dictionaries.") from error
    if nesting_exceeds(value, MAX_DEPTH):
        raise ReplyFormatError(f"It is nested more than {MAX_DEPTH} levels deep.")
    return value


def _as_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("keys must be texts")
        return {key: _as_json(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    raise ValueError(f"JSON has no {type(value).__name__}")
