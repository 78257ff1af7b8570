"""Texts drawn from a regular expression: what it nearly matches in many ways, which is where it may take long."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

PALETTES = ("a", "a ", "aA", "1 ", "1a", "\n ", "a,", "#", "a'", "a.", "一a", "a_", "=a", "-a", "1.", "1,", "/A", "*a")
"""Characters of one text: the fewer, the more of a pattern's classes hold the same."""
MOST = (3, 12, 60, 300)
"""How often a part that may be repeated is, at most."""
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    _constants.CATEGORY_DIGIT: str.isdigit, _constants.CATEGORY_NOT_DIGIT: lambda char: not char.isdigit(),
    _constants.CATEGORY_SPACE: str.isspace, _constants.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    _constants.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    _constants.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}  # fmt: skip
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def drawn(pattern: re.Pattern[str], count: int, longest: int = 1000) -> Iterator[str]:
    """So many texts, always the same for a pattern; some are cut off within a match, some repeat it."""
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    for number in range(count):
        draw = random.Random(f"{pattern.pattern!a} {number}")
        out: list[str] = []
        _write(tree, draw, draw.choice(PALETTES), draw.choice(MOST), out, longest)
        text = "".join(out)[:longest]
        text = text[: draw.choice((len(text), len(text), draw.randrange(len(text) + 1)))] or "a"
        yield (text * (longest // len(text) if draw.random() < 0.5 else 1))[:longest]


def _write(tree: Any, draw: random.Random, palette: str, most: int, out: list[str], longest: int) -> None:
    for operation, argument in tree:
        if len(out) >= longest:
            return
        if operation is _constants.LITERAL:
            out.append(chr(argument))
        elif operation is _constants.NOT_LITERAL:
            out.append(next(char for char in [*palette, "a", "b"] if ord(char) != argument))
        elif operation is _constants.ANY:
            out.append(draw.choice(palette))
        elif operation is _constants.IN:
            out.append(_member(argument, draw, palette))
        elif operation in _REPEATS:
            least, greatest, inner = argument
            greatest = max(least, min(int(greatest), most))
            for _ in range(draw.choice((least, greatest, greatest, draw.randint(least, greatest)))):
                _write(inner, draw, palette, most, out, longest)
        elif operation is _constants.BRANCH:
            _write(draw.choice(argument[1]), draw, palette, most, out, longest)
        elif operation is _constants.SUBPATTERN:
            _write(argument[3], draw, palette, most, out, longest)
        elif operation is _constants.ATOMIC_GROUP:
            _write(argument, draw, palette, most, out, longest)


def _member(members: Any, draw: random.Random, palette: str) -> str:
    """A character of a class, one of the palette if there is one."""
    edges = [argument if kind is _constants.LITERAL else argument[0] for kind, argument in members
             if kind in (_constants.LITERAL, _constants.RANGE)]  # fmt: skip
    others = [*map(chr, edges), *'a1 ,.\n-"A']
    return next((char for char in [*draw.sample(palette, len(palette)), *others] if _holds(members, char)), "x")


def _holds(members: Any, char: str) -> bool:
    is_negated = is_in = False
    for kind, argument in members:
        if kind is _constants.NEGATE:
            is_negated = True
        elif kind is _constants.LITERAL:
            is_in |= ord(char) == argument
        elif kind is _constants.RANGE:
            is_in |= argument[0] <= ord(char) <= argument[1]
        elif kind is _constants.CATEGORY:
            is_in |= _CATEGORIES[argument](char)
    return is_in != is_negated
