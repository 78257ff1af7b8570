"""Numbers in digits and in words."""

from __future__ import annotations

import re
from fractions import Fraction

from hart_agent.answers.tables import NUMBER_WORDS, ORDINALS, SCALES

_MAX_DIGITS = 40  # a longer number is a code
_FRACTION = re.compile(r"(?:(\d{1,9}) )?(\d{1,9})/(\d{1,9})(?![\d/])")
_DIGITS = re.compile(r"\d{1,3}(?: \d{3}){1,6}(?![\d ])(?:[.,]\d+)?|\d+(?:[.,]\d+){0,12}|[.,]\d+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([,. ])\d{3})(?:\1\d{3})*")
_WORD = re.compile(r"([^\W\d_]+)(?:[ -](?:and )?(?=[^\W\d_]))?")

_Number = tuple[Fraction | None, str, int]
"""A number, or None for digits that are a code; how it is written; where it ends."""


def read_digits(text: str, at: int) -> _Number | None:
    """The number in digits that stands at a place of a text.

    A comma or point before exactly three digits: a comma parts thousands, a point is a decimal point. Where both
    stand, the last is the decimal mark; where one stands several times, it parts thousands.
    """
    if (m := _FRACTION.match(text, at)) and (not m[1] or int(m[2]) < int(m[3])):
        return int(m[1] or 0) + Fraction(int(m[2]), int(m[3])), m[0], m.end()
    m = _DIGITS.match(text, at)
    if not m:
        return None
    raw = m[0]
    marks = re.sub(r"\d", "", raw)
    if len(raw) > _MAX_DIGITS:
        return None, raw, m.end()
    whole, _, decimals = raw.rpartition(marks[-1]) if marks else (raw, "", "")
    grouped = _THOUSANDS.fullmatch(raw)
    if grouped and (marks[0] != "." or len(marks) > 1):
        return Fraction(re.sub(r"\D", "", raw)), re.sub(r"\D", "", raw), m.end()
    if (
        marks
        and marks[-1] != " "
        and (not whole or whole.isdecimal() or _THOUSANDS.fullmatch(whole))
        and marks[-1] not in marks[:-1]
    ):
        return Fraction(f"{re.sub(r'[^0-9]', '', whole) or 0}.{decimals}"), raw, m.end()
    if len(marks) > 1 and set(marks) == {","}:
        first = raw.partition(",")[0]
        return Fraction(first), first, at + len(first)
    if marks or (len(raw) > 1 and raw[0] == "0"):
        return None, raw, m.end()
    return Fraction(raw), raw, m.end()


def read_words(text: str, at: int) -> _Number | None:
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
            return Fraction(ORDINALS[word]), word, m.end(1)
        else:
            break
        at, end = m.end(), m.end(1)
    return (Fraction(total + current), text[start:end], end) if end > start else None


def _goes_on(current: int, number: int, *, first: bool) -> bool:
    """Whether a number below a hundred can follow what was said: "twenty one" is a number, "one two" isn't."""
    if first or (current == 0 and number > 0):
        return True
    return number > 0 and (current % 100 == 0 or (number < 10 and current % 10 == 0 and current % 100 >= 20))
