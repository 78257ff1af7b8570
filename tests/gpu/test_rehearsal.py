"""The script of checks on a GPU, rehearsed on the CPU with small models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[train]'")
pytest.importorskip("peft", reason="peft is not installed: pip install 'hart-agent[train]'")


@pytest.mark.slow
def test_the_script_runs_through() -> None:
    environment = {**os.environ, "HART_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    script = Path(__file__).with_name("run")
    ended = subprocess.run([script, "--rehearse"], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each["check"] for each in found] == ["machine", "gradients", "checkpoint", "train", "train", "done"]
    assert found[1]["relative_difference"] < 1e-5
    assert found[2]["resumed_differs_by"] == 0
    assert found[2]["opened_differs_by"] == 0
    on, off = found[3:5]
    assert (on["recompute"], off["recompute"]) == (True, False)
    assert on["loss"] == pytest.approx(off["loss"], rel=0.05)
    assert 0 < on["gb_planned"] < off["gb_planned"]  # beside what is measured on a GPU
    for each in (on, off):
        low, high = each["seconds_planned"]
        assert 0 < low < high
