"""Rewards of rollouts. The default is the one of the method: is the answer right? (arXiv 2602.23615)

What is not part of the paper wraps that reward, is off by default, and is reported in a run's metrics by its name.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from hart_agent.agent.trajectory import Trajectory
from hart_agent.errors import ConfigError
from hart_agent.evals.metrics import union_areas
from rl.config import TrainSettings
from rl.data import Sample

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

    Without evidence it is 1, or a policy could avoid the penalty on the area by naming no region. In a mode without
    tools, such as `direct`, no region can be named: there it is 0.
    """
    if not trajectory.evidence:
        return 0.0 if all(stage.tools == () for stage in trajectory.mode.stages) else 1.0
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


@dataclass(frozen=True)
class TightnessBonus:
    """More for a right answer from little evidence: not part of the paper.

    The reward is scaled to stay between 0 and 1, as the weights of AP-GRPO need: with no area it is unchanged, with the
    full image it is divided by 1 + weight.

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


@dataclass(frozen=True)
class CustomReward:
    """A custom reward, whose values are checked.

    Attributes:
        name: "module:function".
        function: the reward.
    """

    name: str
    function: Reward

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        """The function's value.

        Raises:
            ConfigError: it is not a finite number.
        """
        value = self.function(trajectory, sample)
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the reward {self.name!r} returned {value!r}; it must return a number") from error
        if not math.isfinite(number):
            raise ConfigError(f"the reward {self.name!r} returned {number}; it must return a finite number")
        return number


def reward_of(settings: TrainSettings) -> Reward:
    """The reward that the settings of a run name.

    Raises:
        ConfigError: there is no such function, or a number is out of range.
    """
    reward: Reward = AnswerReward(settings.strict_reading) if settings.reward is None else load_reward(settings.reward)
    if settings.tightness is not None:
        reward = TightnessBonus(reward, settings.tightness)
    return reward if settings.max_area is None else AreaGuard(reward, settings.max_area)


def load_reward(name: str) -> CustomReward:
    """A custom reward.

    Args:
        name: "module:function"; the module must be importable, the function takes a trajectory and a sample.

    Raises:
        ConfigError: there is no such function.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"the reward {name!r} is not of the form module:function")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # whatever the user's module raises when it is imported
        raise ConfigError(
            f"the reward {name!r} can't be loaded ({type(error).__name__}: {error}). Is its folder on PYTHONPATH?"
        ) from error
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the reward {name!r} must take a trajectory and a sample ({error})") from error
    return CustomReward(name, function)


def reward_parts(reward: Reward, trajectory: Trajectory, sample: Sample) -> dict[str, float]:
    """The reward of a rollout after each rule, from the inside outwards, by name; the last entry is the total."""
    if isinstance(reward, AreaGuard | TightnessBonus):
        parts = reward_parts(reward.reward, trajectory, sample)
        *_, inner = parts.values()
        return parts | {reward.name: reward.adjust(inner, trajectory)}
    return {_name(reward): reward(trajectory, sample)}


def _name(reward: Reward) -> str:
    return str(getattr(reward, "name", None) or getattr(reward, "__name__", type(reward).__name__))
