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
from pathlib import Path
from typing import Any

import pytest

_MEMORY = 12 << 30
"""Bytes of address space of a child."""


class _FirstFailure:
    """A plugin that notes the first test that fails."""

    by = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.by:
            self.by = report.nodeid


class Warm:
    """Forks a child for each mutant. Nothing of the package or of its tests is imported before the fork.

    Args:
        folder: a copy of the repository, in which mutants are written.
        tests: files and folders of tests in it.

    Raises:
        SystemExit: the tests fail without any mutant.
    """

    def __init__(self, folder: Path, tests: Sequence[str]) -> None:
        self._folder = folder
        self._arguments = [
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "--hypothesis-seed=0",
            "--rootdir",
            str(folder),
            *tests,
        ]
        os.environ["PYTHONPATH"] = str(folder)
        os.environ["PYTHONDONTWRITEBYTECODE"] = ""
        self._cpu, self._wall = 600.0, 1200.0
        for attempt in ("compiled", "warm"):  # the first run compiles, and tells what to import
            started = time.monotonic()
            code, report = self._run()
            if code != "0":
                raise SystemExit(f"without a mutant, {report.get('by') or 'the tests'} fails ({code})")
            for name in report["modules"] if attempt == "compiled" else ():
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        wall = time.monotonic() - started
        self._cpu, self._wall = 3 * report["cpu"] + 10, 4 * wall + 30
        print(f"{wall:.1f} s without a mutant", file=sys.stderr)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    def outcome(self, module: str, source: str) -> tuple[str, float, str]:
        """Whether a mutant is killed or survived, or ran out of its time; the seconds; and the first test that failed."""
        path = self._folder / module
        before = path.read_bytes()
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
        path.write_text(source, encoding="utf-8")
        started = time.monotonic()
        try:
            code, report = self._run()
        finally:
            path.write_bytes(before)
        outcome = {"0": "survived", "time": "time"}.get(code, "killed")
        return outcome, time.monotonic() - started, report.get("by", "")

    def _run(self) -> tuple[str, dict[str, Any]]:
        """The exit code of the tests, or "time"; and what the child reports."""
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self._be_child(writer)
        os.close(writer)
        deadline, said = time.monotonic() + self._wall, b""
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

    def _be_child(self, writer: int) -> None:
        os.setsid()
        os.chdir(self._folder)
        sys.path[0] = str(self._folder)
        sink = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(sink, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (int(self._cpu), int(self._cpu) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        first = _FirstFailure()
        code: int = 1
        try:
            code = int(pytest.main(self._arguments, plugins=[first]))
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
