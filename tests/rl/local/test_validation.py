"""What a run is measured by while it trains, and which questions it is spared."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import answer

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
pytest.importorskip("torch", reason=REASON)
from tiny_backend import one_thread  # noqa: E402, F401 (fixture)

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))
from miniature.cold_start import open_policy  # noqa: E402
from miniature.jobs import COLD_STARTS  # noqa: E402
from miniature.scenes import Split, write_jsonl  # noqa: E402
from miniature.tokenizer import MAX_PIXELS, MAX_TOKENS  # noqa: E402

from hart_agent import Agent, ConfigError, Mode  # noqa: E402
from hart_agent.agent.config import EpisodeConfig  # noqa: E402
from hart_agent.answers import AnswerType  # noqa: E402
from hart_agent.backends.local.generation import Generated  # noqa: E402
from hart_agent.backends.local.prompting import Prompt  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from rl.config import (  # noqa: E402
    AlgorithmConfig,
    SftSettings,
    TrainSettings,
)
from rl.data import load_samples  # noqa: E402
from rl.local.blind import BLIND  # noqa: E402
from rl.local.initial import filter_blind  # noqa: E402
from rl.local.model import PolicyModel  # noqa: E402
from rl.local.sft import SftTrainer  # noqa: E402
from rl.local.trainer import Trainer  # noqa: E402
from rl.rewards import answer_reward  # noqa: E402

MODEL = str(COLD_STARTS / "0")
"""It points, and reads."""
HELD_OUT = 12


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    return load_samples(write_jsonl(tmp_path_factory.mktemp("scenes"), Split.TRAIN, range(4 + HELD_OUT)))


def settings(**changes: Any) -> TrainSettings:
    base: dict[str, Any] = {
        "model": MODEL, "algorithm": AlgorithmConfig(group_size=4, beta=0.01), "steps": 4, "prompts_per_step": 2,
        "learning_rate": 1e-4, "max_tokens": MAX_TOKENS, "max_pixels": MAX_PIXELS, "micro_batch": 8,
        "checkpoint_every": 2,
    }  # fmt: skip
    return TrainSettings(**{**base, **changes})


def measured(run: Path) -> dict[int, dict[str, float]]:
    """What the run was measured at, by step."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = {each["step"]: {name: each[name] for name in each if name.startswith("validation/")} for each in records}
    return {step: values for step, values in found.items() if values}


@pytest.mark.long
def test_each_checkpoint_is_measured_as_the_product_answers(samples: list[Item], tmp_path: Path) -> None:
    """The right values come from the finished checkpoint, asked by the agent, greedily, one question at a time."""
    run, held_out = tmp_path / "run", samples[4:]
    checkpoint = Trainer(settings(), samples[:4], answer_reward, run, held_out).train()
    found = measured(run)
    assert sorted(found) == [0, 2, 4]
    right, covered, iogt = {}, [], []
    for mode in (Mode.CLOSED_LOOP, Mode.DIRECT):
        agent = Agent(open_policy(checkpoint), config=EpisodeConfig(mode, max_turns=2), verify=False)
        said = [agent.ask(sample.image, sample.question) for sample in held_out]
        right[mode] = [sample.is_right(each.answer) for sample, each in zip(held_out, said, strict=True)]
        for sample, each in zip(held_out, said, strict=True):
            for evidence in each.evidence[:1]:
                (x0, y0, x1, y1), (box,) = evidence.box.as_tuple(), sample.boxes
                covered.append((x1 - x0) * (y1 - y0) / (512 * 512))
                width, height = min(x1, box.x1) - max(x0, box.x0), min(y1, box.y1) - max(y0, box.y0)
                iogt.append(max(width, 0) * max(height, 0) / ((box.x1 - box.x0) * (box.y1 - box.y0)))
    assert len(covered) == HELD_OUT
    assert found[4]["validation/accuracy"] == sum(right[Mode.CLOSED_LOOP]) / HELD_OUT
    assert found[4]["validation/accuracy_without_crops"] == sum(right[Mode.DIRECT]) / HELD_OUT
    assert right[Mode.CLOSED_LOOP] != right[Mode.DIRECT]
    assert found[4]["validation/area_fraction"] == pytest.approx(sum(covered) / HELD_OUT)
    assert found[4]["validation/iogt"] == pytest.approx(sum(iogt) / HELD_OUT)
    assert found[4]["validation/grounded"] == pytest.approx(sum(value > 0.3 for value in iogt) / HELD_OUT)


