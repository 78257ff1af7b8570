"""The reward that a run's settings name, given to all rollouts of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hart_agent.agent.trajectory import Trajectory
from rl.config import TrainSettings
from rl.data import Sample
from rl.rewards.custom import CustomReward, Scope, load_reward
from rl.rewards.rules import AnswerReward, AreaGuard, Reward, Rule, TightnessBonus, TurnCost
from rl.rewards.scores import Attempt, Group, Score, check_range, score_of


def reward_of(settings: TrainSettings) -> Reward:
    """The reward that the settings of a run name.

    Raises:
        ConfigError: there is no such function, or a number is out of range.
    """
    reward: Reward = AnswerReward(settings.strict_reading) if settings.reward is None else load_reward(settings.reward)
    if settings.tightness is not None:
        reward = TightnessBonus(reward, settings.tightness)
    if settings.turn_cost is not None:
        reward = TurnCost(reward, settings.turn_cost)
    return reward if settings.max_area is None else AreaGuard(reward, settings.max_area)


@dataclass
class Judge:
    """Gives the rewards of a run, a step at a time. Both engines have one.

    Attributes:
        reward: of the run.
        k: of the algorithm; see `rl.rewards.scores.check_range`.
        state: what the reward keeps between steps; in the checkpoints.
    """

    reward: Reward
    k: float = 0.0
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """What decides a rollout's score: itself, its group, or its step."""
        reward = self.reward
        while isinstance(reward, Rule):
            reward = reward.reward
        return reward.scope if isinstance(reward, CustomReward) else "rollout"

    @property
    def sees_rollouts_alone(self) -> bool:
        """Whether a rollout's score depends on nothing else."""
        return self.scope == "rollout"

    def scores(self, groups: Sequence[Group]) -> list[Score]:
        """The scores of a step's rollouts, group by group.

        Raises:
            ConfigError: a reward is not a finite number, or outside 0 to 1 where k needs it inside.
        """
        return self._scores(self.reward, groups)

    def _scores(self, reward: Reward, groups: Sequence[Group]) -> list[Score]:
        attempts = [attempt for group in groups for attempt in group]
        if isinstance(reward, Rule):
            inner = self._scores(reward.reward, groups)
            return [reward.applied(score, each.trajectory) for score, each in zip(inner, attempts, strict=True)]
        if isinstance(reward, CustomReward):
            scores = reward.scores(groups, self.state)
        else:
            scores = [score_of(reward(each.trajectory, each.sample), _name(reward)) for each in attempts]
        for score in scores:
            check_range(score, _name(reward), self.k)
        return scores


def reward_parts(reward: Reward, trajectory: Trajectory, sample: Sample) -> dict[str, float]:
    """The reward of a rollout after each rule, from the inside outwards, by name; the last entry is the total."""
    return dict(Judge(reward).scores([[Attempt(trajectory, sample)]])[0].parts)


def _name(reward: Reward) -> str:
    return str(getattr(reward, "name", None) or getattr(reward, "__name__", type(reward).__name__))
