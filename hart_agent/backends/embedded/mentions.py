"""Texts that a question mentions: quoted, written in capitals, pointed at, or next to what is asked for."""

from __future__ import annotations

import re

from hart_agent.backends.embedded import wording
from hart_agent.backends.embedded.fillers import COMMON
from hart_agent.backends.embedded.lexicon import PART_WORDS
from hart_agent.backends.embedded.wording import READING

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
_SAYS = re.compile(r"\b(?:says?|reads?|mentions?)\s+(?:the\s+words?\s+)?$", re.IGNORECASE)
_ENDINGS = ("'s", "s", "es", "d", "ed", "ing")


def quotations(question: str) -> tuple[str, ...]:
    """Words in quotation marks, in capitals in a question that isn't all capitals, or with an initial like a name's."""
    found = [first or second for first, second in _QUOTED.findall(question)]
    rest = _QUOTED.sub(" ", question)
    if not found and (told := wording.WITH_TEXT.search(rest)):
        text = next(text for text in told.groups() if text)
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


def pointed_at(question: str) -> str | None:
    """The text whose place is asked for, word by word; None if something else is asked for."""
    if position(question) or re.search(rf"\b(?:{wording.SIGN_NOUNS}|one)\s+where\b", question, re.IGNORECASE):
        return None
    for pattern in wording.POINTED:
        found = pattern.search(question)
        if found is not None:
            text = found["text"].strip(" \"'“”.,:;?!")
            literal = _SAYS.search(question[: found.start("text")])
            return text if text and (literal or not wording.NOT_A_TEXT.fullmatch(text)) else None
    return None


def position(plain: str) -> str | None:
    """Whether what stands "under" or "over" a text is asked for."""
    if wording.NO_POSITION.search(plain):
        return None
    if wording.UNDER.search(plain):
        return "under"
    return "over" if wording.OVER.search(plain) else None


def neighbour(question: str, quoted: tuple[str, ...]) -> tuple[str, ...]:
    """The words of the text next to which the wanted line stands; empty if none is named."""
    if quoted:
        return tuple(quoted[0].split())
    found = wording.AFTER.search(question) or wording.BEFORE.search(question)
    return tuple(found[1].strip(" ?.!:,").split()) if found else ()


def is_filler(word: str) -> bool:
    """Whether a word, or the verb that it is a form of, says nothing about which sign is meant."""
    bare = word.lower().strip(".,:;!?'\"")
    stems = [bare.removesuffix(ending) for ending in _ENDINGS if bare.endswith(ending)]
    doubled = [stem[:-1] for stem in stems if len(stem) > 3 and stem[-1:] == stem[-2:-1]]  # "getting"
    if bare.endswith("n't"):
        return True
    return bool(READING.fullmatch(bare)) or any(
        form in COMMON or (form + "e" in COMMON and form != bare) for form in (bare, *stems, *doubled)
    )


def strip_common(phrase: tuple[str, ...]) -> tuple[str, ...]:
    """The phrase without filler words."""
    return tuple(word for word in phrase if not is_filler(word))


def _is_known(words: str) -> bool:
    """Whether capitalised words are but the ordinary words of a question."""
    lowered = words.lower()
    return all(is_filler(word) for word in lowered.split()) or any(
        re.fullmatch(kind, lowered, re.IGNORECASE) for _, kind in PART_WORDS
    )
