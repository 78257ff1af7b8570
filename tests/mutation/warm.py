"""Processes that have imported what tests need, and are forked for each mutant.

Where a mutant's lines run only when they are called, the code of functions is replaced in a process that has collected
all tests; where they run while modules are imported, the tests are collected anew, with what isn't ours imported
before. Either way only those tests run that run the changed lines, until one fails: first those that have killed most
for their time, then the quickest.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import resource
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from hypothesis import Phase, settings
from learning import Learner, Lessons
from mutants import Mutant

_OPTIONS = ("-q", "-p", "no:cacheprovider", "--hypothesis-seed=0")
_MEMORY = 12 << 30
"""Bytes of address space of a child."""
_CPU_LIMIT, _WALL_LIMIT = 8, 60
"""Seconds that a child may take, of the processor and by the clock, beside twice and ten times what its tests take."""

Functions = dict[tuple[str, str, int], list[FunctionType]]
"""All functions that are there, by file, qualified name and first line."""


@dataclass(frozen=True)
class Outcome:
    """How a mutant ended: killed, survived or time; the seconds that it took, and the first test that failed."""

    outcome: str
    seconds: float
    by: str


class _FirstFailure:
    """A plugin that ends its process at the first test that fails, and says which."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            _end(self._pipe, report.nodeid or "?")

    pytest_collectreport = pytest_runtest_logreport


class _Quick:
    """A plugin: no example is made smaller or kept."""

    def pytest_collection(self) -> None:
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutation", settings.get_profile("default"), phases=phases, database=None)
        settings.load_profile("mutation")


class _Chosen:
    """A plugin that leaves some tests, in their order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._tests = tests

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        by_name = {item.nodeid: item for item in items}
        items[:] = [by_name[test] for test in self._tests if test in by_name]


class _Loop:
    """A plugin that collects tests, and runs something else instead of them."""

    def __init__(self, run: Callable[[dict[str, pytest.Item]], None]) -> None:
        self._run = run

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._run({item.nodeid: item for item in session.items})
        return True


class Warm:
    """Runs the tests of an area on mutants.

    Args:
        folder: a copy of the repository, in which mutants are written.
        tests: files and folders in it.
        modules: those that are going to be changed.
        without: beginnings of the ids of tests that are not run.

    Raises:
        SystemExit: the tests fail without any mutant.
    """

    def __init__(self, folder: Path, tests: Sequence[str], modules: Sequence[str], without: Sequence[str] = ()) -> None:
        self._folder, self._tests = folder, tests
        self._pace = 1.0
        self._kills: Counter[str] = Counter()
        self._options = [*_OPTIONS, *(f"--deselect={test}" for test in without)]
        os.environ["PYTHONPATH"] = str(folder)
        os.environ["PYTHONDONTWRITEBYTECODE"] = ""
        self._lessons = self._learnt({str(folder / module) for module in modules})
        for name in self._lessons.foreign:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    def run(self, chosen: Sequence[tuple[str, Mutant]], done: Callable[[int, Outcome], None]) -> None:
        """Try mutants of modules. `done` is called with the number of each; in a process of its own.

        Raises:
            SystemExit: the tests fail in the order of their time without any mutant.
        """
        covering = [self._lessons.covering(str(self._folder / module), mutant.lines) for module, mutant in chosen]

        def patched(items: dict[str, pytest.Item]) -> None:
            functions = _functions(str(self._folder))
            gc.freeze()
            if failed := self._unsound(partial(_run, [items[test] for test in everything])):
                self._say(failed)
                return
            for number, (module, mutant) in enumerate(chosen):
                if (tests := covering[number]) is not None and _fits(functions, mutant.code):
                    tests = sorted(tests, key=self._promise)
                    run = partial(_patch_and_run, mutant.code, functions, [items[test] for test in tests])
                    done(number, self._tried(module, mutant, tests, run))
                    left.discard(number)
            self._say(left)

        everything, left = list(self._lessons.seconds), set(range(len(chosen)))
        child = os.fork()
        if not child:
            self._pytest(self._tests, _Loop(patched))
            os._exit(0)
        os.waitpid(child, 0)
        left = self._said()
        collected = partial(self._collect_and_run, everything)
        if failed := left if isinstance(left, str) else left and self._unsound(collected):
            raise SystemExit(f"without a mutant, this fails in another order: {failed}")
        for number in sorted(left):
            module, mutant = chosen[number]
            tests = sorted(self._lessons.touching(str(self._folder / module)), key=self._promise)
            done(number, self._tried(module, mutant, tests, partial(self._collect_and_run, tests)))

    def _promise(self, test: str) -> float:
        """Lower for a test that has killed more mutants per second of its own; 0 for one that has killed none."""
        return -self._kills[test] / (self._lessons.seconds[test] + 0.01)

    def _unsound(self, run: Callable[[int], None]) -> str | None:
        """What fails without a mutant; and how much quicker all is that isn't traced."""
        seconds, before = sum(self._lessons.seconds.values()), _spent()
        said = _child(run, seconds)
        self._pace = (_spent() - before) / seconds
        return None if said == "ok" else said or "time"

    def _tried(self, module: str, mutant: Mutant, tests: Sequence[str], run: Callable[[int], None]) -> Outcome:
        """Run some tests in a child, with a mutant written into the copy for the processes that they start."""
        path = self._folder / module
        before, started = path.read_bytes(), time.monotonic()
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
        path.write_text(mutant.source, encoding="utf-8")
        try:
            seconds = sum(self._lessons.seconds[test] for test in tests)
            said = _child(run, seconds * self._pace)
        finally:
            path.write_bytes(before)
        outcome = "time" if said is None else "survived" if said == "ok" else "killed"
        self._kills[said or ""] += outcome == "killed"
        return Outcome(outcome, time.monotonic() - started, said or "")

    def _collect_and_run(self, tests: Sequence[str], pipe: int) -> None:
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        code = self._pytest(files, _Chosen(tests), _FirstFailure(pipe)) if files else 0
        _end(pipe, "ok" if code == 0 else f"exit code {code}")

    def _learnt(self, files: set[str]) -> Lessons:
        started, child = time.monotonic(), os.fork()
        if not child:
            learner = Learner(files)
            self._pytest(self._tests, learner)
            self._say(learner.failed or learner.lessons(str(self._folder)))
            os._exit(0)
        os.waitpid(child, 0)
        lessons = self._said()
        if not isinstance(lessons, Lessons):
            raise SystemExit(f"without a mutant, these fail: {', '.join(lessons)}")
        print(
            f"{len(lessons.seconds)} tests, {len(lessons.opaque)} of which start processes or trace; "
            f"{time.monotonic() - started:.0f} s without a mutant", file=sys.stderr, flush=True,
        )  # fmt: skip
        return lessons

    def _say(self, thing: object) -> None:
        (self._folder / "said").write_bytes(pickle.dumps(thing))

    def _said(self) -> Any:
        return pickle.loads((self._folder / "said").read_bytes())

    def _pytest(self, tests: Sequence[str], *plugins: object) -> int:
        os.chdir(self._folder)
        sys.path[0] = str(self._folder)
        sink = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(sink, stream)
        folder = str(self._folder / "temporary")
        options = [*self._options, "--rootdir", str(self._folder), "--basetemp", folder]
        return int(pytest.main([*options, *tests], [_Quick(), *plugins]))


