"""The kinds of text that stand on signs: phone numbers, prices, dates, opening hours, addresses, names, ..."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeAlias

from hart_agent.backends.embedded.lexicon import DAYS, Part
from hart_agent.backends.embedded.question import Query
from hart_agent.backends.embedded.signs import Line, Sign

Value: TypeAlias = tuple[str, tuple[Line, ...]]
"""A piece of text and the lines that hold it."""

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b"
)
_DAY = r"(?:mon|tues?|wed|thur?s?|fri|sat|sun)(?:[a-z]*day)?s?\b\.?"
_CLOCK = r"\d{1,2}(?:[:.h]\d{2})?(?:\s?[ap]\.?m\b\.?)?"
_RANGE = rf"{_CLOCK}\s?(?:[-–—]|to|until)\s?{_CLOCK}"
_CURRENCY = r"(?:[$€£¥]|\b(?:eur|euro|usd|gbp|chf)\b)"
_STREET = (
    r"(?:\b(?:street|road|avenue|lane|square|drive|court|place|way|row|hill|close|terrace|alley|boulevard|crescent|grove|mews"
    r"|walk|gardens|quay|yard|wharf|parade|circus|broadway|parkway|highway|freeway|esplanade|promenade|embankment|causeway|bypass"
    r"|passage|rise|vale|croft|villas|turnpike|wynd|brae|\w+stra(?:ß|ss)e|\w+weg|\w+platz|rue|via|calle)\b|(?<=\w\s)(?:st|rd|ave|ln|sq|dr|ct|blvd)\b)\.?"
)
_ROAD = r"\b(?:street|road|avenue|lane|\w+stra(?:ß|ss)e|rue|via|calle)\b"
_DATE = (
    rf"(?:{_DAY},?\s+)?\b\d{{1,2}}(?:st|nd|rd|th)?\.?\s*(?:of\s+)?{_MONTH}\b(?:,?\s*\d{{4}})?"
    rf"|(?:{_DAY},?\s+)?\b{_MONTH}\.?\s*\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s*\d{{4}})?"
    r"|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b"
)
_HEADER = re.compile(
    r"\b(?:warning|danger|caution|beware|attention|notice|hazards?|alert|look\s+out|watch\s+out|mind\s+out|take\s+care"
    r"|(?:please\s+)?be\s+(?:careful|aware)|careful|please\s+note|note|heads\s+up|safety\s+notice|take\s+heed|stay\s+alert|keep\s+alert)\b\W*",
    re.IGNORECASE,
)
"""What announces a warning."""
_ORDER = re.compile(
    r"(?:do not|don't|no|keep|watch|mind|"
    r"stay|hold|please|use|wear|turn|slow down|stop|drive|walk|ask|wait|report|follow|give way"
    r"|return|lift|push|pull|stand|wash|switch|call|dial|close|leave|enter|pass|proceed|go|access|authori[sz]ed)\b",
    re.IGNORECASE,
)
"""What one must do or not do: the rest of a warning says why."""
_PATTERNS = {
    Part.PHONE: r"\+?\(?\d[\d ()/.–-]{4,}\d",
    Part.EMAIL: r"[\w.+-]+@[\w-]+\.[\w.]+",
    Part.WEBSITE: r"(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|org|net|de|co\.uk|uk|eu|fr|io|info)\b(?:/\S*)?",
    Part.PRICE: rf"{_CURRENCY}\s?\d+(?:[.,]\d{{1,2}})?|\d+(?:[.,]\d{{2}})?\s?{_CURRENCY}"
    r"|(?<![\d.,:])\d{1,4}[.,]\d{2}(?![\d.,:])",
    Part.DATE: _DATE,
    Part.HOURS: rf"(?:{_DAY}(?:\s?(?:[-–—&+,]|to|and)\s?{_DAY})?:?\s*)?(?:{_RANGE}|\bclosed\b)|\b24\s?(?:h|hours)\b",
    Part.TIME: r"\b\d{1,2}[:.h]\d{2}(?:\s?[ap]\.?m\b\.?)?|\b\d{1,2}\s?[ap]\.?m\b\.?|\b\d{1,2}\s?o'clock",
    Part.PLATE: r"\b(?=[A-Z0-9 ·-]*\d{2})(?=[A-Z0-9 ·-]*[A-Z])[A-Z0-9]{1,4}(?:[ ·-]?[A-Z0-9]{1,5}){1,3}\b",
    Part.NUMBER: r"(?<!\w)[A-Z]{0,2}-?\d[\d.,/-]*[A-Za-z]?(?!\w)",
}


def values(query: Query, sign: Sign, alone: bool = False) -> list[Value]:
    """Every piece of the wanted kind on a sign, the likeliest first.

    Args:
        query: what is wanted.
        sign: where to look.
        alone: the sign is a crop of the answer, so the rows by which its kind is usually told are missing.
    """
    if alone and query.part in (Part.VENUE, Part.WARNING, Part.NAME, Part.STREET):
        text = sign.text if query.part is not Part.VENUE else _without_time(sign.text)
        return [(re.sub(r"^\d+\w?\s+", "", text) if query.part is Part.STREET else text, sign.lines)]
    if (
        query.part is Part.NUMBER
        and (query.anchors or query.colour)
        and (phones := values(replace(query, part=Part.PHONE), sign))
    ):
        return phones  # "what number does the tailor have?"
    named = any(word.lower() in sign.text.lower() for word in query.anchors)
    if query.part is Part.HOURS and named and re.search(_DATE, sign.text, re.IGNORECASE):  # an event's
        return values(replace(query, part=Part.TIME), sign)
    special = {
        Part.ADDRESS: _addresses, Part.STREET: _streets, Part.NAME: _names, Part.VENUE: _venues,
        Part.WARNING: _warnings, Part.LABELLED: _labelled, Part.HOURS: _hours, Part.EVENT: _events,
    }  # fmt: skip
    if query.part in special:
        return special[query.part](query, sign)
    pattern = _PATTERNS[query.part]
    found = []
    for text, row in _rows(sign):
        for match in re.finditer(pattern, text, 0 if query.part is Part.PLATE else re.IGNORECASE):
            value = match[0].strip(" .,-–")
            if query.part is not Part.PHONE or _is_phone(value, text):
                found.append((value, row))
    if query.part is Part.PHONE:  # where there is a fax beside the phone, the question decides
        faxes = [entry for entry in found if any(re.match(r"fax\b", line.text, re.IGNORECASE) for line in entry[1])]
        found = faxes if query.label == "fax" else [entry for entry in found if entry not in faxes]
    if query.part is Part.NUMBER:
        found = [(value, row) for value, row in found if not re.search(r"\d-\d", value)]  # house numbers
    if query.part is Part.PLATE:
        found = [(value, row) for value, row in found if len(sign.rows) == 1 and len(value) >= 0.8 * len(sign.text)]
    return found


def is_filled_by(text: str, wanted: list[str]) -> bool:
    """Whether a text consists of nothing but the wanted words."""
    rest = text.lower()
    for word in sorted(wanted, key=len, reverse=True):
        rest = rest.replace(word.lower().rstrip("s"), "")
    return not re.search(r"[^\W_]{3,}", rest)


def _rows(sign: Sign) -> list[Value]:
    return list(zip(sign.texts, sign.rows, strict=True))


def _is_phone(value: str, text: str) -> bool:
    digits = sum(map(str.isdigit, value))
    labelled = re.search(r"\b(?:tel|telephone|phone|call|fon|fax|mobile|mob)\b", text, re.IGNORECASE)
    if re.search(_DATE, text, re.IGNORECASE) or re.fullmatch(_RANGE, value, re.IGNORECASE):
        return False
    return digits >= (5 if labelled else 7)


def _addresses(query: Query, sign: Sign) -> list[Value]:
    """House numbers with a street; a street alone only if it is one for certain: "Station Yard" may be a business."""
    found = [
        (text, row) for text, row in _rows(sign)
        if re.search(_STREET, text, re.IGNORECASE)
        and (len(sign.rows) <= 2 or query.part is Part.STREET or re.search(rf"\d|{_ROAD}", text, re.IGNORECASE))
        and not re.search(rf"{_DATE}|\d[:h]\d\d", text, re.IGNORECASE)  # "Elm Gardens, 21:45" is where an event is
    ]  # fmt: skip
    return sorted(found, key=lambda item: not re.search(r"\d", item[0]))


def _streets(query: Query, sign: Sign) -> list[Value]:
    """A street's own sign has no house number in the name's row and little else."""
    found = _addresses(query, sign)
    if len(sign.rows) <= 2:
        houses = any(re.fullmatch(r"\d+[a-z]?\s?[-–—]\s?\d+[a-z]?", text, re.IGNORECASE) for text in sign.texts)
        return [(text, row) for text, row in (_rows(sign) if houses else found) if not re.search(r"\d", text)]
    return [(re.sub(r"^\d+\w?\s+", "", text), row) for text, row in found]


def _names(query: Query, sign: Sign) -> list[Value]:
    """Rows that look like a name, those that say more than the question already did first, then the tallest."""
    other = "|".join(_PATTERNS[part] for part in (Part.PHONE, Part.PRICE, Part.DATE, Part.HOURS, Part.EMAIL))
    rows = [
        (text, row) for text, row in _rows(sign)
        if sum(map(str.isalpha, text)) > 0.6 * len(text.replace(" ", "")) and not re.search(other, text, re.IGNORECASE)
        and not re.match(r"(?:room|stop|bus|floor|tel|phone)\b", text, re.IGNORECASE)
        and not re.search(rf"\d.*{_STREET}", text, re.IGNORECASE)
    ]  # fmt: skip
    asked = [*query.quoted, *query.anchors]
    tallest = max((line.height for _, row in rows for line in row), default=0.0)

    def rank(item: Value) -> tuple[bool, bool, bool]:
        text, row = item
        named = any(word.lower().rstrip("s") in text.lower() for word in asked)
        return is_filled_by(text, asked), not named, max(line.height for line in row) < 0.75 * tallest

    return sorted(rows, key=rank)


def _without_time(text: str) -> str:
    return re.sub(rf"\W*(?:{_PATTERNS[Part.TIME]})\W*", "", text, flags=re.IGNORECASE)


def _venues(query: Query, sign: Sign) -> list[Value]:
    """On the notice of an event: the row that is neither the event nor the date, without the time."""
    if not re.search(_DATE, sign.text, re.IGNORECASE):
        return []
    asked = [*query.quoted, *query.anchors]
    found = []
    for text, row in _rows(sign)[1:]:
        rest = _without_time(text)
        if (
            not re.search(_DATE, text, re.IGNORECASE)
            and re.search(r"[^\W\d_]{3,}", rest)
            and not is_filled_by(rest, asked)
        ):
            found.append((rest, row))
    return found


def _events(query: Query, sign: Sign) -> list[Value]:
    """When and where: the date's row and the venue's."""
    dates = [(text, row) for text, row in _rows(sign) if re.search(_DATE, text, re.IGNORECASE)]
    return [
        (f"{date}, {' '.join(line.text for line in venue)}", (*row, *venue))
        for date, row in dates[:1]
        for _, venue in _venues(query, sign)[:1]
    ]


def _warnings(query: Query, sign: Sign) -> list[Value]:
    """What a warning sign warns of: neither the word that announces it, nor what one must not do."""
    if not _HEADER.search(sign.text):
        return []
    rows = [(text, row) for text, row in _rows(sign) if not _HEADER.fullmatch(text)]
    dangers = [(text, row) for text, row in rows if not _ORDER.match(text)]
    rows = dangers or rows
    if not rows:
        return []
    return [(" ".join(text for text, _ in rows), tuple(line for _, row in rows for line in row))]


def _labelled(query: Query, sign: Sign) -> list[Value]:
    """The numbers behind a label: "Stop 5274", "Bus 38, 62", "Room 216"."""
    lines = query.label in ("bus", "buses", "line", "route")
    label = r"bus(?:es)?|lines?|routes?" if lines else re.escape(query.label or "\0")
    if query.label in ("office", "door"):
        label = "room|office|door"
    number = r"[A-Z]{0,2}\d[\w/-]*"
    several = rf"(?:{number}(?:\s?[,&+]\s?|\s+(?=\d)))*" if lines else ""
    pattern = rf"\b(?:{label})\b(?:\s+(?:no|nr|number))?[\s.:#]*({several}{number})"
    found = []
    for text, row in _rows(sign):
        for match in re.finditer(pattern, text, re.IGNORECASE):
            found.append((match[1], row))
    below = None if found else re.search(pattern, sign.text, re.IGNORECASE)
    if below:  # the number stands under its label
        found = [(below[1], row) for text, row in _rows(sign) if below[1] in text][:1]
    return found


def _hours(query: Query, sign: Sign) -> list[Value]:
    """The opening hours of all days, or of the one day that was asked for."""
    certain = rf"\d[:.h]\d\d|\d\s?[ap]\.?m|closed|hours|^{_DAY}"  # "31-47" alone is no time
    rows = [
        (match[0], row)
        for text, row in _rows(sign)
        for match in re.finditer(_PATTERNS[Part.HOURS], text, re.IGNORECASE)
        if re.search(certain, match[0], re.IGNORECASE)
    ]
    if not any(re.search(r"\d", text) for text, _ in rows):  # "keep gate closed"
        return []
    if query.day is not None:
        rows = [
            (re.sub(rf"^(?:{_DAY}|[\s:,&+–—-]|to|and)+", "", text, flags=re.IGNORECASE), row) for text, row in rows
            if query.day in _days(text)
        ]  # fmt: skip
        return rows[:1]
    unique = list(dict.fromkeys(row for _, row in rows))
    return [(" ".join(text for text, _ in rows), tuple(line for row in unique for line in row))]


def _days(text: str) -> set[int]:
    """The weekdays that a row of opening hours speaks of; all of them if it names none."""
    named = [DAYS.index(match[:3].lower()) for match in re.findall(_DAY, text, re.IGNORECASE)]
    if not named:
        return set(range(7))
    if len(named) == 2 and re.search(r"[a-z.]\s?(?:[-–—]|to)\s?[a-z]", text, re.IGNORECASE):
        first, last = named
        return {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
    return set(named)