@pytest.mark.slow
def test_measuring_changes_nothing_and_is_gone_on_with(samples: list[Item], tmp_path: Path) -> None:
    whole, parts, alone = (tmp_path / name for name in ("whole", "parts", "alone"))
    Trainer(settings(), samples[:4], answer_reward, whole, samples[4:]).train()
    for steps in (2, 3, 4):
        Trainer(settings(steps=steps), samples[:4], answer_reward, parts, samples[4:]).train()
    Trainer(settings(), samples[:4], answer_reward, alone).train()
    assert measured(parts) == measured(whole)
    assert measured(alone) == {}
    weights = [(folder / "step-000004" / "model.safetensors").read_bytes() for folder in (whole, parts, alone)]
    assert weights[0] == weights[1] == weights[2]


@pytest.mark.long
def test_fine_tuning_is_measured_with_the_full_image_in_sight(samples: list[Item], tmp_path: Path) -> None:
    chosen = SftSettings(
        model=MODEL, steps=2, prompts_per_step=2, max_tokens=MAX_TOKENS, max_pixels=MAX_PIXELS, checkpoint_every=1
    )
    SftTrainer(chosen, samples[:4], tmp_path, samples[4:]).train()
    found = measured(tmp_path)
    assert sorted(found) == [0, 1, 2]
    agent = Agent(open_policy(COLD_STARTS / "0"), config=EpisodeConfig(Mode.MGPO, max_turns=2), verify=False)
    said = [sample.is_right(agent.ask(sample.image, sample.question).answer) for sample in samples[4:]]
    assert found[0]["validation/accuracy"] == sum(said) / HELD_OUT
    assert {"validation/accuracy_without_crops", "validation/iou"} <= found[2].keys()


def test_questions_that_the_model_answers_blindly_are_dropped_once_and_for_all(
    samples: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's words are given: it knows number 1 without looking, and is lucky with number 2."""
    asked = [replace(sample, question=f"number {number}?", answer="x") for number, sample in enumerate(samples[:3])]
    asked.append(replace(samples[3], question="number 3?", answer="B", options=("red", "blue"), type=AnswerType.OPTION))
    words = {"number 0": "abcd", "number 1": "xxzx", "number 2": "xxab", "number 3": "AAAA"}
    said = {name: list(letters) for name, letters in words.items()}
    prompted: list[str] = []

    def generate(self: PolicyModel, prompts: Sequence[Prompt]) -> list[Generated]:
        replies = []
        for prompt in prompts:
            assert prompt.views == ()
            prompted.append(self.prompter.tokenizer.decode(prompt.token_ids))
            ids = self.prompter.reply_ids(answer(said[next(name for name in said if name in prompted[-1])].pop(0)))
            replies.append(Generated(ids, (-1.0,) * len(ids), 10))
        return replies

    monkeypatch.setattr(PolicyModel, "generate", generate)
    chosen, run = settings(drop_blind=True), tmp_path / "run"
    kept = [asked[0], *asked[2:]]
    assert Trainer(chosen, asked, answer_reward, run).samples == kept
    assert sum("B. blue" in text for text in prompted) == 4
    (row,) = [json.loads(line) for line in (run / BLIND).read_text().splitlines()]
    assert row == {"id": asked[1].id, "question": "number 1?", "answer": "x", "said": ["x", "x", "z", "x"]}
    assert Trainer(chosen, asked, answer_reward, run).samples == kept
    assert len(prompted) == 16  # the second time, the record was read
    said |= {name: list(letters) for name, letters in words.items()}
    assert filter_blind(chosen, asked, tmp_path / "on openrlhf") == kept
    assert len(prompted) == 32
    with pytest.raises(ConfigError, match="other settings: drop_blind"):
        Trainer(replace(chosen, drop_blind=False), asked, answer_reward, run)


def test_a_run_is_not_resumed_with_other_questions(samples: list[Item], tmp_path: Path) -> None:
    Trainer(settings(), samples, answer_reward, tmp_path)
    Trainer(settings(), samples, answer_reward, tmp_path)
    with pytest.raises(ConfigError, match="other settings: questions"):
        Trainer(settings(), samples[:5], answer_reward, tmp_path)


def test_half_precision_is_refused_with_what_to_do(samples: list[Item], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bfloat16"):
        Trainer(settings(dtype="float16"), samples, answer_reward, tmp_path)
