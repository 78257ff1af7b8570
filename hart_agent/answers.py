"""Comparing answers: one notion of "the same answer" for verification, rewards and evaluation.

`agree` compares two answers of a policy; `is_right` compares an answer with the gold answer of a data set.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum

MAX_ANSWER = 10_000
"""Characters. No longer answer is right; the limit keeps hostile text cheap to judge."""

_OPTION = re.compile(r"\(?([a-z])[).:]?(?:\s.*)?", re.DOTALL)
_ASIDE = re.compile(r"(?<=\S)\s+\([^()]*\)\s*$")
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_FILLER = frozenset(
    "a an answer are at image in is it of on photo picture reads said say says sign text that the".split()
)

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LONE_LETTER = re.compile(r"[\W_]*([A-Za-z])[\W_]*")
_LABEL = re.compile(r"[\s*\"'(\[]*([A-Za-z])(?:([).:\]*]+)(?:\s|$)|\s)")
_STATED = re.compile(
    r"\b(?i:answer|option|choice|boxed|is|be)[\s:=*\"'(\[{]{1,8}([A-Za-z])"
    r"(?=[\s.,;:!)\]}*\"']*$|[.,;:!)\]}*\"']+\s|\s+(?:because|since|as|for)\b)"  # not "is B?" nor "is a cat"
    r"(?![)\]*\"']*(?:,?\s*(?:or|and)\b|,\s*\(?[A-Z]\b))"  # nor "is A or B" nor "is A, B or C"
)
_ANY_NUMBER = re.compile(
    r"(?<![\w.])(?<!\d,)[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?![.,]?\d|e[-+]?\d)"
)
_WORD = re.compile(r"[^\W\d_]+")
_SCALES = {"hundred": Decimal(100), "thousand": Decimal(1000), "million": Decimal(10**6), "billion": Decimal(10**9)}
_NUMBER_WORDS = _SCALES | {
    word: Decimal(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
}
_NUMBER_WORDS |= {
    word: Decimal(10 * tens) for tens, word in enumerate("thirty forty fifty sixty seventy eighty ninety".split(), 3)
}
_SEPARATOR = re.compile(r"[,;\n]|\band\b", re.IGNORECASE)


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
    numbers = [_number(answer) for answer in (first, second)]
    if None not in numbers:
        return numbers[0] == numbers[1]
    words = [normalise(answer).split() for answer in (first, second)]
    spelled = ["".join(tokens) for tokens in words]
    if spelled[0] == spelled[1]:
        return bool(spelled[0])
    shorter, longer = sorted(words, key=len)
    if _FILLER.issuperset(longer):
        return bool(shorter) and f" {' '.join(shorter)} " in f" {' '.join(longer)} "
    start = _leading_filler(longer) - _leading_filler(shorter)
    stop = start + len(shorter)
    return start >= 0 and longer[start:stop] == shorter and _FILLER.issuperset(longer[stop:])


def is_right(
    answer: str | None,
    gold: str,
    kind: AnswerType,
    *,
    options: Sequence[str] = (),
    alternatives: Sequence[str] = (),
    tolerance: float = 0.0,
) -> bool:
    """Whether an answer is right. Never fails on the answer's text, and reads no more than `MAX_ANSWER` characters.

    What can be read in two ways is not right:

    - OPTION: the answer is a letter ("B", "(b)"), or the text of exactly one option, or it names one letter: at the
      start of a line, marked as a label or followed by that option's text ("B. red"), or in a statement ("the answer
      is B", "answer: B", "it is B because A is ..."). An answer that names two letters so is not right, nor is one
      that merely mentions a letter ("A cat", "B looks better than A").
    - NUMBER: the answer holds one number, in digits ("about 12 metres", "1,200", "$3.50") or else in words ("twelve"),
      and |number - gold| <= tolerance * max(1, |gold|). Two different numbers ("10-12", "3 million", "12:30") are not
      one. A percent sign is a unit like any other: "45%" is 45, not 0.45.
    - TEXT: it agrees with the gold answer (see `agree`).
    - LIST: the same items, each as often, in any order; they are separated by commas, semicolons, "and" or new lines.
      Items are compared as `normalise` leaves them, without filler around and spaces within.

    A gold answer that is no option or number itself is compared as TEXT.

    Args:
        answer: the policy's answer; None is never right.
        gold: the right answer.
        kind: what it looks like.
        options: the texts of the options in the order of their letters, with or without the letters. Without them every
            letter may be an option.
        alternatives: further right answers.
        tolerance: for NUMBER.
    """
    if answer is None or len(answer) > MAX_ANSWER:
        return False
    return any(_fits(answer, right, kind, options, tolerance) for right in (gold, *alternatives))


def chosen_letter(answer: str, options: Sequence[str]) -> str | None:
    """The capital letter of the one option that an answer names, as `is_right` reads it; None if there is not one.

    Args:
        answer: the policy's answer.
        options: their texts, in the order of their letters.
    """
    letter = _read_option(answer, options) if len(answer) <= MAX_ANSWER else None
    return letter.upper() if letter else None


def _fits(answer: str, gold: str, kind: AnswerType, options: Sequence[str], tolerance: float) -> bool:
    if kind is AnswerType.OPTION and (letter := _read_option(gold, options)) is not None:
        return _read_option(answer, options) == letter
    if kind is AnswerType.NUMBER and (wanted := _read_number(gold)) is not None:
        number = _read_number(answer)
        return number is not None and abs(number - wanted) <= Decimal(str(tolerance)) * max(Decimal(1), abs(wanted))
    if kind is AnswerType.LIST and (items := _items(gold)):
        return _items(answer) == items
    return agree(answer, gold)


def _read_option(answer: str, options: Sequence[str]) -> str | None:
    """The letter, in lower case, of the one option that an answer names; None if it names none or several."""
    texts = _unlabelled(options)
    letters = _LETTERS[: len(texts)] if texts else _LETTERS
    answer = unicodedata.normalize("NFKC", answer).strip()
    if (lone := _LONE_LETTER.fullmatch(answer)) and lone[1].casefold() in letters:
        return lone[1].casefold()
    labels = set(_labels(answer))
    own = {letter: text for letter, text in zip(letters, texts, strict=False) if agree(answer, text)}
    if own:
        named = labels.difference(*map(_labels, own.values())) | set(own)
    else:
        named = labels | {stated[1].casefold() for stated in _STATED.finditer(answer)}
        if label := _LABEL.match(answer):
            letter, rest = label[1].casefold(), answer[label.end() :]
            meant = {other for other, text in zip(letters, texts, strict=False) if agree(rest, text)}
            named |= meant if letter in named | meant else set()
    return named.pop() if len(named) == 1 and named <= set(letters) else None


def _labels(answer: str) -> Iterator[str]:
    """The letters with which lines begin ("B. red") or of which they consist."""
    for line in answer.splitlines():
        if lone := _LONE_LETTER.fullmatch(line):
            yield lone[1].casefold()
        position = 0
        while (label := _LABEL.match(line, position)) and label[2]:
            yield label[1].casefold()
            position = label.end()


def _unlabelled(options: Sequence[str]) -> list[str]:
    """The options' texts without their letters, if all of them carry theirs."""
    labels = [_LABEL.match(option) for option in options]
    if all(
        label and label[2] and label[1].casefold() == letter for label, letter in zip(labels, _LETTERS, strict=False)
    ):
        return [option[label.end() :] for option, label in zip(options, labels, strict=True) if label]
    return list(options)