def _patch_and_run(code: CodeType, functions: Functions, items: list[pytest.Item], pipe: int) -> None:
    for function, new in _pairs(functions, code):
        function.__code__ = new
    _run(items, pipe)


def _run(items: Sequence[pytest.Item], pipe: int) -> None:
    if items:
        items[0].config.pluginmanager.register(_FirstFailure(pipe))
    for item, following in zip(items, [*items[1:], None], strict=False):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    _end(pipe, "ok")


def _end(pipe: int, said: str) -> None:
    os.write(pipe, said.encode())
    os._exit(0)


def _child(run: Callable[[int], None], seconds: float) -> str | None:
    """What a child says that runs tests of so many seconds; None where it takes far longer."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.setsid()
        cpu = int(2 * seconds) + _CPU_LIMIT
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        try:
            run(writer)
        finally:
            _end(writer, "a failure outside tests")
    os.close(writer)
    deadline = time.monotonic() + 10 * seconds + _WALL_LIMIT
    is_late = not select.select([reader], [], [], deadline - time.monotonic())[0]
    said = "" if is_late else os.read(reader, 4096).decode()
    os.close(reader)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # it leads a group of its own: what its tests left running ends, too
    status = os.waitpid(child, 0)[1]
    is_out = not said and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
    return None if is_late or is_out else said or "a crash"


def _spent() -> float:
    """Seconds of the processor that children took which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _functions(folder: str) -> Functions:
    found: Functions = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename.startswith(folder):
            code = thing.__code__
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(thing)
    return found


def _pairs(functions: Functions, code: CodeType) -> Iterator[tuple[FunctionType, CodeType]]:
    """Functions whose code is to be replaced, each with its new code."""
    for inner in filter(lambda constant: isinstance(constant, CodeType), code.co_consts):
        known = functions.get((inner.co_filename, inner.co_qualname, inner.co_firstlineno))
        if known is None:
            yield from _pairs(functions, inner)
        else:
            yield from ((function, inner) for function in known if function.__code__ != inner)


def _fits(functions: Functions, code: CodeType) -> bool:
    pairs = list(_pairs(functions, code))
    return bool(pairs) and all(len(function.__code__.co_freevars) == len(new.co_freevars) for function, new in pairs)
