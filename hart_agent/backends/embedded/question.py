"""What a question asks of the text in a picture: which part of which sign, or nothing that text can answer.

Rules, not a model: the small language models that ship inside packages invented answers when tried. A question that
matches no rule is declined, for an answer that nobody asked for is worse than none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

_T = TypeVar("_T")


class Part(StrEnum):
    """Which part of a sign's text answers the question."""

    ALL = "all the text"
    SIGN = "sign"
    WHERE = "place of a text"
    PHONE = "phone number"
    EMAIL = "e-mail address"
    WEBSITE = "web address"
    PRICE = "price"
    DATE = "date"
    TIME = "opening hours or time"
    ADDRESS = "address"
    PLATE = "number plate"
    NUMBER = "number"
    NAME = "name"


@dataclass(frozen=True)
class Query:
    """A question, understood.

    Attributes:
        part: what to give back.
        across: wanted place from left to right: 0, 0.5 or 1; None if not asked.
        down: wanted place from top to bottom, likewise.
        colour: the wanted colour of the sign, one of `COLOURS`.
        size: "largest" or "smallest".
        anchors: words that must stand on the sign, or describe something that a text reader can't see.
        quoted: the anchors that were quoted or capitalised: these are text for sure.
        position: "under" or "over" if the wanted line stands below or above the quoted words on their sign.
    """

    part: Part
    across: float | None = None
    down: float | None = None
    colour: str | None = None
    size: str | None = None
    anchors: tuple[str, ...] = ()
    quoted: tuple[str, ...] = ()
    position: str | None = None


COLOURS = {
    "red": "red", "crimson": "red", "maroon": "red", "orange": "orange", "yellow": "yellow", "golden": "yellow",
    "green": "green", "blue": "blue", "navy": "blue", "purple": "purple", "violet": "purple", "pink": "pink",
    "brown": "brown", "wooden": "brown", "black": "black", "dark": "black", "grey": "grey", "gray": "grey",
    "silver": "grey", "white": "white", "cream": "cream", "beige": "cream", "turquoise": "turquoise", "teal": "turquoise",
    "cyan": "turquoise",
}  # fmt: skip

_DECLINE = re.compile(
    r"""\b(?:what|which)\s+(?:\w+\s+)?colou?rs?\b | \bcolou?r\s+(?:is|are|of)\b | \bhow\s+(?:many|old|tall|big|large|far|long
    |heavy|deep|high|wide|fast|warm|cold|hot|come|often|does\s+it\s+feel)\b | ^\W*(?:is|are|was|were|does|do|did|has|have|can\s+(?!you)
    |could\s+(?!you)|will|would\s+(?!you)|should)\b | \bwhy\b | \bwho\s+(?:took|made|painted|shot|owns|built|photographed)\b
    | \b(?:weather|season|breed|species|mood|emotion|animals?|doing|wearing|holding|looking)\b
    | \bwhat\s+(?:kind|type|sort|make|brand|model|material)\b | \b(?:describe|count|guess)\b | \btime\s+of\s+(?:day|year)\b
    | \b(?:taken|photographed|shot)\b | \bmade\s+of\b""",
    re.VERBOSE | re.IGNORECASE,
)
_PARTS: tuple[tuple[Part, str], ...] = (
    (Part.EMAIL, r"e-?mail"),
    (Part.WEBSITE, r"web\s?(?:site|page|address)|url|homepage|internet|online"),
    (Part.PHONE, r"(?:tele)?phone|tel|call|dial|ring|fax|contact\s+number|mobile|hotline"),
    (Part.PLATE, r"(?:licen[cs]e|number|registration|car|vehicle)[\s-]+plate|registration\s+number|plate\s+number"),
    (Part.PRICE, r"prices?|cost|costs|how\s+much|pay|charge[ds]?|fee|fare|expensive|dear|cheap"),
    (Part.TIME, r"opening\s+(?:hours|times?)|business\s+hours|hours|open|opens|opening|close|closes|closing|closed"
     r"|what\s+time|which\s+times?|start\s+time|o'?clock|until\s+when"),
    (Part.DATE, r"date|dates|which\s+day|what\s+day|when|which\s+month"),
    (Part.ADDRESS, r"address|street(?:\s+name)?|road|avenue|lane|located|location"),
    (Part.NAME, r"names?|named|called|who|whose|whom|brand"),
    (Part.NUMBER, r"numbers?|digits?|no\.|figures?|speed\s+limit|limit|which\s+(?:bus|line|platform|gate|room|floor)"),
)  # fmt: skip
_READING = re.compile(
    r"\b(?:say|says|saying|said|written|writes?|writing|reads?|reading|text|texts|words?|wording|signs?|signboards?|labels?"
    r"|inscriptions?|plates?|boards?|notices?|posters?|letters|lettering|spells?|spelled|print|printed|captions?|titles?"
    r"|banners?|placards?|plaques?|messages?|transcribe|signage|billboards?|stickers?|tags?|warnings?|headings?|headlines?)\b",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"\b(?:all|every|everything|each|entire|complete|whole)\b.*\b(?:text|texts|words?|written|writing|signs|read|readable|legible"
    r"|says?|letters|lettering|printed)\b|\b(?:transcribe|read)\s+(?:out\s+)?(?:this|the)\s+(?:picture|photo|image)\b"
    r"|\b(?:what|which)\s+texts?\b.*\b(?:picture|photo|image)\b|\b(?:read|list)\s+(?:out\s+)?everything\b",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"^\W*(?:(?:please|can\s+you|could\s+you|would\s+you)\s+)*(?:where(?:'s|\s+(?:is|are|does|do|can|on|in|exactly))"
    r"|(?:find|locate|show(?:\s+me)?|point(?:\s+to|\s+out)?)\b)|\bwhere\s+(?:\w+\s+){0,6}(?:is|stands?|appears?|written)\b"
    r"|\b(?:position|whereabouts)\s+of\b|\bin\s+which\s+part\b",
    re.IGNORECASE,
)
_ACROSS = ((0.0, r"left(?:most|-hand)?"), (1.0, r"right(?:most|-hand)?"))
_DOWN = ((0.0, r"top(?:most)?|upper|highest"), (1.0, r"bottom|lower|lowest"))
_MIDDLE = re.compile(r"\b(?:middle|centre|center|central)\b", re.IGNORECASE)
_SIZES = (("largest", r"largest|biggest|huge|main|big|large"), ("smallest", r"smallest|tiniest|tiny|little|small"))
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]{2,})[\"“”„«»]|(?<!\w)['‘’]([^'‘’]{2,})['‘’](?!\w)")
_CAPITALS = re.compile(r"\b[A-Z][A-Z0-9'&.-]+\b(?:\s+[A-Z0-9][A-Z0-9'&.-]*\b)*")
_UNDER = re.compile(r"\b(?:under|underneath|below|beneath|after|following)\b", re.IGNORECASE)
_OVER = re.compile(r"\b(?:above|over|before)\b", re.IGNORECASE)
_ACRONYMS = frozenset({"OCR", "OK", "PLEASE", "URL", "ID"})
_COMMON = frozenset(
    """a about after all an and any anything anywhere are around as at be been before behind below beneath beside between
    black board bottom by can card closest corner could did display displayed do does down each edge enough every
    everything exact exactly find following for from front full get give given go going had half hand has have hello here hey hi
    him how i if image in indicated info information inside into is it its just kindly know legible let like line lines list
    little look looking me mention mentioned mind more most must my near nearby need next no nothing now of off on one only or other our out over
    page part photo photograph pic picture piece place please point portion posted provide quick quickly read readable reading right scene see seen shall shot
    should show showing shown shows side sign signs some somewhere spell spot state stated still tell text than thank thanks that the their them then there
    these they thing this those to top toward towards under underneath up us view visible want was way we were what whats when where which who whom whose
    why will with within word words would write writing written you your yes yet up-to me i'd i'm it's what's where's that's
    area background foreground object stand stands standing hanging hang hangs attached fixed mounted wall pole post shop store company business owner
    place's located locate location position appear appears appearing contain contains read reads today currently really
    mean means same whole entire complete actual actually put puts come comes able someone person people anybody anyone
    large small big largest biggest smallest tiny tiniest huge main upper lower left right middle centre center central leftmost rightmost topmost
    highest lowest left-hand right-hand corner""".split()
)


