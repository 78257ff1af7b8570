"""The figures that a benchmark's paper or harness reports, under the names that they have there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from hart_agent.evals.datasets.benchmark import Headline
from hart_agent.evals.intervals import Estimate, share_of
from hart_agent.evals.metrics import Prediction
from hart_agent.evals.statistics import questions_of
from hart_agent.evals.summary import Summary


def headline_figures(
    headlines: Sequence[Headline], predictions: Sequence[Prediction], summary: Summary
) -> dict[str, Estimate]:
    """Each figure by its name, in the benchmark's order; those of which no question was asked are left out.

    Args:
        headlines: of the benchmark.
        predictions: of the run.
        summary: of the same predictions.

    Raises:
        InstallError: scipy is missing.
    """
    found = {headline.name: _figure(headline, predictions, summary) for headline in headlines}
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def mean_of_shares(shares: Sequence[Estimate]) -> Estimate:
    """The unweighted mean of the shares of different questions, and its interval from theirs.

    The distances from the mean to its ends are those of the shares to their own ends, added as independent errors are
    (Zou and Donner, Statistics in Medicine 27 (2008): confidence limits of a sum from those of its terms).
    """
    value, count = fmean(share.value for share in shares), len(shares)
    below = math.hypot(*(share.value - share.low for share in shares)) / count
    above = math.hypot(*(share.high - share.value for share in shares)) / count
    return Estimate(value, max(0.0, value - below), min(1.0, value + above), sum(share.count for share in shares))


def _figure(headline: Headline, predictions: Sequence[Prediction], summary: Summary) -> Estimate | None:
    if headline.measure == "anls":
        return summary.anls
    if headline.measure == "iou":
        return summary.grounding.iou if summary.grounding is not None else None
    kinds: dict[tuple[str, ...], list[Prediction]] = {}
    for prediction in predictions:
        if headline.of in ("", prediction.category, prediction.category.partition("/")[0]):
            kinds.setdefault(_kind(headline, prediction), []).append(prediction)
    shares = [share_of([each.right for each in kind], questions_of(kind)) for kind in kinds.values()]
    return mean_of_shares(shares) if len(shares) > 1 else next(iter(shares), None)


def _kind(headline: Headline, prediction: Prediction) -> tuple[str, ...]:
    """Of the questions whose accuracies are averaged, that of a prediction; the same for all where none are."""
    known: Mapping[str, str] = {"category": prediction.category, **dict(prediction.labels)}
    return tuple(known.get(name, "") for name in headline.mean_over)
