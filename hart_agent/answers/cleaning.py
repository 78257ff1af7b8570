"""Text as it is compared: one form for each character, and nothing of the mark-up around an answer."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from hart_agent.answers.framing import after_correction, field_of_object, without_framing

_MAX_MARKS = 30  # in a row, as in Unicode's stream-safe text format; normalising more takes quadratic time
_SAME = str.maketrans(
    {"−": "-", "‐": "-", "‑": "-", "﹣": "-", "‒": "–", "—": "–", "’": "'", "‘": "'", "⁄": "/", "≦": "≤", "≧": "≥"}
)
_BOX_TOKENS = re.compile(r"<\|begin_of_box\|>([^<]*(?:<(?!\|(?:begin|end)_of_box\|>)[^<]*)*)<\|end_of_box\|>")
_TOKEN = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|</?(?:answer|ans|final_answer|final|conclusion|strong|em|br|(?-i:[biup]))\s?/?>",
    re.IGNORECASE,
)
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~")
_ANSWER_TAGS = re.compile(r"<(ans|final_answer|conclusion)>([^<>]{1,400})</\1>", re.IGNORECASE)
_FENCED = re.compile(r"\s{0,9}```[a-z]{0,10}\n([^`]*)```\s{0,9}")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_COMMAND = re.compile(r"\\(?:boxed|text|textbf|mathrm|mathbf|mathit|rm|bf|left|right)\b\s*\{?|\\[,;! ()\[\]]")
_EMPHASIS = re.compile(r"\*\*+|__+|`+|^#+ ", re.MULTILINE)
_MARKER = re.compile(
    r"(?:^|[\n.!?:;])[\s>-]{0,5}"
    r"(?:so|thus|hence|therefore)?,?\s?(?:the |my )?(?:final |correct )?answer(?:\s?[:=]|\sis\b:?)",
    re.IGNORECASE,
)


@lru_cache(maxsize=64)
def canonical(text: str) -> str:
    """One form for each character: Unicode's, with exponents marked ("10^5") and mixed numbers apart ("1 1/2")."""
    if text.isascii():
        return text
    parts = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > _MAX_MARKS or char in "\u200b\u200c\u200d\u2060\ufeff\ufe0f":
            continue
        kind = unicodedata.decomposition(char).partition(" ")[0] if char > "\x7f" else ""
        if kind == "<fraction>":
            parts.append(f" {char}")
        elif kind == "<super>" and char.isdigit():
            parts.append(f"^{char}")
        elif (digit := unicodedata.decimal(char, None)) is not None:
            parts.append(str(digit))
        else:
            parts.append(char)
    return unicodedata.normalize("NFKC", "".join(parts)).translate(_SAME)


def unwrapped(text: str, *, whole: bool = False) -> str:
    r"""A text without special tokens, tags, LaTeX and emphasis around its words; of a JSON object its answer.

    What stands in a box (`\boxed{}`, `<|begin_of_box|>`, `<ans>`) is the answer: the words around it are left out, and
    so is what is struck through, unless the whole is asked for or several boxes hold different things.
    """
    text = text if whole else _STRUCK.sub(" ", text)
    if "{" in text and not whole:
        fenced = _FENCED.fullmatch(text)
        text = field_of_object((fenced[1] if fenced else text).strip()) or ""
    boxes = {box.strip() for box in _BOX_TOKENS.findall(text)} | {box.strip() for box in _boxed(text)}
    boxes |= {found[2].strip() for found in _ANSWER_TAGS.finditer(text)}
    if len(boxes) == 1 and not whole:
        text = boxes.pop()
    plain = _TOKEN.sub(" ", text)
    if "\\" in plain:
        plain = _COMMAND.sub(" ", _BOXED.sub(" ", plain.replace(r"\%", "%").replace(r"\$", "\ufdd0")))
        plain = plain.replace("$", " ").replace("{", " ").replace("}", " ").replace("\ufdd0", "$")
    return _EMPHASIS.sub("", plain).strip()


def conclusion(text: str) -> str:
    """What a text comes to: behind its correction of itself, or the one "the answer is", without what leads in."""
    text = after_correction(text) or text
    ends = [marker.end() for marker in _MARKER.finditer(text)]
    return without_framing(text[ends[0] :] if len(ends) == 1 and text[ends[0] :].strip() else text)


def _boxed(text: str) -> list[str]:
    found = []
    end = 0
    for match in _BOXED.finditer(text):
        if match.start() < end:
            continue
        depth, end = 1, match.end()
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found.append(text[match.end() : end - (not depth)])
    return found
