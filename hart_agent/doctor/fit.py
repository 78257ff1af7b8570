"""In which coordinate space does a model answer? A pure decision from boxes whose true places are known.

Each hypothesis is a space and an order of the axes. Under it, an answer is read as a rectangle in fractions of the
view, and its error is the largest distance of its four sides from the truth. A hypothesis's error is the median over
all samples. The best one is believed if

- at least `MIN_SAMPLES` answers could be read,
- its error is at most `TOLERANCE`, and
- every other hypothesis's error is above `TOLERANCE` and above `RATIO` times the best one's.

Otherwise nothing can be said. Views whose sides are near 1000 pixels don't tell pixels from thousandths, and targets on
the diagonal don't tell the axes apart; the last condition notices both.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hart_agent.vision.geometry import CoordinateSpace, Rect, Size

MIN_SAMPLES = 4
TOLERANCE = 0.1
"""Fraction of a side. Models that can point are within a few hundredths of a plain rectangle."""
RATIO = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer about one view.

    Attributes:
        view: its size in pixels, as it was sent.
        truth: where the target is, (x0, y0, x1, y1) in pixels of the view.
        answer: four numbers in the order and the space in which the model wrote them.
    """

    view: Size
    truth: Rect
    answer: Rect


@dataclass(frozen=True, slots=True)
class Fit:
    """What the answers say.

    Attributes:
        space: in which the model answers, or None if that isn't clear.
        swapped: whether it writes (y0, x0, y1, x1).
        error: of the best hypothesis, as a fraction of a side; None without samples.
        rival: of the second best one.
    """

    space: CoordinateSpace | None
    swapped: bool = False
    error: float | None = None
    rival: float | None = None


def fit_space(samples: Sequence[Sample]) -> Fit:
    """Decide by the rule above."""
    if not samples:
        return Fit(None)
    errors = {
        (space, swapped): statistics.median(_error(sample, space, swapped) for sample in samples)
        for space, swapped in itertools.product(CoordinateSpace, (False, True))
    }
    (best, error), (_, rival) = sorted(errors.items(), key=lambda pair: pair[1])[:2]
    is_clear = len(samples) >= MIN_SAMPLES and error <= TOLERANCE and rival > max(TOLERANCE, RATIO * error)
    return Fit(best[0], best[1], error, rival) if is_clear else Fit(None, False, error, rival)


def _error(sample: Sample, space: CoordinateSpace, swapped: bool) -> float:
    """The largest distance of a side from its true place, as a fraction of the view's side."""
    a, b, c, d = sample.answer
    answer = (b, a, d, c) if swapped else (a, b, c, d)
    read, true = space.extent(sample.view) * 2, CoordinateSpace.PIXEL.extent(sample.view) * 2
    return max(
        abs(value / side - wanted / length)
        for value, side, wanted, length in zip(answer, read, sample.truth, true, strict=True)
    )
