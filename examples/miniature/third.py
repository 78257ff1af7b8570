"""The tiny model's part of the second study: jobs, claims and numbers; see `HYPOTHESES_3.md`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .claims import Claim, Interval, Result, interval
from .jobs import STARTS, Job, Reader
from .second_claims import LEVEL, MATTERS, POWER, holm, p_value, power_of

SEEDS = range(5, 9)
"""New ones: the first study had 0 to 4."""
STEPS = 70
TESTED = range(2000, 3000)
"""Scenes of the test split that no study has seen."""
_FIRST = tuple((Reader.FROZEN, arm) for arm in ("mgpo", "k0", "medvr"))
"""Of the first two claims: what their pairs can see is worth running first."""
_THEN = (
    *((Reader.TRAINED, arm) for arm in ("k0.6", "sft", "sft-rl", "rl-sft")),
    (Reader.FROZEN, "k0.6"),
)


def _claim(text: str, reader: Reader, first: str, second: str, name: str) -> Claim:
    return Claim(text, reader, (first, lambda result: result[name]), (second, lambda result: result[name]))


CLAIMS = (
    _claim("the closed loop over the image in sight (k = 0)", Reader.FROZEN, "k0", "mgpo", "inside"),
    _claim("consensus credit over none, the image in sight", Reader.FROZEN, "medvr", "mgpo", "inside"),
    _claim("k = .6 over k = 0", Reader.FROZEN, "k0.6", "k0", "inside"),
    _claim("RL then SFT over RL alone", Reader.TRAINED, "rl-sft", "k0.6", "accuracy"),
    _claim("RL then SFT over SFT alone", Reader.TRAINED, "rl-sft", "sft", "accuracy"),
    _claim("RL then SFT over SFT then RL", Reader.TRAINED, "rl-sft", "sft-rl", "accuracy"),
)
"""Each that the first arm has more: of evidence inside with a frozen reader, else of right answers."""
OUTCOMES = {Reader.FROZEN: "evidence inside, sampled", Reader.TRAINED: "right with the image in sight"}


def all_jobs() -> Iterator[Job]:
    """Every job: pair by pair, a cold start with a seed, those of the first two claims; then the others likewise."""
    for arms in (_FIRST, _THEN):
        for seed, start, (reader, arm) in itertools.product(SEEDS, STARTS, arms):
            yield Job(arm, reader, start, seed)


@dataclass(frozen=True)
class Finding:
    """The result of a claim.

    Attributes:
        claim: of it.
        gain: first minus second over pairs, with a 95 % interval that is not corrected.
        corrected: p of a two-sided paired t-test, after Holm's correction for all claims.
        visible: the difference that this test sees with a power of .9 at the strictest level of Holm's, if differences
            spread as these do.
    """

    claim: Claim
    gain: Interval
    corrected: float
    visible: float

    @property
    def verdict(self) -> str:
        if self.corrected < LEVEL:
            return "holds" if self.gain.mean > 0 else "does not hold: the reverse does"
        small = self.gain.low > -MATTERS and self.gain.high < MATTERS
        return "no difference that matters" if small else "not shown"


def findings(results: Sequence[Result]) -> list[Finding]:
    """Of the claims with three pairs or more; the others count in the correction all the same."""
    there = [(claim, list(claim.differences(results).values())) for claim in CLAIMS]
    there = [(claim, gains) for claim, gains in there if len(gains) > 2]
    corrected = holm([p_value(gains) for _, gains in there], len(CLAIMS))
    return [
        Finding(claim, interval(gains), chance, visible(float(np.std(gains, ddof=1)), len(gains)))
        for (claim, gains), chance in zip(there, corrected, strict=True)
    ]


def visible(spread: float, pairs: int, level: float = LEVEL / len(CLAIMS)) -> float:
    """The true difference that a two-sided paired t-test sees with a power of .9, to .0005.

    Args:
        spread: standard deviation of the differences.
        pairs: 3 or more.
        level: of the test.
    """
    differences = np.arange(2000) * 0.0005
    return float(next(each for each in differences if not spread or power_of(pairs, spread, each, level) >= POWER))
