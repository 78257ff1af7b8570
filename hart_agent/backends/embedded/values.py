"""Typed values on signs: phone numbers, prices, dates, opening hours, addresses, numbers behind a label, ..."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TypeAlias

from hart_agent.backends.embedded.matching import matches
from hart_agent.backends.embedded.patterns import pattern
from hart_agent.backends.embedded.question import DAYS, Query, labels
from hart_agent.ocr import Line, Sign

Value: TypeAlias = tuple[str, tuple[Line, ...]]
"""A piece of text and the lines that hold it."""

_FORMS = frozenset("phone email website price date time hours measure plate number model".split())
TYPED = _FORMS | {"address", "street", "label", "venue", "event"}
"""Kinds that a value is recognised by its form."""


def values(query: Query, sign: Sign, anchors: tuple[str, ...] = ()) -> list[Value]:
    """Every value of the wanted kind on a sign, in reading order."""

    def plain(kind: str) -> list[Value]:
        return list(_plain(kind, query, sign))

    if query.count and query.sought in ("number", "measure"):
        # "how many grams of rice" may be any weight, "how many cookies" not
        return _counted(sign, anchors) or ([] if query.count in query.things else plain(query.sought))
    if query.sought in ("label", "number"):
        labelled = list(_labelled(query.label, sign)) if query.label else []
        phones = plain("phone") if query.sought == "number" and anchors else []
        return labelled or phones or ([] if query.sought == "label" and query.label else plain("number"))
    special = {"hours": _hours, "address": _addresses, "street": _streets, "venue": _venues, "event": _events}
    if query.sought in special:
        return special[query.sought](query, sign, anchors)
    return plain(query.sought) or (plain("year") if query.sought == "date" else [])


def is_typed(text: str) -> bool:
    """Whether a row is little more than a number, a price, a date, a time or an address on the web."""
    rest = text
    for kind in ("email", "website", "price", "hours", "date", "phone"):
        rest = pattern(kind).sub("", rest)
    return sum(map(str.isalpha, rest)) < 3


def warnings(sign: Sign) -> list[Value]:
    """What a sign warns of: neither the word that announces it, nor what one must not do if there is more."""
    rows, warned = _rows(sign), pattern("warning").search(sign.text)
    if not (warned or pattern("ban").search(sign.text) or any(pattern("order").match(text) for text, _ in rows)):
        return []
    rows = [(text, row) for text, row in rows if not pattern("warning").fullmatch(text)]
    dangers = [(text, row) for text, row in rows if not pattern("order").match(text)] if warned else []
    rows = dangers or rows
    return [(" ".join(text for text, _ in rows), tuple(line for _, row in rows for line in row))] if rows else []


def _rows(sign: Sign) -> list[Value]:
    return list(zip(sign.texts, sign.rows, strict=True))


def _plain(kind: str, query: Query, sign: Sign) -> Iterator[Value]:
    for text, row in _rows(sign):
        for match in pattern(kind, exact_case=kind in ("plate", "model", "number")).finditer(text):
            value = match[0].strip(" .,-–")
            faxed = re.match(r"fax\b", text, re.IGNORECASE) is not None
            if kind == "phone" and (not _is_phone(value, text) or faxed != (query.label == "fax")):
                continue
            if kind == "plate" and (len(value) < 0.8 * len(sign.text) or sum(map(str.isdigit, value)) < 2):
                continue
            yield value, row


def _is_phone(value: str, text: str) -> bool:
    if pattern("full date").search(text) or pattern("range").fullmatch(value):
        return False
    return sum(map(str.isdigit, value)) >= (3 if pattern("phone label").search(text) else 7)


def _addresses(query: Query, sign: Sign, anchors: tuple[str, ...]) -> list[Value]:
    """Rows with a house number and a street; a street alone may be part of a name."""
    streets = [(text, row) for text, row in _rows(sign) if pattern("street").search(text)]
    prose = pattern("prose", exact_case=True)
    found = [(text, row) for text, row in streets if not (pattern("appointment").search(text) or prose.search(text))]
    numbered = [(text, row) for text, row in found if re.search(r"\d", text)]
    return numbered or [item for item in found if len(sign.rows) <= 2 or query.sought == "street"]


def _streets(query: Query, sign: Sign, anchors: tuple[str, ...]) -> list[Value]:
    """Streets without their house numbers."""
    return [
        (re.sub(r"^\d+\w?\s+|(?<!\s)\s+\d+\s?[-–—]\s?\d+$", "", text), row)
        for text, row in _addresses(query, sign, anchors)
    ]


def _labelled(label: str, sign: Sign) -> Iterator[Value]:
    """The numbers behind a label: "Stop 5274", "Bus 38, 62", "Room 216"; or on the row under it."""
    word = "|".join(re.escape(word) for word, name in labels().items() if name == label)
    number = r"(?:[A-Z]{0,2}\d[\w/-]*|(?-i:[IVXLC]{1,7}\b))"
    several = rf"(?:{number}(?:\s?[,&+]\s?|\s+(?=\d))){{0,9}}" if label == "bus" else ""
    pattern = re.compile(rf"\b(?:{word})\b(?:\s+(?:no|nr|number)\b)?[\s.:#]*({several}{number})", re.IGNORECASE)
    found = [(match[1], row) for text, row in _rows(sign) for match in pattern.finditer(text)]
    if not found and (below := pattern.search(sign.text)):
        found = [(below[1], row) for text, row in _rows(sign) if below[1] in text][:1]
    yield from found


def _counted(sign: Sign, anchors: tuple[str, ...]) -> list[Value]:
    """Numbers before what is counted: "32 track", "4 cups of flour"."""
    found = []
    for text, row in _rows(sign):
        parts = text.split()
        for start, stop in itertools.product(range(len(parts)), (2, 3)):
            counted = parts[start : start + stop]
            if counted[0][:1].isdigit() and any(matches(word, counted[-1]) for word in anchors):
                found.append((" ".join(counted), row))
    return found


def _hours(query: Query, sign: Sign, anchors: tuple[str, ...]) -> list[Value]:
    """The opening hours of all days, or of the one day that was asked for."""
    rows = [
        (match[0], row) for text, row in _rows(sign)
        for match in pattern("hours").finditer(text)
        if pattern("certain hours").search(match[0])  # "31-47" alone is not a time
    ]  # fmt: skip
    if all(text.lower() == "closed" for text, _ in rows):  # "keep gate closed"
        return []
    if query.day is not None:
        prefix = rf"^(?:{pattern('day').pattern}|[\s:,&+–—-]|to|and){{1,9}}"
        return [(re.sub(prefix, "", text, flags=re.I), row) for text, row in rows if query.day in _days(text)][:1]
    unique = list(dict.fromkeys(row for _, row in rows))
    return [(" ".join(text for text, _ in rows), tuple(line for row in unique for line in row))]


def _days(text: str) -> set[int]:
    """The weekdays that a row of opening hours speaks of; all of them if it names none."""
    named = [DAYS.index(match[:3].lower()) for match in pattern("day").findall(text)]
    if len(named) == 2 and re.search(r"[a-z.]\s?(?:[-–—]|to)\s?[a-z]", text, re.IGNORECASE):
        first, last = named
        return {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
    return set(named or range(7))


def without_time(text: str) -> str:
    """A row without the time of day that follows or precedes a place."""
    return pattern("time").sub("", text).strip(" ,.;:-–")


def _venues(query: Query, sign: Sign, anchors: tuple[str, ...]) -> list[Value]:
    """On the notice of an event: the row that is neither the event nor the date, without the time."""
    found = []
    for text, row in _rows(sign)[1:]:
        rest = without_time(text)
        if not pattern("full date").search(text) and re.search(r"[^\W\d_]{3,}", rest) and not is_made_of(rest, anchors):
            found.append((rest, row))
    return found if pattern("full date").search(sign.text) else []


def _events(query: Query, sign: Sign, anchors: tuple[str, ...]) -> list[Value]:
    """When and where: the date's row and the venue's."""
    dates = [(text, row) for text, row in _rows(sign) if pattern("full date").search(text)]
    venues = _venues(query, sign, anchors)[:1]
    return [
        (f"{d}, {' '.join(line.text for line in venue)}", (*row, *venue)) for d, row in dates[:1] for _, venue in venues
    ]


def is_made_of(text: str, wanted: tuple[str, ...]) -> bool:
    """Whether a text consists of nothing but the wanted words."""
    rest = text.lower()
    for word in sorted(wanted, key=len, reverse=True):
        rest = rest.replace(word.lower().rstrip("s"), "")
    return not re.search(r"[^\W_]{3,}", rest)
