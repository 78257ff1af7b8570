"""The paired comparison of two runs beside statsmodels and scipy, which share no code with it.

    python tests/benchmarks/paired_comparison.py

It needs statsmodels, which the tests don't. Compared are the exact p-values of McNemar's test, on all tables with at
most 60 discordant questions of each kind, and of the sign-flip test over groups of four rows, on drawn runs; and the
interval of the difference with that of a bootstrap over questions by scipy.
"""

from __future__ import annotations

import random

import numpy as np
import scipy.stats
from statsmodels.stats.contingency_tables import mcnemar as theirs

from hart_agent.evals.metrics import Prediction
from hart_agent.evals.statistics import compare, mcnemar
from hart_agent.vision.geometry import Size

DISCORDANT, RUNS, QUESTIONS = 60, 40, 14


def drawn(draw: random.Random, rate: float, *, rows: int, questions: int) -> list[list[bool]]:
    return [[draw.random() < rate for _ in range(rows)] for _ in range(questions)]


def predictions(rights: list[list[bool]]) -> list[Prediction]:
    return [
        Prediction(f"{question}-{row}", "", right, (), (), Size(1, 1), group=str(question))
        for question, rows in enumerate(rights)
        for row, right in enumerate(rows)
    ]


def main() -> None:
    exact = max(
        abs(mcnemar(first, second) - theirs([[9, first], [second, 9]], exact=True).pvalue)
        for first in range(DISCORDANT + 1)
        for second in range(DISCORDANT + 1)
        if first + second
    )
    print(f"McNemar's test, {(DISCORDANT + 1) ** 2 - 1:,} tables, statsmodels: p differs by {exact:.1e} at most")

    draw = random.Random(0)
    furthest = ends = 0.0
    for _ in range(RUNS):
        sides = [drawn(draw, rate, rows=4, questions=QUESTIONS) for rate in (0.5, 0.7)]
        ours = compare(*map(predictions, sides)).accuracy
        gains = np.array([sum(after) - sum(before) for before, after in zip(*sides, strict=True)], dtype=float)
        flips = scipy.stats.permutation_test(
            (gains, np.zeros(QUESTIONS)), lambda x, y, axis: np.sum(x - y, axis=axis), permutation_type="samples",
            n_resamples=2**QUESTIONS, vectorized=True,
        )  # fmt: skip
        furthest = max(furthest, abs(ours.p_value - flips.pvalue))
    print(
        f"Sign-flip test, {RUNS} pairs of runs over {QUESTIONS} questions in four orders, scipy: {furthest:.1e} at most"
    )

    sides = [drawn(draw, rate, rows=4, questions=200) for rate in (0.5, 0.6)]
    ours = compare(*map(predictions, sides)).accuracy.difference
    gains = np.array([sum(after) - sum(before) for before, after in zip(*sides, strict=True)]) / 4
    low, high = scipy.stats.bootstrap(
        (gains,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    ends = max(abs(ours.low - low), abs(ours.high - high))
    print(
        f"Difference {ours.value:.4f} [{ours.low:.4f}, {ours.high:.4f}], scipy's BCa bootstrap [{low:.4f}, {high:.4f}]"
    )
    if max(exact, furthest) > 1e-9 or ends > 0.005:
        raise SystemExit("they differ")


if __name__ == "__main__":
    main()
