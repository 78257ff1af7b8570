"""All regular expressions of a package, and texts that are hostile to each.

Run as a program, it prints as JSON each pattern whose time grows faster than its text: `python patterns.py hart_agent`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
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

SIZES = (2_500, 10_000, 40_000)
"""Characters of the shorter text: the first of them that takes long enough to tell."""
FACTOR = 4
"""Of the longer text's length to the shorter one's."""
FLOOR = 0.12
"""Seconds of processor time below which a growth can't be told from noise."""
GROWTH = 8.0
"""Of the time when the text is four times as long: 4 where it is linear, 16 where it is quadratic."""
LIMIT = 1.0
"""Seconds of processor time for one text."""

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


def growth(pattern: re.Pattern[str], unit: str, *, searched: bool = True) -> float | None:
    """How the time of finding all matches grows with the text; None where it stays too short to tell."""
    for size in SIZES:
        short, long = (unit * (length // len(unit)) for length in (size, FACTOR * size))
        if (slow := _seconds(pattern, long, searched)) >= FLOOR:
            # A busy machine only ever adds to a time.
            slow = min(slow, _seconds(pattern, long, searched))
            return slow / max(min(_seconds(pattern, short, searched) for _ in range(3)), 1e-6)
    return None


def _seconds(pattern: re.Pattern[str], text: str, searched: bool) -> float:
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        if searched:
            for _ in pattern.finditer(text + "\0"):
                pass
        pattern.fullmatch(text + "\0")
    except TimeoutError:
        return FACTOR**2 * LIMIT
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
        for unit in hostile_units(pattern):
            grown = growth(pattern, unit, searched=searched)
            if grown is not None and grown > GROWTH:
                slow.append({"module": module, "pattern": pattern.pattern, "unit": unit, "growth": round(grown, 1)})
                break
    print(json.dumps({"patterns": len(found), "slow": slow}))


if __name__ == "__main__":
    main()
