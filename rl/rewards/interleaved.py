"""Rewards for interleaved reasoning (arXiv 2505.19640): the answer, its form, and what was found out on the way.

    r              = r_format + r_final + r_intermediate, brought from -1 ... 3.5 into 0 ... 1 by (r + 1) / 4.5
    r_format       = 1 if the form was kept, else -1
    r_final        = 2 if the answer is right, -1.5 if it is wrong, -2 if there is none; 0 without the form
    r_intermediate = its credit; 0 unless the form was kept, the answer is right, and the accuracy over this step's
                     rollouts is above the last step's less 0.05

With N - 1 gold steps (`steps` of a question) and k_j the number of the first finding that says the j-th, the credit is

    all or none      0.5 if all are said, else 0
    partial          0.5 / (N - 1) for each that is said
    time-discounted  0.5 if all are said, else 0.5 / (N - 1) * sum of 1 / k_j over those that are

The paper does not give the weights of its first two terms: here they are 1. What "the form" is in an episode with tools
is our choice: every reply could be read, the policy ended by itself, and it said a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from hart_agent.agent.trajectory import StopReason, Trajectory
from hart_agent.evals.findings import steps_found
from rl.data import Sample
from rl.rewards.scores import Group

BASE: Final = 0.5
"""R_base."""
MARGIN: Final = 0.05
"""By which the accuracy may fall from one step to the next before nothing is paid for findings."""

Credit: TypeAlias = Callable[[Sequence["int | None"]], float]
"""Of the findings, 0 to `BASE`: of the k_j, one for each gold step, None where no finding says it; 0 without steps."""


def all_or_none_credit(steps: Sequence[int | None]) -> float:
    return BASE if steps and None not in steps else 0.0


def partial_credit(steps: Sequence[int | None]) -> float:
    return BASE * sum(number is not None for number in steps) / max(1, len(steps))


def time_discounted_credit(steps: Sequence[int | None]) -> float:
    if all_or_none_credit(steps):
        return BASE
    return BASE * sum(1 / number for number in steps if number is not None) / max(1, len(steps))


def interleaved_reward(trajectory: Trajectory, sample: Sample, credit: Credit, *, improving: bool = True) -> float:
    """The reward of a rollout, 0 to 1.

    Args:
        trajectory: the rollout.
        sample: its question.
        credit: of its findings.
        improving: whether the accuracy of this step's rollouts allows credit; see `is_improving`.
    """
    ended = trajectory.stop_reason in (StopReason.ANSWERED, StopReason.ABSTAINED)
    if not (ended and trajectory.format_kept and trajectory.findings):
        return _scaled(-1.0)
    if trajectory.answer is None:
        return _scaled(1.0 - 2.0)
    if not sample.is_right(trajectory.answer, strict=True):
        return _scaled(1.0 - 1.5)
    paid = credit(steps_found(trajectory.findings, sample.steps, strict=True)) if improving else 0.0
    return _scaled(1.0 + 2.0 + paid)


def is_improving(accuracy: float, before: float | None) -> bool:
    """Whether credit is paid in a step: Acc_B > Acc_(B - 1) - 0.05.

    Args:
        accuracy: the share of this step's rollouts with a right answer.
        before: that of the step before; None for the first step, in which credit is paid.
    """
    return before is None or accuracy > before - MARGIN


def all_or_none(groups: Sequence[Group], state: dict[str, Any]) -> list[list[float]]:
    """The rewards of a step with this credit: `--reward rl.rewards.interleaved:all_or_none`."""
    return _of_step(groups, state, all_or_none_credit)


def partial(groups: Sequence[Group], state: dict[str, Any]) -> list[list[float]]:
    """The rewards of a step with this credit: `--reward rl.rewards.interleaved:partial`."""
    return _of_step(groups, state, partial_credit)


def time_discounted(groups: Sequence[Group], state: dict[str, Any]) -> list[list[float]]:
    """The rewards of a step with this credit, the paper's choice: `--reward rl.rewards.interleaved:time_discounted`."""
    return _of_step(groups, state, time_discounted_credit)


def _of_step(groups: Sequence[Group], state: dict[str, Any], credit: Credit) -> list[list[float]]:
    """The rewards of a step; `state` keeps its accuracy for the next one."""
    right = [each.sample.is_right(each.trajectory.answer, strict=True) for group in groups for each in group]
    accuracy = sum(right) / len(right)
    improving = is_improving(accuracy, state.get("accuracy"))
    state["accuracy"] = accuracy
    return [
        [interleaved_reward(each.trajectory, each.sample, credit, improving=improving) for each in group]
        for group in groups
    ]


def _scaled(value: float) -> float:
    return (value + 1) / 4.5
