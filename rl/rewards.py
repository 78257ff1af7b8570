"""What a rollout is worth. The default is the one reward of the method: is the answer right? (arXiv 2602.23615)"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hart_agent.errors import ConfigError
from hart_agent.evals.metrics import union_areas
from hart_agent.types import Trajectory
from rl.data import Sample

Reward: TypeAlias = Callable[[Trajectory, Sample], float]
"""The reward of a rollout of a question. It must not use the sample's boxes: they are for evaluation."""


def answer_reward(trajectory: Trajectory, sample: Sample) -> float:
    """1 if the answer is right, 0 if it is wrong or there is none."""
    return float(sample.is_right(trajectory.answer))


def area_fraction(trajectory: Trajectory) -> float:
    """The share of the image under the evidence, 0 to 1; overlaps count once."""
    (covered,) = union_areas([[item.box for item in trajectory.evidence]])
    return float(covered) / trajectory.image.size.area


@dataclass(frozen=True)
class AreaGuard:
    """No reward for evidence that covers more of the image than this: not part of the paper.

    Nothing in the method keeps a policy from taking the whole image for evidence; without a guard some do.

    Attributes:
        reward: of rollouts within the limit.
        max_area: share of the image, 0 to 1.
    """

    reward: Reward
    max_area: float

    def __post_init__(self) -> None:
        if not 0 < self.max_area <= 1:
            raise ConfigError(f"max_area is a share of the image, between 0 and 1; got {self.max_area}")

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        return self.reward(trajectory, sample) if area_fraction(trajectory) <= self.max_area else 0.0


@dataclass(frozen=True)
class TightnessBonus:
    """A little more for a right answer from little evidence: not part of the paper.

    Attributes:
        reward: without it.
        weight: of the bonus; evidence of the whole image gets none of it, ever smaller evidence nearly all.
    """

    reward: Reward
    weight: float

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ConfigError(f"the weight of the tightness bonus must be positive, got {self.weight}")

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        reward = self.reward(trajectory, sample)
        return reward * (1 + self.weight * (1 - area_fraction(trajectory))) if trajectory.evidence else reward


def load_reward(name: str) -> Reward:
    """A reward of one's own.

    Args:
        name: "module:function"; the module must be importable.

    Raises:
        ConfigError: there is no such function.
    """
    module_name, _, function = name.partition(":")
    if not module_name or not function:
        raise ConfigError(f"the reward {name!r} is not of the form module:function")
    try:
        reward = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the reward {name!r} can't be loaded ({error}). Is its folder on PYTHONPATH?") from error
    if not callable(reward):
        raise ConfigError(f"the reward {name!r} is a {type(reward).__name__}; it must be a function")
    return reward  # type: ignore[no-any-return]
