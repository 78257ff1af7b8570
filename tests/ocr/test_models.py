"""How many threads the text reader takes, what the container allows, and how often it loads its models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hart_agent.ocr.models import available_cores

AFFINITY = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "max 100000"}, AFFINITY),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, AFFINITY),
        ({"cpu.max": "6400000 100000"}, AFFINITY),
        ({"cpu.max": "nonsense"}, AFFINITY),
        ({}, AFFINITY),
    ],
)
def test_cores_are_those_of_the_quota_and_no_more_than_the_affinity(
    tmp_path: Path, files: dict[str, str], cores: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert available_cores(tmp_path) == cores


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_loads_a_model_once_and_a_forked_one_anew() -> None:
    """A fork takes no threads along: to use or to end the session of its parent, it would wait for ever."""
    code = """
import os, sys
import numpy as np
from hart_agent.ocr import models
NAME = "PP-OCRv6_det_small.onnx"
before = models.load(NAME, threads=2)
assert models.load(NAME, threads=2) is before
assert models.load(NAME, threads=1) is not before
blank = {before.get_inputs()[0].name: np.zeros((1, 3, 64, 64), np.float32)}
before.run(None, blank)
known = id(before)
del before
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
after = models.load(NAME, threads=2)
after.run(None, blank)
os._exit(0 if id(after) != known else 1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
