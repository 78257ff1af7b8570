"""Keeping a model's special tokens out of other people's words, however the words are cut into pieces.

A chat template joins the texts of a message: directly, or after it has trimmed them, or with the images moved to the
front. A token could so be put together from pieces that are harmless by themselves. It is therefore looked for in all
texts of a message as they read one behind the other, without the space at their ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from hart_agent.backends.chat import ChatMessage

_BREAK = "\\"
"""Put after a piece of a single character, where a space might be trimmed away again."""


class SpecialTokens:
    """The special tokens of one tokenizer.

    Args:
        tokens: their texts.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = tuple(sorted({token for token in tokens if len(token) > 1}, key=len))
        first = "".join(re.escape(character) for character in sorted({token[0] for token in self._tokens}))
        self._first = re.compile(f"[{first}]" if first else r"(?!)")

    def disarm(self, chat: Sequence[ChatMessage]) -> list[ChatMessage]:
        """A chat in the words of chat templates, in which nobody's text can pass for a special token."""
        return [self._message(message) for message in chat]

    def _message(self, message: ChatMessage) -> ChatMessage:
        content = message["content"]
        if isinstance(content, str):
            return {"role": message["role"], "content": self.disarm_texts([content])[0]}
        texts = iter(self.disarm_texts([part["text"] for part in content if part["type"] == "text"]))
        parts: list[dict[str, Any]] = [
            {**part, "text": next(texts)} if part["type"] == "text" else {"type": "image"} for part in content
        ]
        return {"role": message["role"], "content": parts}

    def disarm_texts(self, texts: Sequence[str]) -> list[str]:
        """Texts that hold no special token, even when they are trimmed and joined: each is broken after a character."""
        joined = "".join(text.strip() for text in texts)
        starts = [found.start() for found in self._first.finditer(joined)]
        starts = [start for start in starts if joined.startswith(self._tokens, start)]
        if not starts:
            return list(texts)
        places = [
            (index, position)
            for index, text in enumerate(texts)
            for position in range(len(text) - len(text.lstrip()), len(text.rstrip()))
        ]
        breaks: dict[int, dict[int, str]] = {}
        for start in starts:
            token = next(token for token in self._tokens if joined.startswith(token, start))
            index, position, mark = _weak_place(places[start : start + len(token)])
            breaks.setdefault(index, {})[position] = mark
        return [_broken(text, breaks.get(index, {})) for index, text in enumerate(texts)]


def _weak_place(places: Sequence[tuple[int, int]]) -> tuple[int, int, str]:
    """Where to break a token: between two characters of one text, which no trimming joins again, if there are such."""
    for (index, position), (following, _) in pairwise(places):
        if index == following:
            return index, position, " "
    return (*places[0], _BREAK)


def _broken(text: str, breaks: dict[int, str]) -> str:
    """The text with marks behind characters."""
    pieces, start = [], 0
    for position in sorted(breaks):
        pieces += [text[start : position + 1], breaks[position]]
        start = position + 1
    return "".join([*pieces, text[start:]])
