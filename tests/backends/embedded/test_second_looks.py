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
DOUBTED = "I can't tell: it may be 'Orrin Dairy', but a second look at it alone doesn't confirm that."


class Looking(EmbeddedPolicy):
    """Reads of a crop what it is told, one text after the other; None for nothing."""

    def __init__(self, readings: Sequence[str | None]) -> None:
        self.readings = list(readings)

    def _signs_of(self, *_: Any) -> list[Any]:
        text = self.readings.pop(0)
        return [] if text is None else [sign(text)]


def given(text: str, readings: Sequence[str | None], confidence: float = 0.95) -> tuple[str | None, int]:
    """What is answered, and how many looks were not needed."""
    query, policy = understand(NAME), Looking(readings)
    read = Sign(((replace(line(text, 100, 100), confidence=confidence),),))
    finding = find(query, [read], None)
    assert (finding.text, finding.confidence) == (text, confidence)
    crops: list[Any] = [object()] * len(finding.lines)
    answer = policy._second_look(query, finding, crops, time.monotonic() + 600)
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
    ("said", "seconds_left", "is_given"),
    [
        ("supported. The evidence supports the answer.", 600, True),
        ("unsupported. From the crops alone: 'Orrin Fairy'.", 600, False),
        ("insufficient. The evidence is not enough to answer.", 600, False),
        ("insufficient. The evidence is not enough to answer.", 0.9, True),  # the check had no time to read
        ("unsupported. From the crops alone: 'Orrin Fairy'.", 0.9, False),
    ],
)
def test_an_answer_that_its_check_objects_to_is_not_given(said: str, seconds_left: float, is_given: bool) -> None:
    finding = find(understand(NAME), [sign("Orrin Dairy")], None)
    crops: list[Any] = [object()] * len(finding.lines)
    end = time.monotonic() + seconds_left
    reply = Looking(["Orrin Dairy"])._conclude(understand(NAME), finding, crops, [Message(Role.TOOL, (said,))], end)
    assert reply == ("<answer>Orrin Dairy</answer>" if is_given else f"<abstain>{DOUBTED}</abstain>")


@pytest.mark.parametrize(("confidence", "answer"), [(0.98, None), (0.99, "Orrin Dairy")])
def test_what_no_look_can_read_must_be_nearly_certain(confidence: float, answer: str | None) -> None:
    assert given("Orrin Dairy", [None] * 3, confidence=confidence) == (answer, 0)
