"""Whether two answers say the same, and whether an answer is right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction

from hart_agent.answers.cleaning import canonical, unwrapped
from hart_agent.answers.framing import is_negated, is_question, is_tentative, without_framing
from hart_agent.answers.markup import handed_in, undecorated
from hart_agent.answers.options import read_option
from hart_agent.answers.stating import stated
from hart_agent.answers.texts import hedges_in, same_text, values_of
from hart_agent.answers.values import Code, Date, Quantity, Range, Reading, Time, same_reading

MAX_ANSWER = 10_000
"""Characters. No longer answer is right; the limit keeps hostile text cheap to judge."""

_CALL = re.compile(r'\s*\{[^{}]*"(?:action|tool)"\s*:\s*"(?!answer|final|finish|submit|respond)[^{}]*\}\s*')
"""A JSON object that asks for a tool. Its numbers are no answer."""
_LETTER = re.compile(r"[^\w+#]*[A-Za-z][^\w+#]*")
_SEPARATOR = re.compile(r"(?<!\d),|,(?!\d{3}(?!\d))|[;\n、，；]|\band\b|&", re.IGNORECASE)
_BULLET = re.compile(r"\s*(?:[-*•–·]|\(?\d{1,2}[.)])\s+")
_MANY_ITEMS = 200


class AnswerType(StrEnum):
    """What the right answer to a question looks like."""

    OPTION = "option"
    """The letter of one of the question's options."""
    NUMBER = "number"
    TEXT = "text"
    LIST = "list"
    """Several texts, in any order."""


def agree(first: str, second: str) -> bool:
    """Whether two answers to one question say the same. Symmetric; the package's docstring says what is the same.

    If one of them is the letter of an option, the other is read as a choice ("B, because ..."). Texts longer than
    `MAX_ANSWER` agree only if they are identical.
    """
    if first.strip().casefold() == second.strip().casefold():
        return bool(first.strip())
    if not (_is_short(first) and _is_short(second)):
        return False
    letters = [bool(_LETTER.fullmatch(unwrapped(canonical(answer)))) for answer in (first, second)]
    if letters[0] != letters[1]:
        chosen = [read_option(answer, ()) for answer in (first, second)]
        if None not in chosen:
            return chosen[0] == chosen[1]
    return same_text(first, second)


def is_right(
    answer: str | None,
    gold: str,
    kind: AnswerType,
    *,
    options: Sequence[str] = (),
    alternatives: Sequence[str] = (),
    tolerance: float = 0.0,
    strict: bool = False,
) -> bool:
    """Whether an answer is right. Never fails on the answer's text, and reads no more than `MAX_ANSWER` characters.

    What can be read in two ways is not right:

    - OPTION: the answer chooses one option, by its letter or text, as a person reads it (see `chosen_letter`).
    - NUMBER: the answer, or what it concludes, holds one number, in digits ("about 12 metres", "1,200", "$3.50") or
      else in words ("twelve"), and |number - gold| <= tolerance * max(1, |gold|). Two different numbers ("10-12",
      "12:30") are not one. Where both have a unit it must be the same ("0.5 km" is "500 m"). A percent sign is a unit
      like any other: "45%" is 45, not 0.45.
    - TEXT: it agrees with the gold answer (see `agree`).
    - LIST: the same items, each as often, in any order; they are separated by commas, semicolons, "and" or new lines.

    A gold answer that is not an option or number itself is compared as TEXT.

    Args:
        answer: the policy's answer; None is never right.
        gold: the right answer.
        kind: what it looks like.
        options: the texts of the options in the order of their letters, with or without the letters. Without them every
            letter may be an option.
        alternatives: further right answers.
        tolerance: for NUMBER.
        strict: for rewards: the whole answer must be the right one. It earns nothing if it hedges ("B or maybe C",
            "perhaps 7"), mentions another option, even to rule it out, or says more than its conclusion.
    """
    if answer is None or not _is_short(answer):
        return False
    return any(
        _holds(answer, right, kind, options, tolerance)
        and (not strict or _fits(answer, right, kind, options, tolerance, strict=True))
        for right in (gold, *alternatives)
    )


def chosen_letter(answer: str, options: Sequence[str], *, strict: bool = False) -> str | None:
    """The capital letter of the one option that an answer chooses, as `is_right` reads it; None if there is not one.

    Args:
        answer: the policy's answer.
        options: their texts, in the order of their letters.
        strict: as for `is_right`.
    """
    return read_option(answer, options, strict=strict) if _is_short(answer) else None


