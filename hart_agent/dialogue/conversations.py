"""The conversations that show a policy less than the whole image: the crops alone, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import ModuleType

from hart_agent.dialogue.messages import Message, Role
from hart_agent.siblings import sibling
from hart_agent.vision.source import View


def answer_from_crops(question: str, crops: Sequence[View]) -> list[Message]:
    """A fresh conversation that holds the crops and the question, the full image withheld.

    This is the second step of the closed loop (arXiv 2602.23615), and the check of an answer. The crops' labels are
    left out: they are the policy's own words and could give the answer away.
    """
    text = prompt("verify_question", question=question)
    return [Message(Role.SYSTEM, (prompt("verify_system"),)), Message(Role.USER, (*crops, text))]


def answer_with_crops(question: str, crops: Sequence[View]) -> Message:
    """What follows the boxes in the mode `mgpo` (arXiv 2507.05920): the crops, with the overview still in sight.

    Args:
        question: as asked.
        crops: already shown as results of the calls, or, where no box was valid, the overview once more.
    """
    return Message(Role.USER, (*crops, prompt("answer_with_crops", question=question)))


def answer_blind(question: str) -> list[Message]:
    """A conversation with the question and no image at all: what the policy knows or guesses without looking."""
    text = prompt("blind_question", question=question)
    return [Message(Role.SYSTEM, (prompt("blind_system"),)), Message(Role.USER, (text,))]


def prompt(name: str, **values: str) -> str:
    """A text of the package `prompts` with its values filled in."""
    text: str = _prompts().load(name, **values)
    return text


@cache
def _prompts() -> ModuleType:
    return sibling("prompts")
