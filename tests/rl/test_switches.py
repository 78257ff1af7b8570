"""What researchers switch in the loss, each against its formula worked here; and the defaults of adapters."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from tiny_backend import Folders, folders, one_thread  # noqa: F401 (fixtures)
from training_questions import plain_questions

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[transformers]'")
from safetensors.torch import load_file  # noqa: E402

from hart_agent import ConfigError, InstallError, Mode, Trajectory  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from rl.ap_grpo import ap_grpo_loss, rollout_weights  # noqa: E402
from rl.config import AlgorithmConfig, RunSettings, SftSettings, TrainSettings  # noqa: E402
from rl.local.optimiser import Optimiser  # noqa: E402
from rl.local.trainer import Trainer  # noqa: E402
from rl.training.manifest import Manifest  # noqa: E402
from rl.training.parts import adapted_layers, in_part  # noqa: E402

REWARDS = [0.0, 1.0, 0.25, 1.0]
OLD = [[-1.0, -2.0, -0.5], [-0.1, -3.0, -1.0], [-2.0, -1.0, -0.7], [-0.3, -0.4, -2.5]]
NEW = [[-0.2, -2.1, -0.9], [-0.2, -1.2, -1.0], [-1.9, -2.0, -0.1], [-0.3, -1.0, -0.6]]
LENGTHS = [3, 1, 2, 3]
K = 0.6


def loss_and_gradient(**changes: Any) -> tuple[float, Any]:
    config = AlgorithmConfig(k=K, beta=0.0, group_size=4, **changes)
    log_probs = torch.tensor(NEW, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[float(place < length) for place in range(3)] for length in LENGTHS])
    weights = rollout_weights(torch.tensor(REWARDS, dtype=torch.float64), torch.tensor(LENGTHS), config)
    loss = ap_grpo_loss(log_probs, torch.tensor(OLD, dtype=torch.float64), None, mask, weights, config)
    loss.value.backward()
    return float(loss.value.detach()), log_probs.grad


def expected(**changes: Any) -> tuple[float, Any]:
    """The loss and its gradient, token by token, in Python's own numbers."""
    mean = sum(REWARDS) / 4
    std = math.sqrt(sum((reward - mean) ** 2 for reward in REWARDS) / 3) + 1e-6
    loss, gradient = 0.0, torch.zeros(4, 3, dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        centred = REWARDS[row] - mean
        advantage = centred if changes.get("scale_advantages") is False else centred / std
        weight = (1 + K * centred) * advantage
        weight /= 4 * (changes["token_budget"] if changes.get("aggregation") == "constant" else length)
        for place in range(length):
            ratio = math.exp(NEW[row][place] - OLD[row][place])
            ratio = slope = min(ratio, changes.get("ratio_cap") or math.inf)
            if clip := changes.get("clip"):
                bounded = min(max(ratio, 1 - clip), 1 + (changes.get("clip_high") or clip))
                if bounded * weight < ratio * weight:
                    ratio, slope = bounded, 0.0
            loss -= weight * ratio
            gradient[row, place] = -weight * slope
    return loss, gradient


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clip": 0.2, "clip_high": 0.28},
        {"clip": 0.2},
        {"ratio_cap": 2.0},
        {"ratio_cap": 1.5, "clip": 0.2, "clip_high": 0.9},
        {"scale_advantages": False},
        {"scale_advantages": False, "aggregation": "constant", "token_budget": 7},
    ],
)
def test_each_switch_is_its_formula(changes: dict[str, Any]) -> None:
    found, wanted = loss_and_gradient(**changes), expected(**changes)
    assert found[0] == pytest.approx(wanted[0], abs=1e-14)
    torch.testing.assert_close(found[1], wanted[1], atol=1e-14, rtol=0)
    if changes:
        assert found[0] != pytest.approx(expected()[0], abs=1e-3)  # each does something to these numbers


def test_switches_that_say_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="clip_high needs clip"):
        AlgorithmConfig(clip_high=0.3)
    with pytest.raises(ConfigError, match="ratio_cap must be 1 or more"):
        AlgorithmConfig(ratio_cap=0.5)


