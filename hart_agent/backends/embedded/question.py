"""What a question asks of the text in a picture: which part of which sign, or nothing that text can answer.

Rules, not a model: the small language models that ship inside packages invented answers when tried. A question that
matches no rule is declined, for an answer that nobody asked for is worse than none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from hart_agent.backends.embedded import lexicon, wording
from hart_agent.backends.embedded.lexicon import COLOURS, DAYS, LABEL_WORDS, PART_WORDS, VEHICLES, Part
from hart_agent.backends.embedded.mentions import is_filler, neighbour, pointed_at, position, quotations, strip_common
from hart_agent.backends.embedded.wording import READING

_T = TypeVar("_T")

_HEAD = re.compile(
    r"\b(?:the|an?|for|of|about|your|their|says?|saying|words?|mention(?:s|ing)?|called|named|with|text|reading)\s+",
    re.IGNORECASE,
)
"""What stands before a noun."""
_OWNER = re.compile(r"\b(?:of|for|about)\s+(?:the|an?|your|their)\s+", re.IGNORECASE)
"""What stands before the thing that something belongs to: it counts even where a place or a colour tells the sign."""
_FIRST_ASKED = re.compile(
    r"\b(?:(?P<time>when|(?:what|which)(?:'s|\s+is)?(?:\s+the)?\s+(?:day|date|month|time)s?)|where|(?:what|which)\s+\w+)\b",
    re.IGNORECASE,
)
"""The first thing that a question asks for; `time` if that is a day or an hour."""
_IS_THERE = re.compile(
    r"\W*(?:is|are)\s+there\s+(?:an?|any)\s+(?:[\w-]+\s+){0,2}(?:numbers?|address|e-?mail|website|price|date|hours|times)\b",
    re.IGNORECASE,
)
"""Whoever asks whether there is a number wants to know it."""
_PLACE_OF = re.compile(r"\b(?:place|location|position)\s+of\b", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:which|what)\s+(\w+)\s+is\s+(?:on|written|printed|mentioned|named)\b", re.IGNORECASE)
"""Asks for the one of its kind: "which park is on the sign?"."""
_PLATE = re.compile(r"\b(?:plate|tag)s?\b", re.IGNORECASE)
_PLATE_ON = re.compile(
    r"\bplates?\s+on\s+(?:the|that)\b.*\b(?:one|sign|board|panel|notice|poster|placard)\b", re.IGNORECASE
)
_POINTING = re.compile(r"where\b|(?:find|locate)\s+(?!the\b|an?\b|my\b|out\b)", re.IGNORECASE)
_QUOTATION_MARK = re.compile(r"[\"“”„«»‘]|(?<!\w)'")
_STOP = re.compile(
    r"\b(?:which|what)\s+(?:bus\s+)?stop\b|\bstop\s+(?:numbered|labelled|identified)"
    rf"|\bstop(?:'s)?\s+(?:{lexicon.LABEL_DETAIL})|(?:{lexicon.LABEL_DETAIL})\s+(?:\w+\s+){{0,3}}(?:bus\s+)?stop\b",
    re.IGNORECASE,
)
_BUSES = re.compile(r"\bbus(?:s?es)?\s+(?:numbers?|lines?|routes?)|\bbuss?es\b", re.IGNORECASE)
_LINES = re.compile(
    r"\bbus(?:s?es)?\b(?!\s+stop)|\broutes?\b|\blines\b|\bcatch\b|\bservices\b|\bones\s+stop\b", re.IGNORECASE
)
_COLOURED = re.compile(rf"\b({'|'.join(COLOURS)})(?:ish)?(?:[\s-]+colou?red)?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """A question, understood.

    Attributes:
        part: what to give back.
        across: wanted place from left to right: 0, 0.5 or 1; None if not asked.
        down: wanted place from top to bottom, likewise.
        colour: the wanted colour of the sign, a name that `colours.colour_name` gives.
        size: "largest" or "smallest".
        anchors: words that may stand on the sign and so tell which one is meant.
        required: the anchors that the question is about: if none of the anchors is found, there is no answer.
        quoted: text that stands on the sign for certain: it was quoted, or written in capitals.
        phrase: the words of the text that is looked for, or under or over which the answer stands.
        position: "under" or "over", if the wanted line stands below or above `phrase`.
        label: the word that stands before a labelled number: "stop", "room", "bus".
        day: index of a weekday, 0 for Monday.
        literal: the question is about a text as such, not about the thing that it names.
    """

    part: Part
    across: float | None = None
    down: float | None = None
    colour: str | None = None
    size: str | None = None
    anchors: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    quoted: tuple[str, ...] = ()
    phrase: tuple[str, ...] = ()
    position: str | None = None
    label: str | None = None
    day: int | None = None
    literal: bool = True


def understand(question: str) -> Query | None:
    """Turn a question into a query, or None if text in a picture can't answer it (or it isn't understood)."""
    question = " ".join(question.replace("’", "'").split())
    question = wording.COLOUR_CLAUSE.sub("in ", wording.CONTRACTION.sub(r"\1's", question))
    quoted = quotations(question)
    asked = _strip_frames(question)
    if not _QUOTATION_MARK.search(question) and (pointed := pointed_at(asked)) is not None:
        return Query(Part.WHERE, phrase=tuple(pointed.split()))
    plain = _strip_frames(_without(question, quoted))
    place = position(_without(asked, quoted))
    beside = neighbour(asked, quoted) if place == "under" or (place and READING.search(plain)) else ()
    if beside and not quoted and _is_selective(" ".join(beside)):  # "above the door on the left": a place, no text
        beside = ()
    part = _part(plain, quoted, bool(beside))
    if part is None:
        return None
    where, place = part is Part.WHERE, place if part is Part.SIGN and beside else None
    phrase = beside if place else tuple((quoted[0] if quoted else re.sub(r"[?!]|[.,](?!\d)", " ", asked)).split())
    if where and not quoted and not strip_common(phrase):
        return None
    middle = bool(wording.MIDDLE.search(plain))
    across = None if where else _first(wording.ACROSS, plain)
    down = None if where or place else _first(wording.DOWN, plain)
    colour = _COLOURED.search(plain)
    day = wording.WEEKDAY.search(question)
    anchors = () if where or place else _anchors(plain, part)
    chosen = bool(colour or _is_selective(plain))
    subjects = _subjects(plain, _OWNER if chosen else _HEAD)
    return Query(
        part=part,
        across=0.5 if middle and across is None and not where else across,
        down=0.5 if middle and down is None and not where else down,
        colour=COLOURS[colour[1].lower()] if colour else None,
        size=_first(wording.SIZES, plain),
        anchors=anchors,
        required=tuple(word for word in anchors if part is Part.NAME or word in subjects),
        quoted=() if where or place else quoted,
        phrase=phrase if where or place else (),
        position=place,
        label=_label(plain, part),
        day=DAYS.index(day[1].lower()[:3]) if day else None,
        literal=bool(quoted or READING.search(plain) or not re.search(r"\b(?:where|location|position)", plain, re.I)),
    )


def _strip_frames(question: str) -> str:
    """The question without the words that only make it polite."""
    plain = wording.FRAMES.sub(" ", wording.CLOSER.sub("", wording.OPENER.sub("", question)))
    return " ".join(wording.OPENER.sub("", plain).split()).lstrip(" ,.:;!-")


def _part(plain: str, quoted: tuple[str, ...], beside: bool) -> Part | None:
    one = quoted or beside or wording.ONE_SIGN.search(plain) or _is_selective(plain)
    if wording.EVERYTHING.search(plain) and not one:
        return Part.ALL
    kinds, day = _kinds(plain), wording.WEEKDAY.search(plain)
    if (
        lexicon.NOT_TEXT.search(plain)
        and not quoted
        and not (day and Part.HOURS in kinds)
        and not _IS_THERE.match(plain)
    ):
        return None
    if beside and not day:
        return Part.SIGN
    return _place_part(plain, quoted, kinds) or _kind_part(plain, quoted, kinds) or _text_part(plain, quoted)


def _place_part(plain: str, quoted: tuple[str, ...], kinds: list[Part]) -> Part | None:
    """A text's place or an event's, if that is asked for."""
    where = wording.WHERE.search(plain)
    if Part.EVENT in kinds:
        return Part.EVENT
    if where and Part.VENUE in kinds and not quoted:
        return Part.VENUE
    if (
        quoted
        and not wording.ONE_SIGN.search(plain)
        and (not kinds or (kinds[0] is Part.VENUE and _PLACE_OF.search(plain)))
    ):
        return Part.WHERE
    if wording.WEEKDAY.search(plain):
        return None
    if where and (quoted or not kinds or kinds[0] in (Part.VENUE, Part.WARNING, Part.NAME)):
        return Part.WHERE
    one = wording.ONE_SIGN.search(plain) or _is_selective(plain)
    finding = not kinds and not one and wording.FINDING.search(plain)
    pointing = not kinds and _POINTING.match(plain) and (READING.search(plain) or len(plain.split()) <= 4)
    return Part.WHERE if finding or pointing else None


def _kind_part(plain: str, quoted: tuple[str, ...], kinds: list[Part]) -> Part | None:
    """The most telling kind that is named, or the one that several names together mean."""
    first = kinds[0] if kinds else None
    if wording.WEEKDAY.search(plain) and first in (None, Part.TIME, Part.DATE, Part.HOURS):
        return Part.HOURS
    if first is Part.VENUE and Part.WARNING in kinds:  # "what will happen, what are we warned of?"
        return Part.WARNING
    asked = _FIRST_ASKED.search(plain)
    if first is Part.VENUE and asked and asked["time"]:  # "when does the fair take place?"
        return next((part for part in kinds if part in (Part.TIME, Part.DATE)), first)
    if first is Part.NUMBER and re.search(r"\bstop\b", plain, re.IGNORECASE):
        return Part.LABELLED
    plate = first in (None, Part.NUMBER) and not quoted and _PLATE.search(plain)
    if plate and (not _is_selective(plain) or _PLATE_ON.search(plain)):
        return Part.PLATE
    named = _NAMED.search(plain)
    if first is None and not quoted and named and not is_filler(named[1]):
        return Part.NAME
    return None if first is Part.NUMBER and re.search(r"\bletters\b", plain, re.IGNORECASE) else first


def _text_part(plain: str, quoted: tuple[str, ...]) -> Part | None:
    """All that is written, or all of one sign."""
    one, selective = wording.ONE_SIGN.search(plain), _is_selective(plain)
    if READING.search(plain) and not one and not selective and not _anchors(plain, Part.SIGN):
        return Part.ALL
    return Part.SIGN if READING.search(plain) or quoted or (one and selective) else None


def _kinds(plain: str) -> list[Part]:
    """The kinds of text that a question names, the most telling first."""
    if lexicon.NAMED_BY_CALL.search(plain):
        return [Part.NAME]
    return [part for part, words in PART_WORDS if re.search(rf"(?<![\w-])(?:{words})(?![\w-])", plain, re.IGNORECASE)]


def _is_selective(plain: str) -> bool:
    """Whether "the ... one" tells which sign is meant."""
    return bool(
        _COLOURED.search(plain)
        or _first(wording.SIZES, plain)
        or _first(wording.ACROSS, plain) is not None
        or _first(wording.DOWN, plain) is not None
        or wording.MIDDLE.search(plain)
    )


def _label(plain: str, part: Part) -> str | None:
    """The word before a number. "bus stop" with a number means the stop, "bus" otherwise the lines."""
    if part is not Part.LABELLED:
        return "fax" if re.search(r"\bfax\b", plain, re.IGNORECASE) else None
    if _STOP.search(plain) and not _BUSES.search(plain):
        return "stop"
    if _LINES.search(plain):
        return "bus"
    found = re.search(rf"\b({LABEL_WORDS})\b", plain, re.IGNORECASE)
    return found[1].lower() if found else None


def _without(question: str, quoted: tuple[str, ...]) -> str:
    for text in quoted:
        question = question.replace(text, " ")
    return " ".join(question.split())


def _anchors(plain: str, part: Part) -> tuple[str, ...]:
    """The words left when everything that the rules understand, and all filler, is taken away."""
    rest = plain
    for kind, pattern in PART_WORDS:
        if kind is part:
            rest = re.sub(rf"(?<![\w-])(?:{pattern})(?![\w-])", " ", rest, flags=re.IGNORECASE)
    for understood in (wording.WEEKDAY, READING, _COLOURED, wording.MIDDLE):
        rest = understood.sub(" ", rest)
    for choices in (wording.ACROSS, wording.DOWN, wording.SIZES):
        for _, words in choices:
            rest = re.sub(rf"\b(?:{words})\b", " ", rest, flags=re.IGNORECASE)
    carriers = {Part.LABELLED: LABEL_WORDS, Part.PLATE: VEHICLES}
    if part in carriers:
        rest = re.sub(rf"\b(?:{carriers[part]})\b", " ", rest, flags=re.IGNORECASE)
    found = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", rest)
    return tuple(word.removesuffix("'s") for word in found if len(word) > 1 and not is_filler(word))


def _subjects(plain: str, heads: re.Pattern[str]) -> set[str]:
    """The words of the nouns that the question is about: those behind an article or a preposition."""
    found = set[str]()
    for head in heads.finditer(plain):
        noun: list[str] = []
        for word in re.match(r"(?:[^\W_][\w'’-]*\s*)*", plain[head.end() :])[0].split():  # type: ignore[index]
            if not is_filler(word):
                noun.append(word)
            elif noun:
                break
        found.update(part for word in noun for part in re.split(r"-|'s\b", word))
        found.update(noun)
    return found


def _first(choices: tuple[tuple[_T, str], ...], text: str) -> _T | None:
    for value, pattern in choices:
        if re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            return value
    return None