def _is_short(text: str) -> bool:
    """Whether a text is within the limit; some characters become several in Unicode's canonical form."""
    return len(text) <= MAX_ANSWER and len(canonical(text)) <= MAX_ANSWER


def _holds(answer: str, gold: str, kind: AnswerType, options: Sequence[str], tolerance: float) -> bool:
    """Whether an answer is right, by all that it says or by what it states in the end."""
    if kind is not AnswerType.OPTION and is_question(answer) and "?" not in gold:
        return False
    if kind is AnswerType.NUMBER and _CALL.fullmatch(answer):
        return False
    if _fits(answer, gold, kind, options, tolerance, strict=False):
        return True
    if kind not in (AnswerType.NUMBER, AnswerType.TEXT):
        return False
    words = canonical(answer)
    statement = handed_in(words) or stated(unwrapped(undecorated(words)))
    return statement not in ("", answer) and _fits(statement, gold, kind, options, tolerance, strict=False)


def _fits(answer: str, gold: str, kind: AnswerType, options: Sequence[str], tolerance: float, *, strict: bool) -> bool:
    if kind is AnswerType.OPTION and (letter := read_option(gold, options)) is not None:
        return read_option(answer, options, strict=strict) == letter
    if strict and hedges_in(answer) - hedges_in(gold):
        return False
    if kind is AnswerType.NUMBER and (wanted := one_number(values_of(gold))) is not None:
        statement = without_framing(canonical(answer))
        denied = is_negated(statement) or is_tentative(statement)
        number = None if denied else one_number(values_of(answer, whole=strict))
        return number is not None and _within(number, wanted, Fraction(str(tolerance)))
    if kind is AnswerType.LIST and (items := _items(gold)):
        return _same_items(_items(answer), items)
    return same_text(answer, gold, whole=True) if strict else agree(answer, gold)


def one_number(reading: Reading) -> Quantity | None:
    """The one number that a text holds; None if there is none, or several different ones."""
    numbers: dict[tuple[object, str], Quantity] = {}
    in_words: dict[tuple[object, str], Quantity] = {}
    for value, spelling in zip(reading.values, reading.spellings, strict=True):
        match value:
            case Time() | Date() | Range():
                return None
            case Code(text=text):
                if not text.isdecimal() or len(text) > 40:
                    return None
                numbers[int(text), ""] = Quantity(Fraction(text))
            case Quantity(in_word=False):
                kind = numbers if any(map(str.isdecimal, spelling)) else in_words
                kind[value.number, value.comparator] = value
    found = list((numbers or in_words).values())
    return found[0] if len(found) == 1 else None


def _within(number: Quantity, wanted: Quantity, tolerance: Fraction) -> bool:
    size = number.number
    if number.base and wanted.base:
        if number.base != wanted.base:
            return False
        size = number.size * wanted.number / wanted.size if wanted.size else number.size
    same_kind = number.comparator == wanted.comparator
    return same_kind and abs(size - wanted.number) <= tolerance * max(Fraction(1), abs(wanted.number))


def _items(text: str) -> list[Reading]:
    """The items of a list, in no order; those that say nothing are left out."""
    plain = unwrapped(canonical(text))
    lines = [line[bullet.end() :] if (bullet := _BULLET.match(line)) else line for line in plain.split("\n")]
    items = [values_of(part) for part in _SEPARATOR.split("\n".join(lines))]
    return [item for item in items if item.values or item.symbols]


def _same_items(first: list[Reading], second: list[Reading]) -> bool:
    """Whether each item has its own counterpart; long lists must be written alike."""
    if len(first) != len(second):
        return False
    left = list(second)
    unmatched = []
    keys: dict[object, int] = {}
    for item in left:
        keys[item.core().folded()] = keys.get(item.core().folded(), 0) + 1
    for item in first:
        key = item.core().folded()
        if keys.get(key):
            keys[key] -= 1
            left.remove(next(other for other in left if other.core().folded() == key))
        else:
            unmatched.append(item)
    return _matched(unmatched, left) if len(unmatched) <= _MANY_ITEMS else False


def _matched(first: list[Reading], second: list[Reading]) -> bool:
    left = list(second)
    for item in first:
        counterpart = next((other for other in left if same_reading(item, other)), None)
        if counterpart is None:
            return False
        left.remove(counterpart)
    return True
