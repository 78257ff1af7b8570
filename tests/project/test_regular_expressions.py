"""No regular expression of the package takes more than linear time; see `patterns.py`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patterns import GROWTH, growth, hostile_units
from patterns import __file__ as program


@pytest.mark.slow
def test_no_pattern_is_worse_than_linear() -> None:
    done = subprocess.run(
        [sys.executable, program, "hart_agent"], capture_output=True, text=True, check=True, timeout=3600,
        cwd=Path(program).parent.parent,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["patterns"] > 100
    assert found["slow"] == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("pattern", "is_slow"), [(r"a+b", True), (r"\s+$", True), (r"(?<!a)a+b", False), (r"[a-z ]", False)]
)
def test_what_is_quadratic_is_noticed(pattern: str, is_slow: bool) -> None:
    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    try:
        compiled = re.compile(pattern)
        grown = (growth(compiled, unit) for unit in hostile_units(compiled))
        assert any(value is not None and value > GROWTH for value in grown) is is_slow
    finally:
        signal.signal(signal.SIGPROF, before)
