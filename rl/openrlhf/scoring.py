"""The rewards of rollouts, and their logged metrics.

A reward that sees a rollout alone is computed where it is played, others where all of a step's rollouts are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hart_agent.agent.trajectory import Trajectory
from rl.data import Sample
from rl.data.rows import Rollout
from rl.rewards import Judge
from rl.rewards.scores import Attempt, Score, in_groups
from rl.training.cut_off import ended_by_itself
from rl.training.monitor import OF_FINDINGS, rollout_metrics

LOGGED = "hart/"
"""Before the names of what our rollouts log, apart from OpenRLHF's own."""

_NOT_ALWAYS = ("iogt", "iou", "grounded", "wrong_box_given_right", *OF_FINDINGS)
"""Metrics of questions with boxes, and of policies that say what they find out."""


@dataclass(frozen=True)
class Outcome:
    """What a rollout tells the process that weighs its step; it travels in the place of OpenRLHF's label.

    Attributes:
        question: id of its question.
        trajectory: the episode; None where it has its score.
        score: None where it depends on other rollouts.
        ended: whether no limit cut it off; see `rl.training.cut_off`.
    """

    question: str
    trajectory: Trajectory | None
    score: Score | None
    ended: bool


def outcome(judge: Judge, rollout: Rollout) -> Outcome:
    """What a rollout tells.

    Raises:
        ConfigError: the reward can't be used; see `Judge.scores`.
    """
    ended = ended_by_itself(rollout.trajectory)
    if not judge.sees_rollouts_alone:
        return Outcome(rollout.sample.id, rollout.trajectory, None, ended)
    (score,) = judge.scores([[Attempt(rollout.trajectory, rollout.sample)]])
    return Outcome(rollout.sample.id, None, score, ended)


def scores_of(judge: Judge, outcomes: Sequence[Outcome], samples: Mapping[str, Sample], group_size: int) -> list[Score]:
    """The scores of a step's rollouts.

    Args:
        judge: of the run.
        outcomes: of all rollouts of the step, group by group.
        samples: the questions by id.
        group_size: rollouts of each question (G).

    Raises:
        ConfigError: the reward can't be used; see `Judge.scores`.
    """
    if judge.sees_rollouts_alone:
        return [each.score for each in outcomes if each.score is not None]
    attempts = [Attempt(each.trajectory, samples[each.question]) for each in outcomes if each.trajectory is not None]
    return judge.scores(in_groups(attempts, group_size))


def logged(rollout: Rollout, *, truncated: bool) -> dict[str, float]:
    """What is logged: always under the same names, for OpenRLHF puts the rollouts of a batch together.

    Args:
        rollout: the rollout.
        truncated: whether a limit of tokens cut it off.

    Returns:
        Numbers by name; NaN where a number doesn't apply to this rollout.
    """
    measured = dict.fromkeys(_NOT_ALWAYS, float("nan")) | rollout_metrics([rollout])
    return {LOGGED + name: float(value) for name, value in (measured | {"truncated": float(truncated)}).items()}


def step_metrics(logged: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The metrics of a step from what its rollouts logged: means over those to which each applies, NaN if to none."""
    found = {}
    for name, values in logged.items():
        present = np.asarray(values, dtype=float)
        present = present[~np.isnan(present)]
        found[name.removeprefix(LOGGED)] = float(present.mean()) if present.size else float("nan")
    return found
