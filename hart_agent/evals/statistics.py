"""Tests and comparisons, so that a difference between two numbers isn't taken for more than it is.

Two policies are compared on the same questions, and questions are the units; see `hart_agent.evals.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hart_agent.errors import ConfigError
from hart_agent.evals.controls import Control
from hart_agent.evals.intervals import CONFIDENCE, Estimate, mean, share, share_of, stats, totals
from hart_agent.evals.metrics import IOGT_THRESHOLD, Prediction, measure

__all__ = [
    "CONFIDENCE", "Comparison", "Estimate", "PairedTest", "compare", "evidence_gap", "mcnemar", "mean", "paired_test",
    "questions_of", "share", "share_of", "sign_flip_test",
]  # fmt: skip

REMOVING_CONTROLS = (Control.NO_IMAGE, Control.RANDOM_BOX, Control.OTHER_IMAGE, Control.MASKED)
"""Controls that take the evidence away: an answer that stays right without it was not read from it."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """How often two policies succeed on the same questions.

    Attributes:
        first: share of the questions in which the first succeeds.
        second: in which the second does.
        difference: second minus first, with a paired bootstrap interval.
        only_first: how often only the first succeeds.
        only_second: how often only the second does.
        p_value: of McNemar's exact test, two-sided, with questions as its units; see `mcnemar`.
    """

    first: Estimate
    second: Estimate
    difference: Estimate
    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies on the same questions.

    Attributes:
        accuracy: right answers.
        grounded: evidence with an IoGT above `IOGT_THRESHOLD`; None without gold boxes.
    """

    accuracy: PairedTest
    grounded: PairedTest | None


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test: the binomial test on the questions where the two differ.

    Raises:
        InstallError: scipy is missing.
    """
    return sign_flip_test([-1] * only_first + [1] * only_second)


def sign_flip_test(differences: Sequence[int]) -> float:
    """The two-sided p-value of the exact test that flips the signs of differences, one for each question.

    If two policies are equally good, each question's difference could as well have had the other sign. The p-value is
    the share of all assignments of signs whose sum is at least as far from 0. With differences of -1, 0 and 1 it is
    McNemar's exact test; with the sums over questions that were asked several times it is that test for clusters.

    Raises:
        InstallError: scipy is missing.
    """
    sizes, counts = np.unique(np.abs([0, *differences]), return_counts=True)
    chances = np.ones(1)  # of each sum of the positive ones
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        if size:
            spread = np.zeros(size * count + 1)
            spread[::size] = stats().binom.pmf(np.arange(count + 1), count, 0.5)
            chances = np.convolve(chances, spread)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(sum(differences))].sum()))


def paired_test(
    first: Sequence[bool], second: Sequence[bool], seed: int = 0, groups: Sequence[str] | None = None
) -> PairedTest:
    """Compare two policies on the same N >= 1 outcomes, given in the same order.

    Args:
        first: where the first policy succeeds.
        second: where the second does.
        seed: of the bootstrap.
        groups: the question of each outcome; None where each is its own.

    Raises:
        InstallError: scipy is missing.
        ValueError: they differ in length or are empty.
    """
    gains = [int(after) - int(before) for before, after in zip(first, second, strict=True)]
    sums, _ = totals(np.asarray(gains, dtype=np.float64), groups)
    return PairedTest(
        share_of(first, groups),
        share_of(second, groups),
        mean(gains, seed, groups),
        gains.count(-1),
        gains.count(1),
        sign_flip_test([int(total) for total in sums]),
    )


def compare(first: Sequence[Prediction], second: Sequence[Prediction], seed: int = 0) -> Comparison:
    """Compare two policies, question by question.

    Args:
        first: predictions of the first policy, each id once.
        second: of the second, on the same questions in any order.
        seed: of the bootstrap.

    Raises:
        ConfigError: the questions aren't the same, an id occurs twice, or there is no question.
        InstallError: scipy is missing.
    """
    before, after = ({prediction.key: prediction for prediction in side} for side in (first, second))
    if unpaired := before.keys() ^ after.keys():
        raise ConfigError(
            f"{len(unpaired)} questions are in only one of the two runs, such as {min(unpaired)!r}; "
            "compare runs over the same questions"
        )
    if len(before) != len(first) or len(after) != len(second):
        raise ConfigError("a question's id occurs twice in a run; give each question its own id")
    if not before:
        raise ConfigError("there is nothing to compare; give two runs that hold predictions")
    located = [key for key, item in before.items() if item.gold_boxes]
    grounded = None
    if located:
        hits = [measure([side[key] for key in located]).best_iogt > IOGT_THRESHOLD for side in (before, after)]
        grounded = paired_test(hits[0].tolist(), hits[1].tolist(), seed, questions_of([before[key] for key in located]))
    rights = [[side[key].right for key in before] for side in (before, after)]
    return Comparison(paired_test(rights[0], rights[1], seed, questions_of(list(before.values()))), grounded)


def questions_of(predictions: Sequence[Prediction]) -> list[str]:
    """The question of each prediction, as the functions here take it: its group, or itself."""
    return [prediction.group or prediction.id for prediction in predictions]


def evidence_gap(predictions: Sequence[Prediction], seed: int = 0) -> Estimate | None:
    """How much of the accuracy goes when the evidence is taken away.

    For each question: 1 if its answer is right, minus the share of `REMOVING_CONTROLS` under which it still is; the
    mean over the questions that have such a control, with a bootstrap interval over questions. A policy that reads its
    answers from its evidence comes near its accuracy, one that guesses near 0.

    Returns:
        The gap, -1 to 1; None if no such control was run.
    """
    gaps, questions = [], []
    for prediction in predictions:
        still_right = [prediction.controls[name] for name in REMOVING_CONTROLS if name in prediction.controls]
        if still_right:
            gaps.append(prediction.right - sum(still_right) / len(still_right))
            questions += questions_of([prediction])
    return mean(gaps, seed, questions) if gaps else None
