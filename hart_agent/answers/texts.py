"""Comparing two texts as values."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from hart_agent.answers.cleaning import canonical, conclusion, unwrapped
from hart_agent.answers.framing import without_asides
from hart_agent.answers.reading import read
from hart_agent.answers.tables import HEDGES
from hart_agent.answers.values import Reading, same_reading

_ASIDE = re.compile(r"(?<=\S)\s{1,9}\([^()]*\)[\s.]*$")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_WORD = re.compile(r"[^\W\d_]+")


def normalise(text: str) -> str:
    """Fold case, accents' composition, punctuation and white space; what is left are words joined by one space.

    A decimal point stays, for "1.99" is not "199"; so do the marks that write the vowels of many scripts. This is for
    looking a text up, not for comparing answers: see `agree`.
    """
    folded = _THOUSANDS.sub("", canonical(text).casefold())
    kept = [char if unicodedata.category(char)[0] in "LMN" else " " for char in folded]
    for match in _DECIMAL_POINT.finditer(folded):
        kept[match.start()] = "."
    return " ".join("".join(kept).split())


@lru_cache(maxsize=256)
def values_of(text: str, *, whole: bool = False) -> Reading:
    """The values of an answer: of what it concludes ("... so the answer is 7", a box), or of the whole."""
    if whole:
        return read(unwrapped(canonical(text), whole=True))
    return read(conclusion(unwrapped(without_asides(canonical(text)))))


def same_text(first: str, second: str, *, whole: bool = False) -> bool:
    """Whether two texts hold the same values. Symmetric.

    Args:
        whole: compare all that they say, conclusion or not, and asides in brackets as well.
    """
    asides = [_aside(text) for text in (first, second)]
    if not whole and bool(asides[0]) != bool(asides[1]):
        first, second = _without(first, asides[0]), _without(second, asides[1])
    return same_reading(values_of(first, whole=whole), values_of(second, whole=whole))


def hedges_in(text: str) -> frozenset[str]:
    """The words of a text that make it less than a statement."""
    return HEDGES & frozenset(_WORD.findall(canonical(text).casefold()))


def _aside(text: str) -> re.Match[str] | None:
    """The remark in brackets at the end of a text, unless it offers another answer."""
    found = _ASIDE.search(text)
    return None if found is None or hedges_in(found[0]) else found


def _without(text: str, aside: re.Match[str] | None) -> str:
    return text[: aside.start()] if aside else text
