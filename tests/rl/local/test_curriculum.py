"""The curriculum: how often questions are drawn, what is told of them, and that a stopped run goes on the same way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_backend import Folders, folders, one_thread  # noqa: F401 (fixtures)
from training_questions import plain_questions

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[transformers]'")
from safetensors.torch import load_file  # noqa: E402

from hart_agent import Mode, Trajectory  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from rl.config import AlgorithmConfig, TrainSettings  # noqa: E402
from rl.local import curriculum, trainer  # noqa: E402
from rl.local.curriculum import PassRates  # noqa: E402
from rl.local.trainer import Trainer  # noqa: E402
from rl.training.checkpoints import load_state  # noqa: E402


@pytest.fixture
def questions(tmp_path: Path) -> list[Item]:
    return plain_questions(tmp_path, 6)


def test_questions_that_are_sometimes_right_come_most(questions: list[Item]) -> None:
    """Estimates of 1/2, 9/10, 1/10, 3/10: weights of .25, .09, .09, .21, which are .64 together."""
    rates = PassRates({"1": (8, 8), "2": (0, 8), "3": (2, 8)})
    assert [rates.of(each) for each in questions[:4]] == pytest.approx([0.5, 0.9, 0.1, 0.3])
    drawn = Counter(rates.draw(questions[:4], 1, f"seed {number}")[0].id for number in range(4000))
    shares = [drawn[str(number)] / 4000 for number in range(4)]
    assert shares == pytest.approx([0.25 / 0.64, 0.09 / 0.64, 0.09 / 0.64, 0.21 / 0.64], abs=0.02)


def test_no_question_comes_twice_in_a_step_and_the_seed_decides(questions: list[Item]) -> None:
    rates = PassRates({"1": (8, 8), "2": (0, 8)})
    drawn = [[each.id for each in rates.draw(questions, 4, seed)] for seed in ("a", "a", "b", "c")]
    assert all(len(set(ids)) == 4 for ids in drawn)
    assert drawn[0] == drawn[1]
    assert len({tuple(ids) for ids in drawn}) > 1
    assert len(rates.draw(questions, 6, "a")) == 6


def test_what_was_seen_last_counts_most(questions: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curriculum, "answer_reward", lambda trajectory, _: trajectory)

    def group(*right: float) -> Sequence[Any]:
        return [SimpleNamespace(trajectory=each, sample=questions[0]) for each in right]

    rates = PassRates()
    rates.observe([group(1, 1, 0, 0)])
    assert rates.seen == {"0": [2, 4]}
    rates.observe([group(1, 1, 1, 1)])
    assert rates.seen == {"0": [5, 6]}
    assert rates.mean(questions[:2]) == pytest.approx((6 / 8 + 1 / 2) / 2)


@pytest.mark.long
def test_a_stopped_run_goes_on_bit_for_bit(
    folders: Folders, questions: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second question is told to be answered right half of the time."""
    monkeypatch.setattr(
        curriculum, "answer_reward", lambda run, sample: len(run.turns[0].reply.text) % 2 * int(sample.id) % 2
    )
    asked: list[str] = []
    original = trainer.roll_out_groups

    def roll_out_groups(model: Any, runtime: Any, settings: Any, samples: Sequence[Item], *rest: Any) -> Any:
        asked.extend(sample.id for sample in samples)
        return original(model, runtime, settings, samples, *rest)

    monkeypatch.setattr(trainer, "roll_out_groups", roll_out_groups)

    def reward(trajectory: Trajectory, sample: Item) -> float:
        return float("u" in trajectory.turns[0].reply.text)

    def run(name: str, steps: int, **changes: Any) -> list[str]:
        chosen: dict[str, Any] = {"curriculum": True, **changes}
        settings = TrainSettings(
            model=str(folders("qwen2.5-vl")), algorithm=AlgorithmConfig(group_size=4, beta=0.0), mode=Mode.DIRECT,
            max_turns=1, steps=steps, prompts_per_step=2, max_tokens=4, max_pixels=4096, learning_rate=1e-3,
            checkpoint_every=2, **chosen,
        )  # fmt: skip
        asked.clear()
        Trainer(settings, questions, reward, tmp_path / name).train()
        return list(asked)

    whole = run("whole", 4)
    parts = run("parts", 2) + run("parts", 4)
    assert parts == whole
    assert whole[:4] != run("off", 2, curriculum=False)
    last = [tmp_path / name / "step-000004" for name in ("whole", "parts")]
    weights = [load_file(folder / "model.safetensors") for folder in last]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    states = [load_state(folder)["pass_rates"] for folder in last]
    assert states[0] == states[1]
    assert sum(asked for _, asked in states[0].values()) > 8
    told = [json.loads(line) for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert told[0]["expected_pass_rate"] == 0.5
    assert 0 < told[-1]["expected_pass_rate"] < 1
    assert "expected_pass_rate" not in (tmp_path / "off" / "metrics.jsonl").read_text()
    assert "pass_rates" not in load_state(tmp_path / "off" / "step-000002")
