"""The kinds of value that an answer is made of, and when two of them are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import TypeAlias

from hart_agent.answers.tables import FILLER, FRAME, UNITS


@dataclass(frozen=True)
class Word:
    """Letters, with the signs that belong to them ("c++", "a-")."""

    text: str


@dataclass(frozen=True)
class Quantity:
    """A number.

    Attributes:
        number: as written, before its unit's factor.
        unit: a spelling in `UNITS`, the noun that is counted, "th" of an ordinal; "" where it is left open.
        comparator: "<", ">", "≤", "≥", or "" for the number itself.
        raw: as it is written, without sign and unit.
        in_word: it follows a letter without space ("B12").
    """

    number: Fraction
    unit: str = ""
    comparator: str = ""
    raw: str = ""
    in_word: bool = False

    @property
    def base(self) -> str:
        """What the unit measures; two quantities with different bases are never the same."""
        return UNITS[self.unit][0] if self.unit in UNITS else self.unit

    @property
    def size(self) -> Fraction:
        """The number in the base unit."""
        return self.number * UNITS[self.unit][1] if self.unit in UNITS else self.number


@dataclass(frozen=True)
class Time:
    """A time of day.

    Attributes:
        seconds: since midnight, as on a clock of 24 hours if no half of the day is given.
        half: whether the half of the day is given: by am or pm, or as noon or midnight.
    """

    seconds: int
    half: bool = False


@dataclass(frozen=True)
class Date:
    """A date, or a month of a year.

    Attributes:
        year, day: None where not given.
        swapped: day and month could be the other way round ("01/05/2024").
    """

    year: int | None
    month: int
    day: int | None
    swapped: bool = False


@dataclass(frozen=True)
class Code:
    """Digits that are a name, not a number: of a telephone, a version, "007", "16:9"."""

    text: str


@dataclass(frozen=True)
class Range:
    low: Quantity | Time
    high: Quantity | Time


Value: TypeAlias = Word | Quantity | Time | Date | Code | Range


def same_value(first: Value, second: Value) -> bool:
    """Whether two values are the same. Symmetric."""
    if type(first) is not type(second):
        return _could_be(first, second) or _could_be(second, first)
    match first, second:
        case Quantity(), Quantity():
            return _quantities(first, second)
        case Time(), Time():
            return _times(first, second)
        case Date(), Date():
            return _dates(first, second)
        case Range(), Range():
            return same_value(first.low, second.low) and same_value(first.high, second.high)
    return first == second


def _could_be(first: Value, second: Value) -> bool:
    """Whether the second value is the first one, written so that it was read as another kind."""
    match first, second:
        case Time(), Quantity():
            return _time_and_quantity(first, second)
        case Code(), Quantity():
            return first.text == second.raw and not second.unit and not second.comparator and second.number > 0
        case Code(), Range(low=Quantity(raw=low), high=Quantity(raw=high)):
            return first.text == low + high
    return False


def _quantities(first: Quantity, second: Quantity) -> bool:
    if first.comparator != second.comparator or (first.unit != second.unit and "th" in (first.unit, second.unit)):
        return False
    if first.base and second.base:
        return first.base == second.base and first.size == second.size
    return first.number == second.number


def _time_and_quantity(time: Time, quantity: Quantity) -> bool:
    hour, _, minute = quantity.raw.partition(".")
    if quantity.unit or quantity.comparator or quantity.number < 0 or len(hour) > 2 or len(minute) not in (0, 2):
        return False
    if not hour.isdecimal() or int(hour) > 23 or int(minute or 0) > 59:
        return False
    return same_value(time, Time(3600 * int(hour) + 60 * int(minute or 0)))


def _times(first: Time, second: Time) -> bool:
    if first.half == second.half or first.seconds == second.seconds:
        return first.seconds == second.seconds
    bare = second if first.half else first
    return 3600 <= bare.seconds < 13 * 3600 and (first.seconds - second.seconds) % (12 * 3600) == 0


def _dates(first: Date, second: Date) -> bool:
    if first.year != second.year:
        return False
    if first.swapped == second.swapped:
        return (first.month, first.day) == (second.month, second.day)
    return {first.month, first.day} == {second.month, second.day}


@dataclass(frozen=True)
class Reading:
    """A text as values.

    Attributes:
        values: in their order.
        spellings: of each value, as written.
        symbols: signs that are no part of a value ("→").
    """

    values: tuple[Value, ...]
    spellings: tuple[str, ...]
    symbols: str

    def core(self) -> Reading:
        """Without the filler around what is said; all of it if there is nothing but filler."""
        for filler in (FILLER, FRAME):
            inside = [
                i for i, value in enumerate(self.values) if not (isinstance(value, Word) and value.text in filler)
            ]
            if inside:
                part = slice(inside[0], inside[-1] + 1)
                return Reading(self.values[part], self.spellings[part], self.symbols)
        return self

    def counted(self) -> tuple[Value, ...]:
        """A number and the noun behind it as one quantity."""
        match self.values:
            case (Quantity(unit="", in_word=False) as number, Word(text=noun)) if len(noun) > 1:
                return (Quantity(number.number, noun, number.comparator, number.raw),)
        return self.values

    def folded(self) -> tuple[Value, ...]:
        """With neighbouring words as one, for spaces between words get lost."""
        folded: list[Value] = []
        for is_word, run in groupby(self.values, key=lambda value: isinstance(value, Word)):
            values = list(run)
            folded += [Word("".join(word.text for word in values if isinstance(word, Word)))] if is_word else values
        return tuple(folded)


def same_reading(first: Reading, second: Reading) -> bool:
    """Whether two texts say the same. Symmetric; an empty text says nothing."""
    if first.symbols != second.symbols and ((first.symbols and second.symbols) or not (first.values and second.values)):
        return False
    first, second = first.core(), second.core()
    if not (first.values and second.values):
        return bool(first.symbols) and not (first.values or second.values)
    if _same_values(first.folded(), second.folded()):
        return True
    if _spelled_out(first) and _spelled_out(second):
        return "".join(first.spellings) == "".join(second.spellings)
    return _same_values(first.counted(), second.counted())


def _same_values(first: Sequence[Value], second: Sequence[Value]) -> bool:
    return len(first) == len(second) and all(map(same_value, first, second))


def _spelled_out(reading: Reading) -> bool:
    """Whether a text holds nothing but words, such as "one way"."""
    pairs = zip(reading.values, reading.spellings, strict=True)
    return all(isinstance(value, Word) or spelling.isalpha() for value, spelling in pairs)
