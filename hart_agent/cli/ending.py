"""The end of the process, which no thread can hold up or spoil."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final, NoReturn

_GRACE: Final = 0.5
"""Seconds that other threads get to finish once the command is done."""


def end_despite_threads(code: Any) -> NoReturn:
    """End the process now that its command is done, with its own exit code.

    Python would wait for every thread that is not a daemon, and one that a tool or a policy started may never end. Then
    it would free its modules while other threads are still in native code (a model that computes, a decoder), which
    abort the process as soon as they come back: SIGABRT, after the answer. So threads get a moment to finish, functions
    that run at exit, such as a model server's, the time that they need, and the interpreter is not taken down.

    Args:
        code: of `SystemExit`: an exit code, None for 0, or a message for stderr, which stands for 1.
    """
    if isinstance(code, str):
        print(code, file=sys.stderr)
    try:
        if _given_up():
            _end_children()
        else:
            _wait([thread for thread in threading.enumerate() if not thread.daemon], _GRACE)
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _given_up() -> bool:
    """Whether a function still runs in a thread that nobody waits for."""
    concurrency = sys.modules.get("hart_agent.concurrency")
    if concurrency is None:  # nothing has been run in a thread
        return False
    threads = [thread for thread in threading.enumerate() if thread.name == concurrency.THREAD_NAME]
    _wait(threads, _GRACE / 2)
    return any(thread.is_alive() for thread in threads)


def _wait(threads: list[threading.Thread], seconds: float) -> None:
    latest = time.monotonic() + seconds
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, latest - time.monotonic()))


def _end_children() -> None:
    """End the programs that a function left running in its thread. Only Linux lists them."""
    if sys.platform != "linux":
        return
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError, ValueError):
            for child in map(int, children.read_text().split()):
                os.kill(child, signal.SIGKILL)
