"""No regular expression of the package takes more than linear time; see `patterns.py`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patterns import GROWTH, worst_growth
from patterns import __file__ as program

from hart_agent.dialogue.parsing import parse_reply


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
    ("pattern", "is_slow"),
    [(r"a+b", True), (r"\s+$", True), (r"(?:\s?a{1,30}=[^=]{1,99}){1,6}b", True), (r"(?:#{2,9}|x){1,9}$", True),
     (r"(?<!a)a+b", False), (r"[a-z ]", False), (r"(?:(?<!#)#{2,}+|x){1,9}$", False)],
)  # fmt: skip
def test_what_is_worse_than_linear_is_noticed(pattern: str, is_slow: bool) -> None:
    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    try:
        assert (worst_growth(re.compile(pattern))[0] > GROWTH) is is_slow
    finally:
        signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize(
    "text",
    [f"[]<{'#' * 400}>", "It is: zoom(a = " + f"{'a' * 60} = " * 6, "<|tool_call>call:zoom{a:" + '"\\' * 40_000],
    ids=["hashes before an end", "a call that doesn't end", "half a text of escapes"],
)
def test_replies_on_which_a_pattern_tried_all_the_ways(text: str) -> None:
    """Reading them took minutes or hours."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, 5)
    try:
        assert parse_reply(text).calls == ()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
