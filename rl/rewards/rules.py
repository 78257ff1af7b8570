"""The reward of the method, is the answer right? (arXiv 2602.23615), and rules that wrap it.

The rules are not part of the paper, are off by default, and are reported in a run's metrics by their names.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
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
class Rule(ABC):
    """A reward that changes another one.

    Attributes:
        reward: the other one.
    """

    reward: Reward
    name: ClassVar[str]

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        return self.adjust(self.reward(trajectory, sample), trajectory)

    @abstractmethod
    def adjust(self, value: float, trajectory: Trajectory) -> float:
        """The reward after this rule."""

    @abstractmethod
    def applied(self, score: Score, trajectory: Trajectory) -> Score:
        """The score after this rule."""

    def _score(self, score: Score, reward: float, terms: dict[str, Term], trajectory: Trajectory) -> Score:
        *_, inner = score.parts.values()
        return Score(reward, terms, {**score.parts, self.name: self.adjust(inner, trajectory)})


@dataclass(frozen=True)
class AreaGuard(Rule):
    """No reward for evidence that covers more of the image than this: not part of the paper.

    Nothing in the method prevents a policy from using the whole image as evidence; without a guard some do.

    Attributes:
        max_area: share of the image, more than 0 and up to 1.
    """

    max_area: float
    name = "area_guard"

    def __post_init__(self) -> None:
        if not 0 < self.max_area <= 1:
            raise ConfigError(f"max_area is a share of the image, more than 0 and up to 1; got {self.max_area}")

    def adjust(self, value: float, trajectory: Trajectory) -> float:
        return value if area_fraction(trajectory) <= self.max_area else 0.0

    def applied(self, score: Score, trajectory: Trajectory) -> Score:
        """The score after this rule: over the limit, shaping terms earn nothing, either."""
        kept = self.adjust(1.0, trajectory)
        terms = {name: replace(term, value=term.value * kept) for name, term in score.terms.items()}
        return self._score(score, score.reward * kept, terms, trajectory)


@dataclass(frozen=True)
class Bonus(Rule):
    """More for a right answer, in proportion to a share of 0 to 1.

    As a number of its own (`adjust`) the reward is scaled to stay between 0 and 1: with the whole share it is
    unchanged, with none it is divided by 1 + weight. In training the bonus is a shaping term (`applied`): the reward
    times the share, normalised and then weighted: a small weight has a small effect.

    Attributes:
        weight: of the bonus; more than 0.
    """

    weight: float
    noun: ClassVar[str]

    def __post_init__(self) -> None:
        if not 0 < self.weight < math.inf:
            raise ConfigError(f"the weight of the {self.noun} must be a positive number, got {self.weight}")

    @abstractmethod
    def share(self, trajectory: Trajectory) -> float:
        """How much of the bonus a rollout earns, 0 to 1."""

    def adjust(self, value: float, trajectory: Trajectory) -> float:
        return value * (1 + self.weight * self.share(trajectory)) / (1 + self.weight)

    def applied(self, score: Score, trajectory: Trajectory) -> Score:
        """The score with this term."""
        term = Term(self.weight, score.reward * self.share(trajectory))
        return self._score(score, score.reward, {**score.terms, self.name: term}, trajectory)


@dataclass(frozen=True)
class TightnessBonus(Bonus):
    """More for a right answer from little evidence, by the share of the image that is left out. Not in the paper."""

    name, noun = "tightness", "tightness bonus"

    def share(self, trajectory: Trajectory) -> float:
        return 1 - area_fraction(trajectory)


@dataclass(frozen=True)
class TurnCost(Bonus):
    """More for a right answer in few turns, by 1 / turns. Not in the paper."""

    name, noun = "turn_cost", "turn cost"

    def share(self, trajectory: Trajectory) -> float:
        return 1 / max(1, len(trajectory.turns))
