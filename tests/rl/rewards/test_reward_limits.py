"""Limits of the rewards' rules, their names, and the ranges of the weights in the diagnostics."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hart_agent.answers import AnswerType
from hart_agent.errors import ConfigError
from hart_agent.evals.items import Item
from rl.ap_grpo import RolloutWeights, diagnostics
from rl.config import AlgorithmConfig, TrainSettings
from rl.rewards import AnswerReward, AreaGuard, Judge, TightnessBonus, TurnCost, reward_of, reward_parts
from rl.rewards.custom import CustomReward
from rl.rewards.scores import Attempt


class Plain:
    name = None

    def __call__(self, trajectory: object, sample: object) -> float:
        return 1.0


def test_the_whole_image_may_be_the_limit_but_nothing_may_not() -> None:
    assert AreaGuard(Plain(), 1.0).max_area == 1.0  # type: ignore[arg-type]
    assert AreaGuard(Plain(), 1e-9).max_area == 1e-9  # type: ignore[arg-type]
    for limit in (0.0, -0.1, 1.0001, float("nan")):
        with pytest.raises(ConfigError, match="max_area"):
            AreaGuard(Plain(), limit)  # type: ignore[arg-type]


def test_a_reward_without_a_name_has_that_of_its_class() -> None:
    assert reward_parts(Plain(), None, None) == {"Plain": 1.0}  # type: ignore[arg-type]


def says_nothing(trajectory: object, sample: object) -> float:
    return 0.5


def test_a_function_is_named_by_its_own_name() -> None:
    assert reward_parts(says_nothing, None, None) == {"says_nothing": 0.5}  # type: ignore[arg-type]


@pytest.mark.parametrize("max_area", [None, 0.25])
@pytest.mark.parametrize("tightness", [None, 2.0])
def test_a_rule_is_applied_where_its_setting_is_given(tightness: float | None, max_area: float | None) -> None:
    found: object = reward_of(TrainSettings(model="m", tightness=tightness, max_area=max_area))
    rules = []
    while isinstance(found, AreaGuard | TightnessBonus):
        rules.append(type(found))
        found = found.reward
    assert isinstance(found, AnswerReward)
    assert rules == [AreaGuard] * (max_area is not None) + [TightnessBonus] * (tightness is not None)


def test_a_weight_that_is_no_positive_number_is_refused_by_its_name() -> None:
    for bonus, name in ((TightnessBonus, "tightness bonus"), (TurnCost, "turn cost")):
        with pytest.raises(ConfigError, match=f"^the weight of the {name} must be a positive number, got 0"):
            bonus(AnswerReward(), 0)


def test_an_answer_with_text_around_it_is_wrong_unless_asked() -> None:
    trajectory: Any = SimpleNamespace(answer="x, I think")
    sample = Item("a", Path("a.png"), "what?", "x", AnswerType.TEXT)
    assert [reward(trajectory, sample) for reward in (AnswerReward(), AnswerReward(strict=False))] == [0, 1]


def test_without_weights_by_answer_a_reward_may_have_any_range() -> None:
    trajectory: Any = SimpleNamespace(answer="x", turns=[])
    scored = CustomReward("m:f", lambda trajectory, sample: 3.5, "rollout")
    sample: Any = None
    assert Judge(scored).scores([[Attempt(trajectory, sample)]])[0].reward == 3.5


@pytest.mark.parametrize(("turns", "share"), [(0, 1), (1, 1), (4, 0.25)])
def test_the_turn_cost_is_a_share_even_of_a_rollout_without_turns(turns: int, share: float) -> None:
    trajectory: Any = SimpleNamespace(turns=[None] * turns)
    assert TurnCost(AnswerReward(), 0.5).share(trajectory) == share


def test_the_diagnostics_hold_the_least_and_the_greatest_weight() -> None:
    weights = RolloutWeights(
        torch.tensor([1.0, -1.0]),
        torch.tensor([0.25, 0.75]),
        torch.tensor([0.5, 0.125]),
        torch.tensor([0.5, 0.5]),
        torch.zeros(2),
    )
    found = diagnostics(torch.tensor([1.0, 0.0]), weights, AlgorithmConfig(group_size=2))
    assert (found["mu1_min"], found["mu1_max"]) == (0.25, 0.75)
    assert (found["mu2_min"], found["mu2_max"]) == (0.125, 0.5)
    assert found["drift"] == (0.25 - 0.75) / 2
    assert found["zero_variance_groups"] == 0.0
    groups = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    found = diagnostics(groups, weights.of([0, 1] * 3), AlgorithmConfig(group_size=2))
    assert found["zero_variance_groups"] == pytest.approx(2 / 3)
