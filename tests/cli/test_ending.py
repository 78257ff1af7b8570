"""How the process of a command ends, whatever its threads do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

COMPUTING = """
import threading

import torch

from hart_agent import CoordinateProfile, CoordinateSpace, Reply, ViewBudget


def compute():
    while True:
        torch.ones(50, 50, requires_grad=True).mm(torch.ones(50, 50)).sum().backward()


class Computing:
    accepts = frozenset()
    name = "computing"
    profile = CoordinateProfile(CoordinateSpace.UNIT, ViewBudget(max_pixels=100_000))

    async def reply(self, messages, tools):
        for _ in range(3):
            threading.Thread(target=compute, daemon=True).start()
        return Reply("<answer>x</answer>")
"""


def test_a_thread_that_still_computes_does_not_abort_it(tmp_path: Path) -> None:
    """Where Python frees its modules under such threads, the program ends with SIGABRT after its answer."""
    pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[train]'")
    (tmp_path / "computing.py").write_text(COMPUTING)
    Image.new("RGB", (64, 64)).save(tmp_path / "0.png")
    asked = [sys.executable, "-m", "hart_agent", "ask", "0.png", "what is it?", "--mode", "direct", "--backend"]
    done = subprocess.run(
        [*asked, "computing.py:Computing"], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120
    )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "x"), done.stderr
    assert "terminate" not in done.stderr
