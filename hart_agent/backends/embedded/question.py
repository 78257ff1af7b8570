"""What a question asks of the text in a picture: which part of which sign, or nothing that text can answer.

Rules, not a model: the small language models that ship inside packages invented answers when tried. A question that
matches no rule is declined, for an answer that nobody asked for is worse than none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from hart_agent.backends.embedded import lexicon
from hart_agent.backends.embedded.lexicon import COLOURS, COMMON, DAYS, LABEL_WORDS, PART_WORDS, READING, Part

_T = TypeVar("_T")

_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]{2,})[\"“”„«»]|(?<!\w)['‘’]([^'‘’]{2,})['‘’](?!\w)")
_CAPITALS = re.compile(
    r"\b[A-Z][A-Z0-9'&.-]*[A-Z][A-Z0-9'&.-]*(?:[ ,/]+(?:[A-Z0-9$][A-Z0-9'&.:/-]*|\d[\d.:-]*|-))*(?!\w)"
)
_TITLES = re.compile(r"(?<=\w\s)(?<![.?!]\s)[A-Z][a-z][\w'-]*(?:\s+[A-Z][\w'-]*)*")
_ACRONYMS = frozenset({"OCR", "OK", "PLEASE", "URL", "ID", "SMS", "PDF", "CCTV"})
_NAMES_OF_TIME = re.compile(
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:jan|febr)uary|english|app|siri|alexa", re.IGNORECASE
)
_TEXT_FOLLOWS = re.compile(
    r"\b(?:says?|saying|said|words?|reading|reads|mention(?:s|ing)?|labelled|labeled|marked|titled|text|phrase|line|with|bearing|got|carrying|starting)"
    r"\s+(?:the\s+)?(?:words?\s+|text\s+)?$", re.IGNORECASE,
)  # fmt: skip
_SUBJECT = re.compile(
    r"\b(?:the|an?|for|of|about|your|their|says?|saying|words?|mention(?:s|ing)?|called|named|with|text|reading)\s+((?:[^\W_][\w'’-]*\s*)+)",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\b(?:under|underneath|below|beneath|after|follows|following|above|over)\s+(?!it\b|that\b|this\b|there\b)(.+)",
    re.IGNORECASE,
)
_FIRST_ASKED = re.compile(
    r"\b(?:(?P<time>when|(?:what|which)(?:'s|\s+is)?(?:\s+the)?\s+(?:day|date|month|time)s?)|where|(?:what|which)\s+\w+)\b",
    re.IGNORECASE,
)
"""The first thing that a question asks for; `time` if that is a day or an hour."""
_COLOURED = re.compile(rf"\b({'|'.join(COLOURS)})(?:ish)?(?:[\s-]+colou?red)?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """A question, understood.

    Attributes:
        part: what to give back.
        across: wanted place from left to right: 0, 0.5 or 1; None if not asked.
        down: wanted place from top to bottom, likewise.
        colour: the wanted colour of the sign, a name that `signs.colour_name` gives.
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
    if (pointed := _pointed(question)) is not None:
        return Query(Part.WHERE, phrase=tuple(pointed.split()))
    quoted = _quotations(question)
    plain = lexicon.OPENER.sub("", _without(question, quoted))
    part = _part(plain, quoted)
    if part is None:
        return None
    position = _position(plain) if part is Part.SIGN else None
    phrase: tuple[str, ...] = ()
    if part is Part.WHERE or position:
        phrase = _phrase(question, quoted, position)
        if not quoted and not strip_common(phrase):
            return None
    middle = bool(lexicon.MIDDLE.search(plain))
    where = part is Part.WHERE
    across = None if where else _first(lexicon.ACROSS, plain)
    down = None if where or position else _first(lexicon.DOWN, plain)
    colour = _COLOURED.search(plain)
    day = lexicon.WEEKDAY.search(question)
    anchors = () if where or position else _anchors(plain, part)
    return Query(
        part=part,
        across=0.5 if middle and across is None and not where else across,
        down=0.5 if middle and down is None and not where else down,
        colour=COLOURS[colour[1].lower()] if colour else None,
        size=_first(lexicon.SIZES, plain),
        anchors=anchors,
        required=tuple(word for word in anchors if part is Part.NAME or _is_subject(word, plain)),
        quoted=() if where or position else quoted,
        phrase=phrase,
        position=position,
        label=_label(plain)
        if part is Part.LABELLED
        else "fax"
        if re.search(r"\bfax\b", plain, re.IGNORECASE)
        else None,
        day=DAYS.index(day[1].lower()[:3]) if day else None,
        literal=bool(quoted or READING.search(plain) or not re.search(r"\bwhere", plain, re.IGNORECASE)),
    )


