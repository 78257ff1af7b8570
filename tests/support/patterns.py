"""All regular expressions of a package, and texts that are hostile to each.

Run as a program, it prints as JSON each pattern whose time grows faster than its text: `python patterns.py hart_agent`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import math
import pkgutil
import re
import signal
import sys
import time
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from types import FrameType, ModuleType
from typing import Any

from pattern_texts import drawn

SIZES = (2_500, 10_000, 40_000)
"""Characters of the shorter text: the first of them that takes long enough to tell."""
FACTOR = 4
"""Of the longer text's length to the shorter one's."""
FLOOR = 0.12
"""Seconds of processor time below which a growth can't be told from noise."""
GROWTH = 8.0
"""Of the time when the text is four times as long: 4 where it is linear, 16 where it is quadratic."""
AGAIN = 3
"""Times that both are measured again where the time seems to grow too much."""
LIMIT = 1.0
"""Seconds of processor time for one text."""
DRAWN = 40
"""Texts of about a thousand characters drawn from a pattern itself, which nearly match it in many ways."""
STUCK = 0.2
"""Seconds of processor time that one of these takes at most: a pattern that tries all the ways takes hours."""
LONG = 250_000
"""Characters of the shorter text of the last trial, with the unit that took longest; the longer one has a million."""

_CALLS = {f"re.{name}" for name in ("search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn")}
_SAMPLES = {
    _constants.CATEGORY_DIGIT: "7", _constants.CATEGORY_SPACE: " ", _constants.CATEGORY_WORD: "a",
    _constants.CATEGORY_NOT_DIGIT: "a", _constants.CATEGORY_NOT_SPACE: "a", _constants.CATEGORY_NOT_WORD: ",",
}  # fmt: skip


Found = tuple[str, re.Pattern[str], bool]
"""The name of a module, its pattern, and whether that may be tried at every place of a text."""


def patterns(package: str) -> list[Found]:
    """The patterns of text that modules hold, directly or in collections, write where they use them, or read from the
    embedded reader's files."""
    found: dict[object, Found] = {}
    for module in _modules(package):
        held = [pattern for value in vars(module).values() for pattern in _inside(value, depth=3)]
        for pattern, searched in [
            *((pattern, _is_searched(module, pattern)) for pattern in held),
            *_written(module),
            *((pattern, True) for pattern in _read(module)),
        ]:
            found.setdefault((pattern.pattern, pattern.flags, searched), (module.__name__, pattern, searched))
    return list(found.values())


def hostile_units(pattern: re.Pattern[str]) -> list[str]:
    """What a text is repeated of: the literals of the pattern, samples of its classes, and all that in pairs."""
    words: list[str] = []
    _collect(_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE), words)
    single = list(dict.fromkeys([*filter(None, words), " ", "a", "7", "\n", ",", "\u0301"]))[:6]
    return single + [first + second for first in single for second in single if first != second]


def _is_searched(module: ModuleType, pattern: re.Pattern[str]) -> bool:
    """Whether a pattern may be tried at every place of a text. Those that are only matched at one place are not: their
    names stand before `.match` and `.fullmatch` alone, in the module that holds them."""
    names = {name for name, value in vars(module).items() if value is pattern}
    nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
    methods = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr in ("match", "fullmatch")]
    matched = {id(node.value) for node in methods}
    uses = [
        node for node in nodes if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
    ]
    return not uses or not all(id(node) in matched for node in uses)


