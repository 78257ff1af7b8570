"""Where the blocks of a reply begin and end: findings, answers, abstentions and calls in any dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from hart_agent.answers.framing import takes_back
from hart_agent.dialogue.dialects import DIALECTS
from hart_agent.dialogue.dialects.base import Block
from hart_agent.dialogue.json_repair import Ending

FINDING: Final = "<finding>"
"""Opens what a model has found out on its way to the answer (arXiv 2505.19640); a call may stand in the same reply."""

_WORDS = {FINDING: "</finding>", "<answer>": "</answer>", "<abstain>": "</abstain>"}
_CALLS: dict[str, frozenset[str]] = {}
for _dialect in DIALECTS:
    for _opener, _closer in _dialect.markers:
        _CALLS[_opener] = _CALLS.get(_opener, frozenset()) | frozenset(filter(None, (_closer,)))
_OPENER_OF = {closer: opener for opener, closers in _CALLS.items() for closer in closers}
_MARKERS = sorted({*_WORDS, *_WORDS.values(), *_CALLS, *_OPENER_OF}, key=len, reverse=True)
_MARKER = re.compile("|".join(map(re.escape, _MARKERS)), re.IGNORECASE | re.ASCII)


_OPENERS = frozenset({*_WORDS, *_CALLS})


class _Mark(NamedTuple):
    text: str
    start: int
    end: int
    opens: bool


def is_call(block: Block) -> bool:
    """Whether a block holds calls; otherwise it is words: a finding, an answer or an abstention."""
    return block.opener in _CALLS


def find_blocks(text: str, ending: Ending) -> list[Block]:
    """Divide a reply into blocks, in order. Takes time proportional to the length of the text.

    Words end at their closing tag or at the next opening one. A call ends at its own closing marker,
    whatever stands in its strings; if it has none, at the next opening marker. A closing marker of calls without any
    block before it means that the opening one stood in the prompt.

    Args:
        text: without thoughts.
        ending: what follows the text.
    """
    return [block for _, _, block in _located(text, ending) if block is not None]


def corrected_answer(text: str) -> Block | None:
    """The last of several answers in a reply, where the words in front of it take back the one before.

    Args:
        text: without thoughts.
    """
    found = [place for place in _located(text, Ending.STOP) if place[2] is not None]
    corrected = None
    for (_, before, first), (after, _, second) in pairwise(found):
        if first is None or second is None or {first.opener, second.opener} != {"<answer>"}:
            break
        corrected = second if takes_back(text[before:after]) else corrected
    return corrected


def outside_blocks(text: str) -> str:
    """What a reply says outside its blocks.

    Args:
        text: without thoughts.
    """
    kept, position = [], 0
    for start, end, _ in _located(text, Ending.STOP):
        kept.append(text[position:start])
        position = end
    return "".join([*kept, text[position:]])


def without_findings(text: str, ending: Ending) -> tuple[list[Block], str]:
    """The findings of a reply, in order, and the reply without them. Those after an answer or abstention don't count.

    Args:
        text: without thoughts.
        ending: what follows the text.
    """
    if FINDING not in text.lower():
        return [], text
    findings: list[Block] = []
    kept, position, over = [], 0, False
    for start, end, block in _located(text, ending):
        opener = block.opener if block is not None else text[start:end].lower()
        over = over or (block is not None and opener in _WORDS and opener != FINDING)
        if opener.startswith(FINDING):
            kept.append(text[position:start])
            position = end
            findings += [block] if block is not None and not over else []
    return findings, "\n".join([*kept, text[position:]]).strip()


def _located(text: str, ending: Ending) -> Iterator[tuple[int, int, Block | None]]:
    """The blocks, each with its start and its end, markers included; None for one that is empty."""
    marks = [
        _Mark(marker, found.start(), found.end(), marker in _OPENERS)
        for found in _MARKER.finditer(text)
        if (marker := found[0].lower())
    ]
    index, first = 0, True
    while index < len(marks):
        mark = marks[index]
        if mark.opens:
            following = _end(marks, index)
            closed = following < len(marks)
            end = marks[following].start if closed else len(text)
            body = text[mark.end : end]
            empty = not body.strip() and closed and marks[following].opens
            first = first and empty
            after = marks[following].end if closed and not marks[following].opens else end
            yield mark.start, after, None if empty else Block(mark.text, body, Ending.MARKER if closed else ending)
            index = following
        else:
            if first and mark.text in _OPENER_OF and text[: mark.start].strip():
                first = False
                yield 0, mark.end, Block(_OPENER_OF[mark.text], text[: mark.start], Ending.MARKER)
            index += 1


def _end(marks: list[_Mark], index: int) -> int:
    """The index of the mark that ends the block which begins at `index`."""
    opener = marks[index].text
    closers = _CALLS.get(opener) or frozenset((_WORDS.get(opener, ""),))
    first_other = len(marks)
    for following in range(index + 1, len(marks)):
        mark = marks[following]
        if mark.text in closers:
            return following
        if mark.opens:
            first_other = min(first_other, following)
            if mark.text == opener or opener in _WORDS:
                break
    return first_other