def _read_number(answer: str) -> Decimal | None:
    """The one number in an answer; None if there is none, or several different ones."""
    folded = answer.casefold().replace("\N{MINUS SIGN}", "-")
    numbers = {Decimal(match[0].replace(",", "")) for match in _ANY_NUMBER.finditer(folded)}
    words = _SCALES if numbers else _NUMBER_WORDS
    numbers |= {words[word] for word in _WORD.findall(folded) if word in words}
    return numbers.pop() if len(numbers) == 1 else None


def _number(text: str) -> Decimal | None:
    """The number that a text is, if it is nothing else."""
    return Decimal(text.strip().replace(",", "")) if _NUMBER.fullmatch(text.strip()) else None


def _items(text: str) -> Counter[Decimal | str]:
    """The items of a list, each in a form that is equal for items that say the same."""
    parts = (part.strip() for part in _SEPARATOR.split(_THOUSANDS.sub("", text)))
    keys = (_item(part) for part in parts)
    return Counter(key for key in keys if key != "")


def _item(text: str) -> Decimal | str:
    number = _number(text)
    if number is not None:
        return number
    words = normalise(text).split()
    stop = len(words) - _leading_filler(words[::-1])
    return "".join(words[_leading_filler(words) : stop] or words)


def _leading_filler(words: Sequence[str]) -> int:
    """How many words of filler a text begins with."""
    return next((index for index, word in enumerate(words) if word not in _FILLER), len(words))
