"""Answers in words: special tokens and markup removed, and the answer taken out of a phrase such as "the answer is"."""

from __future__ import annotations

import json
import re

from hart_agent.answers.framing import after_correction, without_asides
from hart_agent.answers.markup import handed_in, undecorated
from hart_agent.dialogue.json_calls import unfenced
from hart_agent.dialogue.json_repair import whole_json
from hart_agent.dialogue.markers import without_markers
from hart_agent.errors import ReplyFormatError

_MAX_SEARCHED = 20_000
"""Characters at the end of a reply in which an answer is looked for."""

_GLM_BOX = ("<|begin_of_box|>", "<|end_of_box|>")
_CLAUSE = r"(?:(?:so|thus|therefore|hence),?\s|(?:based on|according to|from|given|looking at)\s[^,.\n]{1,40},\s)?"
_SENTENCE = r"(?:^|(?<=[.!?:]\s)|(?<=[。！？，：]))[ \t>#-]{0,6}" + _CLAUSE
_ANSWER = r"(?:antwort|respuesta|réponse|risposta|resposta)"
_LEAD_INS = tuple(
    re.compile(_SENTENCE + phrase, re.IGNORECASE | re.MULTILINE)
    for phrase in (
        r"(?:the|my)\s(?:final\s|correct\s|best\s)?(?:answer|option|choice)\s(?:is|would\sbe)"
        r"(?:\s(?:therefore|thus|hence|then|clearly))?(?:\s?:|(?=\s))",
        r"(?:final\s|correct\s|short\s)?answer\s?[:：]",
        r"#{1,4}\s(?:final\s)?answer$",
        rf"(?:die|la|a)\s(?:richtige\s)?{_ANSWER}\s(?:correct[ae]\s|correta\s|finale?\s)?(?:ist|lautet|es|est|è|é)(?:\s?:|(?=\s))",
        rf"{_ANSWER}(?:\sfinale?)?\s?[:：]",
        r"(?:所以|因此)?(?:最[终終]|正[确確])?(?:答案|答え|正解)(?:[是为為は]\s?[:：]?|\s?[:：])",
    )
)
_ABBREVIATION = re.compile(r"[^\W\d_]\.")
"""A letter and a full stop, as in "a.m.", where the last full stop belongs to the answer."""

_BOX = "\\boxed{"
_WRAPPERS = (
    ("**", "**"), ("__", "__"), ("*", "*"), ("`", "`"), ("$", "$"), ("\\(", "\\)"), ('"', '"'), ("“", "”"), ("'", "'"),
    (_BOX, "}"), ("\\text{", "}"), ("\\textbf{", "}"), ("\\mathrm{", "}"), ("\\mathbf{", "}"),
)  # fmt: skip
_TAGGED_WRAPPERS = (("**", "**"), (_BOX, "}"), ("\\text{", "}"))
"""An answer between tags is given as written but for these."""

_JSON_KEYS = ("answer", "final_answer")


def tagged_answer(body: str) -> str:
    """The answer between tags, without special tokens."""
    return _unwrapped(without_markers(body), _TAGGED_WRAPPERS)


def plain_answer(text: str) -> str | None:
    """The answer that a reply without tags gives; all of its words if no phrase or box marks a part of them.

    Args:
        text: the reply without its thoughts.
    """
    tail = text[-_MAX_SEARCHED:]
    if marked := handed_in(tail):
        return _short(without_markers(marked))
    tail, text = undecorated(tail), undecorated(text)
    if box := _glm_box(tail):
        return _short(without_markers(box))
    tail = _emphasised(without_markers(unfenced(tail)))
    for find in (latex_box, _json_answer, _after_lead_in):
        found = find(tail)
        if found:
            return _short(found)
    words = _emphasised(without_markers(unfenced(without_asides(text))))
    if any(pattern.fullmatch(words) for pattern in _LEAD_INS):
        return None
    return (words if " " in words else _short(words)) or None


def _glm_box(text: str) -> str:
    """What stands in the last box."""
    opener, closer = _GLM_BOX
    *ended, _ = text.split(closer)
    return next((piece.partition(opener)[2].strip() for piece in reversed(ended) if opener in piece), "")


def latex_box(text: str) -> str:
    r"""What stands in the last complete `\boxed{...}` of a text; empty if there is none."""
    start = text.rfind(_BOX)
    if start < 0:
        return ""
    depth = 0
    for index in range(start + len(_BOX) - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return text[start + len(_BOX) : index]
    return ""


def _json_answer(text: str) -> str:
    try:
        value = whole_json(text) if text.startswith("{") else None
    except ReplyFormatError:
        return ""
    found = next((value[key] for key in _JSON_KEYS if key in value), "") if isinstance(value, dict) else ""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _after_lead_in(text: str) -> str:
    text = after_correction(text) or text
    ends = [found.end() for pattern in _LEAD_INS for found in pattern.finditer(text)]
    return text[max(ends) :].strip().partition("\n")[0] if ends else ""


def _emphasised(text: str) -> str:
    """Without the asterisks of bold text."""
    return text.replace("**", "").strip() if text.count("**") % 2 == 0 else text


def _short(text: str) -> str:
    """A short answer, without the markup around it and the full stop behind it."""
    return _without_full_stop(_unwrapped(_without_full_stop(text.strip()), _WRAPPERS))


def _without_full_stop(text: str) -> str:
    if text.endswith("。"):
        return text[:-1]
    return text[:-1] if text.endswith(".") and not _ABBREVIATION.search(text, 0, len(text) - 1) else text


def _unwrapped(text: str, wrappers: tuple[tuple[str, str], ...]) -> str:
    """Without the pairs of marks that stand around all of it."""
    text = text.strip()
    for _ in range(len(wrappers)):
        for left, right in wrappers:
            inner = text[len(left) : -len(right)].strip()
            if text.startswith(left) and text.endswith(right) and inner and not {left, right} & set(_found(inner)):
                text = inner
                break
        else:
            return text
    return text


def _found(text: str) -> list[str]:
    return [mark for pair in _WRAPPERS for mark in pair if mark in text and mark != "}"]
