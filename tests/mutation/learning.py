"""What the tests of an area do when nothing is changed: the lines that each runs, and the seconds that it takes."""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest

_STARTS_A_PROCESS = {"os.fork", "os.exec", "os.posix_spawn", "subprocess.Popen"}
_IMPORTING = ""
"""Stands for a test while modules are imported and tests are collected."""


@dataclass
class Lessons:
    """What tests do.

    Attributes:
        seconds: that each test takes, by its node id, the quickest first.
        lines: for each file the lines that were run, each with the tests that ran it; "" stands for imports.
        opaque: tests whose lines aren't all known, because they start processes or trace themselves.
        foreign: the modules that were imported and are not of the repository.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]
    opaque: list[str]
    foreign: list[str]

    def covering(self, file: str, lines: range) -> list[str] | None:
        """The tests that run some of a file's lines, the quickest first; None where imports run them."""
        ran = self.lines.get(file, {})
        found = {test for line in lines for test in ran.get(line, ())}
        return None if _IMPORTING in found else self._by_time(found)

    def touching(self, file: str) -> list[str]:
        """The tests that run anything of a file, the quickest first."""
        return self._by_time({test for tests in self.lines.get(file, {}).values() for test in tests})

    def _by_time(self, tests: Collection[str]) -> list[str]:
        return sorted({*tests, *self.opaque} - {_IMPORTING}, key=self.seconds.__getitem__)


class Learner:
    """A plugin of pytest that finds out what tests do. Make it before anything of the repository is imported.

    Args:
        files: whose lines are noted, absolute.
    """

    def __init__(self, files: Collection[str]) -> None:
        self.seconds = dict[str, float]()
        self.lines = {file: defaultdict[int, set[str]](set) for file in files}
        self.opaque = set[str]()
        self.failed = list[str]()
        self._test = _IMPORTING
        sys.addaudithook(self._heard)
        threading.settrace(self._called)
        self._trace()

    def _trace(self) -> None:
        self._is_ours = True
        sys.settrace(self._called)
        self._is_ours = False

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._ran if frame.f_code.co_filename in self.lines else None

    def _ran(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.lines[frame.f_code.co_filename][frame.f_lineno].add(self._test)
        return self._ran

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_traced = event == "sys.settrace" and not self._is_ours and threading.current_thread().name == "MainThread"
        if is_traced or event in _STARTS_A_PROCESS:
            self.opaque.add(self._test)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        self._test, started = item.nodeid, time.perf_counter()
        self._trace()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.perf_counter() - started
            self._test = _IMPORTING

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def lessons(self, folder: str) -> Lessons:
        foreign = [
            name for name, module in list(sys.modules.items())
            if name != "__main__" and (file := getattr(module, "__file__", None)) and not file.startswith(folder)
        ]  # fmt: skip
        lines = {file: {line: sorted(tests) for line, tests in found.items()} for file, found in self.lines.items()}
        seconds = dict(sorted(self.seconds.items(), key=lambda pair: pair[1]))
        return Lessons(seconds, lines, sorted(self.opaque - {_IMPORTING}), foreign)
