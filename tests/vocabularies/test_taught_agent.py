"""A model that has learnt another agent's words by heart: asked, evaluated, and trained further in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("torch", reason="torch and transformers are not installed")
pytest.importorskip("transformers", reason="torch and transformers are not installed")
from taught_vlm import MAX_PIXELS, make_zooming_vlm

from hart_agent import Agent, Box, ConfigError
from hart_agent.backends.local.transformers import TransformersPolicy
from hart_agent.cli import app
from hart_agent.dialogue.vocabularies import find_vocabulary
from rl.config import AlgorithmConfig, TrainSettings
from rl.data import load_samples
from rl.local.trainer import Trainer
from rl.rewards import reward_of

QUESTIONS = ["what colour is the door?", "which sign hangs there?"]
ANSWERS = ["red", "blue"]
TRUE_BOX = Box(30, 40, 150, 120)  # [0.1, 0.2, 0.5, 0.6] of 300 x 200


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two questions, and a model that zooms."""
    folder = tmp_path_factory.mktemp("lessons")
    rows = []
    for number, said in enumerate(ANSWERS):
        Image.effect_noise((300, 200), 60 + number).convert("RGB").save(folder / f"{number}.png")
        rows.append(
            {"image": f"{number}.png", "question": QUESTIONS[number], "answer": said, "boxes": [[30, 40, 150, 120]]}
        )
    questions = folder / "questions.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    make_zooming_vlm(folder, load_samples(questions)).rename(folder / "zooming")
    return folder


def ask_all(model: Path, folder: Path) -> None:
    policy = TransformersPolicy(str(model), vocabulary="mini-o3", max_pixels=MAX_PIXELS, max_tokens=120)
    for number, said in enumerate(ANSWERS):
        run = Agent(policy, verify=False).ask(folder / f"{number}.png", QUESTIONS[number])
        assert (run.answer, run.stop_reason, run.format_kept, len(run.turns)) == (said, "answered", True, 2)
        assert [item.box for item in run.evidence] == [TRUE_BOX]
        assert run.turns[0].results[0].text.startswith("Action 0 has led to this zoomed image (Observation 1):\n")


@pytest.mark.slow
def test_it_asks_is_evaluated_and_is_trained_two_steps_further(lessons: Path, tmp_path: Path) -> None:
    model = lessons / "zooming"
    ask_all(model, lessons)
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
        checkpoint_every=1, temperature=1.5, device="cpu", vocabulary="mini-o3",
    )  # fmt: skip
    samples = load_samples(lessons / "questions.jsonl")
    trained = Trainer(settings, samples, reward_of(settings), tmp_path / "trained").train()
    steps = [json.loads(line) for line in (tmp_path / "trained" / "metrics.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == [0, 1]
    assert all(step["called_tool"] > 0 and step["grad_norm"] > 0 for step in steps)
    ask_all(trained, lessons)


def test_training_speaks_a_vocabulary_only_where_the_agent_is_asked_as_its_own_runner_asks() -> None:
    assert not find_vocabulary("mini-o3").own
    with pytest.raises(ConfigError, match="agent or direct with a vocabulary"):
        TrainSettings(model="x", vocabulary="mini-o3", mode="closed-loop").episode()
    assert TrainSettings(model="x", vocabulary="mini-o3", mode="agent").episode().mode == "agent"
