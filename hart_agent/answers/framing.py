"""What stands around an answer and is no part of it: how replies lead in, correct themselves, explain and take leave.

Patterns, each of which takes time proportional to the length of a text.
"""

from __future__ import annotations

import json
import re
from typing import Any

_CORRECTION = re.compile(
    r"[\n.!?\u2026]\s{0,3}(?:hmm[,.]?\s)?(?:(?:but\s)?wait[,.:]\s|correction:|actually,?\sno\b|on second thought"
    r"|scratch that|i was wrong)|(?:\.\.|\u2026)\s?(?:(?:no|sorry|wait|oops|hmm)[,\s]\s?){1,3}(?:i meant\s)?",
    re.IGNORECASE,
)
_LEAVE = re.compile(
    r"(?<=\S)\s{1,3}(?-i:Let me know if|Would you like me|Do you want me|Is there anything).*"
    r"|(?<=[.!?)])\s{1,3}(?:let me know|would you like|do you (?:want|need)|feel free|(?:i )?hope (?:this|that)"
    r"|is there anything|if you (?:need|have|want))\b.*",
    re.IGNORECASE | re.DOTALL,
)
_ASIDE_LINES = re.compile(
    r"\n[\s>*#_-]{0,6}(?:confidence|evidence|explanation|reason|reasoning|rationale|justification|note|source"
    r"|bbox|box)"
    r"[*_]{0,2}\s?:.*",
    re.IGNORECASE | re.DOTALL,
)
_SURENESS = re.compile(
    r"\s[\[(](?:confidence|certainty|probability|\d{1,3}(?:\.\d{1,3})?\s?%)[^\[\]()\n]{0,40}[\])]", re.IGNORECASE
)
_BOLD_FIRST = re.compile(r"\s{0,9}\*\*([^*\n]{1,200})\*\*\s{0,3}\n")
_HEADING = re.compile(
    r".*:\s{0,3}|(?:(?:final|my|short|correct)\s)?(?:answer|result|conclusion|response|reasoning|analysis|explanation"
    r"|summary|step \d)\s{0,3}",
    re.IGNORECASE | re.DOTALL,
)
_SAID = re.compile(
    r"(?:^|[\n.!?:;])[\s>*#-]{0,6}(?:so|thus|hence|therefore)?,?\s?(?:the |my )?(?:final |correct )?"
    r"answer(?:\s?[:=]|\sis\b:?)",
    re.IGNORECASE,
)
_NOT_OTHER = re.compile(r",\s(?:and )?(?:not|rather than|instead of)\s[^;\n]{1,80}$", re.IGNORECASE)
_CONTRAST = re.compile(
    r"(?:^|[\n.!?]\s?)(?:(?:it|this|that)(?:'s not|\sis not|\sisn't)|at first|initially)\b[^;\n]{1,120}?"
    r"(?:;|,)\s(?:but\s)?(?:rather\s)?(?:it|this|that)(?:'s|\sis)\s(?:actually\s)?",
    re.IGNORECASE,
)
_NAMED = r"(?:answer|result|value|text|sign|number|word|label|caption|guess|choice)"
_LEAD_IN = re.compile(
    r"\s{0,3}(?:(?:sure|certainly|okay|yes)[,!.]\s)?"
    r"(?:(?:so|thus|therefore|hence|in conclusion|in summary|overall)\b,?\s)?"
    r"(?:(?:based on|according to|from|after|upon|given|in|on|judging (?:by|from)|looking)\s[^,.\n]{1,60},\s)?"
    r"(?:i\s(?:can\s)?(?:think|believe|see|would say)\s(?:that\s)?)?"
    rf"(?:(?:#{{1,4}}\s)?(?:final\s)?answer\s{{0,3}}\n\s{{0,3}}|答案[是为]?[:：]?\s?"
    rf"|(?:the\s|my\s)?(?:final\s|correct\s|best\s|short\s)?{_NAMED}(?:\sto the question)?"
    r"(?:\s(?:shown|given|displayed))?\s?(?:is|says|reads|[:=：])\s?"
    r"|(?:it|this|that)(?:'s|\s(?:is|says|reads|appears to be|looks like|seems to be))\s"
    r"|(?:most likely|probably)\s)",
    re.IGNORECASE,
)
_ROLE = re.compile(r"\s{0,3}(?:assistant|model|response)\s?(?::\s|\n)", re.IGNORECASE)
_NEGATION = re.compile(
    r"\b(?:not|never|cannot|\w{2,8}n't|wrong|neither|no other|whether)\b|ません|できない|无法|不能|없습니다|어렵",
    re.IGNORECASE,
)
_TENTATIVE = re.compile(
    r"\?|\b(?:unable|check (?:if|for|whether)|such as|for (?:example|instance)|e\.g\.|tricky|take back|withdraw"
    r"|no answer)\b|看看|是不是",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"\s{0,9}(?:is|are|was|were|does|do|did|can|could|which|what|who|where|how)\b[^\n]*\?\s{0,9}", re.IGNORECASE
)
_FIELDS = ("answer", "final_answer", "text", "value", "result")
_CALLED = ("arguments", "parameters")
_LARGEST = 2_000
"""Characters of a JSON object that is read as an answer."""


def after_correction(text: str) -> str:
    """What a text says after it takes back what it said before; empty if it doesn't."""
    ends = [found.end() for found in _CORRECTION.finditer(text)]
    return text[ends[-1] :].strip() if ends else ""


def takes_back(words: str) -> bool:
    """Whether words between two answers take the first one back."""
    return _CORRECTION.search(f"\n{words.lstrip()}") is not None


def said_once(text: str) -> str:
    """What follows the only "the answer is"; empty if there is none, or several."""
    ends = [found.end() for found in _SAID.finditer(text)]
    return text[ends[0] :].strip() if len(ends) == 1 else ""


def without_leave(text: str) -> str:
    """Without "Let me know if you need more" at the end, and without how sure it is."""
    return _SURENESS.sub("", _LEAVE.sub("", text, count=1))


def without_asides(text: str) -> str:
    """The answer alone, of a text that gives one and goes on with lines about it."""
    kept = _ASIDE_LINES.sub("", without_leave(text), count=1)
    bold = _BOLD_FIRST.match(kept)
    return bold[1] if bold and "**" not in kept[bold.end() :] and not _HEADING.fullmatch(bold[1]) else kept


def without_framing(text: str) -> str:
    """What an answer in free text says: without a contrast with something else, and without what leads in."""
    role = _ROLE.match(text)
    text = text[role.end() :] if role else text
    contrast = _CONTRAST.search(text)
    statement = text[contrast.end() :] if contrast else text
    statement = _NOT_OTHER.sub("", statement)
    lead = _LEAD_IN.match(statement)
    return statement[lead.end() :] if lead and statement[lead.end() :].strip() else statement


def is_negated(text: str) -> bool:
    """Whether a text denies something."""
    return _NEGATION.search(text) is not None


def is_tentative(text: str) -> bool:
    """Whether a text asks, gives an example, or says what it is going to look at."""
    return _TENTATIVE.search(text) is not None


def is_question(text: str) -> bool:
    """Whether a text does nothing but ask."""
    return _QUESTION.fullmatch(text) is not None


def field_of_object(text: str) -> str | None:
    """What a JSON object gives as its answer, the text itself if it is no such object; None if it is a call."""
    if not text.startswith("{") or len(text) > _LARGEST or not text.rstrip().endswith("}"):
        return text
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if "name" in value and any(name in value for name in _CALLED):
        return None
    found = next((value[name] for name in _FIELDS if isinstance(value.get(name), str | int | float)), None)
    return text if found is None else str(found)
