"""What a question asks of the text in a picture: a kind of text, and the words and places that tell which."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeVar

from hart_agent.backends.embedded.head import ACRONYMS, DATA, NOT_TEXT, QUOTED, Head, Recognition, table
from hart_agent.backends.embedded.patterns import pattern
from hart_agent.ocr.colours import COLOURS

_Value = TypeVar("_Value", int, float)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ORDINALS = {"first": 0, "second": 1, "third": 2, "last": -1}
_SIZES = ("largest", "smallest")
_TITLES = frozenset({"heading", "periodical", "brand", "author", "product", "topic", "name"})
"""With these kinds the size of things is meant, unless that of letters is asked for."""
_WORD = re.compile(r"[^\W_\u3040-\u9fff]+(?:['’.&-][^\W_\u3040-\u9fff]+)*")
_DAY = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?")
_CAPITALS = re.compile(r"\b[A-Z0-9][A-Z0-9'&.-]*(?:[ ,/]+[A-Z0-9$](?:[A-Z0-9'&.:/-]|[ ,][ ,/]*[A-Z0-9$])*)?(?!\w)")
_THANKS = frozenset({"please", "pls", "plz", "thanks", "thank", "you"})
_ENDINGS = ("'s", "’s", "s", "es", "d", "ed", "ing", "n't")


@dataclass(frozen=True)
class Query:
    """A question, understood.

    Attributes:
        kind: the kind of text asked for, one of `data/kinds.tsv`.
        recognition: how clearly.
        words: the words of the question that might stand in the picture, as typed, without fillers.
        things: those of `words` that name what text stands on (a bus, a shirt); it needn't be written anywhere.
        quoted: texts that stand in the picture for certain: in quotation marks or capitals.
        across: wanted place from left to right: 0, 0.5 or 1; None if not asked.
        down: wanted place from top to bottom, likewise.
        colour: wanted colour of the sign, as `colours.colour_name` gives it.
        painted: the colour may be that of a thing on which text stands (the red box) rather than a sign's.
        size: "largest" or "smallest".
        above: for the kind "under", whether the line above is wanted.
        ordinal: index of the wanted line or place, from 0, or -1 for the last.
        part: whether a word or a line is meant rather than a whole sign.
        relative: whether it lies next to, inside or around something that need not be text.
        label: the word that stands before the wanted number.
        day: index of a weekday, 0 for Monday.
        count: the word that follows "how many" or "how much"; None without these words.
        every: whether all that stands on something is wanted.
    """

    kind: str
    recognition: Recognition = field(repr=False)
    words: tuple[str, ...] = ()
    things: frozenset[str] = frozenset()
    quoted: tuple[str, ...] = ()
    across: float | None = None
    down: float | None = None
    colour: str | None = None
    painted: bool = False
    size: str | None = None
    above: bool = False
    ordinal: int | None = None
    part: bool = False
    relative: bool = False
    label: str | None = None
    day: int | None = None
    count: str | None = None
    every: bool = False

    @property
    def name(self) -> str:
        """What the kind is called in a sentence."""
        return kind_name(self.kind)

    @property
    def sought(self) -> str:
        """The kind of text that comes nearest to what is asked."""
        return self.kind if self.is_readable else self.recognition.sought

    @property
    def is_readable(self) -> bool:
        """Whether text can answer the question."""
        return self.kind not in NOT_TEXT

    @property
    def is_selective(self) -> bool:
        """Whether a place, a colour or a size tells which sign is meant."""
        return any(value is not None for value in (self.across, self.down, self.colour, self.size))


def understand(question: str) -> Query:
    """Turn a question into a query."""
    question = " ".join(question[:2000].replace("’", "'").split())
    recognition = Head.load().recognise(question)
    kind = "phone" if re.search(r"\bfax\b", question, re.IGNORECASE) else recognition.kind
    quoted = _quotations(question)
    plain = question
    for text in quoted:
        plain = plain.replace(text, " ")
    across, down = _first({"left": 0.0, "right": 1.0}, plain), _first({"top": 0.0, "bottom": 1.0}, plain)
    ordinal = _first(_ORDINALS, plain)
    down = None if ordinal is not None else down
    middle = pattern("middle").search(plain) is not None
    lowered = [word.lower() for word in _WORD.findall(plain)]
    day = next((DAYS.index(word[:3]) for word in lowered if _DAY.fullmatch(word)), None)
    known = _kinds()[kind][1] | (labels().keys() if kind == "label" else frozenset())
    words = tuple(
        word.removesuffix("'s") for word in _WORD.findall(plain)
        if not is_filler(word) and word.lower() not in known and not _colour(word.lower())
        and not (day is not None and word.lower()[:3] in DAYS)
    )  # fmt: skip
    if kind == "where" and not words and not quoted:
        words = tuple(word for word in _WORD.findall(plain) if word.lower() not in known | _THANKS)[-1:]
    sized = kind not in _TITLES or pattern("print").search(plain)
    return Query(
        kind=kind,
        recognition=recognition,
        words=words,
        things=frozenset(word for word in words if is_filler(word, "carriers.txt")),
        quoted=quoted,
        across=0.5 if middle and across is None else across,
        down=0.5 if middle and down is None else down,
        colour=next(filter(None, map(_colour, lowered)), None),
        painted=any(_colour(word) and is_filler(thing, "carriers.txt") for word, thing in itertools.pairwise(lowered)),
        size=next((size for size in _SIZES if pattern(size).search(plain)), None) if sized else None,
        above=pattern("above").search(plain) is not None,
        ordinal=ordinal,
        part=pattern("part").search(plain) is not None,
        relative=pattern("relative").search(plain) is not None,
        label=_label(lowered, kind),
        day=day,
        count=counted[1] if (counted := pattern("count").search(plain)) else None,
        every=pattern("everything").search(plain) is not None,
    )  # fmt: skip


def _colour(word: str) -> str | None:
    """The colour that a word means: "reddish", "red-coloured"."""
    return COLOURS.get(re.sub(r"ish$|-colou?red$", "", word))


def is_filler(word: str, listed: str = "fillers.txt") -> bool:
    """Whether a word, or the one that it is a form of, is listed: by default, tells nothing about the text."""
    bare = word.lower().strip(".,:;!?'\"")
    forms = {bare, *(bare.removesuffix(ending) for ending in _ENDINGS if bare.endswith(ending))}
    return len(bare) < 2 or any(form in _listed(listed) or f"{form}e" in _listed(listed) for form in forms)


def kind_name(kind: str) -> str:
    """What a kind of text is called in a sentence."""
    return _kinds()[kind][0]


@cache
def labels() -> dict[str, str]:
    """What may stand before a number, and the first word that means the same."""
    return {word: name for name, words in table("labels.tsv") for word in words.split()}


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset((DATA / name).read_text(encoding="utf-8").split())


@cache
def _kinds() -> dict[str, tuple[str, frozenset[str]]]:
    """The name of each kind, and the words with which it is asked for."""
    return {kind: (name, frozenset(words.split())) for kind, name, words in table("kinds.tsv")}


def _quotations(question: str) -> tuple[str, ...]:
    """Words in quotation marks, else the words that a sign is said to bear, else words in capitals."""
    found = [match[0].strip("\"“”„«»'‘’ ") for match in QUOTED.finditer(question)]
    rest = QUOTED.sub(" ", question)
    if not found and any(map(str.islower, rest)):
        found = [
            match[0].strip(" ,") for match in _CAPITALS.finditer(rest)
            if any(map(str.isalpha, match[0])) and len(match[0]) > 1 and match[0] not in ACRONYMS
        ]  # fmt: skip
    quoted = pattern("with text").search(rest)
    if not found and quoted and quoted[2].lower() not in COLOURS and (quoted[1] or not is_filler(quoted[2])):
        found = [quoted[2]]
    return tuple(text for text in found if text)


def _label(lowered: list[str], kind: str) -> str | None:
    if kind == "phone":
        return "fax" if "fax" in lowered else None
    if kind not in ("label", "number"):
        return None
    if {"page", "number"} <= set(lowered):
        return "page"
    found = [labels()[word] for word in lowered if word in labels()]
    if "stop" in found and {"number", "no"} & set(lowered):
        return "stop"
    return "bus" if "bus" in found else next(iter(found), None)


def _first(choices: dict[str, _Value], text: str) -> _Value | None:
    return next((value for name, value in choices.items() if pattern(name).search(text)), None)
