"""Whether an answer is given after other looks at its crops: what the looks read is written here, not read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from signs_by_hand import line, sign

from hart_agent.backends.embedded.answering import find
from hart_agent.backends.embedded.policy import EmbeddedPolicy
from hart_agent.backends.embedded.question import understand
from hart_agent.dialogue.messages import Message, Role
from hart_agent.ocr import Sign

NAME = "What is the name of the shop?"
NAMED = "What is the name of the shop on the white sign?"
GIVEN = "<answer>Orrin Dairy</answer>"
DOUBTED = "<abstain>I can't tell: it may be 'Orrin Dairy', but I am not sure what is asked.</abstain>"


class Looking(EmbeddedPolicy):
    """Reads of a crop what it is told, one text after the other; None for nothing."""

    def __init__(self, readings: Sequence[str | None]) -> None:
        self.readings = list(readings)

    def _signs_of(self, *_: Any) -> list[Any]:
        text = self.readings.pop(0)
        return [] if text is None else [sign(text)]


def given(
    text: str, readings: Sequence[str | None], looks: int = 1, confidence: float = 0.95
) -> tuple[str | None, int]:
    """What is answered, and how many looks were not needed."""
    query, policy = understand(NAME), Looking(readings)
    read = Sign(((replace(line(text, 100, 100), confidence=confidence),),))
    finding = find(query, [read], None)
    assert (finding.text, finding.confidence) == (text, confidence)
    crops: list[Any] = [object()] * len(finding.lines)
    answer = policy._second_look(query, finding, crops, time.monotonic() + 600, looks)
    return answer, len(policy.readings)


@pytest.mark.parametrize(
    ("readings", "answer"),
    [
        (["Orrin Dairy"] * 3, ("Orrin Dairy", 2)),
        (["Orrin Dairy Ltd", None, None], ("Orrin Dairy", 2)),  # a crop may hold more
        (["Orr in Dairy", None, None], ("Orrin Dairy", 2)),  # spaces are unsure
        (["Orrin rin Dairy", None, None], ("Orrin Dairy", 2)),  # a piece that was read twice
        ([None, None, "Orrin Dairy"], ("Orrin Dairy", 0)),
        (["Orrin Fairy", "Orrin Dairy", None], ("Orrin Dairy", 1)),
        (["Orrin Fairy", "Orrin Hairy", "Corrin Diary"], (None, 0)),
        (["Dairy", "Dairy", "Orrin"], ("Dairy", 0)),  # letters were made up: two looks agree on a part
        (["Fairy", "Fairy", "Orrin"], (None, 0)),  # what two agree on is no part of it
        ([None, None, None], (None, 0)),
    ],
)
def test_one_look_that_agrees_is_enough(readings: list[str | None], answer: tuple[str | None, int]) -> None:
    assert given("Orrin Dairy", readings) == answer


@pytest.mark.parametrize(
    ("readings", "answer"),
    [
        (["Orrin Dairy"] * 3, ("Orrin Dairy", 1)),
        (["Orrin Dairy", None, None], ("Orrin Dairy", 0)),  # all that read anything agree
        (["Orrin Dairy", "Orrin Fairy", None], (None, 0)),
        (["Orrin Dairy", "Orrin Fairy", "Orrin Dairy"], ("Orrin Dairy", 0)),
    ],
)
def test_after_an_objection_two_looks_or_all_that_read_anything_must_agree(
    readings: list[str | None], answer: tuple[str | None, int]
) -> None:
    assert given("Orrin Dairy", readings, looks=2) == answer


@pytest.mark.parametrize(
    ("question", "margin", "said", "is_given"),
    [
        (NAME, 0.9, "supported. The evidence supports the answer.", True),
        (NAME, 0.6, "insufficient.", True),  # too unclear for a check, not for an answer
        (NAME, 0.4, "insufficient.", False),
        (NAMED, 0.4, "insufficient.", True),  # a colour tells which text is meant
        (NAMED, 0.1, "insufficient.", False),
        (NAME, 0.9, "unsupported. From the crops alone: 'Orrin Fairy'.", True),  # two other looks agree
    ],
)
def test_an_answer_to_an_unclear_question_is_named_as_doubtful(
    question: str, margin: float, said: str, is_given: bool
) -> None:
    query = understand(question)
    query = replace(query, recognition=replace(query.recognition, margin=margin))
    finding = find(query, [sign("Orrin Dairy")], None)
    reply = Looking(["Orrin Dairy"] * 2)._conclude(
        query, finding, [object()], [Message(Role.TOOL, (said,))], time.monotonic() + 600
    )
    assert reply == (GIVEN if is_given else DOUBTED)


@pytest.mark.parametrize(("confidence", "answer"), [(0.98, None), (0.99, "Orrin Dairy")])
def test_what_no_look_can_read_must_be_nearly_certain(confidence: float, answer: str | None) -> None:
    assert given("Orrin Dairy", [None] * 3, confidence=confidence) == (answer, 0)
