"""What rewards see and give: rollouts, and scores of which a part may be shaping."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from hart_agent.agent.trajectory import Trajectory
from hart_agent.errors import ConfigError
from rl.data import Sample

T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """A rollout as a reward sees it.

    Attributes:
        trajectory: the episode.
        sample: its question. A reward must not use the boxes: they are for evaluation.
    """

    trajectory: Trajectory
    sample: Sample


Group: TypeAlias = Sequence[Attempt]
"""The rollouts of one question in one step."""


def in_groups(rollouts: Sequence[T], size: int) -> list[Sequence[T]]:
    """What stands group by group, such as the attempts of a step, as one sequence for each group of that size."""
    return [rollouts[begin : begin + size] for begin in range(0, len(rollouts), size)]


@dataclass(frozen=True)
class Term:
    """A shaping term of one rollout: what it earns in addition to the reward.

    Terms are normalised over the group as the reward is, and then weighted (see `rl.ap_grpo.rollout_weights`): with the
    weight .01 a term moves the policy a hundredth as far as the reward, even where all rewards of a group are equal.

    Attributes:
        weight: of the term, the same for all rollouts; more than 0.
        value: any finite number; within a group only its differences count.
    """

    weight: float
    value: float


@dataclass(frozen=True)
class Score:
    """What a rollout earns.

    Attributes:
        reward: from which its advantage and the weights mu1 and mu2 are made.
        terms: shaping, by name.
        parts: the reward after each rule, from the inside outwards, by name; for metrics.
    """

    reward: float
    terms: Mapping[str, Term] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)


def score_of(value: Any, name: str) -> Score:
    """What a reward function returned for a rollout, as a score.

    Args:
        value: a number, or a `Score`.
        name: of the reward.

    Raises:
        ConfigError: it is neither, or a number is not finite, or a weight not positive.
    """
    given = value if isinstance(value, Score) else Score(value)
    reward = _finite(given.reward, name)
    terms = {
        key: Term(_finite(term.weight, f"{name}, {key}"), _finite(term.value, f"{name}, {key}"))
        for key, term in given.terms.items()
    }
    if light := [key for key, term in terms.items() if term.weight <= 0]:
        raise ConfigError(f"the weight of the shaping term {light[0]!r} must be a positive number")
    return Score(reward, terms, {**{key: term.value for key, term in terms.items()}, **given.parts, name: reward})


def shaping_of(scores: Sequence[Score]) -> list[tuple[float, list[float]]]:
    """The shaping terms of N rollouts: each one's weight, and its N values.

    Raises:
        ConfigError: not all rollouts have the same terms with the same weights.
    """
    weights = {name: term.weight for name, term in scores[0].terms.items()}
    for score in scores:
        if {name: term.weight for name, term in score.terms.items()} != weights:
            raise ConfigError(
                f"the shaping terms of a step's rollouts differ ({sorted(weights)} and {sorted(score.terms)}, or their "
                "weights): give each rollout the same terms, with the value 0 where one doesn't apply"
            )
    return [(weight, [score.terms[name].value for score in scores]) for name, weight in weights.items()]


def check_range(score: Score, name: str, k: float) -> None:
    """Check that AP-GRPO's weights can be made of a reward, whichever rollouts share its group.

    Raises:
        ConfigError: k is more than 0 and the reward not from 0 to 1.
    """
    if k > 0 and not 0 <= score.reward <= 1:
        raise ConfigError(
            f"the reward {name!r} gave {score.reward:g}; with k = {k:g} rewards must lie in 0 to 1, for the weights "
            "1 +- k (r - mean) could turn negative. Return (r - low) / (high - low), where low and high are the least "
            "and the greatest value that it can give (for -1 to 3.5: (r + 1) / 4.5), or train with --k 0"
        )


def _finite(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the reward {name!r} returned {value!r}; it must return a number") from error
    if not math.isfinite(number):
        raise ConfigError(f"the reward {name!r} returned {number}; it must return a finite number")
    return number
