"""From the signs that were read to the answer that a query asks for, or a reason why there is none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hart_agent.backends.embedded.question import Part, Query
from hart_agent.backends.embedded.signs import Line, Sign, words
from hart_agent.geometry import Size

_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*"
_DAYS = r"(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)[a-z]*"
_CLOCK = r"\d{1,2}(?:[:.h]\d{2})?\s?(?:[ap]\.?m\.?)?"
_CURRENCY = r"(?:[$€£¥]|\b(?:eur|euro|usd|gbp|chf)\b)"
_PATTERNS = {
    Part.PHONE: r"\+?\(?\d[\d ()/.–-]{5,}\d",
    Part.EMAIL: r"[\w.+-]+@[\w-]+\.[\w.]+",
    Part.WEBSITE: r"(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|org|net|de|co\.uk|uk|eu|fr|io|info)\b(?:/\S*)?",
    Part.PRICE: rf"{_CURRENCY}\s?\d+(?:[.,]\d{{1,2}})?|\d+(?:[.,]\d{{2}})?\s?{_CURRENCY}|\b\d{{1,4}}[.,]\d{{2}}\b(?![.\d])",
    Part.DATE: (
        rf"(?:{_DAYS},?\s+)?\b\d{{1,2}}(?:st|nd|rd|th)?\.?\s*(?:of\s+)?{_MONTHS}(?:,?\s*\d{{4}})?\b"
        rf"|(?:{_DAYS},?\s+)?\b{_MONTHS}\.?\s*\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s*\d{{4}})?"
        r"|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b"
    ),
    Part.TIME: (
        rf"(?:{_DAYS}\s?(?:[-–]|to)\s?{_DAYS}:?\s+|{_DAYS}:?\s+)?\b{_CLOCK}\s?(?:[-–]|to|until)\s?{_CLOCK}"
        r"|\b\d{1,2}[:.h]\d{2}\s?(?:[ap]\.?m\.?)?|\b\d{1,2}\s?[ap]\.?m\b\.?"
    ),
    Part.PLATE: r"\b(?=[A-Z0-9 ·-]*\d)(?=[A-Z0-9 ·-]*[A-Z])[A-Z0-9]{1,4}(?:[ ·-]?[A-Z0-9]{1,5}){1,3}\b",
    Part.NUMBER: r"\b[A-Z]{0,3}-?\d[\d.,/-]*\b|\b\d+[A-Za-z]?\b",
}
_STREET = re.compile(
    r"\b(?:street|st|road|rd|avenue|ave|lane|ln|square|sq|drive|dr|court|ct|place|pl|way|row|hill|close|terrace|alley|boulevard|blvd"
    r"|crescent|grove|mews|walk|gardens|quay|yard|wharf|\w*stra(?:ß|ss)e|\w*weg|\w*platz|rue|via|calle)\b\.?",
    re.IGNORECASE,
)
_LABELS = re.compile(r"^(?:tel|phone|call|fax|e-?mail|open|opening hours|hours|price|date|no)\b[.:]?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """An answer and where it stands, or the reason why there is none.

    Attributes:
        text: the answer, or None.
        lines: the lines that it was read from, by sign.
        reason: why there is no answer.
        settled: no further looking could change it.
    """

    text: str | None
    lines: tuple[tuple[Line, ...], ...] = ()
    reason: str = ""

    @property
    def confidence(self) -> float:
        """That of the least certain line, 0 to 1."""
        return min((line.confidence for group in self.lines for line in group), default=0.0)


def find(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    """Answer a query from signs.

    Args:
        query: what is asked.
        signs: what was read, in original pixels.
        photo: the photo's size; None when only crops are in sight, where places, sizes and scenery mean nothing.
    """
    if not signs:
        return Finding(None, reason="I can't tell: I found no readable text in the picture.")
    if query.part is Part.ALL:
        ordered = sorted(signs, key=lambda sign: (sign.rect[1], sign.rect[0]))
        return Finding("; ".join(sign.text for sign in ordered), tuple(sign.lines for sign in ordered))
    if query.part is Part.WHERE:
        return _where(query, signs, photo)
    candidates, reason = _select(query, signs, photo)
    if not candidates:
        return Finding(None, reason=reason)
    return _extract(query, candidates)


def matches(wanted: str, text: str) -> bool:
    """Whether the words stand in the text one after another, but for plural endings and slips of one letter."""
    needle, hay = words(wanted), words(text)
    return any(
        all(map(_same_word, needle, hay[start : start + len(needle)])) for start in range(len(hay) - len(needle) + 1)
    ) or (len("".join(needle)) > 3 and "".join(needle) in "".join(hay))


def _same_word(first: str, second: str) -> bool:
    if first == second:
        return True
    if min(len(first), len(second)) < 4 or any(character.isdigit() for character in first + second):
        return False
    short, long = sorted((first, second), key=len)
    if long.startswith(short) and long[len(short) :] in ("s", "es", "ing", "ed"):
        return True
    return difflib.SequenceMatcher(None, first, second).ratio() >= 0.84


def _where(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    wanted = " ".join(query.quoted or query.anchors)
    for sign in signs:
        for row, text in zip(sign.rows, sign.texts, strict=True):
            if matches(wanted, text):
                lines = tuple(line for line in row if matches(wanted, line.text)) or row
                place = f" ({_place(lines, photo)})" if photo else ""
                return Finding(" ".join(line.text for line in lines) + place, (lines,))
    for sign in signs:
        if matches(wanted, sign.text):
            return Finding(sign.text + (f" ({_place(sign.lines, photo)})" if photo else ""), (sign.lines,))
    return Finding(None, reason=f"I can't tell: I found no text {wanted!r} in the picture.")


def _place(lines: Sequence[Line], photo: Size | None) -> str:
    assert photo is not None
    x, y = lines[0].centre
    down = ("upper", "middle", "lower")[min(int(3 * y / photo.height), 2)]
    across = ("left", "centre", "right")[min(int(3 * x / photo.width), 2)]
    return "centre" if (down, across) == ("middle", "centre") else f"{down} {across}"


def _select(query: Query, signs: Sequence[Sign], photo: Size | None) -> tuple[list[Sign], str]:
    """The signs that the question speaks of, best first, or the reason why there are none."""
    left = list(signs)
    for wanted in query.quoted:
        left = [sign for sign in left if matches(wanted, sign.text)]
        if not left:
            return [], f"I can't tell: I found no sign with the text {wanted!r}."
    unmatched = []
    for wanted in query.anchors:
        with_word = [sign for sign in left if matches(wanted, sign.text)]
        left = with_word or left
        unmatched += [] if with_word else [wanted]
    if photo is None:
        return left, ""
    if query.colour:
        left = [sign for sign in left if _looks(sign.colour, query.colour)]
        if not left:
            return [], f"I can't tell: I found no {query.colour} sign with readable text."
    left = _at(query, left, photo)
    if not left:
        return [], "I can't tell: I found no readable sign at that place."
    if query.size:
        left.sort(key=lambda sign: sign.area, reverse=query.size == "largest")
        left = left[:1]
    relevant = [sign for sign in left if query.part is Part.SIGN or _values(query.part, sign)]
    if unmatched and (query.part is Part.PRICE or len(relevant or left) > 1 or not _only_scenery(query, unmatched)):
        return [], f"I can't tell: the text that I can read doesn't mention {', '.join(map(repr, unmatched))}."
    return left, ""


def _only_scenery(query: Query, unmatched: Sequence[str]) -> bool:
    """Whether unmatched words may just describe the scene ("the sign by the tree") and not the text."""
    return query.part is Part.SIGN and query.position is None


def _looks(colour: str, wanted: str) -> bool:
    """Whether people would call a colour by that name; neighbours are often confused."""
    neighbours = {
        "cream": {"white", "yellow"}, "white": {"cream"}, "grey": {"white", "black"}, "turquoise": {"blue", "green"},
        "orange": {"yellow", "brown"}, "pink": {"purple"}, "purple": {"pink"}, "brown": {"orange"},
    }  # fmt: skip
    return colour == wanted or wanted in neighbours.get(colour, set())


def _at(query: Query, signs: Sequence[Sign], photo: Size) -> list[Sign]:
    """The signs nearest to the wanted place first; none if none is on that side."""
    if query.across is None and query.down is None:
        return list(signs)

    def distance(sign: Sign) -> float:
        x, y = sign.centre[0] / photo.width, sign.centre[1] / photo.height
        return max(
            abs(x - query.across) if query.across is not None else 0.0,
            abs(y - query.down) if query.down is not None else 0.0,
        )

    reachable = [sign for sign in signs if distance(sign) <= 0.55]
    return sorted(reachable, key=distance)[:1]


def _values(part: Part, sign: Sign) -> list[tuple[str, tuple[Line, ...]]]:
    """Every piece of the wanted kind on a sign, with the row that holds it."""
    if part is Part.ADDRESS:
        return _addresses(sign)
    if part is Part.NAME:
        return _names(sign)
    found = []
    for row, text in zip(sign.rows, sign.texts, strict=True):
        for match in re.finditer(_PATTERNS[part], text, 0 if part is Part.PLATE else re.IGNORECASE):
            value = match[0].strip(" .,-–")
            if part is Part.PHONE and not _is_phone(value, text):
                continue
            found.append((value, row))
    return found


def _is_phone(value: str, text: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    dated = re.search(_PATTERNS[Part.DATE], text, re.IGNORECASE)
    timed = re.fullmatch(_PATTERNS[Part.TIME], value, re.IGNORECASE)
    labelled = re.search(r"\b(?:tel|phone|call|fon|fax|mobile)\b", text, re.IGNORECASE)
    return digits >= (5 if labelled else 7) and not dated and not timed


def _addresses(sign: Sign) -> list[tuple[str, tuple[Line, ...]]]:
    return [
        (text, row) for row, text in zip(sign.rows, sign.texts, strict=True)
        if _STREET.search(text) and not re.search(_PATTERNS[Part.DATE], text, re.IGNORECASE)
    ]  # fmt: skip


def _names(sign: Sign) -> list[tuple[str, tuple[Line, ...]]]:
    """Rows that look like a name: mostly letters, none of the other kinds; the tallest letters first."""
    other = "|".join(_PATTERNS[part] for part in (Part.PHONE, Part.PRICE, Part.DATE, Part.TIME, Part.EMAIL))
    rows = [
        (text, row) for row, text in zip(sign.rows, sign.texts, strict=True)
        if sum(map(str.isalpha, text)) > 0.6 * len(text.replace(" ", "")) and not re.search(other, text, re.IGNORECASE)
    ]  # fmt: skip
    return sorted(rows, key=lambda item: -max(line.height for line in item[1]))


def _extract(query: Query, signs: Sequence[Sign]) -> Finding:
    """The wanted part of the signs that the question speaks of."""
    if query.part is Part.SIGN:
        sign = max(signs, key=lambda sign: sign.area) if len(signs) > 1 else signs[0]
        return _row_beside(query, sign) if query.position and query.quoted else _whole(sign)
    found = [(value, row, sign) for sign in signs for value, row in _values(query.part, sign)]
    if not found:
        return Finding(None, reason=f"I can't tell: I found no {query.part.value} in the text that I can read.")
    nearest = min(found, key=lambda item: _rows_from_anchor(query, item[2], item[1]))
    rivals = {value for value, row, sign in found if _rows_from_anchor(query, sign, row) == _rows_from_anchor(
        query, nearest[2], nearest[1])}  # fmt: skip
    if len(rivals) > 1 and query.part not in (Part.NAME, Part.TIME, Part.ADDRESS):
        listed = "; ".join(sorted(rivals))
        return Finding(None, reason=f"I can't tell which {query.part.value} you mean. I can read: {listed}.")
    return Finding(_LABELS.sub("", nearest[0]) or nearest[0], (nearest[1],))


def _whole(sign: Sign) -> Finding:
    return Finding(sign.text, (sign.lines,))


def _row_beside(query: Query, sign: Sign) -> Finding:
    """The row under or over the quoted words; the whole sign if they are not on it."""
    step = 1 if query.position == "under" else -1
    for index, text in enumerate(sign.texts):
        if matches(query.quoted[0], text) and 0 <= index + step < len(sign.rows):
            return Finding(sign.texts[index + step], (sign.rows[index + step],))
    return _whole(sign)


def _rows_from_anchor(query: Query, sign: Sign, row: tuple[Line, ...]) -> int:
    """How many rows lie between a row and the nearest row with one of the question's words."""
    wanted = [*query.quoted, *query.anchors]
    here = sign.rows.index(row)
    return min(
        (abs(here - index) for index, text in enumerate(sign.texts) if any(matches(word, text) for word in wanted)),
        default=0,
    )
