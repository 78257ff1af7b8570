"""Intervals and tests, so that a difference between two numbers isn't taken for more than it is.

Questions are the units: they are what is resampled, and two policies are compared on the same questions.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hart_agent.commands import install_command
from hart_agent.errors import ConfigError, InstallError
from hart_agent.evals.controls import Control
from hart_agent.evals.metrics import IOGT_THRESHOLD, FloatArray, Prediction, measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

CONFIDENCE = 0.95
RESAMPLES = 2000
_VALUES_AT_ONCE = 200_000
"""Bounds the memory of a bootstrap, and keeps it in the cache."""

REMOVING_CONTROLS = (Control.NO_IMAGE, Control.RANDOM_BOX, Control.OTHER_IMAGE, Control.MASKED)
"""Controls that take the evidence away: an answer that stays right without it was not read from it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: the mean, the share or the difference.
        low: lower end of the interval.
        high: upper end.
        count: of the questions behind it.
    """

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class PairedTest:
    """How often two policies succeed on the same questions.

    Attributes:
        first: share of the questions in which the first succeeds.
        second: in which the second does.
        difference: second minus first, with a paired bootstrap interval.
        only_first: how many questions only the first succeeds in.
        only_second: how many only the second does.
        p_value: of McNemar's exact test, two-sided: how likely a split of these questions at least as uneven would be
            if both policies were equally good.
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


def share(successes: int, count: int) -> Estimate:
    """A proportion of at least one question, with its Wilson score interval.

    Raises:
        InstallError: scipy is missing.
        ValueError: the count is 0.
    """
    interval = _stats().binomtest(successes, count).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(successes / count, float(interval.low), float(interval.high), count)


def mean(values: ArrayLike, seed: int = 0) -> Estimate:
    """A mean with its bootstrap percentile interval. Of paired differences, it is the paired bootstrap.

    Args:
        values: shape (N,), N >= 1, one for each question. The interval of a single value is that value.
        seed: of the resampling.

    Raises:
        InstallError: scipy is missing.
        ValueError: there is no value.
    """
    sample: FloatArray = np.asarray(values, dtype=np.float64)
    if not sample.size:
        raise ValueError("a mean needs at least one value, got none")
    value = float(sample.mean())
    if sample.size == 1:
        return Estimate(value, value, value, 1)
    interval = (
        _stats()
        .bootstrap(
            (sample,),
            np.mean,
            n_resamples=RESAMPLES,
            batch=max(1, _VALUES_AT_ONCE // sample.size),
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
        .confidence_interval
    )
    return Estimate(value, float(interval.low), float(interval.high), sample.size)


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test: the binomial test on the questions where the two differ.

    Raises:
        InstallError: scipy is missing.
    """
    differing = only_first + only_second
    return float(_stats().binomtest(only_first, differing).pvalue) if differing else 1.0


def paired_test(first: Sequence[bool], second: Sequence[bool], seed: int = 0) -> PairedTest:
    """Compare two policies that answered the same N >= 1 questions, given in the same order.

    Raises:
        InstallError: scipy is missing.
        ValueError: the two differ in length or are empty.
    """
    gains = [int(after) - int(before) for before, after in zip(first, second, strict=True)]
    before, after, difference = share(sum(first), len(gains)), share(sum(second), len(gains)), mean(gains, seed)
    only_first, only_second = gains.count(-1), gains.count(1)
    return PairedTest(before, after, difference, only_first, only_second, mcnemar(only_first, only_second))


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
    before, after = ({prediction.id: prediction for prediction in side} for side in (first, second))
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
        grounded = paired_test(hits[0].tolist(), hits[1].tolist(), seed)
    return Comparison(
        paired_test([item.right for item in before.values()], [after[key].right for key in before], seed),
        grounded,
    )


def evidence_gap(predictions: Sequence[Prediction], seed: int = 0) -> Estimate | None:
    """How much of the accuracy goes when the evidence is taken away.

    For each question: 1 if its answer is right, minus the share of `REMOVING_CONTROLS` under which it still is; the
    mean over the questions that have such a control, with a bootstrap interval over questions. A policy that reads its
    answers from its evidence comes near its accuracy, one that guesses near 0.

    Returns:
        The gap, -1 to 1; None if no such control was run.
    """
    gaps = []
    for prediction in predictions:
        still_right = [prediction.controls[name] for name in REMOVING_CONTROLS if name in prediction.controls]
        if still_right:
            gaps.append(prediction.right - sum(still_right) / len(still_right))
    return mean(gaps, seed) if gaps else None


def _stats() -> Any:
    try:
        return importlib.import_module("scipy.stats")
    except ImportError as error:
        raise InstallError(f"evaluation needs the package scipy. Run: {install_command(extra='eval')}") from error
