"""All regular expressions of a package, and texts that are hostile to each.

Run as a program, it prints as JSON each pattern whose time grows faster than its text: `python patterns.py hart_agent`.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import signal
import sys
import time
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from types import FrameType, ModuleType
from typing import Any

SIZE = 10_000
"""Characters of the shorter text."""
FLOOR = 0.03
"""Seconds of processor time below which a growth can't be told from noise."""
GROWTH = 3.0
"""Of the time when the text doubles: 2 where it is linear, 4 where it is quadratic."""
LIMIT = 3.0
"""Seconds of processor time for one text."""

_SAMPLES = {
    _constants.CATEGORY_DIGIT: "7", _constants.CATEGORY_SPACE: " ", _constants.CATEGORY_WORD: "a",
    _constants.CATEGORY_NOT_DIGIT: "a", _constants.CATEGORY_NOT_SPACE: "a", _constants.CATEGORY_NOT_WORD: ",",
}  # fmt: skip


def patterns(package: str) -> dict[str, tuple[str, re.Pattern[str]]]:
    """The patterns of text that modules hold, directly or in collections, by module and expression."""
    found: dict[str, tuple[str, re.Pattern[str]]] = {}
    for module in _modules(package):
        for value in vars(module).values():
            for pattern in _inside(value, depth=3):
                found.setdefault(f"{pattern.pattern}/{pattern.flags}", (module.__name__, pattern))
    return found


def hostile_units(pattern: re.Pattern[str]) -> list[str]:
    """What a text is repeated of: the literals of the pattern, samples of its classes, and all that in pairs."""
    words: list[str] = []
    _collect(_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE), words)
    single = list(dict.fromkeys([*filter(None, words), " ", "a", "7", "\n", ",", "\u0301"]))[:9]
    return single + [first + second for first in single for second in single if first != second]


def growth(pattern: re.Pattern[str], unit: str, size: int = SIZE) -> float | None:
    """How the time of finding all matches grows when the text doubles; None where it is too short to tell."""
    short, long = (unit * (length // len(unit)) for length in (size, 2 * size))
    if (slow := _seconds(pattern, long)) < FLOOR:
        return None
    return slow / max(_seconds(pattern, short), 1e-6)


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        for subject in (text, text + "\0"):
            for _ in pattern.finditer(subject):
                pass
            pattern.fullmatch(subject)
    except TimeoutError:
        return 4 * LIMIT
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
    for module, pattern in found.values():
        for unit in hostile_units(pattern):
            grown = growth(pattern, unit)
            if grown is not None and grown > GROWTH:
                slow.append({"module": module, "pattern": pattern.pattern, "unit": unit, "growth": round(grown, 1)})
                break
    print(json.dumps({"patterns": len(found), "slow": slow}))


if __name__ == "__main__":
    main()
