"""A process that has imported what tests need, and is forked for each mutant."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0")
_MEMORY = 12 << 30
"""Bytes of address space of a child."""


class _FirstFailure:
    """A plugin that notes the first test that fails."""

    by = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.by:
            self.by = report.nodeid


@dataclass(frozen=True)
class _Group:
    """Tests, and the seconds that they may take, of the processor and by the clock."""

    tests: str
    cpu: float = 600.0
    wall: float = 3000.0


class Warm:
    """Forks a child for each mutant and group of tests. Nothing of the package or of its tests is imported before that.

    Args:
        folder: a copy of the repository, in which mutants are written.
        groups: of tests in it, files and folders with spaces between them, nearest first: those that kill a mutant
            spare the groups behind them.

    Raises:
        SystemExit: the tests fail without any mutant.
    """

    def __init__(self, folder: Path, groups: Sequence[str]) -> None:
        self._folder = folder
        os.environ["PYTHONPATH"] = str(folder)
        os.environ["PYTHONDONTWRITEBYTECODE"] = ""
        for group in groups:  # compiles, and tells what to import
            for name in self._sound(_Group(group))["modules"]:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        self._groups = [self._measured(group) for group in groups]
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    def outcome(self, module: str, source: str) -> tuple[str, float, str]:
        """Whether a mutant is killed, survived or ran out of its time; the seconds; the first test that failed."""
        path = self._folder / module
        before = path.read_bytes()
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
        path.write_text(source, encoding="utf-8")
        started = time.monotonic()
        outcome, by = "survived", ""
        try:
            for group in self._groups:
                code, report = self._run(group)
                if code != "0":
                    outcome, by = "time" if code == "time" else "killed", report.get("by", "")
                    break
        finally:
            path.write_bytes(before)
        return outcome, time.monotonic() - started, by

    def _measured(self, group: str) -> _Group:
        started = time.monotonic()
        cpu, wall = self._sound(_Group(group))["cpu"], time.monotonic() - started
        print(f"{cpu:.1f} s without a mutant: {group}", file=sys.stderr, flush=True)
        return _Group(group, 3 * cpu + 10, 4 * wall + 60)

    def _sound(self, group: _Group) -> dict[str, Any]:
        code, report = self._run(group)
        if code != "0":
            raise SystemExit(f"without a mutant, {report.get('by') or group.tests} fails ({code})")
        return report

    def _run(self, group: _Group) -> tuple[str, dict[str, Any]]:
        """The exit code of the tests, or "time"; and what the child reports."""
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self._be_child(group, writer)
        os.close(writer)
        deadline, said = time.monotonic() + group.wall, b""
        while (left := deadline - time.monotonic()) > 0 and select.select([reader], [], [], left)[0]:
            part = os.read(reader, 1 << 20)
            said += part
            if not part:
                break
        os.close(reader)
        is_late = time.monotonic() >= deadline
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # it leads a group of its own: what its tests left running ends, too
        status = os.waitpid(child, 0)[1]
        if is_late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
            return "time", {}
        report = json.loads(said) if said else {}
        return str(report.get("code", "killed")), report

    def _be_child(self, group: _Group, writer: int) -> None:
        os.setsid()
        os.chdir(self._folder)
        sys.path[0] = str(self._folder)
        sink = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(sink, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (int(group.cpu), int(group.cpu) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        first = _FirstFailure()
        code: int = 1
        try:
            code = int(pytest.main([*_OPTIONS, "--rootdir", str(self._folder), *group.tests.split()], plugins=[first]))
        finally:
            report = {"code": code, "by": first.by, "cpu": time.process_time(), "modules": self._foreign()}
            os.write(writer, json.dumps(report).encode())
            os._exit(0)

    def _foreign(self) -> list[str]:
        """What was imported that is neither of the copy nor about to be imported anew."""
        here = str(self._folder)
        return [
            name for name, module in sys.modules.items()
            if name != "__main__" and (file := getattr(module, "__file__", None)) and not file.startswith(here)
        ]  # fmt: skip
