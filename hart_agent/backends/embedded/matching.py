"""Words of a question that stand in the picture, but for plural endings and slips of one letter."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Sequence

from hart_agent.ocr import Sign


def words(text: str) -> list[str]:
    """The words of a text, in lower case, without punctuation."""
    return re.findall(r"[^\W_]+", text.lower())


def matches(wanted: str, text: str, exactly: bool = False) -> bool:
    """Whether the words stand in the text one after another, with slips unless `exactly`."""
    needle, hay = words(wanted), words(text)
    if not needle:
        return False
    same = operator.eq if exactly else _same_word
    return any(
        all(map(same, needle, hay[start : start + len(needle)])) for start in range(len(hay) - len(needle) + 1)
    ) or (not exactly and len("".join(needle)) > 3 and "".join(needle) in "".join(hay))


def is_same(first: str, second: str) -> bool:
    """Whether two texts are one, but for slips."""
    return words(first) == words(second) or difflib.SequenceMatcher(None, first.lower(), second.lower()).ratio() >= 0.8


def holding(wanted: str, signs: Sequence[Sign]) -> list[Sign]:
    """The signs with a text; those where it was read with slips only if there is no other."""
    exact = [sign for sign in signs if matches(wanted, sign.text, exactly=True)]
    return exact or [sign for sign in signs if matches(wanted, sign.text)]


def search(phrase: Sequence[str], signs: Sequence[Sign]) -> tuple[Sign, tuple[int, int]] | None:
    """The sign, and the half-open range of its rows, that hold a phrase."""
    for exactly in (True, False):
        for sign in signs:
            for count in range(1, min(len(sign.rows), 6) + 1):
                for start in range(len(sign.rows) - count + 1):
                    if matches(" ".join(phrase), " ".join(sign.texts[start : start + count]), exactly):
                        return sign, (start, start + count)
    return None


def _same_word(first: str, second: str) -> bool:
    if first == second:
        return True
    if min(len(first), len(second)) < 4 or any(character.isdigit() for character in first + second):
        return False
    short, long = sorted((first, second), key=len)
    if long.startswith(short) and long[len(short) :] in ("s", "es", "ing", "ed"):
        return True
    one_slip = 0.8 if 5 <= len(short) <= 6 and first[0] == second[0] else 0.84
    return difflib.SequenceMatcher(None, first, second).ratio() >= one_slip