def understand(question: str) -> Query | None:
    """Turn a question into a query, or None if text in a picture can't answer it (or it isn't understood)."""
    quoted = _quotations(question)
    plain = _without(question, quoted)
    wanted = _part(plain, bool(quoted))
    if wanted is None:
        return None
    anchors = _anchors(plain, wanted)
    if wanted is Part.WHERE and not (quoted or anchors):
        return None
    under, over = _UNDER.search(plain), _OVER.search(plain)
    position = None
    if (quoted or anchors) and (under or over):
        position = "under" if under else "over"
    middle = bool(_MIDDLE.search(plain))
    across, down = _first(_ACROSS, plain), _first(_DOWN, plain)
    colour = re.search(rf"\b({'|'.join(COLOURS)})\b", plain, re.IGNORECASE)
    return Query(
        part=wanted,
        across=0.5 if middle and across is None else across,
        down=0.5 if middle and down is None else down,
        colour=COLOURS[colour[1].lower()] if colour else None,
        size=_first(_SIZES, plain),
        anchors=anchors,
        quoted=quoted,
        position=position,
    )


def _part(plain: str, has_quotation: bool) -> Part | None:
    if _WHERE.search(plain) and (has_quotation or _READING.search(plain)):
        return Part.WHERE
    if _ALL.search(plain):
        return Part.ALL
    if _DECLINE.search(plain):
        return None
    for part, pattern in _PARTS:
        if re.search(rf"\b(?:{pattern})(?!\w)", plain, re.IGNORECASE):
            return part
    if _READING.search(plain) or has_quotation:
        return Part.SIGN
    return None


def _quotations(question: str) -> tuple[str, ...]:
    """Words in quotation marks, and words in capitals in a question that isn't all capitals."""
    found = [first or second for first, second in _QUOTED.findall(question)]
    if any(character.islower() for character in question):
        rest = _QUOTED.sub(" ", question)
        found += [match for match in _CAPITALS.findall(rest) if match not in _ACRONYMS and len(match) > 1]
    return tuple(text.strip() for text in found)


def _without(question: str, quoted: tuple[str, ...]) -> str:
    for text in quoted:
        question = question.replace(text, " ")
    return " ".join(question.replace("’", "'").split())


def _anchors(plain: str, part: Part) -> tuple[str, ...]:
    """The words left when everything that the rules understand, and all filler, is taken away."""
    known = "|".join(pattern for kind, pattern in _PARTS if kind is part)
    rest = re.sub(rf"\b(?:{known})(?!\w)", " ", plain, flags=re.IGNORECASE) if known else plain
    rest = _READING.sub(" ", rest)
    words = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", rest)
    return tuple(
        word for word in words if word.lower() not in _COMMON and word.lower() not in COLOURS and len(word) > 1
    )


def _first(choices: tuple[tuple[_T, str], ...], text: str) -> _T | None:
    for value, pattern in choices:
        if re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            return value
    return None
