"""Reading takes steps in proportion to the length of a reply, whatever it repeats.

Steps are lines of Python, counted, so that nothing depends on the machine; patterns are checked by their form.
The times, to a million characters, are measured by tests/benchmarks/parsing.py.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import hart_agent.dialogue
from hart_agent.dialogue.parsing import parse_reply

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from parsing import PIECES, PREFIXES

HERE = str(Path(hart_agent.dialogue.__file__).parent)


def steps(text: str) -> int:
    count = 0

    def each_line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return each_line

    def each_call(frame: FrameType, event: str, argument: Any) -> Any:
        return each_line if frame.f_code.co_filename.startswith(HERE) else None

    before = sys.gettrace()
    sys.settrace(each_call)
    try:
        parse_reply(text, schemas={"f": {}})
    finally:
        sys.settrace(before)
    return count


@pytest.mark.long
@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_twice_the_text_takes_twice_the_steps(piece: str) -> None:
    for prefix in PREFIXES:
        short, long = (steps(prefix + piece * (length // len(piece))) for length in (1_000, 2_000))
        assert long <= 2.3 * short + 200, prefix


def patterns() -> dict[str, re.Pattern[str]]:
    found = {}
    for module_info in pkgutil.walk_packages(hart_agent.dialogue.__path__, "hart_agent.dialogue."):
        module = importlib.import_module(module_info.name)
        for name, value in vars(module).items():
            for index, item in enumerate(value if isinstance(value, tuple) else [value]):
                if isinstance(item, re.Pattern):
                    found[f"{module_info.name}.{name}.{index}"] = item
    return found


def unbounded(tree: Any, inside: bool = False) -> bool:
    """Whether a repetition without a limit holds another one."""
    for _, argument in tree:
        children = [argument]
        while children:
            child = children.pop()
            if isinstance(child, re._parser.SubPattern):  # type: ignore[attr-defined]
                if unbounded(child, inside):
                    return True
            elif isinstance(child, tuple) and len(child) == 3 and child[1] is re._constants.MAXREPEAT:  # type: ignore[attr-defined]
                if inside or unbounded(child[2], inside=True):
                    return True
            elif isinstance(child, tuple | list):
                children.extend(child)
    return False


def twice_the_same(tree: Any) -> bool:
    """Whether two repetitions of the same class without a limit meet, with nothing between them that must be there."""
    before: set[str] = set()
    for operation, argument in tree:
        least, most, inner = argument if str(operation).endswith("REPEAT") else (1, 1, None)
        if inner is not None and most is re._constants.MAXREPEAT:  # type: ignore[attr-defined]
            if str(inner) in before:
                return True
            before = before | {str(inner)} if least == 0 else {str(inner)}
        elif least > 0:
            before = set()
    return False


def sequences(tree: Any) -> Iterator[Any]:
    if isinstance(tree, re._parser.SubPattern):  # type: ignore[attr-defined]
        yield tree
    for child in tree if isinstance(tree, re._parser.SubPattern | tuple | list) else ():  # type: ignore[attr-defined]
        yield from sequences(child)


def test_no_pattern_repeats_a_class_twice_in_a_row() -> None:
    def slow(pattern: str, flags: int = 0) -> bool:
        return any(map(twice_the_same, sequences(re._parser.parse(pattern, flags))))  # type: ignore[attr-defined]

    assert slow(r"a|(?:b\s*\[?\s*c)")
    assert not slow(r"\s*(?:\[\s*)?c")
    assert not [name for name, item in patterns().items() if slow(item.pattern, item.flags)]


def test_no_pattern_repeats_a_repetition() -> None:
    found = patterns()
    assert len(found) >= 20
    assert unbounded(re._parser.parse("(?:a+b)*"))  # type: ignore[attr-defined]
    assert not [name for name, item in found.items() if unbounded(re._parser.parse(item.pattern, item.flags))]  # type: ignore[attr-defined]
