"""Shares and means with their intervals.

Questions are the units, and what is resampled. A question that is asked more than once, with its options in several
orders or in several runs, is one unit with several outcomes.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hart_agent.commands import install_command
from hart_agent.errors import InstallError
from hart_agent.evals.metrics import FloatArray

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

CONFIDENCE = 0.95
RESAMPLES = 2000
_VALUES_AT_ONCE = 200_000
"""Bounds the memory of a bootstrap, and keeps it in the cache."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: the mean, the share or the difference.
        low: lower end of the interval.
        high: upper end.
        count: of the outcomes behind it: one for each time that a question was asked.
    """

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def share(successes: int, count: int) -> Estimate:
    """A proportion of at least one question, with its Wilson score interval.

    Raises:
        ValueError: the count is 0.
    """
    if not count:
        raise ValueError("a share needs at least one question, got none")
    return wilson(successes / count, count, count)


def share_of(outcomes: ArrayLike, groups: Sequence[str] | None = None) -> Estimate:
    """The share of successes, with a Wilson interval whose number of questions is what the groups leave of it.

    Outcomes of one question aren't independent, so that they are worth fewer questions than there are of them: as many
    as would give a share the variance that it has between the groups (the linearised variance of a cluster sample, with
    which Korn and Graubard, Survey Methodology 24 (1998), adjust an exact interval). They are worth no more than their
    count, and, where all outcomes are the same, as many as there are groups.

    Args:
        outcomes: shape (N,), N >= 1, whether each succeeded.
        groups: the question of each; None where each is its own.

    Raises:
        InstallError: scipy is missing.
        ValueError: there is no outcome.
    """
    values: FloatArray = np.asarray(outcomes, dtype=np.float64)
    sums, counts = totals(values, groups)
    if len(sums) == len(values):
        return share(int(sums.sum()), len(values))
    value = float(sums.sum() / counts.sum())
    return share_worth(value, cluster_variance(sums, counts), len(values), len(sums))


def share_worth(value: float, variance: float, count: int, questions: int) -> Estimate:
    """The Wilson interval of a share that has a variance.

    Args:
        value: the share.
        variance: of it.
        count: of the outcomes; it is worth no more than these.
        questions: that it is worth where all outcomes are the same, so that their variance says nothing.
    """
    worth = value * (1 - value) / variance if variance > 0 else float(count if 0 < value < 1 else questions)
    return wilson(value, min(worth, float(count)), count)


def wilson(value: float, worth: float, count: int) -> Estimate:
    """The Wilson score interval of a share that is worth so many independent outcomes."""
    z = float(stats().norm.ppf((1 + CONFIDENCE) / 2))
    middle = (value + z * z / (2 * worth)) / (1 + z * z / worth)
    half = z / (1 + z * z / worth) * math.sqrt(value * (1 - value) / worth + z * z / (4 * worth * worth))
    return Estimate(value, max(0.0, middle - half), min(1.0, middle + half), count)


def cluster_variance(sums: FloatArray, counts: FloatArray) -> float:
    """Of the ratio of two totals over groups, by linearisation; 0 for one group."""
    groups = len(sums)
    residuals = sums - sums.sum() / counts.sum() * counts
    return float(groups / (groups - 1) * (residuals**2).sum() / counts.sum() ** 2) if groups > 1 else 0.0


def totals(values: FloatArray, groups: Sequence[str] | None) -> tuple[FloatArray, FloatArray]:
    """The sum of the values of each group, and how many there are; each value alone without groups.

    Args:
        values: shape (N,).
        groups: the question of each.
    """
    if groups is None:
        return values, np.ones_like(values)
    _, places = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    return np.bincount(places, values).astype(np.float64), np.bincount(places).astype(np.float64)


def mean(values: ArrayLike, seed: int = 0, groups: Sequence[str] | None = None) -> Estimate:
    """A mean with its bootstrap percentile interval. Of paired differences, it is the paired bootstrap.

    Args:
        values: shape (N,), N >= 1, one for each time that a question was asked. The interval of a single question is
            its mean.
        seed: of the resampling.
        groups: the question of each value, which is resampled with all its values; None where each is its own.

    Raises:
        InstallError: scipy is missing.
        ValueError: there is no value.
    """
    sample: FloatArray = np.asarray(values, dtype=np.float64)
    if not sample.size:
        raise ValueError("a mean needs at least one value, got none")
    sums, counts = totals(sample, groups)
    value = float(sample.mean())
    if len(sums) == 1:
        return Estimate(value, value, value, sample.size)
    alone = len(sums) == sample.size
    interval = (
        stats()
        .bootstrap(
            (sample,) if alone else (sums, counts),
            np.mean if alone else _ratio,
            n_resamples=RESAMPLES,
            batch=max(1, _VALUES_AT_ONCE // len(sums)),
            paired=not alone,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
        .confidence_interval
    )
    return Estimate(value, float(interval.low), float(interval.high), sample.size)


def _ratio(sums: FloatArray, counts: FloatArray, axis: int = -1) -> Any:
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def stats() -> Any:
    """The module `scipy.stats`.

    Raises:
        InstallError: it is missing.
    """
    try:
        return importlib.import_module("scipy.stats")
    except ImportError as error:
        raise InstallError(f"evaluation needs the package scipy. Run: {install_command(extra='eval')}") from error
