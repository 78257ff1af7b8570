"""Standard streams that are closed, full, or left by their reader. Only a process of its own has such."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")


def run(arguments: str, redirections: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = f"{sys.executable} -m hart_agent {arguments} {redirections}"
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, cwd=folder, timeout=60)


@pytest.mark.parametrize("arguments", ["--version", "tools --json"])
def test_what_can_not_be_printed_is_an_error(tmp_path: Path, arguments: str) -> None:
    """Little is printed as the command ends, much at once."""
    done = run(arguments, f"> {FULL}", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "hart-agent: standard output can't be written: No space left on device. Make room, or send it elsewhere.\n"
    )


@pytest.mark.parametrize("arguments", ["--version", "tools --json", "config show --json"])
def test_a_reader_that_left_or_a_closed_output_is_no_error(tmp_path: Path, arguments: str) -> None:
    assert run(arguments, "| true", tmp_path).stderr == ""
    done = run(arguments, ">&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_are_not_printed_among_the_answers(tmp_path: Path) -> None:
    done = run("ask missing.png 'what?'", "2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_closed_input_is_an_empty_one(tmp_path: Path) -> None:
    assert "an empty file" in run("ask - 'what?'", "<&-", tmp_path).stderr
