"""Reading a reply as a harness does, so that a published number can be met on its own terms.

Each rule is written here from what the harness's code does with a reply, and compared with that code itself by the
suite in `tests/parity`:

    vlmevalkit   github.com/open-compass/VLMEvalKit at e8e78f0: `vlmeval/utils/matching_util.py` (V*Bench, HR-Bench),
                 `vlmeval/dataset/utils/multiple_choice.py` (MME-RealWorld, TreeBench), `utils/vqa_eval.py` (ANLS),
                 `vlmeval/dataset/image_mcq.py` (XLRS-Bench)
    lmms-eval    github.com/EvolvingLMMs-Lab/lmms-eval at 75571cf: `tasks/vstar_bench`, `tasks/hrbench`,
                 `tasks/mme_realworld`, `tasks/xlrs`, `api/metrics.py` (ANLS), after `api/reasoning.py` has taken out
                 thoughts
    ours         `hart_agent.answers`

Where a harness would ask a language model, there is no choice here: such a reply counts as wrong, as VLMEvalKit counts
it without a judge, and is counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from hart_agent.errors import ConfigError

OURS: Final = "ours"
SCORINGS: Final = (OURS, "vlmevalkit", "lmms-eval")

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NONE: Final = ""
"""A reply that chooses no option."""

Chooser: TypeAlias = Callable[[str, Sequence[str]], str | None]
"""The letter that a reply chooses among these options, `NONE`, or None where the harness would ask a model."""

_ASIDE = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_NO_REPLY = "Failed to obtain answer via API"
_ANSWER_IS = re.compile(r"(?:correct\s+)?answer\s+is\s+\**([ABCD])\**", re.IGNORECASE)
_LEADS = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
)
_XLRS_LEADS = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option isThe correct option is",  # as published: a comma is missing there
    "Best answer:Best option:",
)
_VSTAR = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^([A-D])",
        r"(?:ANSWER|CHOICE|OPTION)(?:\s+IS)?[\s:]+([A-D])",
        r"\(([A-D])\)",
        r"([A-D])\s*[.)\]]",
        r"(?:^|\s)([A-D])(?:\s|$)",
    )
)
_THOUGHTS = (("<think>", "</think>"), ("<analysis>", "</analysis>"))


def rescored(records: Sequence[dict[str, Any]], scoring: str, benchmark: str) -> tuple[list[dict[str, Any]], int]:
    """The records of a run with their answers read as a harness reads them, and how often it would ask a model.

    Args:
        records: of a run over a benchmark; they aren't changed.
        scoring: one of `SCORINGS`.
        benchmark: its name.

    Raises:
        ConfigError: there is no such scoring, or the harness doesn't score this benchmark, or the run was made by a
            version that kept no replies.
    """
    if scoring == OURS:
        return list(records), 0
    if scoring not in SCORINGS:
        raise ConfigError(f"there is no scoring {scoring!r}; choose one of: {', '.join(SCORINGS)}")
    if any("reply" not in record for record in records):
        raise ConfigError("this run holds no replies, so that only --scoring ours fits it; run the benchmark again")
    if records and all(record.get("anls") is not None for record in records):
        return [_with_anls(record, scoring) for record in records], 0
    choose = _chooser(scoring, benchmark)
    found, asked = [], 0
    for record in records:
        letter = choose(record["reply"] or "", record["options"])
        asked += letter is None
        found.append({**record, "right": letter == record["gold"]})
    return found, asked


def _chooser(scoring: str, benchmark: str) -> Chooser:
    choosers = _CHOOSERS[scoring]
    name = next((name for name in choosers if benchmark.startswith(name)), None)
    if name is None:
        raise ConfigError(
            f"{scoring} has no rule for {benchmark} here; it has one for {', '.join(choosers)}. Use --scoring ours."
        )
    return choosers[name]


def without_thoughts(reply: str) -> str:
    """A reply as lmms-eval scores it: without blocks of thoughts, and without what stands before a lone closing tag."""
    for opened, closed in _THOUGHTS:
        while (start := reply.find(opened)) >= 0 and (end := reply.find(closed, start)) >= 0:
            reply = reply[:start] + reply[end + len(closed) :]
        if opened not in reply:
            reply = reply.rsplit(closed, 1)[-1]
    return reply.strip()


def infer_vlmevalkit(reply: str, options: Sequence[str]) -> str | None:
    """VLMEvalKit's reading of V*Bench and HR-Bench before it asks a judge.

    One lone letter among the last five words, else "answer is X", else the text of exactly one option in a reply that
    is at most twice as long as all options together.
    """
    letters = LETTERS[: len(options)]
    if (found := _lone_letter(reply, letters, last=5)) is not None:
        return found
    if _NO_REPLY not in reply and (stated := _ANSWER_IS.search(reply)) and stated[1].upper() in letters:
        return stated[1].upper()
    return _by_text(reply, options, limit=2 * sum(map(len, options)))


def infer_lmms(reply: str, options: Sequence[str]) -> str | None:
    """lmms-eval's reading of HR-Bench before it asks a judge: a lone letter anywhere, else one option's text."""
    reply = without_thoughts(reply).strip()
    found = _lone_letter(reply, LETTERS[: len(options)], last=None)
    return found if found is not None else _by_text(reply, options, limit=None)


def _lone_letter(reply: str, letters: str, last: int | None) -> str | None:
    """The one letter that stands as a word, within so many words from the end; `NONE` for a refusal."""
    if _NO_REPLY in reply:
        return None
    if any(refusal in reply for refusal in _REFUSALS):
        return NONE
    words = reply.translate(_ASIDE).split()
    named = [letter for letter in letters if letter in words]
    if len(named) == 1:
        near = last is None or words.index(named[0]) > len(words) - last
        return named[0] if near else None
    return NONE if not named and "Z" in words and "Z" not in letters else None


def _by_text(reply: str, options: Sequence[str], limit: int | None) -> str | None:
    reply = reply.lower()
    if limit is not None and len(reply) > limit:
        return None
    named = [letter for letter, text in zip(LETTERS, options, strict=False) if text.lower() in reply]
    return named[0] if len(named) == 1 else None


def first_letter(reply: str, options: Sequence[str]) -> str:
    """The first capital from A to E behind the usual openings: the rule that MME-RealWorld published."""
    text = reply.strip()
    for lead in _LEADS:
        text = text.replace(lead, "")
    if found := re.search("[ABCDE]", text):
        return found[0]
    if len(text.split()) > 10:
        return NONE
    return next((letter for letter in "ABCDE" if text.lower() in f"({letter})".lower()), NONE)


def _first_letter_of_tagged(reply: str, options: Sequence[str]) -> str:
    inside, end, _ = reply.partition("<answer>")[2].partition("</answer>")
    return first_letter(inside.strip().upper() if end else reply, options)


def _first_letter_without_thoughts(reply: str, options: Sequence[str]) -> str:
    return first_letter(without_thoughts(reply), options)


def letter_of_vstar(reply: str, options: Sequence[str]) -> str:
    """lmms-eval's reading of V*Bench: the first of several patterns that fits, else a capital that is the only one."""
    text = without_thoughts(reply).strip().upper()
    for pattern in _VSTAR:
        if found := pattern.search(text):
            return found[1].upper()
    letters = re.findall("[A-D]", text)
    return letters[0] if len(letters) == 1 else NONE


