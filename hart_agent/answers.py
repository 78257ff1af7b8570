"""Comparing answers: one notion of "the same answer" for verification, rewards and evaluation."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

_OPTION = re.compile(r"\(?([a-z])[).:]?(?:\s.*)?", re.DOTALL)
_ASIDE = re.compile(r"(?<=\S)\s+\([^()]*\)\s*$")
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_FILLER = frozenset(
    "a an answer are at image in is it of on photo picture reads said say says sign text that the".split()
)


class AnswerType(StrEnum):
    """What the right answer to a question looks like."""

    OPTION = "option"
    """The letter of one of the question's options."""
    NUMBER = "number"
    TEXT = "text"
    LIST = "list"
    """Several texts, in any order."""


def normalise(text: str) -> str:
    """Fold case, accents' composition, punctuation and white space; what is left are words joined by one space.

    A decimal point stays, for "1.99" is not "199"; so do the marks that write the vowels of many scripts.
    """
    folded = _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).casefold())
    kept = [char if unicodedata.category(char)[0] in "LMN" else " " for char in folded]
    for match in _DECIMAL_POINT.finditer(folded):
        kept[match.start()] = "."
    return " ".join("".join(kept).split())


def agree(first: str, second: str) -> bool:
    """Whether two answers to one question say the same. Symmetric.

    Two option letters ("B", "(b) the red one") agree when the letters do. Two numbers agree when they are equal as
    numbers ("1,200" and "1200.0"). Otherwise the words must be the same, but for case, punctuation, spaces between
    words, filler around a quotation ("The sign says STOP" and "stop"), and an aside that only one of them adds in
    brackets at its end ("BAKERY (upper left)").
    """
    if first.strip() == second.strip():
        return bool(first.strip())
    if bool(_ASIDE.search(first)) != bool(_ASIDE.search(second)):
        first, second = _ASIDE.sub("", first), _ASIDE.sub("", second)
    options = [_OPTION.fullmatch(answer.strip().casefold()) for answer in (first, second)]
    if all(options) and any(len(normalise(answer)) == 1 for answer in (first, second)):
        return options[0][1] == options[1][1]  # type: ignore[index]
    numbers = [_NUMBER.fullmatch(answer.strip()) for answer in (first, second)]
    if all(numbers):
        return float(first.replace(",", "")) == float(second.replace(",", ""))
    words = [normalise(answer).split() for answer in (first, second)]
    spelled = ["".join(tokens) for tokens in words]
    if spelled[0] == spelled[1]:
        return bool(spelled[0])
    shorter, longer = sorted(words, key=len)
    return bool(shorter) and any(
        longer[start : start + len(shorter)] == shorter
        and _FILLER.issuperset(longer[:start])
        and _FILLER.issuperset(longer[start + len(shorter) :])
        for start in range(len(longer) - len(shorter) + 1)
    )
