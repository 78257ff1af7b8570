"""The end of the process, which a tool, a policy or a decoder that hangs can't hold up."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

_GRACE: Final = 0.5
"""Seconds that other threads get to finish once the command is done."""


def end_despite_threads(code: Any) -> None:
    """See that the process ends soon after its main thread, with its own exit code.

    Python waits for every thread that is not a daemon; one that a tool or a policy started may never end. Functions
    that run at exit, such as a model server's, keep the time that they need.

    Args:
        code: of `SystemExit`.
    """
    threads_ended = threading.Event()
    atexit.register(threads_ended.set)  # called once Python has waited for all threads

    def end() -> None:
        threading.main_thread().join()
        if not threads_ended.wait(_GRACE):
            _end_now(code)

    threading.Thread(target=end, daemon=True).start()
    if _given_up():
        _end_children()
        # A decoder or a model that still computes would abort the process when its library is unloaded.
        atexit._run_exitfuncs()
        _end_now(code)


def _end_now(code: Any) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _given_up() -> bool:
    """Whether a function still runs in a thread that nobody waits for."""
    concurrency = sys.modules.get("hart_agent.concurrency")
    if concurrency is None:  # nothing has been run in a thread
        return False
    latest = time.monotonic() + _GRACE / 2
    threads = [thread for thread in threading.enumerate() if thread.name == concurrency.THREAD_NAME]
    for thread in threads:
        thread.join(max(0.0, latest - time.monotonic()))
    return any(thread.is_alive() for thread in threads)


def _end_children() -> None:
    """End the programs that a function left running in its thread. Only Linux lists them."""
    if sys.platform != "linux":
        return
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError, ValueError):
            for child in map(int, children.read_text().split()):
                os.kill(child, signal.SIGKILL)