def test_the_defaults_of_adapters() -> None:
    rates = [kind(model="", lora_rank=rank).learning_rate for kind in (TrainSettings, SftSettings) for rank in (0, 32)]
    assert rates == [1e-6, 1e-5, 1e-5, 1e-4]
    assert [RunSettings(model="", lora_rank=rank).lora_alpha for rank in (0, 8, 64)] == [32, 8, 64]
    given = RunSettings(model="", lora_rank=8, lora_alpha=32, learning_rate=3e-6)
    assert (given.lora_alpha, given.learning_rate) == (32, 3e-6)


def test_a_run_from_before_keeps_its_defaults(tmp_path: Path) -> None:
    new = "warmup schedule optimiser generation_batch train_part gradient_checkpointing attention redraws".split()
    record = TrainSettings(model="m", lora_rank=8, lora_alpha=32, learning_rate=1e-6).record()
    old = {name: value for name, value in record.items() if name not in new}
    named = ("k", "beta", "group_size", "clip", "aggregation", "epsilon")
    old["algorithm"] = {name: record["algorithm"][name] for name in named}
    (tmp_path / "settings.json").write_text(json.dumps(old | {"questions": ""}))
    resumed = Manifest(out=tmp_path, settings=TrainSettings(model="m", lora_rank=8)).save(may_change=())
    assert (resumed.lora_alpha, resumed.learning_rate) == (32, 1e-6)
    for changes in ({"learning_rate": 2e-6}, {"warmup": 3}, {"algorithm": AlgorithmConfig(ratio_cap=2.0)}):
        (name,) = changes
        with pytest.raises(ConfigError, match=f"other settings: {name}"):
            Manifest(out=tmp_path, settings=TrainSettings(model="m", lora_rank=8, **changes)).save(may_change=())


def rates(steps: int, **changes: Any) -> list[float]:
    parameter = torch.nn.Parameter(torch.ones(1))
    optimiser = Optimiser([parameter], RunSettings(model="", learning_rate=2.0, steps=10, **changes))
    found = []
    for _ in range(steps):
        found.append(optimiser.learning_rate)
        parameter.sum().backward()
        optimiser.step()
    return found


def test_the_learning_rate_rises_and_follows_its_schedule() -> None:
    assert rates(3) == [2.0] * 3
    assert rates(4, warmup=2) == [0.0, 1.0, 2.0, 2.0]
    assert rates(10, warmup=2, schedule="linear")[2:] == pytest.approx([2 * (8 - step) / 8 for step in range(8)])
    cosine = [1 + math.cos(math.pi * step / 8) for step in range(8)]
    assert rates(10, warmup=2, schedule="cosine")[2:] == pytest.approx(cosine)


def test_a_resumed_schedule_goes_on() -> None:
    settings = RunSettings(model="", learning_rate=2.0, steps=10, warmup=4)
    first = Optimiser([parameter := torch.nn.Parameter(torch.ones(1))], settings)
    for _ in range(3):
        parameter.sum().backward()
        first.step()
    second = Optimiser([torch.nn.Parameter(torch.ones(1))], settings)
    second.load_state_dict(first.state_dict())
    assert second.learning_rate == 1.5


def test_states_of_8_bits_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes.optim", None)
    with pytest.raises(InstallError, match=r"--optimiser adamw-8bit needs the package bitsandbytes\. Run: .*install"):
        rates(1, optimiser="adamw-8bit")


def test_parts_are_told_by_name(folders: Folders) -> None:
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(folders("qwen2.5-vl"))
    language, vision = adapted_layers(model, "language"), adapted_layers(model, "vision")
    assert not set(language) & set(vision)
    assert len(language) == 7 * model.config.text_config.num_hidden_layers
    assert all(name.startswith("model.visual.") for name in vision)
    assert adapted_layers(model, "both") == "all-linear"
    names = [name for name, _ in model.named_parameters()]
    assert all(in_part(name, "language") != in_part(name, "vision") for name in names)


