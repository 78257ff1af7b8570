"""A model that has learnt another agent's words by heart: asked, evaluated, and trained further in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="torch and transformers are not installed")
pytest.importorskip("transformers", reason="torch and transformers are not installed")
from server_process import VLLM_CONTEXT, serving_vllm
from taught_vlm import MAX_PIXELS, make_zooming_vlm, write_lessons

from hart_agent import Agent, Box, ConfigError, Policy
from hart_agent.backends.local.transformers import TransformersPolicy
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.cli import app
from hart_agent.dialogue.vocabularies.files import find_vocabulary
from rl.config import AlgorithmConfig, TrainSettings
from rl.data import load_samples
from rl.local.trainer import Trainer
from rl.rewards import reward_of

ANSWERS = {"what colour is the door?": "red", "which sign hangs there?": "blue"}
TRUE_BOX = Box(30, 40, 150, 120)  # [0.1, 0.2, 0.5, 0.6] of 300 x 200


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two questions, and a model that zooms."""
    folder = tmp_path_factory.mktemp("lessons")
    make_zooming_vlm(folder, write_lessons(folder, ANSWERS, [30, 40, 150, 120])).rename(folder / "zooming")
    return folder


def ask_all(policy: Policy, folder: Path) -> None:
    """Both questions: the zoom is placed, and shown in the words that the model was taught, and both are answered."""
    for number, (question, said) in enumerate(ANSWERS.items()):
        run = Agent(policy, verify=False).ask(folder / f"{number}.png", question)
        assert (run.answer, run.stop_reason, run.format_kept, len(run.turns)) == (said, "answered", True, 2)
        assert [item.box for item in run.evidence] == [TRUE_BOX]
        assert run.turns[0].results[0].text.startswith("Action 0 has led to this zoomed image (Observation 1):\n")


def ask_here(model: Path, folder: Path) -> None:
    ask_all(TransformersPolicy(str(model), vocabulary="mini-o3", max_pixels=MAX_PIXELS, max_tokens=120), folder)


@pytest.mark.slow
def test_it_asks_is_evaluated_and_is_trained_two_steps_further(lessons: Path, tmp_path: Path) -> None:
    model = lessons / "zooming"
    ask_here(model, lessons)
    done = CliRunner().invoke(
        app,
        [
            "eval", "jsonl", str(lessons / "questions.jsonl"), "--out", str(tmp_path / "run"), "--backend",
            "transformers", "--model", str(model), "--vocabulary", "mini-o3", "--max-pixels", str(MAX_PIXELS),
            "--max-tokens", "120", "--no-verify", "-q", "--json",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)["summary"]
    assert summary["accuracy"]["value"] == 1
    assert summary["grounding"]["iogt"]["value"] == 1
    settings = TrainSettings(
        model=str(model), algorithm=AlgorithmConfig(group_size=4, beta=0.01), mode="agent", max_turns=2, steps=2,
        prompts_per_step=2, learning_rate=1e-6, max_tokens=120, max_pixels=MAX_PIXELS, micro_batch=4,
        checkpoint_every=1, temperature=1.35, device="cpu", vocabulary="mini-o3",
    )  # fmt: skip
    samples = load_samples(lessons / "questions.jsonl")
    trained = Trainer(settings, samples, reward_of(settings), tmp_path / "trained").train()
    steps = [json.loads(line) for line in (tmp_path / "trained" / "metrics.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == [0, 1]
    assert all(step["called_tool"] > 0 and step["grad_norm"] > 1e-3 for step in steps)
    ask_here(trained, lessons)


def test_training_speaks_a_vocabulary_only_where_the_agent_is_asked_as_its_own_runner_asks() -> None:
    assert not find_vocabulary("mini-o3").own
    with pytest.raises(ConfigError, match="agent or direct with a vocabulary"):
        TrainSettings(model="x", vocabulary="mini-o3", mode="closed-loop").episode()
    assert TrainSettings(model="x", vocabulary="mini-o3", mode="agent").episode().mode == "agent"


@pytest.mark.server
def test_it_is_asked_in_vllm_behind_its_server_and_in_this_process(lessons: Path, tmp_path: Path) -> None:
    from hart_agent.backends.local.vllm import VLLMPolicy

    spoken: dict[str, Any] = {"vocabulary": "mini-o3", "max_pixels": MAX_PIXELS, "max_tokens": 120}
    with serving_vllm(lessons / "zooming", "taught", tmp_path / "server.txt") as url:
        ask_all(OpenAIPolicy("taught", base_url=url, **spoken), lessons)
    here = VLLMPolicy(
        str(lessons / "zooming"), max_context_tokens=VLLM_CONTEXT, dtype="float32",
        engine_options={"enforce_eager": True}, **spoken,
    )  # fmt: skip
    try:
        ask_all(here, lessons)
    finally:
        here.close()
