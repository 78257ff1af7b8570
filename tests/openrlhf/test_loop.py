"""OpenRLHF's own loop, end to end: sync, async, colocated; killed and resumed; checkpoints that open elsewhere."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from taught_vlm import MAX_PIXELS, make_zooming_vlm

from hart_agent import Mode
from rl.data import load_samples

pytestmark = pytest.mark.openrlhf

ON_A_CPU = ["--vllm.enforce_eager", "--vllm.gpu_memory_utilization", "0.3", "--vllm.sync_backend", "gloo",
            "--ds.attn_implementation", "eager", "--data.max_len", "4096"]  # fmt: skip
WAIT = 2400
"""Seconds; a run takes about one minute on an otherwise idle machine."""


def says_x(trajectory: object, sample: object) -> float:
    """A custom reward."""
    return float(trajectory.answer == "x")  # type: ignore[attr-defined]


def command(folder: Path, *more: str, steps: int = 2) -> list[str]:
    return [
        sys.executable, "-m", "rl.train_ap_grpo", str(folder / "questions.jsonl"), "--engine", "openrlhf",
        "--model", str(folder / "tiny"), "--out", str(folder / "run"), "--steps", str(steps), "--prompts-per-step", "2",
        "--group-size", "4", "--beta", "0.05", "--k", "0.6", "--max-tokens", "64", "--max-pixels", str(MAX_PIXELS),
        "--micro-batch", "2", "--learning-rate", "3e-4", "--checkpoint-every", "1", *more, *ON_A_CPU,
    ]  # fmt: skip


def metrics_of(folder: Path, run: str = "run") -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / run / "metrics.jsonl").read_text().splitlines()]


WAYS = {
    "sync": [],
    "async": ["--reward", "test_loop:says_x", "--train.async_enable"],
    "colocated": ["--train.colocate_all"],
}


@pytest.mark.parametrize("way", WAYS)
def test_two_updates(folder: Path, way: str) -> None:
    more = ["--validation", str(folder / "other" / "questions.jsonl")] if way == "sync" else []
    done = subprocess.run(command(folder, *more, *WAYS[way]), capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 0, done.stderr[-5000:]
    checkpoint = folder / "run" / "step-000002"
    assert done.stdout.strip().splitlines()[-1] == str(checkpoint)
    reward = "test_loop:says_x" if way == "async" else "answer"
    first, second, *last = metrics_of(folder)
    assert (first["step"], second["step"], [each["step"] for each in last]) == (0, 1, [2] if way == "sync" else [])
    for metrics in (first, second, *last) if way == "sync" else ():  # of the weights after 0, 1 and 2 steps
        assert {"validation/accuracy", "validation/accuracy_without_crops", "validation/iou"} <= metrics.keys()
        assert metrics["validation/called_tool"] > 0.5
    assert first["kl"] == pytest.approx(0, abs=1e-4)
    assert second["kl"] > first["kl"]
    for metrics in (first, second):
        assert {"mu1_min", "mu1_max", "mu2_min", "mu2_max", f"reward/{reward}", "area_fraction", "loss",
                "accuracy", "grad_norm", "engine_apart", "invalid_calls"} <= metrics.keys()  # fmt: skip
        assert metrics["grad_norm"] > 0
        assert metrics["called_tool"] > 0.5  # what was learnt by heart: both turns were taken, with crops in between
        assert metrics["iou"] > 0
        assert abs(metrics["engine_apart"]) < 0.1  # vLLM and the actor say the same of the same tokens
        groups_differ = metrics["zero_variance_groups"] < 1
        assert (metrics["mu1_max"] > 1) == groups_differ
        assert (metrics["mu2_max"] > 0.0501) == groups_differ
    assert min(first["zero_variance_groups"], second["zero_variance_groups"]) < 1
    assert f"--actor.model_name_or_path {folder / 'tiny'}" in (folder / "run" / "command.sh").read_text()
    if way == "sync":
        opens_elsewhere(folder, checkpoint, "transformers", "vllm")


def opens_elsewhere(folder: Path, checkpoint: Path, *backends: str, mode: Mode = Mode.CLOSED_LOOP) -> None:
    assert {"preprocessor_config.json", "chat_template.jinja", "tokenizer.json"} <= {
        p.name for p in checkpoint.iterdir()
    }
    for backend in backends:
        asked = subprocess.run(
            [sys.executable, "-m", "hart_agent", "ask", str(folder / "0.png"), "what is 0?", "--backend", backend,
             "--model", str(checkpoint), "--mode", mode.name, "--json", "--max-pixels", str(MAX_PIXELS),
             *(["--max-context-tokens", "4096"] if backend == "vllm" else [])],
            capture_output=True, text=True, check=False, timeout=WAIT,
        )  # fmt: skip
        assert asked.returncode == 0, asked.stderr[-3000:]
        run = json.loads(asked.stdout)
        assert run["answer"] in ("x", "y")
        assert bool(run["evidence"]) == (mode == Mode.CLOSED_LOOP)


def test_two_updates_in_another_agents_words(folder: Path) -> None:
    """Mini-o3's, which the model knows by heart: rollouts, rewards and the checkpoint speak them, in vLLM too."""
    taught = make_zooming_vlm(folder / "taught", load_samples(folder / "questions.jsonl"))
    spoken = ["--model", str(taught), "--vocabulary", "mini-o3", "--max-tokens", "120"]
    sampled = ["--mode", "agent", "--max-turns", "2", "--group-size", "8", "--temperature", "1.35"]
    started = command(folder, *sampled, *spoken, "--learning-rate", "1e-5")
    done = subprocess.run(started, capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 0, done.stderr[-5000:]
    for metrics in metrics_of(folder):
        assert metrics["called_tool"] > 0
        assert metrics["accuracy"] > 0
        assert metrics["iou"] > 0
        assert metrics["grad_norm"] > 0
    spoken[1] = str(folder / "run" / "step-000002")
    asked = subprocess.run(
        [sys.executable, "-m", "hart_agent", "ask", str(folder / "0.png"), "what is 0?", "--backend", "vllm", "--json",
         "--max-pixels", str(MAX_PIXELS), "--max-context-tokens", "4096", "--no-verify", *spoken],
        capture_output=True, text=True, check=False, timeout=WAIT,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr[-3000:]
    run = json.loads(asked.stdout)
    assert run["answer"] == "x"
    (evidence,) = run["evidence"]
    assert evidence["inferred"]
    assert evidence["box"] == [30, 40, 150, 120]  # the call says [0.1, 0.2, 0.5, 0.6], of 300 x 200 pixels


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
    assert "Run the same command again; it is resumed from step-00000" in told

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
