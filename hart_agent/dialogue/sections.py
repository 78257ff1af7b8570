"""The sections of a reply: what the picture shows, what the model thinks, what it checks, what it answers.

They are the tags of a paper on rewards that part perception from reasoning (arXiv 2601.00215). The parser of replies
needs only the answer; this is for those who score the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import tanh
from typing import Final

SECTIONS: Final = ("description", "think", "visual", "rethink", "answer")
"""Their tags; `visual` stands inside `think`, and is no part of what is scored as `think`."""

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_MOST_READ = 100_000
"""Characters of a reply; sections after them don't count."""


def read_sections(text: str, reasoning: str = "") -> dict[str, str]:
    """The words of each section of a reply; sections that it doesn't have are left out. Takes linear time.

    Args:
        text: the reply, thoughts included.
        reasoning: thoughts that were sent apart from it: the section `think`, if the text has none.
    """
    text = text[:_MOST_READ]
    found = {name: words for name in SECTIONS if name != "visual" and (words := _between(text, name)[0]) is not None}
    if "think" not in found and reasoning:
        found["think"] = reasoning[:_MOST_READ]
    visual, thought = _between(found.get("think", ""), "visual")
    return found if visual is None else {**found, "think": thought, "visual": visual}


def repetition_score(words: str) -> float:
    """tanh(unique sentences) - tanh(duplicate sentences), -0.24 to 1; 0 without words.

    A sentence is a duplicate if it stood before, whatever its case and spaces.
    """
    sentences = [" ".join(part.lower().split()) for part in _SENTENCE_END.split(words)]
    sentences = list(filter(None, sentences))
    unique = len(set(sentences))
    return tanh(unique) - tanh(len(sentences) - unique)


def section_scores(sections: Mapping[str, str]) -> dict[str, float]:
    """The score of each section but the answer, which is judged by what is right."""
    return {name: repetition_score(words) for name, words in sections.items() if name != "answer"}


def _between(text: str, name: str) -> tuple[str | None, str]:
    """All that stands between pairs of a tag, joined by lines, None if there is none; and the text without them."""
    opener, closer, lowered = f"<{name}>", f"</{name}>", text.lower()
    if len(lowered) != len(text):  # a few capitals become two characters
        lowered = text
    inside, outside, position = [], [], 0
    while (start := lowered.find(opener, position)) >= 0:
        end = lowered.find(closer, start)
        if end < 0:
            break
        outside.append(text[position:start])
        inside.append(text[start + len(opener) : end])
        position = end + len(closer)
    return "\n".join(inside) if inside else None, "\n".join([*outside, text[position:]]).strip()
