"""A plugin for pytest that takes away what only POSIX has: `pytest -p no_posix tests/agent ...`

Calls are removed once pytest itself has started. Kept is what Python's own modules need on this platform to start a
process or to make a temporary file, and POSIX's paths and signals.
"""

from __future__ import annotations

import os
import signal
import sys

import pytest
from test_platforms import MODULES, NAMES, NEEDED_BY_PYTHON


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    for module in MODULES - {"posix", "pwd", "resource", "grp", "termios"}:
        sys.modules[module] = None  # type: ignore[assignment]
    for owner, names in ((os, NAMES["os"] - NEEDED_BY_PYTHON), (signal, NAMES["signal"] - {"SIGKILL", "SIGCHLD"})):
        for name in names:
            if hasattr(owner, name):
                delattr(owner, name)


def pytest_report_header(config: pytest.Config) -> str:
    assert not hasattr(os, "sched_getaffinity")
    return "without what only POSIX has"
