"""Training on one machine: rollouts through the product, a killed run is resumed, and that it learns."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
from safetensors.torch import load_file  # noqa: E402
from tiny_backend import FAMILIES, Folders, folders, one_thread  # noqa: E402, F401 (fixtures)
from training_questions import noisy_questions  # noqa: E402

from hart_agent import Agent, ConfigError, Mode, Trajectory  # noqa: E402
from hart_agent.agent.config import EpisodeConfig  # noqa: E402
from hart_agent.answers import AnswerType  # noqa: E402
from hart_agent.backends.local.checkpoint import find_checkpoint  # noqa: E402
from hart_agent.backends.local.encoding import Encoder  # noqa: E402
from hart_agent.backends.local.transformers import TransformersPolicy  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from hart_agent.tooling.discovery import discover_tools  # noqa: E402
from hart_agent.tooling.runtime import ToolRuntime  # noqa: E402
from rl.config import AlgorithmConfig, TrainSettings  # noqa: E402
from rl.data import draw  # noqa: E402
from rl.data.demonstrations import Demonstration, segments_of  # noqa: E402
from rl.data.rows import Rollout, Row, Segment  # noqa: E402
from rl.local.model import PolicyModel  # noqa: E402
from rl.local.rollout import roll_out  # noqa: E402
from rl.local.trainer import Trainer  # noqa: E402
from rl.training.checkpoints import checkpoints, load_state  # noqa: E402


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    return noisy_questions(tmp_path_factory.mktemp("photos"), 6)


def settings(folder: Path, **changes: Any) -> TrainSettings:
    base: dict[str, Any] = {
        "model": str(folder), "algorithm": AlgorithmConfig(group_size=4, beta=0.01), "mode": Mode.DIRECT,
        "max_turns": 1, "steps": 3, "prompts_per_step": 2, "learning_rate": 1e-3, "max_tokens": 6, "max_pixels": 16_384,
        "micro_batch": 8, "checkpoint_every": 1,
    }  # fmt: skip
    return TrainSettings(**{**base, **changes})


def says_u(trajectory: Trajectory, sample: Item) -> float:
    """Something that a model of random weights can learn in seconds."""
    return float("u" in trajectory.turns[0].reply.text)


MODES = [Mode.CLOSED_LOOP, Mode.MGPO, Mode.AGENT, Mode.DIRECT]
ONE_OF_EACH = [*zip(MODES, ("qwen2.5-vl", "qwen3-vl", "internvl3", "qwen3-vl"), strict=True)]


@pytest.mark.parametrize(
    ("mode", "family"),
    [
        pytest.param(*pair, marks=() if pair in ONE_OF_EACH else pytest.mark.slow)
        for pair in itertools.product(MODES, FAMILIES)
    ],
)
def test_rollouts_are_the_products_and_their_log_probabilities_those_of_a_fresh_pass(
    folders: Folders, samples: list[Item], family: str, mode: Mode
) -> None:
    model = PolicyModel(str(folders(family)), max_pixels=16_384, max_tokens=12, max_batch=5)
    config = EpisodeConfig(mode, max_turns=3, max_format_errors=3)
    runtime = ToolRuntime(discover_tools())
    rollouts = asyncio.run(roll_out(model, runtime, config, samples[:2], 3, seed=1))
    assert [rollout.sample.id for rollout in rollouts] == ["0"] * 3 + ["1"] * 3
    assert len({rollout.segments[0].token_ids for rollout in rollouts}) == 6  # sampled, each with its own seed
    assert all(len(rollout.segments) == len(rollout.trajectory.turns) for rollout in rollouts)
    again = asyncio.run(roll_out(model, runtime, config, samples[:2], 3, seed=1))
    assert _segments(again) == _segments(rollouts)
    other = asyncio.run(roll_out(model, runtime, config, samples[:2], 3, seed=2))
    assert _segments(other) != _segments(rollouts)

    rows = [row for rollout in rollouts for row in model.rows(rollout.segments)]
    replies = [segment.token_ids for rollout in rollouts for segment in rollout.segments]
    fresh = [value for rollout in rollouts for segment in rollout.segments for value in fresh_pass(model, segment)]
    sampled = [value for rollout in rollouts for segment in rollout.segments for value in segment.log_probs]
    assert sampled == pytest.approx(fresh, abs=1e-4)
    found: dict[int, list[float]] = {}
    tokens: dict[int, list[int]] = {}
    for indices, batch in model.micro_batches(rows):
        with torch.no_grad():
            log_probs = model.log_probs(batch)
        assert (log_probs[batch.mask == 0] == 0).all()
        for place, index in enumerate(indices):
            written = batch.mask[place] > 0  # no image, no word of the environment, no padding
            tokens[index] = batch.suffixes["input_ids"][place][written].tolist()
            found[index] = log_probs[place][written].tolist()
            assert batch.old_log_probs[place][written].tolist() == pytest.approx(rows[index].log_probs)
    assert [token for index in sorted(tokens) for token in tokens[index]] == [token for ids in replies for token in ids]
    assert [value for index in sorted(found) for value in found[index]] == pytest.approx(fresh, abs=1e-4)


def fresh_pass(model: PolicyModel, segment: Segment) -> list[float]:
    """The reply's log-probabilities by transformers alone: this one sequence, unpadded, nothing shared."""
    whole = replace(segment.prompt, token_ids=segment.prompt.token_ids + segment.token_ids)
    inputs = Encoder(find_checkpoint(str(model.checkpoint)), model.prompter).encode([whole], torch.float32)
    with torch.no_grad():
        logits = model.module(**inputs, use_cache=False).logits[0, -len(segment.token_ids) - 1 : -1]
    logits[:, model.prompter.banned_ids] = -torch.inf
    log_probs = torch.log_softmax(logits, dim=-1)
    return [float(row[token]) for row, token in zip(log_probs, segment.token_ids, strict=True)]


