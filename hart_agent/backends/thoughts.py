"""Where a model thinks and where it speaks: tags that a stop string must not be looked for between.

Reading a reply is the parser's task. This is what generation needs: whether a prompt has opened a thought, and whether
the words so far are inside one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MARKS = (
    ("<think>", "</think>"),  # DeepSeek-R1, Qwen3, GLM-4.1V and later
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("◁think▷", "◁/think▷"),  # Kimi-VL-Thinking
    ("[THINK]", "[/THINK]"),  # Mistral
    ("<|channel>thought", "<channel|>"),  # Gemma 4
)
"""How models open and close thoughts."""

_OPENING = frozenset(opening.lower() for opening, _ in MARKS)
_TAG = re.compile("|".join(re.escape(mark) for pair in MARKS for mark in pair), re.IGNORECASE)


def opened_by(prompt: str) -> str:
    """The tag with which a prompt opens a thought for the model to continue; empty if it opens none."""
    end = prompt.rstrip()[-32:]
    return next((opening for opening, _ in MARKS if end.endswith(opening)), "")


def has_thought_tokens(tokens: Iterable[str]) -> bool:
    """Whether a tokenizer has tokens of its own for thoughts, so that its model may think."""
    return not _OPENING.isdisjoint(token.lower() for token in tokens)


def spoken_start(text: str) -> int:
    """Where the words after the last thought start: 0 without thoughts, the text's length if the last never ends."""
    tags = list(_TAG.finditer(text))
    if not tags:
        return 0
    return len(text) if tags[-1][0].lower() in _OPENING else tags[-1].end()


def without_thoughts(text: str) -> str:
    """The words of a reply outside its thoughts. What stands before a lone closing tag was thought, too."""
    kept: list[str] = []
    start, thinking = 0, False
    for tag in _TAG.finditer(text):
        opening = tag[0].lower() in _OPENING
        if not thinking and opening:
            kept.append(text[start : tag.start()])
        elif not thinking:
            kept.clear()
        start, thinking = tag.end(), opening
    if not thinking:
        kept.append(text[start:])
    return "".join(kept).strip() if start else text


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
        tag = _TAG.search(words)
        if tag is not None and (tag[0].lower() in _OPENING) is not self.thinking:
            self.thinking, self.start = not self.thinking, length
        return False
