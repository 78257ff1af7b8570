"""Rewards that see a rollout, a group or a step; what is refused; and shaping, whose weight means what it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from hart_agent.vision.geometry import Box, Size
from rl.ap_grpo import Shaping, ap_grpo_loss, rollout_weights
from rl.config import AlgorithmConfig, TrainSettings
from rl.rewards import AnswerReward, AreaGuard, Judge, TightnessBonus, reward_of
from rl.rewards.custom import CustomReward, load_reward
from rl.rewards.scores import Attempt, Score, Term, shaping_of

DOUBLE = torch.float64


def attempt(value: float, area: float = 0.0) -> Attempt:
    """A rollout whose reward is `value`, and whose evidence covers this share of an image of 100 x 100 pixels."""
    evidence = [SimpleNamespace(box=Box(0, 0, round(100 * area), 100))] if area else []
    trajectory = SimpleNamespace(
        answer=value, evidence=evidence, mode=Mode.AGENT, image=SimpleNamespace(size=Size(100, 100))
    )
    return Attempt(trajectory, SimpleNamespace(id="q"))  # type: ignore[arg-type]


def given(trajectory: Any, sample: Any) -> float:
    return float(trajectory.answer)


def rank(group: Sequence[Attempt]) -> list[float]:
    order = sorted(float(each.trajectory.answer or 0) for each in group)
    return [order.index(float(each.trajectory.answer or 0)) / len(group) for each in group]


def gain(groups: Sequence[Sequence[Attempt]], state: dict[str, Any]) -> list[list[float]]:
    best = max(float(each.trajectory.answer or 0) for group in groups for each in group)
    before, state["best"] = state.get("best", 0.0), best
    return [[float(float(each.trajectory.answer or 0) > before) for each in group] for group in groups]


GROUPS = [[attempt(0.1), attempt(0.3)], [attempt(0.2), attempt(0.2)]]


def test_the_first_parameter_decides_what_a_reward_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    judges = {name: Judge(load_reward(f"test_judge:{name}")) for name in ("given", "rank", "gain")}
    found = {name: [score.reward for score in judge.scores(GROUPS)] for name, judge in judges.items()}
    assert found == {"given": [0.1, 0.3, 0.2, 0.2], "rank": [0, 0.5, 0, 0], "gain": [1, 1, 1, 1]}
    assert [judge.sees_rollouts_alone for judge in judges.values()] == [True, False, False]
    assert [score.reward for score in judges["gain"].scores([[attempt(0.4), attempt(0.3)]])] == [1, 0]
    assert judges["gain"].state == {"best": 0.4}
    assert not Judge(AreaGuard(TightnessBonus(load_reward("test_judge:rank"), 0.5), 0.5)).sees_rollouts_alone
    assert Judge(AreaGuard(AnswerReward(), 0.5)).sees_rollouts_alone


def test_rules_are_applied_to_a_reward_that_sees_its_group() -> None:
    judge = Judge(AreaGuard(CustomReward("m:rank", rank, "group"), 0.5))
    scores = judge.scores([[attempt(0.1), attempt(0.2, 0.4), attempt(0.3, 0.6), attempt(0.4, 0.2)]])
    assert [score.reward for score in scores] == [0, 0.25, 0, 0.75]
    assert [score.parts["m:rank"] for score in scores] == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("values", [None, 1.0, [1.0], [[1.0, 2.0]]])
def test_a_group_needs_a_value_for_each_rollout(values: Any) -> None:
    with pytest.raises(ConfigError, match=r"for 2 rollouts|for each of 2 rollouts|return a number"):
        Judge(CustomReward("m:f", lambda group: values, "group")).scores(GROUPS)


@pytest.mark.parametrize("values", [[[1.0, 0.0]], [1.0, 0.0], [[1.0, 0.0], [1.0]]])
def test_a_step_needs_values_for_each_group(values: Any) -> None:
    with pytest.raises(ConfigError, match="'m:f'"):
        Judge(CustomReward("m:f", lambda groups, state: values, "step")).scores(GROUPS)


@pytest.mark.parametrize("value", [2.0, -0.5])
def test_a_reward_outside_0_to_1_is_refused_at_the_first_rollout(value: float) -> None:
    """Equal rewards, too, whose weights would be 1: which groups are drawn must not decide whether a run stops."""
    groups = [[attempt(value), attempt(value)]]
    with pytest.raises(ConfigError, match=r"'given' gave .*0 to 1.*\(r - low\) / \(high - low\).*--k 0"):
        Judge(given, k=0.6).scores(groups)
    assert [score.reward for score in Judge(given, k=0.0).scores(groups)] == [value, value]
    with pytest.raises(ConfigError, match="0 to 1"):  # a rule that makes it 0 doesn't hide it
        Judge(AreaGuard(given, 0.5), k=0.6).scores([[attempt(value, 0.9)]])


def gradient(rewards: torch.Tensor, shaping: Sequence[Shaping], k: float, **changes: Any) -> torch.Tensor:
    """Of the loss by the log-probabilities of 8 rollouts of 5 tokens, the first update: all ratios are 1."""
    config = AlgorithmConfig(k=k, beta=0.0, group_size=8, **changes)
    log_probs = torch.zeros(8, 5, dtype=DOUBLE, requires_grad=True)
    weights = rollout_weights(rewards, torch.full((8,), 5), config, shaping)
    mask = torch.ones(8, 5, dtype=DOUBLE)
    ap_grpo_loss(log_probs, log_probs.detach(), None, mask, weights, config).value.backward()
    assert log_probs.grad is not None
    return log_probs.grad


@pytest.mark.parametrize("weight", [0.01, 0.5])
@pytest.mark.parametrize("k", [0.0, 0.6])
def test_a_weight_of_a_hundredth_moves_the_gradient_by_a_hundredth_of_the_answers(weight: float, k: float) -> None:
    pattern = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    nothing, answers = torch.ones(8, dtype=DOUBLE), torch.tensor(pattern, dtype=DOUBLE)
    bonus = Judge(TightnessBonus(given, weight))
    scores = bonus.scores([[attempt(1.0, 0.2 if small else 0.7) for small in pattern]])
    terms = [Shaping(each, torch.tensor(values, dtype=DOUBLE)) for each, values in shaping_of(scores)]
    assert [score.reward for score in scores] == [1.0] * 8
    of_answers = gradient(answers, (), 0.0)
    torch.testing.assert_close(gradient(nothing, terms, k), weight * of_answers, atol=0, rtol=1e-4)
    assert float(gradient(nothing, terms, k).norm()) == pytest.approx(weight * float(of_answers.norm()), rel=1e-4)
    both, alone = gradient(answers, terms, k), gradient(answers, (), k)
    assert float((both - alone).norm()) < (1 + k) * weight * float(of_answers.norm()) * 1.0001


@pytest.mark.parametrize("size", [1.0, 300.0])
def test_a_weight_means_the_same_where_advantages_are_not_divided_by_their_spread(size: float) -> None:
    """As of Dr. GRPO. Values such as tokens are hundreds apart; within 1 of each other they stay as they are."""
    pattern = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0], dtype=DOUBLE)
    nothing = torch.ones(8, dtype=DOUBLE)

    def moved(values: torch.Tensor) -> torch.Tensor:
        return gradient(nothing, [Shaping(0.01, values)], 0.6, scale_advantages=False)

    of_answers = gradient(pattern, (), 0.0, scale_advantages=False)
    torch.testing.assert_close(moved(size * pattern), 0.01 * of_answers, atol=0, rtol=1e-12)
    torch.testing.assert_close(moved(0.25 * pattern), 0.0025 * of_answers, atol=0, rtol=1e-12)


def test_the_whole_way_from_the_settings_to_the_term() -> None:
    settings = TrainSettings(model="m", tightness=0.25, max_area=0.5, reward=None)
    assert isinstance(reward_of(settings), AreaGuard)
    scores = Judge(AreaGuard(TightnessBonus(given, 0.25), 0.5)).scores([[attempt(1.0, 0.2), attempt(1.0, 0.9)]])
    assert [score.reward for score in scores] == [1.0, 0.0]
    assert shaping_of(scores) == [(0.25, [pytest.approx(0.8), 0.0])]
    assert list(scores[0].parts) == ["given", "tightness", "area_guard"]


def test_terms_must_be_those_of_all_rollouts() -> None:
    def uneven(trajectory: Any, sample: Any) -> Score:
        return Score(0.5, {"short": Term(0.1, 1.0)} if trajectory.answer > 0.15 else {})

    with pytest.raises(ConfigError, match="the value 0 where"):
        shaping_of(Judge(uneven).scores(GROUPS))
    with pytest.raises(ConfigError, match="positive"):
        Judge(lambda trajectory, sample: Score(0.5, {"short": Term(0.0, 1.0)})).scores(GROUPS)
    with pytest.raises(ConfigError, match="finite"):
        Judge(lambda trajectory, sample: Score(0.5, {"short": Term(1.0, float("nan"))})).scores(GROUPS)
