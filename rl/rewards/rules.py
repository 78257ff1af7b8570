"""The reward of the method, is the answer right? (arXiv 2602.23615), and rules that wrap it.

The rules are not part of the paper, are off by default, and are reported in a run's metrics by their names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

from hart_agent.agent.modes import Mode
from hart_agent.agent.trajectory import Trajectory
from hart_agent.errors import ConfigError
from hart_agent.evals.metrics import union_areas
from rl.data import Sample
from rl.rewards.scores import Score, Term

Reward: TypeAlias = Callable[[Trajectory, Sample], float]
"""The reward of a rollout of a question, 0 to 1. It must not use the sample's boxes: they are for evaluation."""


@dataclass(frozen=True)
class AnswerReward:
    """1 if the answer is right, 0 if it is wrong or missing.

    Attributes:
        strict: whether an answer with text around it is wrong.
    """

    strict: bool = True
    name: ClassVar[str] = "answer"

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        return float(sample.is_right(trajectory.answer, strict=self.strict))


answer_reward = AnswerReward()


def area_fraction(trajectory: Trajectory) -> float:
    """The share of the image that the policy's evidence covers, 0 to 1; overlaps count once.

    Without evidence it is 1, or a policy could avoid the penalty on the area by naming no region. In the modes
    without tools, `direct` and `sections`, no region can be named: there it is 0.
    """
    if not trajectory.evidence:
        return 0.0 if trajectory.mode in (Mode.DIRECT, Mode.SECTIONS) else 1.0
    (covered,) = union_areas([[item.box for item in trajectory.evidence]])
    return float(covered) / trajectory.image.size.area


@dataclass(frozen=True)
class AreaGuard:
    """No reward for evidence that covers more of the image than this: not part of the paper.

    Nothing in the method prevents a policy from using the whole image as evidence; without a guard some do.

    Attributes:
        reward: of rollouts within the limit.
        max_area: share of the image, more than 0 and up to 1.
    """

    reward: Reward
    max_area: float
    name: ClassVar[str] = "area_guard"

    def __post_init__(self) -> None:
        if not 0 < self.max_area <= 1:
            raise ConfigError(f"max_area is a share of the image, more than 0 and up to 1; got {self.max_area}")

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        return self.adjust(self.reward(trajectory, sample), trajectory)

    def adjust(self, value: float, trajectory: Trajectory) -> float:
        """The reward after this rule."""
        return value if area_fraction(trajectory) <= self.max_area else 0.0

    def applied(self, score: Score, trajectory: Trajectory) -> Score:
        """The score after this rule: over the limit, shaping terms earn nothing, either."""
        kept = self.adjust(1.0, trajectory)
        terms = {name: replace(term, value=term.value * kept) for name, term in score.terms.items()}
        return _adjusted(self, score, score.reward * kept, terms, trajectory)


@dataclass(frozen=True)
class TightnessBonus:
    """More for a right answer from little evidence: not part of the paper.

    As a number of its own (`adjust`) the reward is scaled to stay between 0 and 1: with no area it is unchanged, with
    the full image it is divided by 1 + weight. In training the bonus is a shaping term (`applied`): the reward times
    the share of the image that is left out, normalised and then weighted: a small weight has a small effect.

    Attributes:
        reward: without it.
        weight: of the bonus, which is in proportion to the area that is left out; more than 0.
    """

    reward: Reward
    weight: float
    name: ClassVar[str] = "tightness"

    def __post_init__(self) -> None:
        if not 0 < self.weight < math.inf:
            raise ConfigError(f"the weight of the tightness bonus must be a positive number, got {self.weight}")

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        return self.adjust(self.reward(trajectory, sample), trajectory)

    def adjust(self, value: float, trajectory: Trajectory) -> float:
        """The reward after this rule."""
        return value * (1 + self.weight * (1 - area_fraction(trajectory))) / (1 + self.weight)

    def applied(self, score: Score, trajectory: Trajectory) -> Score:
        """The score with this term."""
        term = Term(self.weight, score.reward * (1 - area_fraction(trajectory)))
        return _adjusted(self, score, score.reward, {**score.terms, self.name: term}, trajectory)


@dataclass(frozen=True)
class TurnCost:
    """More for a right answer in few turns: not part of the paper. As `TightnessBonus`, with 1 / turns.

    Attributes:
        reward: without it.
        weight: of the bonus; more than 0.
    """

    reward: Reward
    weight: float
    name: ClassVar[str] = "turn_cost"

    def __post_init__(self) -> None:
        if not 0 < self.weight < math.inf:
            raise ConfigError(f"the weight of the turn cost must be a positive number, got {self.weight}")

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        return self.adjust(self.reward(trajectory, sample), trajectory)

    def adjust(self, value: float, trajectory: Trajectory) -> float:
        """The reward after this rule."""
        return value * (1 + self.weight / max(1, len(trajectory.turns))) / (1 + self.weight)

    def applied(self, score: Score, trajectory: Trajectory) -> Score:
        """The score with this term."""
        term = Term(self.weight, score.reward / max(1, len(trajectory.turns)))
        return _adjusted(self, score, score.reward, {**score.terms, self.name: term}, trajectory)


Rule: TypeAlias = AreaGuard | TightnessBonus | TurnCost
"""What wraps another reward."""


def _adjusted(rule: Rule, score: Score, reward: float, terms: dict[str, Term], trajectory: Trajectory) -> Score:
    *_, inner = score.parts.values()
    return Score(reward, terms, {**score.parts, rule.name: rule.adjust(inner, trajectory)})
