"""`hart-agent batch` as a process of its own, and in this one where that makes no difference."""

from __future__ import annotations

import contextlib
import functools
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from in_process import hart_agent
from loopback import Loopback


def start(server: Loopback, questions: Path, out: Path, *options: str, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hart_agent", *_arguments(server, questions, out, *options)]
    # A shell that starts the tests in the background has them ignore SIGINT, and what they start, too.
    more.setdefault("preexec_fn", functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL))
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=questions.parent, **more)


def here(server: Loopback, questions: Path, out: Path, *options: str) -> tuple[int, str]:
    """In this process: how it ended, and what it said."""
    with contextlib.chdir(questions.parent):
        done = hart_agent(*_arguments(server, questions, out, *options))
    return done.returncode, done.stderr


def _arguments(server: Loopback, questions: Path, out: Path, *options: str) -> list[str]:
    asked = ["batch", str(questions), str(out), "--base-url", server.url]
    return [*asked, "--model", "qwen2.5-vl", "--concurrency", "16", *options]


def finish(process: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str]:
    try:
        _, said = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, said


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Until the condition holds, or the process is done."""
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"after {seconds} seconds this still doesn't hold")
        time.sleep(0.002)


def interrupted(process: subprocess.Popen[str], out: Path, lines: int, seconds: float = 60) -> str:
    """What a batch says that is interrupted after so many results, which it takes at once.

    Args:
        process: of the batch.
        out: its results.
        lines: after which it is interrupted; the server says nothing more then.
        seconds: until they must be there.
    """
    wait_for(lambda: lines_in(out) >= lines, process, seconds)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, said = finish(process)
    assert time.monotonic() - started < 20
    assert code == 130, said
    assert "Traceback" not in said
    return said
