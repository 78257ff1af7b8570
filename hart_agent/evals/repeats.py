"""A benchmark asked several times: the mean, and how far it varies over runs and questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hart_agent.evals.intervals import CONFIDENCE, Estimate, cluster_variance, mean, share_worth, stats, totals
from hart_agent.evals.metrics import FloatArray, Prediction
from hart_agent.evals.statistics import questions_of


@dataclass(frozen=True)
class Repeats:
    """Several runs over the same questions.

    Attributes:
        accuracies: of each run.
        mean: of these, with an interval over both sources: which questions, and what was sampled.
        over_runs: the same mean with an interval over runs alone, the questions as they are (Student's t).
        deviation: standard deviation of the accuracy over runs.
        pass_at: for k, the share of questions that at least one of k answers gets right: the unbiased estimate of Chen
            et al. (arXiv 2107.03374). It is no accuracy: somebody has to know which answer is the right one.
        best_of: for k, the accuracy to expect of the best of k whole runs. It isn't one either.
    """

    accuracies: tuple[float, ...]
    mean: Estimate
    over_runs: Estimate
    deviation: float
    pass_at: dict[int, Estimate]
    best_of: dict[int, float]


def repeats_of(predictions: Sequence[Prediction], seed: int = 0) -> Repeats | None:
    """What several runs come to, over the questions that were asked in all of them; None if there is only one run.

    Args:
        predictions: of all runs, each with its `repeat`.
        seed: of the bootstrap.

    Raises:
        InstallError: scipy is missing.
    """
    runs = sorted({prediction.repeat for prediction in predictions})
    found: dict[str, dict[int, Prediction]] = {}
    for prediction in predictions:
        found.setdefault(prediction.id, {})[prediction.repeat] = prediction
    whole = [records for records in found.values() if len(records) == len(runs)]
    if len(runs) < 2 or not whole:
        return None
    rights = np.array([[records[run].right for run in runs] for records in whole], dtype=np.float64)
    questions = questions_of([records[runs[0]] for records in whole])
    accuracies = rights.mean(axis=0)
    ks = sorted({2**power for power in range(len(runs).bit_length()) if 2**power <= len(runs)} | {len(runs)})
    return Repeats(
        accuracies=tuple(accuracies.tolist()),
        mean=mean_of_runs(rights, questions),
        over_runs=_over_runs(accuracies, rights.size),
        deviation=float(accuracies.std(ddof=1)),
        pass_at={k: mean(_pass_at(rights, k), seed, questions) for k in ks},
        best_of={k: _best_of(accuracies, k) for k in ks},
    )


def mean_of_runs(rights: FloatArray, questions: Sequence[str]) -> Estimate:
    """The mean of rights, shape (Q, N) for Q rows in N runs, where rows and runs are samples.

    Its variance is that over questions, which holds the chance of each answer as well, and what runs have in common
    beyond that: as in an analysis of variance with two random factors, never below 0.

    Args:
        rights: whether each row was right in each run, 0 or 1.
        questions: the question of each row.
    """
    rows, runs = rights.shape
    by_question, counts = totals(rights.sum(axis=1), questions)
    by_run = np.array([totals(rights[:, run], questions)[0] for run in range(runs)])  # (N, groups)
    chance = by_run.var(axis=0, ddof=1).sum() / rows**2  # of one run's accuracy, the questions as they are
    common = max(0.0, float(rights.mean(axis=0).var(ddof=1) - chance)) / runs
    variance = cluster_variance(by_question, counts * runs) + common
    return share_worth(float(rights.mean()), variance, rights.size, len(by_question))


def _over_runs(accuracies: FloatArray, count: int) -> Estimate:
    middle, runs = float(accuracies.mean()), len(accuracies)
    reach = float(stats().t.ppf((1 + CONFIDENCE) / 2, runs - 1)) * float(accuracies.std(ddof=1)) / math.sqrt(runs)
    return Estimate(middle, max(0.0, middle - reach), min(1.0, middle + reach), count)


def _pass_at(rights: FloatArray, k: int) -> list[float]:
    runs = rights.shape[1]
    return [1 - math.comb(runs - int(right), k) / math.comb(runs, k) for right in rights.sum(axis=1)]


def _best_of(accuracies: FloatArray, k: int) -> float:
    """The expected largest of k drawn without replacement."""
    ordered, ways = np.sort(accuracies), math.comb(len(accuracies), k)
    return float(sum(math.comb(place, k - 1) / ways * value for place, value in enumerate(ordered)))
