"""The paper's claims as differences between arms, and what counts as "holds": see `HYPOTHESES.md`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from .examination import FORMATS
from .jobs import ARMS, Reader

Result = dict[str, Any]
Measure = Callable[[Result], "float | None"]


@dataclass(frozen=True)
class Interval:
    """A mean over runs with its 95 % interval (Student's t); without an interval if there is one run.

    Attributes:
        mean: over the runs.
        half: of the interval's width.
        count: runs.
    """

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.count < 2 else f"{self.mean:.3f} ± {self.half:.3f}"


def interval(values: Sequence[float]) -> Interval:
    """Of one value for each run."""
    count = len(values)
    if count < 2:
        return Interval(float(np.mean(values)), float("nan"), count)
    half = stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return Interval(float(np.mean(values)), float(half), count)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper as a difference between two arms, paired by cold start and seed.

    Attributes:
        text: what is claimed.
        reader: of the cold starts.
        first: an arm and the measure of it.
        second: another; the claim is that the first is larger.
    """

    text: str
    reader: Reader
    first: tuple[str, Measure]
    second: tuple[str, Measure]

    def differences(self, results: Sequence[Result]) -> dict[tuple[int, int], float]:
        """First minus second, by cold start and seed, of the pairs that are there."""
        found = {}
        by_run = {(each["arm"], each["start"], each["seed"]): each for each in results if each["reader"] == self.reader}
        for (arm, start, seed), one in by_run.items():
            other = by_run.get((self.second[0], start, seed))
            if arm == self.first[0] and other is not None:
                larger, smaller = self.first[1](one), self.second[1](other)
                if larger is not None and smaller is not None:
                    found[start, seed] = larger - smaller
        return found


def _at(form: str, name: str) -> Measure:
    return lambda result: result[form][name]


def _best(name: str) -> Measure:
    """The larger of both formats: a baseline is given the one that suits it."""
    return lambda result: max(result[form][name] for form in FORMATS)


_TRAINED, _POOR, _FROZEN = Reader.TRAINED, Reader.POOR, Reader.FROZEN
_BOXES = {"iou": "IoU", "grounded": "IoGT>0.3"}


def _withholding(arm: str) -> Claim:
    in_sight, withheld = (_at(form, "wrong_box_given_right") for form in ("mgpo", "closed-loop"))
    return Claim(f"withholding lowers wrong box given right: {arm}", _TRAINED, (arm, in_sight), (arm, withheld))


def _closed_loop(k: str, baseline: str, name: str, reader: Reader = _TRAINED) -> Claim:
    text = f"{_BOXES[name]}, {reader} reader: {k} over {baseline}"
    return Claim(text, reader, (k, _at("closed-loop", name)), (baseline, _best(name)))


def _preference(k: str, name: str, reader: Reader) -> Claim:
    own = _at("closed-loop", name)
    return Claim(f"{_BOXES[name]}, {reader} reader: {k} over k0", reader, (k, own), ("k0", own))


def _order(arm: str) -> Claim:
    in_sight = _at("mgpo", "accuracy")
    return Claim(f"accuracy, full image in sight: rl-sft over {arm}", _TRAINED, ("rl-sft", in_sight), (arm, in_sight))


CLAIMS: dict[str, list[Claim]] = {
    "H1": [_withholding(arm) for arm in ("start", "mgpo", "k0", "k0.6")],
    "H2 (primary)": [_closed_loop("k0", "mgpo", "iou")],
    "H2": [
        _closed_loop("k0", "mgpo", "grounded"),
        *(_closed_loop("k0", "grpo", name) for name in _BOXES),
        *(_closed_loop("k0.6", baseline, name) for baseline in ("mgpo", "grpo") for name in _BOXES),
        *(_closed_loop("k0", "mgpo", name, _FROZEN) for name in _BOXES),
    ],
    "H3": [
        *(_preference(k, name, who) for who in (_TRAINED, _POOR) for k in ("k0.6", "k0.3", "k0.15") for name in _BOXES),
        *(_preference("k0.6", name, _FROZEN) for name in _BOXES),
    ],
    "H4": [_order(arm) for arm in ("sft-rl", "k0.6", "sft", "mgpo-sft")],
}
"""The claims of `HYPOTHESES.md`, by hypothesis."""


def verdict(differences: dict[tuple[int, int], float]) -> str:
    """A claim holds where the interval lies above 0, and the mean of each cold start does."""
    if len(differences) < 2:
        return "too few runs" if differences else "not run yet"
    found = interval(list(differences.values()))
    by_start = defaultdict(list)
    for (start, _), value in differences.items():
        by_start[start].append(value)
    if found.low > 0 and len(by_start) > 1 and all(np.mean(values) > 0 for values in by_start.values()):
        return "holds here"
    if found.high < 0:
        return "does not hold here: the reverse does"
    return "not shown here"


def groups(results: Sequence[Result]) -> list[tuple[Reader, str, list[Result]]]:
    """The results of each arm that has any, in the order of readers and arms."""
    every = [
        (reader, arm, [each for each in results if (each["reader"], each["arm"]) == (reader, arm)])
        for reader in Reader
        for arm in ARMS
    ]
    return [group for group in every if group[2]]


def changes(group: Sequence[Result], results: Sequence[Result], form: str, name: str) -> list[float]:
    """By how much a figure differs from that of the same cold start before training; one value for each run.

    Args:
        group: runs.
        results: among which the cold starts are.
        form: the format.
        name: of the figure.
    """
    before = {(each["reader"], each["start"]): each[form][name] for each in results if each["arm"] == "start"}
    found = []
    for each in group:
        reader = Reader.TRAINED if each["reader"] == Reader.FROZEN else each["reader"]
        first, last = before.get((reader, each["start"])), each[form][name]
        if first is not None and last is not None:
            found.append(last - first)
    return found