def test_what_is_shared_has_the_gradients_of_rows_alone(folders: Folders, samples: list[Item]) -> None:
    """Two turns with the overview in sight: in one row, and behind a beginning that three rows share."""
    model = PolicyModel(str(folders("qwen3-vl")), max_pixels=16_384)
    runtime = ToolRuntime(discover_tools())
    rows = []
    for number in range(3):
        crop = tool_call("crop", bbox_2d=[100, 100, 500, 500 + 100 * number], label="it")
        shown = Demonstration(samples[0], (crop, answer("u" * (number + 1))), Mode.MGPO)
        segments = asyncio.run(segments_of(model, shown, runtime))
        assert len(segments) == 2
        (row,) = model.rows(segments)
        assert row.written == sum(len(segment.token_ids) for segment in segments)
        rows.append(row)

    def gradients(batches: list[list[Row]]) -> Any:
        model.module.zero_grad()
        for batch in map(model.batch, batches):
            assert (batch.prefix_index is not None) == (len(batches) == 1)
            model.log_probs(batch).sum().backward()
        return torch.cat([parameter.grad.flatten() for parameter in model.trainable().values()])

    together, alone = gradients([rows]), gradients([[row] for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-4 * float(alone.abs().max()), rtol=1e-4)


def _segments(rollouts: list[Rollout]) -> list[Any]:
    segments = [segment for rollout in rollouts for segment in rollout.segments]
    return [(segment.prompt.token_ids, segment.token_ids, segment.log_probs) for segment in segments]


@pytest.mark.parametrize(
    ("lora_rank", "dtype"),
    [
        (0, "float32"),
        pytest.param(0, "bfloat16", marks=pytest.mark.slow),
        pytest.param(4, "float32", marks=pytest.mark.slow),
        (4, "bfloat16"),
    ],
)
def test_a_resumed_run_is_bit_identical(
    folders: Folders, samples: list[Item], tmp_path: Path, lora_rank: int, dtype: str
) -> None:
    chosen = settings(folders("qwen3-vl"), lora_rank=lora_rank, dtype=dtype)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Trainer(chosen, samples, says_u, whole).train()
    for steps in (1, 3):
        changed = replace(chosen, steps=steps, keep_checkpoints=1)  # removes the one it is resumed from, too
        Trainer(changed, samples, says_u, parts).train()
    weights = [load_file(folder / "step-000003" / "model.safetensors") for folder in (whole, parts)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    before = load_file(folders("qwen3-vl") / "model.safetensors")
    assert any(not torch.equal(weights[0][name], before[name].to(weights[0][name].dtype)) for name in before)
    states = [load_state(folder / "step-000003")["optimiser"] for folder in (whole, parts)]
    assert len(states[0]["weights"]) == (len(before) if (lora_rank, dtype) == (0, "bfloat16") else 0)
    assert all(torch.equal(one, other) for one, other in zip(*(each["weights"] for each in states), strict=True))
    metrics = [_metrics(folder) for folder in (whole, parts)]
    assert metrics[0] == metrics[1]
    assert [record["step"] for record in metrics[0]] == [0, 1, 2]
    assert [len(checkpoints(folder)) for folder in (whole, parts)] == [2, 1]  # older ones are removed


def _metrics(run: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in record.items() if "second" not in name} for record in records]


def test_the_checkpoint_opens_as_a_policy(folders: Folders, samples: list[Item], tmp_path: Path) -> None:
    checkpoint = Trainer(settings(folders("qwen2.5-vl"), steps=1), samples, says_u, tmp_path / "run").train()
    policy = TransformersPolicy(str(checkpoint), max_pixels=16_384, max_tokens=8)
    run = Agent(policy, config=EpisodeConfig(max_turns=2)).ask(samples[0].image, "what?")
    assert run.turns


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
import test_trainer as tests
import rl.training.checkpoints
tests.torch.set_num_threads(1)  # sums depend on how they are divided
from rl.local.trainer import Trainer

original = rl.training.checkpoints._sync
def sync(path):
    if path.name.startswith(".step-000002"):  # all of it is written, and it is about to be moved to its place
        os.kill(os.getpid(), signal.SIGKILL)
    return original(path)
rl.training.checkpoints._sync = sync
samples = tests.items({photos!r})
Trainer(tests.settings(Path({model!r})), samples, tests.says_u, Path({run!r})).train()
"""


def items(paths: list[str]) -> list[Item]:
    return [
        Item(str(number), Path(path), f"what is number {number}?", "x", AnswerType.TEXT)
        for number, path in enumerate(paths)
    ]


@pytest.mark.slow
def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    folders: Folders, samples: list[Item], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    code = KILLED.format(
        path=sys.path, photos=[str(sample.image) for sample in samples],
        model=str(folders("qwen3-vl")), run=str(run),
    )  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert [path.name for path in checkpoints(run)] == ["step-000001"]
    Trainer(settings(folders("qwen3-vl")), samples, says_u, run).train()
    Trainer(settings(folders("qwen3-vl")), samples, says_u, tmp_path / "whole").train()
    weights = [load_file(folder / "step-000003" / "model.safetensors") for folder in (run, tmp_path / "whole")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_it_learns_what_is_rewarded_and_nothing_from_shuffled_rewards(
    folders: Folders, samples: list[Item], tmp_path: Path
) -> None:
    """On rollouts of questions that it isn't trained on."""
    chance = random.Random(0)

    def shuffled(trajectory: Trajectory, sample: Item) -> float:
        return float(chance.random() < 0.3)

    reached = {}
    for name, reward in (("before", None), ("learnt", says_u), ("shuffled", shuffled)):
        chosen = settings(
            folders("qwen3-vl"), steps=12, prompts_per_step=4, learning_rate=3e-3, checkpoint_every=99,
            algorithm=AlgorithmConfig(group_size=8, beta=0.0), micro_batch=32,
        )  # fmt: skip
        trainer = Trainer(chosen, samples[:4], reward or says_u, tmp_path / name)
        if reward is not None:
            trainer.train()
        runtime = ToolRuntime(discover_tools())
        rollouts = asyncio.run(roll_out(trainer.model, runtime, chosen.episode(), samples[4:], 32, seed=7))
        reached[name] = sum(says_u(rollout.trajectory, rollout.sample) for rollout in rollouts) / len(rollouts)
    assert reached["learnt"] > reached["before"] + 0.2
    assert reached["learnt"] > reached["shuffled"] + 0.15, reached


def test_each_question_comes_once_before_any_comes_again(samples: list[Item]) -> None:
    drawn = [sample.id for step in range(6) for sample in draw(samples, 4, step, seed=3)]
    for epoch in range(4):
        assert sorted(drawn[6 * epoch : 6 * epoch + 6]) == [sample.id for sample in samples]
    assert drawn[:6] != drawn[6:12]


def test_a_run_is_not_resumed_with_other_settings(folders: Folders, samples: list[Item], tmp_path: Path) -> None:
    Trainer(settings(folders("qwen3-vl"), steps=1), samples, says_u, tmp_path).train()
    with pytest.raises(ConfigError, match="learning_rate"):
        Trainer(settings(folders("qwen3-vl"), learning_rate=1e-2), samples, says_u, tmp_path)
    with pytest.raises(ConfigError, match="only 1"):
        Trainer(settings(folders("qwen3-vl")), samples[:1], says_u, tmp_path / "other")