def growth(
    pattern: re.Pattern[str], unit: str, *, searched: bool = True, sizes: tuple[int, ...] = SIZES, limit: float = LIMIT
) -> float | None:
    """How the time of finding all matches grows with the text; None where it stays too short to tell, infinity where a
    short text takes too long."""
    for size in sizes:
        short, long = (unit * (length // len(unit) + 1) for length in (size, FACTOR * size))
        if (slow := _seconds(pattern, long, searched, limit)) >= FLOOR:
            # A busy machine only ever adds to a time; where it becomes busy between the two, to one of them.
            slow = min(slow, _seconds(pattern, long, searched, limit))
            fast = min(_seconds(pattern, short, searched, limit) for _ in range(3))
            for _ in range(AGAIN):
                if slow > GROWTH * fast:
                    slow = min(slow, _seconds(pattern, long, searched, limit))
                    fast = min(fast, _seconds(pattern, short, searched, limit))
            return math.inf if fast == math.inf else min(slow, FACTOR**2 * limit) / max(fast, 1e-6)
    return None


def worst_growth(pattern: re.Pattern[str], *, searched: bool = True) -> tuple[float, str]:
    """Of all hostile units the one whose time grows too much, or a drawn text that takes too long; else the unit that
    takes longest, to a million characters. The growth, and the unit or the text."""
    units = hostile_units(pattern)
    for unit in units:
        grown = growth(pattern, unit, searched=searched)
        if grown is not None and grown > GROWTH:
            return grown, unit
    for text in drawn(pattern, DRAWN):
        if min(_seconds(pattern, text, searched, STUCK) for _ in range(2)) == math.inf:
            return math.inf, text
    slowest = max(units, key=lambda unit: _seconds(pattern, unit * (SIZES[0] // len(unit) + 1), searched))
    return growth(pattern, slowest, searched=searched, sizes=(LONG,), limit=60 * LIMIT) or 0.0, slowest


def _seconds(pattern: re.Pattern[str], text: str, searched: bool, limit: float = LIMIT) -> float:
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        if searched:
            for _ in pattern.finditer(text + "\0"):
                pass
        pattern.fullmatch(text + "\0")
    except TimeoutError:
        return math.inf
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return time.process_time() - started


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for entry in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not entry.name.endswith("__main__"):
            try:
                yield importlib.import_module(entry.name)
            except ImportError as error:  # an optional package is missing
                print(f"{entry.name}: {error}", file=sys.stderr)


def _written(module: ModuleType) -> Iterator[tuple[re.Pattern[str], bool]]:
    """The expressions in calls such as `re.sub("...", ...)`."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                ignored = re.IGNORECASE if "re.I" in ast.unparse(node) else 0
                yield re.compile(first.value, ignored), "match" not in ast.unparse(node.func)


def _read(module: ModuleType) -> Iterator[re.Pattern[str]]:
    if module.__name__ == "hart_agent.backends.embedded.patterns":
        for name in module._patterns():
            yield module.pattern(name)
    elif module.__name__ == "hart_agent.backends.embedded.ranking":
        for listed in ("cues.tsv", "names.tsv"):
            yield from module._cues(listed).values()


def _inside(value: Any, depth: int) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif depth and isinstance(value, dict):
        for inner in (*value.keys(), *value.values()):
            yield from _inside(inner, depth - 1)
    elif depth and isinstance(value, (tuple, list, set, frozenset)):
        for inner in value:
            yield from _inside(inner, depth - 1)
    elif depth and type(value).__module__.startswith("hart_agent") and hasattr(value, "__dict__"):
        for inner in vars(value).values():
            yield from _inside(inner, depth - 1)


def _collect(tree: Any, words: list[str]) -> None:
    """Literals that stand together, and a sample of each class."""
    run = ""
    for operation, argument in tree:
        if operation is _constants.LITERAL:
            run += chr(argument)
            continue
        words.append(run)
        run = ""
        if operation is _constants.IN:
            words.append(_sample(argument))
        elif operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT):
            _collect(argument[2], words)
        elif operation is _constants.SUBPATTERN:
            _collect(argument[3], words)
        elif operation is _constants.BRANCH:
            for branch in argument[1]:
                _collect(branch, words)
        elif operation in (_constants.ASSERT, _constants.ASSERT_NOT):
            _collect(argument[1], words)
        elif operation is _constants.ATOMIC_GROUP:
            _collect(argument, words)
    words.append(run)


def _sample(members: Any) -> str:
    for kind, argument in members:
        if kind is _constants.LITERAL:
            return chr(argument)
        if kind is _constants.RANGE:
            return chr(argument[0])
        if kind is _constants.CATEGORY:
            return _SAMPLES.get(argument, "a")
    return "a"


def main() -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    signal.signal(signal.SIGPROF, stop)
    slow = []
    found = patterns(sys.argv[1])
    for module, pattern, searched in found:
        print(module, pattern.pattern[:60], file=sys.stderr, flush=True)
        grown, unit = worst_growth(pattern, searched=searched)
        if grown > GROWTH:
            slow.append({"module": module, "pattern": pattern.pattern, "unit": unit, "growth": round(grown, 1)})
    print(json.dumps({"patterns": len(found), "slow": slow}))


if __name__ == "__main__":
    main()
