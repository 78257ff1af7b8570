"""What a training algorithm is made of: AP-GRPO, and the baselines that differ from it in these numbers only."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from hart_agent.errors import ConfigError
from hart_agent.types import Mode

AGGREGATIONS = ("sequence", "token")


@dataclass(frozen=True, kw_only=True)
class AlgorithmConfig:
    """AP-GRPO (arXiv 2602.23615, section on Advantage Preference Group Relative Policy Optimization).

    Attributes:
        k: how much right answers are preferred; 0 is exactly GRPO. The paper uses 0.6.
        beta: weight of the KL term; 0 needs no reference model. The paper gives none.
        group_size: rollouts of one question (G). The paper gives none.
        clip: the ratio is clipped to 1 - clip ... 1 + clip, as in PPO; None, as in the paper, leaves it as it is.
        aggregation: "sequence": each rollout counts the same, whatever its length, as the paper's formula has it;
            "token": each token counts the same.
        epsilon: added to the standard deviation, so that a group of equal rewards has advantages of 0.
    """

    k: float = 0.6
    beta: float = 0.02
    group_size: int = 8
    clip: float | None = None
    aggregation: str = "sequence"
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 <= self.k <= 1:
            raise ConfigError(f"k must be 0 to 1, or a weight could turn negative; got {self.k}")
        if not 0 <= self.beta < math.inf:
            raise ConfigError(f"beta must be a number of 0 or more, got {self.beta}")
        if self.group_size < 2:
            raise ConfigError(f"group_size must be 2 or more, for advantages are relative; got {self.group_size}")
        if self.clip is not None and not 0 < self.clip < 1:
            raise ConfigError(f"clip must be between 0 and 1, or left out; got {self.clip}")
        if self.aggregation not in AGGREGATIONS:
            raise ConfigError(f"there is no aggregation {self.aggregation!r}; choose one of: {', '.join(AGGREGATIONS)}")
        if not 0 < self.epsilon < math.inf:
            raise ConfigError(f"epsilon must be positive, got {self.epsilon}")


class Algorithm(StrEnum):
    """The method and its baselines by name: they differ in k, and in what the policy sees when it answers."""

    AP_GRPO = "ap-grpo"
    """From the crops alone, right answers preferred (arXiv 2602.23615)."""
    GRPO = "grpo"
    """From the full image, in one turn."""
    MGPO = "mgpo"
    """From crops and full image (arXiv 2507.05920)."""
    SFT = "sft"
    """From the full image; given replies are imitated, without rollouts."""

    @property
    def mode(self) -> Mode:
        """The mode of its episodes."""
        modes = {Algorithm.AP_GRPO: Mode.CLOSED_LOOP, Algorithm.MGPO: Mode.MGPO}
        return modes.get(self, Mode.DIRECT)

    def config(self, **numbers: Any) -> AlgorithmConfig:
        """Its settings, with the given ones in place of the defaults; k is 0 but for AP-GRPO.

        Raises:
            ConfigError: a setting is unknown or out of range, or the algorithm has no such setting.
        """
        if self is Algorithm.SFT:
            raise ConfigError("sft has no groups of rollouts, and so none of these settings: run rl.train_sft")
        known = [field.name for field in fields(AlgorithmConfig)]
        if unknown := [name for name in numbers if name not in known]:
            raise ConfigError(f"there is no setting {unknown[0]!r} of an algorithm; choose from: {', '.join(known)}")
        if self is not Algorithm.AP_GRPO and numbers.setdefault("k", 0.0) != 0:
            raise ConfigError(f"{self.value} means k = 0, got {numbers['k']}: leave k out, or choose ap-grpo")
        return AlgorithmConfig(**numbers)
