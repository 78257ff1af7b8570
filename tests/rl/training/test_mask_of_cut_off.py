"""Rollouts that a limit cut off teach nothing, where that is asked for; and a cost of turns."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import answer, tool_call
from PIL import Image

from hart_agent import Agent, EpisodeConfig, Mode, ScriptedPolicy, Trajectory
from hart_agent.answers import AnswerType
from hart_agent.evals.items import Item
from rl.ap_grpo import RolloutWeights, ap_grpo_loss, rollout_weights
from rl.config import AlgorithmConfig, TrainSettings
from rl.data.rows import Rollout
from rl.openrlhf.scoring import outcome
from rl.rewards import AnswerReward, Judge, TurnCost, reward_of
from rl.rewards.scores import Attempt
from rl.training.cut_off import ended_by_itself, without_cut_off

ZOOM = tool_call("zoom", bbox_2d=[0, 0, 20, 20])


def rolled(*script: str, max_turns: int = 2) -> Trajectory:
    config = EpisodeConfig(Mode.AGENT, max_turns=max_turns, max_format_errors=1)
    return Agent(ScriptedPolicy(script), config=config, verify=False).ask(Image.new("RGB", (40, 40)), "what?")


def test_what_ended_by_itself() -> None:
    assert ended_by_itself(rolled(ZOOM, answer("x")))
    assert ended_by_itself(rolled("<abstain>dark</abstain>"))
    assert ended_by_itself(rolled("<tool_call>{"))  # it can't be read
    assert not ended_by_itself(rolled(ZOOM, ZOOM))


def test_a_rollout_on_openrlhf_tells_whether_it_ended_by_itself() -> None:
    gold = Item("a", Path("a.png"), "what?", "x", AnswerType.TEXT)
    told = [outcome(Judge(AnswerReward()), Rollout(gold, run, ())) for run in (rolled(answer("x")), rolled(ZOOM, ZOOM))]
    assert [each.ended for each in told] == [True, False]


def loss_of(config: AlgorithmConfig, weights: RolloutWeights, log_probs: torch.Tensor, mask: torch.Tensor) -> float:
    old, reference = log_probs - 0.1, log_probs + 0.2
    return float(ap_grpo_loss(log_probs, old, reference, mask, weights, config).value)


@pytest.mark.parametrize("aggregation", ["sequence", "token"])
def test_the_loss_is_that_of_the_others_divided_by_their_number(aggregation: str) -> None:
    """Against the formula, rollout by rollout: 1 / sum M * sum M_i (mu1 A ratio - mu2 KL), averaged over tokens."""
    config = AlgorithmConfig(group_size=3, k=0.6, beta=0.05, aggregation=aggregation)  # type: ignore[arg-type]
    chance = random.Random(0)
    ratio, kl = torch.exp(torch.tensor(0.1, dtype=torch.float64)), torch.exp(torch.tensor(0.2)) - 0.2 - 1
    for _ in range(20):
        lengths = [chance.randint(1, 5) for _ in range(6)]
        rewards = torch.tensor([chance.random() for _ in range(6)], dtype=torch.float64)
        ended = [chance.random() < 0.6 for _ in range(6)]
        mask = torch.tensor([[1.0] * length + [0.0] * (5 - length) for length in lengths], dtype=torch.float64)
        weights = rollout_weights(rewards, torch.tensor(lengths), config)
        masked = without_cut_off(weights, torch.tensor(lengths), torch.tensor(ended))
        found = loss_of(config, masked, torch.full((6, 5), -1.0, dtype=torch.float64), mask)
        each = [
            float(m1 * a * ratio - m2 * kl)
            for m1, a, m2 in zip(weights.mu1, weights.advantages, weights.mu2, strict=True)
        ]
        counts = [length if aggregation == "token" else 1 for length in lengths]
        kept = [count * ok for count, ok in zip(counts, ended, strict=True)]
        expected = -sum(k * value for k, value in zip(kept, each, strict=True)) / max(1, sum(kept))
        assert found == pytest.approx(expected, abs=1e-7)


def test_where_nothing_is_cut_off_nothing_changes_and_where_all_is_nothing_is_learnt() -> None:
    config, lengths = AlgorithmConfig(group_size=2), torch.tensor([3, 4])
    weights = rollout_weights(torch.tensor([1.0, 0.0]), lengths, config)
    same = without_cut_off(weights, lengths, torch.tensor([True, True]))
    torch.testing.assert_close(same.mu1, weights.mu1)
    torch.testing.assert_close(same.mu2, weights.mu2)
    none = without_cut_off(weights, lengths, torch.tensor([False, False]))
    assert float(none.mu1.abs().sum() + none.mu2.abs().sum()) == 0
    assert torch.isfinite(none.mu1).all()


def test_the_mask_is_off_by_default_and_named_in_the_settings() -> None:
    plain, masked = TrainSettings(model="m"), TrainSettings(model="m", mask_cut_off=True)
    assert "mask_cut_off" not in plain.record()
    assert masked.record()["mask_cut_off"] is True
    for settings in plain, masked, replace(plain, turn_cost=0.1):
        assert TrainSettings.from_record({**settings.record(), "betas": list(settings.betas)}) == settings


def test_a_right_answer_in_fewer_turns_earns_more_and_a_wrong_one_nothing() -> None:
    gold = Item("a", Path("a.png"), "what?", "x", AnswerType.TEXT)
    rule = TurnCost(AnswerReward(), 0.5)
    quick, slow = rolled(answer("x")), rolled(ZOOM, answer("x"))
    wrong = rolled(answer("y"))
    assert [rule(run, gold) for run in (quick, slow, wrong)] == pytest.approx([1, 1.25 / 1.5, 0])
    scores = Judge(reward_of(TrainSettings(model="m", turn_cost=0.5))).scores(
        [[Attempt(run, gold) for run in (quick, slow, wrong)]]
    )
    assert [score.reward for score in scores] == [1, 1, 0]
    assert [score.terms["turn_cost"].value for score in scores] == [1, 0.5, 0]
    assert TrainSettings(model="m", turn_cost=0.5).record()["reward"] == "answer, turn cost 0.5"
    assert not isinstance(reward_of(TrainSettings(model="m")), TurnCost)
    with pytest.raises(Exception, match="turn cost must be a positive number"):
        reward_of(TrainSettings(model="m", turn_cost=0.0))
