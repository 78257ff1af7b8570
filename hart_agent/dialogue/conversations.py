"""The conversations that show a policy less than the whole image, and questions that continue a conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from string import Template
from types import ModuleType
from typing import Final

from hart_agent.dialogue.messages import Message, Role
from hart_agent.errors import ConfigError
from hart_agent.siblings import sibling
from hart_agent.vision.source import View

_NAME = re.compile(r"[a-z_]+")
_VOCABULARY_FILE = re.compile(r"vocabularies/[a-z0-9.-]+/[a-z_]+")
_CURRENT: Final = "\n\nThe question now: "


def with_history(question: str, history: str) -> str:
    """A question together with the conversation that led to it, so that "and the other one?" can be understood.

    Args:
        question: the one to answer.
        history: what was said before; the question stands alone if this is empty.
    """
    return f"Earlier in this conversation:\n{history}{_CURRENT}{question}" if history else question


def without_history(question: str) -> str:
    """The question alone, without the conversation that `with_history` put before it."""
    return question.rpartition(_CURRENT)[2]


def answer_from_crops(question: str, crops: Sequence[View]) -> list[Message]:
    """A fresh conversation that holds the crops and the question, the full image withheld.

    This is the second step of the closed loop (arXiv 2602.23615), and the check of an answer. The crops' labels are
    left out: they are the policy's own words and could give the answer away.
    """
    text = prompt("verify_question", question=question)
    return [Message(Role.SYSTEM, (prompt("verify_system"),)), Message(Role.USER, (*crops, text))]


def answer_blind(question: str) -> list[Message]:
    """A conversation with the question and no image at all: what the policy knows or guesses without looking."""
    text = prompt("blind_question", question=question)
    return [Message(Role.SYSTEM, (prompt("blind_system"),)), Message(Role.USER, (text,))]


def prompt(name_or_text: str, **values: str) -> str:
    """A prompt with its values filled in.

    Args:
        name_or_text: the name of a file of the package `prompts`, without its ending, or the text itself.
        values: for the placeholders, $name.

    Raises:
        ConfigError: there is no such prompt, or it has a placeholder that has no value.
    """
    try:
        if _NAME.fullmatch(name_or_text):
            text: str = _prompts().load(name_or_text, **values)
            return text
        return Template(name_or_text).substitute(values).strip()
    except FileNotFoundError as error:
        raise ConfigError(f"there is no prompt {name_or_text!r}; name a file in prompts/, or give a text") from error
    except (KeyError, ValueError) as error:
        known = ", ".join(f"${name}" for name in values)
        raise ConfigError(
            f"the prompt {name_or_text[:60]!r} has a placeholder without a value ({error}); it may use {known}"
        ) from error


def prompt_text(name_or_text: str) -> str:
    """A prompt with its placeholders: the text itself, or that of a file, "vocabularies/NAME/FILE" without its `.md`.

    Raises:
        ConfigError: there is no such file.
    """
    if not _VOCABULARY_FILE.fullmatch(name_or_text):
        return name_or_text
    try:
        text: str = _prompts().text(name_or_text)
        return text.strip()
    except FileNotFoundError as error:
        raise ConfigError(f"there is no prompt {name_or_text!r}; name a file in prompts/, or give a text") from error


@cache
def _prompts() -> ModuleType:
    return sibling("prompts")
