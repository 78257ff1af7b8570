"""Numbers in digits and in words."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from hart_agent.answers.tables import NUMBER_WORDS, ORDINALS, SCALES

_MAX_DIGITS = 40  # a longer number is a code
_FRACTION = re.compile(r"(?:(\d{1,9}) )?(\d{1,9})/(\d{1,9})(?![\d/])")
_DIGITS = re.compile(r"\d{1,3}(?: \d{3}){1,6}(?![\d ])(?:[.,]\d+)?|\d+(?:[.,]\d+){0,12}|[.,]\d+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([,. ])\d{3})(?:\1\d{3})*")
_WORD = re.compile(r"([^\W\d_]+)(?:[ -](?:and )?(?=[^\W\d_]))?")

_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?![^\W_])")


class Numeral(NamedTuple):
    """A number in a text.

    Attributes:
        number: None for digits that are a code.
        raw: as it is written.
        end: its end in the text.
        is_ordinal: "3rd" or "third".
    """

    number: Fraction | None
    raw: str
    end: int
    is_ordinal: bool = False


def read_digits(text: str, at: int) -> Numeral | None:
    """The number in digits that stands at a place of a text, if one does; the package's docstring gives the rules."""
    if (m := _FRACTION.match(text, at)) and (not m[1] or int(m[2]) < int(m[3])):
        return Numeral(int(m[1] or 0) + Fraction(int(m[2]), int(m[3])), m[0], m.end())
    m = _DIGITS.match(text, at)
    if not m:
        return None
    raw = m[0]
    number = _value(raw)
    if number is None and set(raw) & set(",.") == {","}:  # a list without spaces
        raw = raw.partition(",")[0]
        number = _value(raw)
    end = at + len(raw)
    if number is not None and raw.isdecimal() and (suffix := _ORDINAL.match(text, end)):
        return Numeral(number, raw, suffix.end(), is_ordinal=True)
    return Numeral(number, raw if number is None or "." in raw else re.sub(r"\D", "", raw), end)


def _value(raw: str) -> Fraction | None:
    """The number that digits with marks between them mean; None if they are a code."""
    marks = re.sub(r"\d", "", raw)
    if len(raw) > _MAX_DIGITS or (not marks and len(raw) > 1 and raw[0] == "0"):
        return None
    if not marks or (_THOUSANDS.fullmatch(raw) and marks != "."):
        return Fraction(re.sub(r"\D", "", raw))
    whole, _, decimals = raw.rpartition(marks[-1])
    if (
        marks.count(marks[-1]) == 1
        and marks[-1] in ".,"
        and (whole.isdecimal() or not whole or _THOUSANDS.fullmatch(whole))
    ):
        return Fraction(f"{re.sub(r'[^0-9]', '', whole) or 0}.{decimals}")
    return None


def read_words(text: str, at: int) -> Numeral | None:
    """The number in words that stands at a place of a text ("two hundred and five"), or an ordinal ("third")."""
    total = current = 0
    end, start = at, at
    while m := _WORD.match(text, at):
        word = m[1]
        if word in SCALES and end > start:
            current *= SCALES[word] if current else 1
            if SCALES[word] > 100:
                total, current = total + current, 0
        elif word in NUMBER_WORDS and _goes_on(current, NUMBER_WORDS[word], first=end == start):
            current += NUMBER_WORDS[word]
        elif word in ORDINALS and end == start:
            return Numeral(Fraction(ORDINALS[word]), word, m.end(1), is_ordinal=True)
        else:
            break
        at, end = m.end(), m.end(1)
    return Numeral(Fraction(total + current), text[start:end], end) if end > start else None


def _goes_on(current: int, number: int, *, first: bool) -> bool:
    """Whether a number below a hundred can follow what was said: "twenty one" is a number, "one two" isn't."""
    if first or (current == 0 and number > 0):
        return True
    return number > 0 and (current % 100 == 0 or (number < 10 and current % 10 == 0 and current % 100 >= 20))