def _pointed(question: str) -> str | None:
    """The text that the question asks the place of, word by word; None if it asks for something else."""
    plain = lexicon.OPENER.sub("", question)
    if _position(plain) or re.search(rf"\b(?:{lexicon.SIGN_NOUNS}|one)\s+where\b", plain, re.IGNORECASE):
        return None
    for pattern in lexicon.POINTED:
        found = pattern.search(plain)
        if found is not None:
            text = found["text"].strip(" \"'“”.,:;?!")
            return text if text and not lexicon.NOT_A_TEXT.fullmatch(text) else None
    return None


def strip_common(phrase: tuple[str, ...]) -> tuple[str, ...]:
    """The phrase without filler words."""
    return tuple(word for word in phrase if not _is_filler(word))


def _part(plain: str, quoted: tuple[str, ...]) -> Part | None:
    position = _position(plain)
    if lexicon.EVERYTHING.search(plain) and not lexicon.ONE_SIGN.search(plain) and not quoted and not position:
        return Part.ALL
    if lexicon.NOT_TEXT.search(plain) and not quoted:
        return None
    where = lexicon.WHERE.search(plain)
    kinds = _kinds(plain)
    if (
        position
        and not lexicon.WEEKDAY.search(plain)
        and (quoted or _AFTER.search(plain))
        and (READING.search(plain) or lexicon.UNDER.search(plain))
    ):
        return Part.SIGN
    if where and Part.VENUE in kinds and not quoted:
        return Part.VENUE
    if quoted and not kinds and not lexicon.ONE_SIGN.search(plain):
        return Part.WHERE
    if (
        where
        and (quoted or not kinds or kinds[0] in (Part.VENUE, Part.WARNING, Part.NAME))
        and not lexicon.WEEKDAY.search(plain)
    ):
        return Part.WHERE
    if re.match(r"where\b|(?:find|locate)\s+(?!the\b|an?\b|my\b|out\b)", plain, re.IGNORECASE) and (
        READING.search(plain) or len(plain.split()) <= 4
    ):
        return Part.WHERE
    if lexicon.WEEKDAY.search(plain) and (not kinds or kinds[0] in (Part.TIME, Part.DATE, Part.HOURS)):
        return Part.HOURS
    asked = _FIRST_ASKED.search(plain)
    if kinds and kinds[0] is Part.VENUE and asked and asked["time"]:  # "when does the fair take place?"
        kinds = [part for part in kinds if part in (Part.TIME, Part.DATE)] or kinds
    if kinds and not (kinds[0] is Part.NUMBER and re.search(r"\bletters\b", plain, re.IGNORECASE)):
        return kinds[0]
    if (
        READING.search(plain)
        and not lexicon.ONE_SIGN.search(plain)
        and not _is_selective(plain)
        and not _anchors(plain, Part.SIGN)
    ):
        return Part.ALL
    if READING.search(plain) or quoted or (lexicon.ONE_SIGN.search(plain) and _is_selective(plain)):
        return Part.SIGN
    return None


def _kinds(plain: str) -> list[Part]:
    """The kinds of text that a question names, the most telling first."""
    if lexicon.NAMED_BY_CALL.search(plain):
        return [Part.NAME]
    return [part for part, words in PART_WORDS if re.search(rf"(?<![\w-])(?:{words})(?![\w-])", plain, re.IGNORECASE)]


def _is_selective(plain: str) -> bool:
    """Whether "the ... one" tells which sign is meant."""
    return bool(
        _COLOURED.search(plain)
        or _first(lexicon.SIZES, plain)
        or _first(lexicon.ACROSS, plain) is not None
        or _first(lexicon.DOWN, plain) is not None
        or lexicon.MIDDLE.search(plain)
    )


