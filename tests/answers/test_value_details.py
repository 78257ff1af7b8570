"""Bounds of what is read as a value, and names that files of questions use."""

from __future__ import annotations

import pytest

from hart_agent.answers import AnswerType
from hart_agent.answers.options import read_option
from hart_agent.answers.reading import read
from hart_agent.answers.values import Time


@pytest.mark.parametrize(
    ("text", "is_time"),
    [("00:00", True), ("23:59", True), ("23:59:59", True), ("24:00", False), ("23:60", False), ("23:59:60", False)],
)
def test_a_time_is_what_a_clock_can_show(text: str, is_time: bool) -> None:
    assert isinstance(read(text).values[0], Time) == is_time


def test_the_types_of_answers_are_named_as_files_of_questions_name_them() -> None:
    assert [str(kind) for kind in AnswerType] == ["option", "number", "text", "list"]


def test_an_option_is_read_leniently_unless_asked_otherwise() -> None:
    options = ("red", "blue")
    assert read_option("Probably B", options) == "B"
    assert read_option("Probably B", options, strict=True) is None


def test_an_apostrophe_divides_no_word() -> None:
    assert read("Joe's").values == read("Joes").values
