"""How replies name an option: each style is written for every option, and a person's reading stands next to it.

In the table {L} and {T} are the letter and text of the option meant, {O} and {P} those of another, {l} is {L} in lower
case. Next come what a person reads ("L" for the option meant, "-" for none, "=A" for A) and what the strict reading does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hart_agent.answers import AnswerType, chosen_letter, is_right

OPTIONS = ("red", "blue", "green", "yellow")
STYLES = [line.split("\t") for line in (Path(__file__).parent / "styles.tsv").read_text(encoding="utf-8").splitlines()]


def written(style: str, meant: int, other: int) -> str:
    parts = {"{L}": "ABCD"[meant], "{l}": "abcd"[meant], "{T}": OPTIONS[meant], "{O}": "ABCD"[other], "⏎": "\n"}
    for name, value in (parts | {"{P}": OPTIONS[other]}).items():
        style = style.replace(name, value)
    return style


def expected(cell: str, meant: int) -> str | None:
    return {"L": "ABCD"[meant], "-": None}.get(cell, cell[-1])


@pytest.mark.parametrize(("style", "reading", "strict"), STYLES)
def test_styles_are_read_as_a_person_reads_them(style: str, reading: str, strict: str) -> None:
    for meant in range(4):
        for other in {0, 1, 2, 3} - {meant}:
            answer = written(style, meant, other)
            letters = [f"({letter}) {text}" for letter, text in zip("ABCD", OPTIONS, strict=True)]
            assert chosen_letter(answer, OPTIONS) == expected(reading, meant), answer
            assert chosen_letter(answer, letters) == expected(reading, meant), answer
            assert chosen_letter(answer, OPTIONS, strict=True) == expected(strict, meant), answer


@pytest.mark.parametrize(("style", "reading", "strict"), STYLES)
def test_a_style_is_right_for_the_letter_that_it_names_alone(style: str, reading: str, strict: str) -> None:
    answer = written(style, 1, 2)
    for gold in "ABCD":
        right = is_right(answer, gold, AnswerType.OPTION, options=OPTIONS)
        assert right == (expected(reading, 1) == gold)
        rewarded = is_right(answer, gold, AnswerType.OPTION, options=OPTIONS, strict=True)
        assert rewarded == (expected(strict, 1) == gold)
        assert right or not rewarded