def _position(plain: str) -> str | None:
    if re.search(
        r"\b(?:down|listed|shown)\s+below\b|\b(?:under|after)\s+(?:what|which)\b|\bover\s+(?:on|there|here|in|at|to)\b|\bafter\s+all\b",
        plain,
        re.IGNORECASE,
    ):
        return None
    if lexicon.UNDER.search(plain) or re.search(
        r"\b(?:above|over)\s+(?:what|which)\b|\babove\s+it\s+is\b", plain, re.IGNORECASE
    ):
        return "under"
    return "over" if re.search(r"\b(?:above|over)\b", plain, re.IGNORECASE) else None


def _phrase(question: str, quoted: tuple[str, ...], position: str | None) -> tuple[str, ...]:
    """The words of the text that the question points at."""
    if quoted:
        return tuple(quoted[0].split())
    after = _AFTER.search(question) if position else None
    if after:
        return tuple(after[1].strip(" ?.!:,").split())
    return tuple(re.sub(r"[?!]|[.,](?!\d)", " ", question).split())


def _label(plain: str) -> str | None:
    """Where both words stand, "bus stop" with a number means the stop, "bus" otherwise the lines."""
    stop = (
        rf"\bstop(?:'s)?\s+(?:{lexicon.LABEL_DETAIL})|(?:{lexicon.LABEL_DETAIL})\s+(?:\w+\s+){{0,3}}(?:bus\s+)?stop\b"
    )
    if re.search(stop, plain, re.IGNORECASE) and not re.search(
        r"\bbus(?:es)?\s+(?:numbers?|lines?|routes?)|\bbuses\b", plain, re.IGNORECASE
    ):
        return "stop"
    if re.search(r"\bbus(?:es)?\b|\broutes?\b|\blines\b", plain, re.IGNORECASE):
        return "bus"
    found = re.search(rf"\b({LABEL_WORDS})\b", plain, re.IGNORECASE)
    return found[1].lower() if found else None


def _quotations(question: str) -> tuple[str, ...]:
    """Words in quotation marks, in capitals in a question that isn't all capitals, or with an initial like a name's."""
    found = [first or second for first, second in _QUOTED.findall(question)]
    rest = _QUOTED.sub(" ", question)
    if not found and (told := lexicon.WITH_TEXT.search(rest)):
        text = told["word"] or told["words"] or told["ending"]
        found.append(text)
        rest = rest.replace(text, " ")
    if any(character.islower() for character in rest):
        found += [match[0] for match in _CAPITALS.finditer(rest) if match[0] not in _ACRONYMS]
        for capital in found:
            rest = rest.replace(capital, " ")
        for match in _TITLES.finditer(rest):
            told = _TEXT_FOLLOWS.search(rest[: match.start()])
            if not _NAMES_OF_TIME.match(match[0]) and (told or not _is_known(match[0])):
                found.append(match[0])
    return tuple(text.strip(" .,;:!?") for text in found)


def _is_known(words: str) -> bool:
    """Whether capitalised words are but the ordinary words of a question."""
    lowered = words.lower()
    return all(_is_filler(word) for word in lowered.split()) or any(
        re.fullmatch(kind, lowered, re.IGNORECASE) for _, kind in PART_WORDS
    )


def _is_filler(word: str) -> bool:
    bare = word.lower().strip(".,:;!?'\"")
    return bare in COMMON or bare.removesuffix("'s") in COMMON or bool(READING.fullmatch(bare))


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
    for understood in (lexicon.WEEKDAY, READING, _COLOURED, lexicon.MIDDLE):
        rest = understood.sub(" ", rest)
    for choices in (lexicon.ACROSS, lexicon.DOWN, lexicon.SIZES):
        for _, words in choices:
            rest = re.sub(rf"\b(?:{words})\b", " ", rest, flags=re.IGNORECASE)
    if part is Part.LABELLED:
        rest = re.sub(rf"\b(?:{LABEL_WORDS})\b", " ", rest, flags=re.IGNORECASE)
    found = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", rest)
    return tuple(word.removesuffix("'s") for word in found if len(word) > 1 and not _is_filler(word))


def _is_subject(word: str, plain: str) -> bool:
    """Whether a word stands where the subject of a question stands: after an article or a preposition."""
    return any(word in re.split(r"[\s-]+|'s\b", phrase) for phrase in _SUBJECT.findall(plain))


def _first(choices: tuple[tuple[_T, str], ...], text: str) -> _T | None:
    for value, pattern in choices:
        if re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            return value
    return None
