"""What generation needs to know of thoughts: whether a prompt has opened one, and whether the words so far end in one.

Reading a reply is the task of `hart_agent.dialogue.thoughts`, which declares the marks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from hart_agent.dialogue.thoughts import MARKS, TAG

_OPENING = frozenset(opening.lower() for opening, _ in MARKS)
_LONGEST_OPENING = 32
"""Characters at the end of a prompt in which an opening mark is looked for."""


def opened_by(prompt: str) -> str:
    """The tag with which a prompt opens a thought for the model to continue; empty if it opens none."""
    end = prompt.rstrip()[-_LONGEST_OPENING:]
    return next((tag[0] for tag in TAG.finditer(end) if tag["open"] and tag.end() == len(end)), "")


def opens_thought(begun: str) -> bool:
    """Whether the beginning of a reply, which the prompt has written, ends inside a thought."""
    last = deque(TAG.finditer(begun), maxlen=1)
    return bool(last) and bool(last[0]["open"])


def has_thought_tokens(tokens: Iterable[str]) -> bool:
    """Whether a tokenizer has tokens of its own for thoughts, so that its model may think."""
    return not _OPENING.isdisjoint(token.lower() for token in tokens)


def spoken_start(text: str) -> int:
    """Where the words after the last thought start: 0 without thoughts, the text's length if the last never ends."""
    last = deque(TAG.finditer(text), maxlen=1)
    if not last:
        return 0
    return len(text) if last[0]["open"] else last[0].end()


@dataclass
class StopWatch:
    """Notices, as a reply grows token by token, when one of its stop strings has been written outside thoughts.

    Attributes:
        stops: the stop strings.
        thinking: whether the words so far end inside a thought.
        start: index of the token from which the next stop string or tag is looked for.
    """

    stops: tuple[str, ...]
    thinking: bool = False
    start: int = 0

    def stopped(self, words: str, length: int) -> bool:
        """Whether the reply stops here. Call this after each token.

        Args:
            words: the newest tokens' text, from `start` or later.
            length: how many tokens the reply has.
        """
        if not self.thinking and any(stop in words for stop in self.stops):
            return True
        tag = TAG.search(words)
        if tag is not None and bool(tag["open"]) is not self.thinking:
            self.thinking, self.start = not self.thinking, length
        return False