def letters_of_xlrs(reply: str, options: Sequence[str]) -> str:
    """XLRS-Bench's own reading: all letters in brackets, else every letter from A to E, those in words as well.

    Both harnesses have it, and count a reply as right where these are the right letters, no more and no less. They
    come in order, as "A, C".
    """
    text = reply.strip()
    for lead in _XLRS_LEADS:
        text = text.replace(lead, "")
    if not re.search("[ABCDE]", text):
        return NONE
    letters = re.findall(r"\(([A-Ea-e])\)", text) or re.findall("[A-Ea-e]", text)
    return ", ".join(sorted({letter.upper() for letter in letters}))


def _letters_of_xlrs_without_thoughts(reply: str, options: Sequence[str]) -> str:
    return letters_of_xlrs(without_thoughts(reply), options)


def anls(answer: str, golds: Sequence[str]) -> float:
    """Average normalised Levenshtein similarity of an answer with the gold answer that is nearest (arXiv 1905.13648).

    1 - distance / length, both in lower case with single spaces, over the longer of the two texts as they are written;
    0 below a half. Both harnesses compute it so.
    """
    return max(_similarity(answer, gold) for gold in golds)


def _similarity(answer: str, gold: str) -> float:
    longest = max(len(answer.upper()), len(gold.upper()))
    distance = _distance(_folded(answer), _folded(gold))
    similarity = 1 - distance / longest if longest else 1.0
    return similarity if similarity >= 0.5 else 0.0


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def _distance(first: str, second: str) -> int:
    """Levenshtein's, by rows over the shorter text."""
    if len(first) < len(second):
        first, second = second, first
    row = list(range(len(second) + 1))
    for number, char in enumerate(first, 1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(second, 1):
            diagonal, row[place] = row[place], min(diagonal + (char != other), row[place] + 1, row[place - 1] + 1)
    return row[-1]


def _with_anls(record: dict[str, Any], scoring: str) -> dict[str, Any]:
    reply = record["reply"] or ""
    stated = without_thoughts(reply) if scoring == "lmms-eval" else reply
    score = anls(stated, [record["gold"], *record["alternatives"]])
    return {**record, "anls": score, "right": score == 1}


_CHOOSERS: Final[Mapping[str, Mapping[str, Chooser]]] = {
    "vlmevalkit": {
        "vstar": infer_vlmevalkit,
        "hr-bench": infer_vlmevalkit,
        "mme-realworld": _first_letter_of_tagged,
        "treebench": _first_letter_of_tagged,
        "xlrs-bench": letters_of_xlrs,
    },
    "lmms-eval": {
        "vstar": letter_of_vstar,
        "hr-bench": infer_lmms,
        "mme-realworld": _first_letter_without_thoughts,
        "xlrs-bench": _letters_of_xlrs_without_thoughts,
    },
}
"""By harness, then by how the names of its benchmarks begin."""
