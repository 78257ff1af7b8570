"""The claims of the second study, and their statistics: see `HYPOTHESES_2.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from .claims import Interval, interval
from .sweep import LEAKS, Cell

LEVEL, POWER = 0.05, 0.9
MATTERS = 0.01
"""A difference in evidence inside that is worth seeing."""


@dataclass(frozen=True)
class Question:
    """One contrast of two arms, asked at each leak: each of these is a claim.

    Attributes:
        text: that the first arm has the evidence inside more often.
        first: an arm.
        second: another; None for the start of the first.
    """

    text: str
    first: str
    second: str | None

    def differences(self, leak: float, results: Mapping[str, Mapping[str, Any]]) -> list[float]:
        """First minus second, seed by seed; none if a result is missing."""
        one = results.get(Cell(self.first, leak).name)
        other = one if self.second is None else results.get(Cell(self.second, leak).name)
        if one is None or other is None:
            return []
        if one["seeds"] != other["seeds"]:
            raise ValueError(f"{self.text}: the seeds of its arms differ; remove the results of one and run it again")
        return np.subtract(one["inside"], other["start" if self.second is None else "inside"]).tolist()


QUESTIONS = (
    Question("the closed loop over the image in sight (k = 0)", "k0", "mgpo"),
    Question("k = .6 over k = 0", "k0.6", "k0"),
    Question("k = .3 over k = 0", "k0.3", "k0"),
    Question("k = .6 over k = .6 without its drift", "k0.6", "k0.6-undrifted"),
    Question("consensus credit over none, the image in sight", "medvr", "mgpo"),
    Question("cut-off rollouts masked over wrong, nested scene", "nested-masked", "nested"),
    Question("the closed loop (k = 0) over its start, which is grpo's pointing", "k0", None),
)
COUNT = len(QUESTIONS) * len(LEAKS)
"""Claims that are corrected for."""


@dataclass(frozen=True)
class Finding:
    """The result of a claim.

    Attributes:
        question: of it.
        leak: of it.
        gain: first minus second, with a 95 % interval that is not corrected.
        p: two-sided, of a paired t-test.
        corrected: p after Holm's correction.
    """

    question: Question
    leak: float
    gain: Interval
    p: float
    corrected: float

    @property
    def verdict(self) -> str:
        if self.corrected < LEVEL:
            told = "holds" if self.gain.mean > 0 else "does not hold: the reverse does"
            return told + (", but is too small to matter" if self._small else "")
        return "no difference that matters" if self._small else "not shown"

    @property
    def _small(self) -> bool:
        return self.gain.low > -MATTERS and self.gain.high < MATTERS


def findings(results: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Of the claims whose results are there; those that are missing count in the correction all the same."""
    asked = [(question, leak, question.differences(leak, results)) for question in QUESTIONS for leak in LEAKS]
    there = [(question, leak, gains) for question, leak, gains in asked if len(gains) > 1]
    chances = [p_value(gains) for _, _, gains in there]
    corrected = holm(chances, COUNT)
    return [
        Finding(question, leak, interval(gains), p, after)
        for (question, leak, gains), p, after in zip(there, chances, corrected, strict=True)
    ]


def p_value(gains: Sequence[float]) -> float:
    """Two-sided, of Student's t-test that the mean is 0; 1 where all are 0."""
    return float(stats.ttest_1samp(gains, 0.0).pvalue) if np.any(gains) else 1.0


def holm(chances: Sequence[float], count: int) -> list[float]:
    """Holm's step-down correction: the smallest of `count` p-values is multiplied by it, the next by one less.

    Args:
        chances: p-values.
        count: claims, of which some may be without a p-value yet: these count as larger ones.
    """
    corrected, highest = [0.0] * len(chances), 0.0
    for rank, index in enumerate(np.argsort(chances)):
        highest = max(highest, min(1.0, (count - rank) * chances[index]))
        corrected[index] = highest
    return corrected


def power_of(pairs: int, spread: float, difference: float, level: float) -> float:
    """The probability that a two-sided paired t-test sees a difference.

    Args:
        pairs: 2 or more.
        spread: standard deviation of the differences.
        difference: true mean.
        level: of the test.
    """
    critical = stats.t.ppf(1 - level / 2, pairs - 1)
    return float(stats.nct.sf(critical, pairs - 1, difference / spread * np.sqrt(pairs)))


def pairs_needed(spread: float, difference: float = MATTERS, level: float = LEVEL / COUNT, power: float = POWER) -> int:
    """Pairs with which `power` is reached; see `power_of`.

    Args:
        level: of the test; by default Bonferroni's, which no step of Holm's goes below.
    """
    count = 3
    while power_of(count, spread, difference, level) < power:
        count += 1 + count // 50
    return count
