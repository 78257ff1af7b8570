"""How nearly right an answer is, by what the gold answer looks like: partial credit (arXiv 2601.00215)."""

from __future__ import annotations

from collections.abc import Sequence

from hart_agent.answers.comparing import MAX_ANSWER, AnswerType, is_right, one_number
from hart_agent.answers.texts import hedges_in, values_of
from hart_agent.answers.values import Quantity, Reading, Time

_MOST = 5
"""How far off a number may be."""


def partial_credit(
    answer: str | None, gold: str, kind: AnswerType, *, options: Sequence[str] = (), strict: bool = False
) -> float:
    """How nearly right an answer is, 0 to 1.

    - a NUMBER that is off by d: 1 / (1 + |d|), or 0 if |d| > 5;
    - a time of a clock with hands ("3:25"): half for its hour, half for its minute, each by how far it is off on the
      dial: 1 - d / 5 for up to 2 hours, 1 - d / 20 for up to 10 minutes, else 0. Am and pm don't count;
    - anything else: 1 if it is right, else 0.

    Args:
        answer: the policy's; None is worth nothing.
        gold: the right answer.
        kind: what it looks like.
        options: of an OPTION; see `is_right`.
        strict: whether the whole answer must be nothing but the number or time; see `is_right`.
    """
    if answer is None or len(answer) > MAX_ANSWER:
        return 0.0
    if is_right(answer, gold, kind, options=options, strict=strict):
        return 1.0
    if strict and hedges_in(answer) - hedges_in(gold):
        return 0.0
    readings = values_of(answer, whole=strict), values_of(gold)
    if kind is AnswerType.NUMBER:
        return _near_number(*map(one_number, readings))
    return _near_time(*map(_on_dial, readings)) if kind is AnswerType.TEXT else 0.0


def _near_number(found: Quantity | None, wanted: Quantity | None) -> float:
    if found is None or wanted is None or found.comparator != wanted.comparator:
        return 0.0
    off = float(abs(found.number - wanted.number))
    same_unit = not (found.unit and wanted.unit) or found.unit == wanted.unit
    return 1 / (1 + off) if off <= _MOST and same_unit else 0.0


def _near_time(found: tuple[int, int] | None, wanted: tuple[int, int] | None) -> float:
    if found is None or wanted is None:
        return 0.0
    (hour, minute), (right_hour, right_minute) = found, wanted
    return (_near(hour, right_hour, 12, 2, 5) + _near(minute, right_minute, 60, 10, 20)) / 2


def _near(value: int, right: int, around: int, most: int, scale: int) -> float:
    """1 - d / scale, or 0 where the distance d on a circle of so many marks is over the most."""
    off = abs(value - right) % around
    off = min(off, around - off)
    return 1 - off / scale if off <= most else 0.0


def _on_dial(reading: Reading) -> tuple[int, int] | None:
    """The hour, 0 to 11, and the minute of the one time that a text holds."""
    times = [value for value in reading.values if isinstance(value, Time)]
    if len(times) != 1:
        return None
    return times[0].seconds // 3600 % 12, times[0].seconds // 60 % 60
