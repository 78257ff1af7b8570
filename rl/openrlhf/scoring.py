"""The reward of a rollout, and its logged metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rl.monitor import rollout_metrics
from rl.rewards import Reward, reward_parts
from rl.rows import Rollout

LOGGED = "hart/"
"""Before the names of what our rollouts log, apart from OpenRLHF's own."""

_ONLY_WITH_BOXES = ("iogt", "iou", "grounded", "wrong_box_given_right")


def score(reward: Reward, rollout: Rollout, *, truncated: bool) -> tuple[float, dict[str, float]]:
    """The reward, and what is logged: always under the same names, for OpenRLHF puts the rollouts of a batch together.

    Args:
        reward: of the run.
        rollout: the rollout.
        truncated: whether a limit of tokens cut it off.

    Returns:
        The reward, and numbers by name; NaN where a number doesn't apply to this rollout.

    Raises:
        ConfigError: the reward is not a finite number.
    """
    parts = reward_parts(reward, rollout.trajectory, rollout.sample)
    measured = dict.fromkeys(_ONLY_WITH_BOXES, float("nan")) | rollout_metrics([rollout])
    named = {f"reward/{name}": value for name, value in parts.items()} | measured | {"truncated": float(truncated)}
    return list(parts.values())[-1], {LOGGED + name: float(value) for name, value in named.items()}


def step_metrics(logged: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The metrics of a step from what its rollouts logged: means over those to which each applies, NaN if to none."""
    found = {}
    for name, values in logged.items():
        present = np.asarray(values, dtype=float)
        present = present[~np.isnan(present)]
        found[name.removeprefix(LOGGED)] = float(present.mean()) if present.size else float("nan")
    return found
