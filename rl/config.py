"""What a training algorithm is made of: AP-GRPO, and the baselines that differ from it in these numbers only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hart_agent.errors import ConfigError

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
