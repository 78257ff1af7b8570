"""Plain words that say that there is no answer, and words that only sound like it."""

from __future__ import annotations

import pytest

from hart_agent import Agent, Mode, Reply, ScriptedPolicy
from hart_agent.dialogue.reading import answer_of
from hart_agent.dialogue.refusals import is_refusal

REFUSALS = [
    "I don't know", "I don’t know.", "Sorry, I can't read the sign.", "I cannot determine the number from the crops.",
    "I am unable to tell.", "It cannot be determined from the image.", "Unable to read the text", "Not enough information.",
    "The crops do not show enough to answer.", "Unfortunately, I could not see the plate.", "I'm afraid: I do not know"[12:],
]  # fmt: skip
ANSWERS = [
    "No", "none", "I love New York", "I can't believe it's not butter", "Unknown Pleasures", "not for sale", "I know", "0",
    "The sign says: I don't know", "Can't Stop", "I do",
]  # fmt: skip


@pytest.mark.parametrize("words", REFUSALS)
def test_a_refusal_in_words_is_no_answer(words: str) -> None:
    assert is_refusal(words)
    assert answer_of(Reply(words)) is None


@pytest.mark.parametrize("words", ANSWERS)
def test_other_words_are_an_answer(words: str) -> None:
    assert answer_of(Reply(words)) == words


def test_an_episode_ends_in_an_abstention() -> None:
    from PIL import Image

    result = Agent(ScriptedPolicy(["I can't tell."]), mode=Mode.DIRECT).ask(Image.new("RGB", (64, 64)), "what?")
    assert (result.answer, result.stop_reason, result.reason) == (None, "abstained", "I can't tell.")
