"""Partial credit, against values worked by hand and the formulas once more over all of a dial."""

from __future__ import annotations

import pytest

from hart_agent.answers import AnswerType, partial_credit

NUMBER, TEXT = AnswerType.NUMBER, AnswerType.TEXT


@pytest.mark.parametrize(
    ("answer", "gold", "credit"),
    [
        ("7", "7", 1), ("8", "7", 1 / 2), ("5", "7", 1 / 3), ("12", "7", 1 / 6), ("13", "7", 0), ("7.5", "7", 1 / 1.5),
        ("there are 8", "7", 1 / 2), ("8 or 9", "7", 0), ("none", "7", 0), (None, "7", 0), ("", "7", 0),
        ("8 km", "7 kg", 0), ("8 km", "7 km", 1 / 2), ("<8", "7", 0), ("9" * 20_000, "7", 0),
    ],
)  # fmt: skip
def test_numbers(answer: str | None, gold: str, credit: float) -> None:
    assert partial_credit(answer, gold, NUMBER) == pytest.approx(credit)


@pytest.mark.parametrize(
    ("answer", "gold", "credit"),
    [
        ("3:25", "3:25", 1), ("4:25", "3:25", 0.5 + 0.4), ("5:25", "3:25", 0.5 + 0.3), ("6:25", "3:25", 0.5),
        ("3:30", "3:25", 0.5 + 0.375), ("3:36", "3:25", 0.5), ("9:55", "3:25", 0),
        ("12:58", "1:02", 0.4 + 0.4), ("15:25", "3:25", 1), ("It is 3:20.", "3:25", 0.5 + 0.375),
        ("3:25 or 4:25", "3:25", 0), ("half past", "3:25", 0), ("3", "3:25", 0),
    ],
)  # fmt: skip
def test_clocks(answer: str, gold: str, credit: float) -> None:
    assert partial_credit(answer, gold, TEXT) == pytest.approx(credit)


def test_every_time_of_a_dial() -> None:
    def circle(first: int, second: int, size: int) -> int:
        return min((first - second) % size, (second - first) % size)

    for hour in range(1, 13):
        for minute in range(0, 60, 7):
            hours, minutes = circle(hour, 10, 12), circle(minute, 4, 60)
            expected = (1 - hours / 5) * (hours <= 2) / 2 + (1 - minutes / 20) * (minutes <= 10) / 2
            assert partial_credit(f"{hour}:{minute:02}", "10:04", TEXT) == pytest.approx(expected)


def test_all_else_is_right_or_not() -> None:
    assert partial_credit("B", "B", AnswerType.OPTION, options=["red", "blue"]) == 1
    assert partial_credit("A", "B", AnswerType.OPTION, options=["red", "blue"]) == 0
    assert partial_credit("STOP sign", "GO", TEXT) == 0
    assert partial_credit("red, blue", "blue, red", AnswerType.LIST) == 1
    assert partial_credit("perhaps 8", "7", NUMBER, strict=True) == 0