def test_questions_whose_rollouts_are_rewarded_alike_are_redrawn(
    folders: Folders, photos: list[Item], tmp_path: Path
) -> None:
    """Only question 3 has rewards that differ."""
    chance = random.Random(0)

    def reward(trajectory: Trajectory, sample: Item) -> float:
        return float(sample.id == "3" and chance.random() < 0.5)

    def run(redraws: int) -> Any:
        settings = TrainSettings(
            model=str(folders("qwen2.5-vl")), algorithm=AlgorithmConfig(group_size=8, beta=0.0), mode=Mode.DIRECT,
            max_turns=1, steps=1, prompts_per_step=1, max_tokens=2, max_pixels=4096, redraws=redraws,
        )  # fmt: skip
        trainer = Trainer(settings, photos, reward, tmp_path / str(redraws))
        groups, redrawn = trainer._groups()
        return groups[0][0][0].sample.id, redrawn, len(groups), {len(group) for group in groups}

    assert run(0)[0] != "3"
    assert run(0)[1:] == (0, 1, {8})
    found = run(3)
    assert (found[0], found[2:]) == ("3", (1, {8}))
    assert found[1] in (1, 2, 3)
    assert run(3)[:2] == found[:2]


def of_a_step(groups: Any, state: dict[str, Any]) -> list[list[float]]:
    """1 for the first rollout of question 3; it keeps which questions it saw last, and how often it was asked."""
    state["asked"] = state.get("asked", 0) + 1
    state["seen"] = [group[0].sample.id for group in groups]
    return [[float(group[0].sample.id == "3" and number == 0) for number in range(len(group))] for group in groups]


def test_a_reward_that_sees_its_step_keeps_the_redrawn_one(
    folders: Folders, photos: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    settings = TrainSettings(
        model=str(folders("qwen2.5-vl")), algorithm=AlgorithmConfig(group_size=2, beta=0.0), mode=Mode.DIRECT,
        max_turns=1, steps=1, prompts_per_step=2, max_tokens=2, max_pixels=4096, redraws=3, seed=1,
        reward=f"{Path(__file__).stem}:of_a_step",
    )  # fmt: skip
    trainer = Trainer(settings, photos, None, tmp_path / "run")
    groups, redrawn = trainer._groups()
    assert redrawn > 0
    seen = [group[0][0].sample.id for group in groups]
    assert trainer.judge.state == {"asked": 1, "seen": seen}  # one step, with all of its questions
    assert {score.reward for group in groups for _, score in group} == {0.0, 1.0}


def test_switches_that_are_off_or_not_reached_change_no_bit(
    folders: Folders, photos: list[Item], tmp_path: Path
) -> None:
    """Of the weights after two updates, and of what the metrics tell; a switch adds its own."""

    def reward(trajectory: Trajectory, sample: Item) -> float:
        return float(len(trajectory.turns[0].reply.text) % 2)

    def run(name: str, algorithm: AlgorithmConfig, **changes: Any) -> tuple[dict[str, Any], list[dict[str, float]]]:
        settings = TrainSettings(
            model=str(folders("qwen2.5-vl")), algorithm=algorithm, mode=Mode.DIRECT, max_turns=1, steps=2,
            prompts_per_step=1, max_tokens=4, max_pixels=4096, learning_rate=1e-3, **changes,
        )  # fmt: skip
        last = Trainer(settings, photos, reward, tmp_path / name).train()
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        told = [{key: value for key, value in json.loads(line).items() if "second" not in key} for line in lines]
        return load_file(last / "model.safetensors"), told

    weights, told = run("paper", AlgorithmConfig(group_size=4))
    unreached = AlgorithmConfig(group_size=4, kl="k3", entropy_floor=1e-9, ratio_cap=1e9, clip=0.99, clip_high=1e9)
    same, also = run("unreached", unreached, curriculum=False, redraws=0, rollouts="transformers", tracker=None)
    assert weights.keys() == same.keys()
    assert all(torch.equal(value, same[name]) for name, value in weights.items())
    assert [{**each, "entropy_lacking": 0.0} for each in told] == also


@pytest.fixture
def photos(tmp_path: Path) -> list[Item]:
    return plain_questions(tmp_path, 4)
