"""Stage 2 on OpenRLHF's stack, under DeepSpeed."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import answer
from taught_vlm import make_taught_vlm
from test_loop import WAIT, metrics_of, opens_elsewhere

from hart_agent import Mode
from hart_agent.backends.local.adapters import read_terms
from rl.config import SftSettings
from rl.data import load_samples
from rl.data.demonstrations import read_demonstrations
from rl.local.sft import SftTrainer

pytestmark = pytest.mark.openrlhf


def test_its_first_loss_is_that_on_one_machine_and_it_is_resumed(folder: Path) -> None:
    """A model that knows another answer by heart has something to learn."""
    questions = folder / "questions.jsonl"
    taught = make_taught_vlm(folder / "taught", load_samples(questions), ["y", "y"])

    def fine_tune(steps: int) -> str:
        command = [
            sys.executable, "-m", "rl.train_sft", str(questions), "--engine", "openrlhf", "--model", str(taught),
            "--out", str(folder / "run"), "--steps", str(steps), "--prompts-per-step", "4", "--micro-batch", "2",
            "--max-pixels", "16384", "--learning-rate", "5e-4", "--checkpoint-every", "2", "--ds.attn_implementation",
            "eager",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT)
        assert done.returncode == 0, done.stderr[-5000:]
        return done.stdout.strip()

    assert fine_tune(2) == str(folder / "run" / "step-000002")
    first = metrics_of(folder)
    assert fine_tune(40) == str(folder / "run" / "step-000040")
    metrics = metrics_of(folder)
    assert [each["step"] for each in metrics] == list(range(40))
    assert metrics[:2] == first
    assert metrics[39]["loss"] < metrics[0]["loss"] - 0.3
    settings = SftSettings(model=str(taught), prompts_per_step=4, micro_batch=1, max_pixels=16_384)
    here = SftTrainer(settings, load_samples(questions), folder / "here").compute_gradients()
    assert metrics[0]["loss"] == pytest.approx(here["loss"], rel=0.01)  # bfloat16 beside float32
    opens_elsewhere(folder, folder / "run" / "step-000040", "transformers", mode=Mode.DIRECT)


def test_adapters_learn_the_models_own_way_to_right_answers(folder: Path) -> None:
    """Of answers that are right half of the time: crops and answers, made once, before the processes start.

    The model is measured before and after, as on one machine.
    """
    questions, held_out = folder / "questions.jsonl", folder / "other" / "questions.jsonl"
    command = [
        sys.executable, "-m", "rl.train_sft", str(questions), "--engine", "openrlhf", "--model", str(folder / "tiny"),
        "--out", str(folder / "run"), "--steps", "2", "--prompts-per-step", "4", "--micro-batch", "2", "--max-pixels",
        "16384", "--targets", "distilled", "--attempts", "8", "--lora-rank", "4", "--validation", str(held_out),
        "--actor.freeze_visual_encoder", "--ds.attn_implementation", "sdpa",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 0, done.stderr[-5000:]
    rows = [json.loads(line) for line in (folder / "run" / "distilled.jsonl").read_text().splitlines()]
    assert rows
    for row in rows:
        call, said = row["replies"]
        assert "crop" in call
        assert said == answer("x")
    metrics = metrics_of(folder)
    settings = SftSettings(
        model=str(folder / "tiny"), prompts_per_step=4, micro_batch=1, max_pixels=16_384, targets="distilled",
        attempts=8, device="cpu",
    )  # fmt: skip
    here = SftTrainer(settings, load_samples(questions), folder / "here")
    in_bfloat16 = replace(settings, dtype="bfloat16", temperature=1.0, targets="gold")
    asked = SftTrainer(in_bfloat16, load_samples(questions), folder / "asked", load_samples(held_out)).validate()
    assert {"validation/accuracy", "validation/accuracy_without_crops", "validation/iou"} <= asked.keys()
    told = {name: value for name, value in metrics[0].items() if "validation/" in name}
    assert told == {name: None if math.isnan(value) else pytest.approx(value) for name, value in asked.items()}
    assert [each["step"] for each in metrics] == [0, 1, 2]
    assert metrics[2].keys() == {"step"} | asked.keys()
    written = read_demonstrations(folder / "run" / "distilled.jsonl", load_samples(questions))
    assert {each.sample.id for each in here.demonstrations} == {each.sample.id for each in written}
    here.demonstrations = written
    assert metrics[0]["loss"] == pytest.approx(here.compute_gradients()["loss"], rel=0.01)
    terms = read_terms(folder / "run" / "step-000002")
    assert terms
    assert all("language_model" in name for name in terms)
    assert any(b.any() for _, b in terms.values())


def test_it_begins_where_adapters_ended(folder: Path) -> None:
    """The first loss from a checkpoint of adapters is that of the policy, which rounded weights are not."""
    questions = folder / "questions.jsonl"
    common = {"prompts_per_step": 4, "micro_batch": 1, "max_pixels": 16_384, "dtype": "bfloat16", "device": "cpu"}

    def loss_here(model: Path) -> float:
        settings = SftSettings(model=str(model), **common)
        return SftTrainer(settings, load_samples(questions), folder / f"here-{model.name}").compute_gradients()["loss"]

    first = SftSettings(model=str(folder / "tiny"), lora_rank=4, steps=20, learning_rate=2e-5, **common)
    policy = SftTrainer(first, load_samples(questions), folder / "adapters").train()
    rounded = folder / "rounded"
    shutil.copytree(policy, rounded, ignore=shutil.ignore_patterns("adapters", "*.pt"))
    expected, apart = loss_here(policy), loss_here(rounded)
    command = [
        sys.executable, "-m", "rl.train_sft", str(questions), "--engine", "openrlhf", "--model", str(policy), "--out",
        str(folder / "run"), "--steps", "1", "--prompts-per-step", "4", "--micro-batch", "1", "--max-pixels", "16384",
        "--lora-rank", "2", "--ds.attn_implementation", "sdpa",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 0, done.stderr[-5000:]
    (metrics,) = metrics_of(folder)
    assert abs(metrics["loss"] - expected) < abs(apart - expected) / 5
