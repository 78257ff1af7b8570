"""Reading a text as values: a small grammar, tried at each place from the most special form to the plainest."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from hart_agent.answers import tables
from hart_agent.answers.numerals import read_digits, read_words
from hart_agent.answers.values import Code, Date, Quantity, Range, Reading, Time, Value, Word


def _any_of(spellings: Iterable[str]) -> str:
    return "|".join(re.escape(text) for text in sorted(spellings, key=len, reverse=True))


_MONTH = rf"({_any_of(tables.MONTHS)})(?![^\W_])\.?"
_YEAR = r"(\d{4})(?!\d)"
_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?![\d-])")
_NUMERIC_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d|[./-]\d)")
_DAY_MONTH = re.compile(rf"(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{_MONTH}(?:,? {_YEAR})?")
_MONTH_DAY = re.compile(rf"{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?(?![\d:]|[.,]\d)(?:,? {_YEAR})?")
_MONTH_YEAR = re.compile(rf"{_MONTH},? {_YEAR}")
_HALF = r"([ap])\.? ?m(?![^\W_])\.?"
_CLOCK = re.compile(rf"(\d{{1,2}})[:h](\d{{2}})(?::(\d{{2}}))?(?![\d:])(?: ?{_HALF})?")
_HOUR = re.compile(rf"(\d{{1,2}})(?:\.(\d{{2}}))?() ?{_HALF}")
_O_CLOCK = re.compile(r"(\d{1,2})()() ?o'?clock()")
_PHONE = re.compile(r"\+?\(?\d{1,4}\)?(?:[ -]{1,2}\(?\d{2,4}\)?){1,6}(?![\d/%]|[.,:-]\d)")
_DOTTED_PHONE = re.compile(r"\d{3}\.\d{3,4}\.\d{4}(?!\d|\.\d)")
_SPACED_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?: \d{3})+")
_CODE = re.compile(r"\d+(?::\d+)+|\d+(?:\.\d+)?e[+-]?\d+(?![^\W_])|0\d*/\d+|\d+/0+(?!\d)|\d+(?:/\d+){2,}")

_COMPARATOR = re.compile(rf"({_any_of(tables.COMPARATORS)}) ?(?=[\W\d]|\b)")
_MONEY = re.compile(rf"({_any_of(tables.CURRENCIES)}) ?(?=-?[\d.,])")
_SIGN = re.compile(r"[-\u2013+](?=[^\s\w]?[\d.,])|[-\u2013] (?=[^\s\w]?[\d.,])|(?:minus|negative) ")
_SCALE = re.compile(rf" ?({_any_of([*tables.SCALES, *tables.SHORT_SCALES])})(?![^\W_])")
_UNIT = re.compile(rf"[ -]?({_any_of(tables.UNITS)})(?![^\W\d_]|\^)")
_AFTER = re.compile(rf" ?({_any_of(tables.COMPARATORS_AFTER)})(?![\w(])")
_APOSTROPHE = re.compile(r"'(?=[^\W\d_])")
_NEXT_WORD = re.compile(r" [^\W\d_]")
_BETWEEN = re.compile(r" ?[-\u2013] ?(?=[^\sa-z])| (?:to|through|until|till) ")
_AND = re.compile(r" and ")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7af]")
"""Letters of scripts that put no space between a word and a number."""
_SUFFIX = re.compile(r"(?:\+{1,2}|#)(?!\w)|(?<=\b\w)-(?![\w-]| \w)")

_UNWRITTEN = str.maketrans("", "", " -'")

_Found = tuple[Value, int]


def read(text: str) -> Reading:
    """The values of a canonical text, in time proportional to its length, without the marks between them."""
    folded = unicodedata.normalize("NFC", text.casefold())
    return _Scanner(" ".join(folded.split())).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.values: list[Value] = []
        self.spellings: list[str] = []
        self.symbols: list[str] = []

    def scan(self) -> Reading:
        at = 0
        while at < len(self.text):
            if self.text[at] == " ":
                at += 1
                continue
            found = self.number_at(at) or self.word_at(at)
            if found is None:
                if unicodedata.category(self.text[at])[0] == "S" or self.text[at] == "@":
                    self.symbols.append(self.text[at])
                at += 1
                continue
            value, end = found
            if isinstance(value, Quantity | Time) and not (isinstance(value, Quantity) and value.in_word):
                value, end = self.range_from(value, end)
            if not (isinstance(value, Word) and value.text == "and"):
                self.values.append(value)
                written = self.text[at:end].translate(_UNWRITTEN)
                self.spellings.append(value.text if isinstance(value, Word) else written)
            at = end
        return Reading(tuple(self.values), tuple(self.spellings), "".join(self.symbols))

    def number_at(self, at: int) -> _Found | None:
        """Whatever begins with a number here, or with a sign or phrase in front of one."""
        inside = at > 0 and self.text[at - 1].isalpha() and not _UNSPACED.match(self.text, at - 1)
        if inside:
            return self.quantity_at(at, in_word=True) if self.text[at].isdecimal() else None
        if self.text[at].isalpha():
            return self.month_at(at) or self.quantity_at(at)
        return self.date_at(at) or self.time_at(at) or self.code_at(at) or self.quantity_at(at)

    def date_at(self, at: int) -> _Found | None:
        text = self.text
        if m := _ISO_DATE.match(text, at):
            return _date(m, int(m[1]), int(m[2]), int(m[3]))
        if m := _NUMERIC_DATE.match(text, at):
            year = int(m[4]) if len(m[4]) == 4 else int(m[4]) + (2000 if int(m[4]) < 70 else 1900)
            day, month = int(m[1]), int(m[3])
            if month > 12:
                return _date(m, year, day, month)
            return _date(m, year, month, day, swapped=m[2] != "." and day <= 12 and day != month)
        m = _DAY_MONTH.match(text, at)
        return _date(m, int(m[3]) if m[3] else None, tables.MONTHS[m[2]], int(m[1])) if m else None

    def month_at(self, at: int) -> _Found | None:
        if m := _MONTH_DAY.match(self.text, at):
            return _date(m, int(m[3]) if m[3] else None, tables.MONTHS[m[1]], int(m[2]))
        m = _MONTH_YEAR.match(self.text, at)
        return (Date(int(m[2]), tables.MONTHS[m[1]], None), m.end()) if m else None

    def time_at(self, at: int) -> _Found | None:
        m = _CLOCK.match(self.text, at) or _HOUR.match(self.text, at) or _O_CLOCK.match(self.text, at)
        if not m:
            return None
        hour, minute, second = int(m[1]), int(m[2] or 0), int(m[3] or 0)
        if hour > 23 or minute > 59 or second > 59:
            return None
        if m[4] and hour <= 12:
            hour = hour % 12 + (12 if m[4] == "p" else 0)
        return Time(3600 * hour + 60 * minute + second, bool(m[4])), m.end()

    def code_at(self, at: int) -> _Found | None:
        if m := _DOTTED_PHONE.match(self.text, at):
            return Code(m[0].replace(".", "")), m.end()
        if (m := _PHONE.match(self.text, at)) and self.is_phone(m):
            return Code("".join(filter(str.isdecimal, m[0]))), m.end()
        m = _CODE.match(self.text, at)
        return (Code(m[0]), m.end()) if m else None

    def is_phone(self, match: re.Match[str]) -> bool:
        """Whether groups of digits are one number's: neither thousands apart by spaces nor a range."""
        low, _, high = match[0].partition("-")
        years = len(low) == len(high) == 4 and low.isdecimal() and high.isdecimal() and "0" < low < high
        digits = sum(map(str.isdecimal, match[0]))
        measured = "-" in match[0] and _UNIT.match(self.text, match.end())
        return digits >= 7 and not years and not measured and not _SPACED_THOUSANDS.fullmatch(match[0])

    def quantity_at(self, at: int, *, in_word: bool = False) -> _Found | None:
        comparator, negative, unit, end = ("", False, "", at) if in_word else self.prefix_at(at)
        found = read_digits(self.text, end) or (None if in_word else read_words(self.text, end))
        if found is None:
            return None
        number, raw, end = found.number, found.raw, found.end
        if number is None:
            return Code(raw), end
        if found.is_ordinal:
            return Quantity(number, "th", raw=raw, in_word=in_word), end
        if (m := _SCALE.match(self.text, end)) and (m[1] in tables.SCALES or m[1] == "k" or unit):
            number *= tables.SCALES.get(m[1]) or tables.SHORT_SCALES[m[1]]
            raw, end = "", m.end()
        m = _UNIT.match(self.text, end)
        is_word = m and m[1] in tables.UNITS_AT_THE_END and _NEXT_WORD.match(self.text, m.end())
        if m and not is_word and (not unit or tables.UNITS[m[1]][0] == tables.UNITS[unit][0]):
            unit, end = m[1], m.end()
        if m := _AFTER.match(self.text, end):
            comparator, end = comparator or tables.COMPARATORS_AFTER[m[1]], m.end()
        return Quantity(-number if negative else number, unit, comparator, raw, in_word), end

    def prefix_at(self, at: int) -> tuple[str, bool, str, int]:
        """The comparator, whether there is a minus, and the currency in front of a number; where they end."""
        comparator = currency = ""
        negative = False
        for _ in range(2):
            if m := _COMPARATOR.match(self.text, at):
                comparator, at = comparator or tables.COMPARATORS[m[1]], m.end()
        for _ in range(2):
            if (m := _SIGN.match(self.text, at)) and self.is_sign(m):
                negative, at = m[0] != "+", m.end()
            if not currency and (m := _MONEY.match(self.text, at)):
                currency, at = m[1], m.end()
        return comparator, negative, currency, at

    def is_sign(self, match: re.Match[str]) -> bool:
        """Whether a dash is a sign: not behind a word or number, and with a space behind it only at the start."""
        start = match.start()
        behind = start > 0 and (self.text[start - 1].isalnum() or self.text[start - 1] in ")%")
        return not behind and (start == 0 or match[0][-1] != " " or match[0][0].isalpha())

    def range_from(self, low: Quantity | Time, end: int) -> _Found:
        """The range that begins with a value, or the value itself."""
        before = self.values[-1].text if self.values and isinstance(self.values[-1], Word) else ""
        m = _BETWEEN.match(self.text, end) or (_AND.match(self.text, end) if before == "between" else None)
        found = m and (self.time_at(m.end()) or self.quantity_at(m.end()))
        if not found or not isinstance(found[0], Quantity | Time):
            return low, end
        high, end = found[0], found[1]
        if isinstance(low, Quantity) and isinstance(high, Quantity):
            low, high = replace(low, unit=low.unit or high.unit), replace(high, unit=high.unit or low.unit)
        if before in ("between", "from"):
            self.values.pop()
            self.spellings.pop()
        return Range(low, high), end

    def word_at(self, at: int) -> _Found | None:
        text, end = self.text, at
        while _is_letter(text[end : end + 1]) or (end > at and _APOSTROPHE.match(text, end)):
            end += 1
        if end == at:
            return None
        word = text[at:end].replace("'", "")
        if word in tables.DAY_TIMES:
            return Time(3600 * tables.DAY_TIMES[word], half=True), end
        if m := _SUFFIX.match(text, end):
            return Word(word + m[0]), m.end()
        return Word(word), end


def _is_letter(char: str) -> bool:
    return char.isalpha() or (char != "" and unicodedata.category(char)[0] in "LM")


def _date(match: re.Match[str], year: int | None, month: int, day: int, *, swapped: bool = False) -> _Found | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return Date(year, month, day, swapped), match.end()
