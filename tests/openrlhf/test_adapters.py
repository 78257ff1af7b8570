"""Adapters on OpenRLHF, through the whole loop: in vLLM, in checkpoints, and when a run is resumed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from test_loop import WAIT, command, metrics_of, opens_elsewhere
from test_zero import ALPHA, RANK, merged
from transformers import AutoModelForImageTextToText

from hart_agent.backends.local.adapters import base_of

pytestmark = pytest.mark.openrlhf


def samples_from_the_policy(metrics: dict[str, float]) -> None:
    """After an update the trainer is away from the model that the run began with, and vLLM is with the trainer.

    Both distances are estimates, from the tokens that vLLM sampled, of a divergence; were vLLM's weights those from
    before, they would be about the same. The second is the mean of r - 1 - log r, r being the trainer's probability
    over vLLM's: the mean of -log r alone has the same expectation, but in a model that is nearly sure of all its tokens
    one unsure token, rounded to bfloat16 by other kernels, can outweigh a whole update.
    """
    assert metrics["kl"] > 1e-4
    assert metrics["ratio"] - 1 + metrics["engine_apart"] < metrics["kl"] / 5
    assert metrics["ratio"] == pytest.approx(1, abs=0.01)
    assert metrics["ratio_max"] < 1.25  # rounding to bfloat16, by other kernels


def test_two_updates_of_adapters(folder: Path) -> None:
    """After an update vLLM samples from the policy as the trainer has it, and its checkpoint is that policy."""
    held_out = ["--validation", str(folder / "other" / "questions.jsonl")]
    asked = command(
        folder, *held_out, "--lora-rank", str(RANK), "--lora-alpha", str(ALPHA), "--learning-rate", "3e-3",
        "--group-size", "8",
    )  # fmt: skip
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 0, done.stderr[-5000:]
    checkpoint = folder / "run" / "step-000002"
    assert done.stdout.strip().splitlines()[-1] == str(checkpoint)
    first, second, last = metrics_of(folder)
    assert [each["step"] for each in (first, second, last)] == [0, 1, 2]
    assert first["kl"] == pytest.approx(0, abs=1e-4)
    samples_from_the_policy(second)
    assert "validation/accuracy" in last

    base = AutoModelForImageTextToText.from_pretrained(folder / "tiny", dtype=torch.bfloat16)
    (saved,) = (folder / "run" / "openrlhf" / "_actor" / "global_step2").glob("*model_states.pt")
    expected = merged(base, torch.load(saved, weights_only=False)["module"])
    opened = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype="auto").state_dict()
    assert opened.keys() == expected.keys()
    moved = 0
    for name, weight in expected.items():
        torch.testing.assert_close(opened[name], weight, atol=1e-6, rtol=0)
        moved += int(not torch.equal(weight, base.state_dict()[name].float()))
    assert moved > 14
    opens_elsewhere(folder, checkpoint, "transformers", "vllm")

    before = metrics_of(folder)[:1]
    shutil.rmtree(checkpoint)
    shutil.rmtree(folder / "run" / "openrlhf" / "_actor" / "global_step2")
    (folder / "run" / "openrlhf" / "_actor" / "latest").write_text("global_step1")
    again = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=WAIT)
    assert again.returncode == 0, again.stderr[-5000:]
    assert checkpoint.is_dir()
    resumed = metrics_of(folder)
    assert resumed[:1] == before
    samples_from_the_policy(resumed[1])  # adapters were restored, and vLLM was handed what they add

    second = folder / "second"
    asked = command(
        folder, "--model", str(checkpoint), "--out", str(second), "--lora-rank", str(RANK), "--lora-alpha", str(ALPHA),
        "--learning-rate", "3e-3", steps=1,
    )  # fmt: skip
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 0, done.stderr[-5000:]
    goes_on_from(checkpoint, second)
    assert base_of(second / "step-000001") == str(folder / "tiny")


def goes_on_from(checkpoint: Path, run: Path) -> None:
    """A run's first rollouts are of that policy, and its checkpoint adds what its own adapters learnt."""
    (first,) = metrics_of(run.parent, run.name)
    assert first["kl"] == pytest.approx(0, abs=1e-4)
    assert first["ratio"] == pytest.approx(1, abs=0.01)
    (saved,) = (run / "openrlhf" / "_actor" / "global_step1").glob("*model_states.pt")
    policy = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32)
    expected = merged(policy, torch.load(saved, weights_only=False)["module"])
    opened = AutoModelForImageTextToText.from_pretrained(run / "step-000001", dtype="auto").state_dict()
    assert opened.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(opened[name], weight, atol=1e-6, rtol=0)
    assert any(not torch.equal(weight, policy.state_dict()[name]) for name, weight in opened.items())
