"""How replies name an option: each style is written for every option, and a person's reading stands next to it.

In the table {L} and {T} are the letter and text of the option meant, {O} and {P} those of another, {l} is {L} in lower
case. Next come what a person reads ("L" for the option meant, "-" for none, "=A" for A) and what the strict reading
does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hart_agent.answers import AnswerType, chosen_letter, is_right

OPTIONS = ("red", "blue", "green", "yellow")
OPTION_SETS = {
    "people": ("a man", "a woman", "two children", "nobody"),
    "counts": ("3", "4", "5", "6"),
    "places": (
        "The sign is to the left of the car",
        "The sign is to the right of the car",
        "The sign is above the car",
        "Cannot be determined",
    ),
    "yes or no": ("Yes", "No"),
    "colours in Chinese": ("红色", "蓝色", "绿色", "黄色"),
    "prices": ("$5.00", "$6.50", "€5.00", "None of the above"),
    "addresses": (
        "Baker Street",
        "Alder Road",
        "14 Main Street",
        "41 Main Street",
        "This image doesn't feature the sign.",
    ),
}
STYLES = [line.split("\t") for line in (Path(__file__).parent / "styles.tsv").read_text(encoding="utf-8").splitlines()]
REPLIES = [
    line.split("\t") for line in (Path(__file__).parent / "replies.tsv").read_text(encoding="utf-8").splitlines()
]


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


@pytest.mark.parametrize(("options", "reply", "letter"), REPLIES)
def test_replies_to_questions_with_other_kinds_of_options(options: str, reply: str, letter: str) -> None:
    answer = reply.replace("⏎", "\n")
    assert chosen_letter(answer, OPTION_SETS[options]) == (None if letter == "-" else letter)
    assert chosen_letter(answer, OPTION_SETS[options], strict=True) in (None, letter)


@pytest.mark.parametrize(
    ("options", "answer", "letter"),
    [
        (("$5.00", "€5.00", "£5.00"), "It costs €5.", "B"),
        (("$5.00", "€5.00"), "It costs 5.", None),
        (("$5.00", "€5.00"), "It costs £5.00.", None),
        (("-5", "5"), "It is -5.", "A"),
        (("-5", "5"), "The temperature is minus 5", "A"),
        (("10:30", "10:45"), "The clock shows 10.45.", "B"),
        (("1,200", "12,000"), "There are 12000 people.", "B"),
        (("left", "right"), "right", "B"),
        (("B", "C"), "C", None),
        (("C++", "C#"), "C#", "B"),
        (("red", "red or blue"), "red or blue", "B"),
        (("a St. Bernard", "a poodle"), "It is a St. Bernard.", "A"),
        ((), "B", "B"),
        ((), "The answer is Q.", "Q"),
    ],
)  # fmt: skip
def test_options_are_compared_as_values(options: tuple[str, ...], answer: str, letter: str | None) -> None:
    assert chosen_letter(answer, options) == letter
