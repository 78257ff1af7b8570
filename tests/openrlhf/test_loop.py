"""OpenRLHF's own loop, end to end: sync, async, colocated; killed and gone on with; checkpoints that open elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image
from tiny_vlm import make_tiny_vlm

pytestmark = pytest.mark.openrlhf

ON_A_CPU = ["--vllm.enforce_eager", "--vllm.gpu_memory_utilization", "0.3", "--vllm.sync_backend", "gloo",
            "--ds.attn_implementation", "eager", "--data.max_len", "4096"]  # fmt: skip
WAIT = 2400
"""Seconds; a run takes about one minute on a machine of one's own."""


def starts_early(trajectory: object, sample: object) -> float:
    """A reward that differs within groups: is the first letter of the first reply in the alphabet's first half?"""
    first = next((letter for letter in trajectory.turns[0].reply.text if letter.isalpha()), "z")  # type: ignore[attr-defined]
    return float(first.lower() < "n")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a tiny model and four questions; whatever a test leaves running ends with it."""
    make_tiny_vlm(tmp_path / "tiny")
    rows = []
    for number in range(4):
        Image.effect_noise((300, 200), 60 + number).convert("RGB").save(tmp_path / f"{number}.png")
        row = {"image": f"{number}.png", "question": f"what is {number}?", "answer": "x", "boxes": [[9, 9, 90, 90]]}
        rows.append(row)
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    yield tmp_path
    for process in psutil.Process().children(recursive=True):
        process.kill()


def command(folder: Path, *more: str, steps: int = 2) -> list[str]:
    return [
        sys.executable, "-m", "rl.train_ap_grpo", str(folder / "questions.jsonl"), "--engine", "openrlhf",
        "--model", str(folder / "tiny"), "--out", str(folder / "run"), "--steps", str(steps), "--prompts-per-step", "2",
        "--group-size", "4", "--beta", "0.05", "--k", "0.6", "--max-tokens", "8", "--max-pixels", "16384",
        "--micro-batch", "2", "--learning-rate", "1e-3", "--checkpoint-every", "1",
        "--reward", "test_loop:starts_early", *ON_A_CPU, *more,
    ]  # fmt: skip


def metrics_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]


WAYS = {"sync": [], "async": ["--train.async_enable"], "colocated": ["--train.colocate_all"]}


@pytest.mark.parametrize("way", WAYS)
def test_two_updates(folder: Path, way: str) -> None:
    done = subprocess.run(command(folder, *WAYS[way]), capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 0, done.stderr[-5000:]
    checkpoint = folder / "run" / "step-000002"
    assert done.stdout.strip().splitlines()[-1] == str(checkpoint)
    first, second = metrics_of(folder)
    assert (first["step"], second["step"]) == (0, 1)
    assert first["kl"] == pytest.approx(0, abs=1e-4)
    assert second["kl"] > first["kl"]
    for metrics in (first, second):
        assert {"mu1_min", "mu1_max", "mu2_min", "mu2_max", "reward/test_loop:starts_early", "area_fraction", "loss",
                "accuracy", "grad_norm", "engine_apart", "invalid_calls"} <= metrics.keys()  # fmt: skip
        assert metrics["grad_norm"] > 0
        assert abs(metrics["engine_apart"]) < 0.1  # vLLM and the actor say the same of the same tokens
        groups_differ = metrics["zero_variance_groups"] < 1
        assert (metrics["mu1_max"] > 1) == groups_differ
        assert (metrics["mu2_max"] > 0.0501) == groups_differ
    assert min(first["zero_variance_groups"], second["zero_variance_groups"]) < 1
    assert f"--actor.model_name_or_path {folder / 'tiny'}" in (folder / "run" / "command.sh").read_text()
    if way == "sync":
        opens_elsewhere(folder, checkpoint, "transformers", "vllm")


def opens_elsewhere(folder: Path, checkpoint: Path, *backends: str) -> None:
    assert {"preprocessor_config.json", "chat_template.jinja", "tokenizer.json"} <= {
        p.name for p in checkpoint.iterdir()
    }
    for backend in backends:
        asked = subprocess.run(
            [sys.executable, "-m", "hart_agent", "ask", str(folder / "0.png"), "what?", "--backend", backend, "--model",
             str(checkpoint), "--mode", "closed-loop", "--json", "--max-tokens", "8", "--max-turns", "2",
             *(["--max-context-tokens", "4096"] if backend == "vllm" else [])],
            capture_output=True, text=True, check=False, timeout=WAIT,
            env={**os.environ, "VLLM_LOGGING_STREAM": "ext://sys.stderr"},  # vLLM's own log goes to stdout otherwise
        )  # fmt: skip
        assert asked.returncode == 3, asked.stderr[-3000:]  # random words: no answer, and no crash
        assert json.loads(asked.stdout)["mode"] == "closed-loop"


@pytest.mark.parametrize("victim", ["VLLM::EngineCore", "ray::Policy"])
def test_a_killed_worker_ends_the_run_and_it_goes_on(folder: Path, victim: str) -> None:
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(command(folder, steps=4), stdout=log, stderr=log)
        until = time.monotonic() + WAIT
        while not (folder / "run" / "step-000001").exists():
            assert started.poll() is None, (folder / "log").read_text()[-5000:]
            assert time.monotonic() < until
            time.sleep(0.2)
        below = psutil.Process(started.pid).children(recursive=True)
        victims = [each for each in below if victim in named(each)]
        assert victims
        victims[0].send_signal(signal.SIGKILL)
        assert started.wait(WAIT) == 4
    told = (folder / "log").read_text().splitlines()[-1]
    assert "OpenRLHF ended with code 1" in told
    assert "Run the same command again; it goes on from step-00000" in told

    before = metrics_of(folder)
    again = subprocess.run(command(folder, steps=4), capture_output=True, text=True, check=False, timeout=WAIT)
    assert again.returncode == 0, again.stderr[-5000:]
    after = metrics_of(folder)
    assert [metrics["step"] for metrics in after] == [0, 1, 2, 3]
    assert after[0] == before[0]
    assert (folder / "run" / "step-000004").is_dir()


def named(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
