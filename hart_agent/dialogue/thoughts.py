"""Thoughts: set aside before anything is parsed, so that what is rehearsed in them never counts.

Two choices are made here. Where a closing tag comes without an opening one, the opening tag stood in the prompt, and
everything up to the closing tag is thought. Where a thought never ends, all of it is thought; but if the model stopped
by itself right after a complete `<answer>` or `<abstain>`, it forgot the closing tag, and that last block counts.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from hart_agent.dialogue.harmony import CALL_CLOSER, CALL_OPENER, MESSAGE, harmony_messages

MARKS = (
    ("<think>", "</think>"),  # DeepSeek-R1, Qwen3, GLM-4.1V and later
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<analysis>", "</analysis>"),
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<longcat_think>", "</longcat_think>"),  # LongCat-Flash-Thinking
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    ("◁think▷", "◁/think▷"),  # Kimi-VL-Thinking
    ("[THINK]", "[/THINK]"),  # Mistral
    ("<|channel>", "<channel|>"),  # Gemma 4, which writes the channel's name, "thought", next
)
"""How models open and close thoughts. Harmony's channels are read apart."""


def _any_of(marks: Iterable[str]) -> str:
    return "|".join(map(re.escape, marks))


TAG = re.compile(
    rf"(?P<open>(?:{_any_of(opening for opening, _ in MARKS)})(?:(?<=<\|channel>)thought\s?)?)"
    rf"|{_any_of(closing for _, closing in MARKS)}",
    re.IGNORECASE | re.ASCII,
)
"""A mark; the group `open` holds those that open a thought."""

_BLOCK_TAG = re.compile(r"<(?P<closing>/?)(?P<name>answer|abstain)>", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Thoughts:
    """A reply, divided.

    Attributes:
        reasoning: the thoughts that ended, joined by blank lines.
        rest: everything else.
        unfinished: the thought that never ends; None if there is none.
    """

    reasoning: str
    rest: str
    unfinished: str | None = None

    @property
    def all(self) -> str:
        """The thoughts, the unfinished one included."""
        return _paragraphs([self.reasoning, self.unfinished or ""])


def divide(text: str, *, opened: bool = False) -> Thoughts:
    """Separate thoughts from the rest.

    Args:
        text: the model's words.
        opened: whether the prompt has opened a thought already.
    """
    if not text:  # nothing but calls that the server parsed
        return Thoughts("", "", "" if opened else None)
    thoughts: list[str] = []
    kept: list[str] = []
    unfinished: list[str] = []
    for message in harmony_messages(text):
        if message.recipient is not None:
            closer = CALL_CLOSER if message.closer else ""  # whatever ended it: what follows is no part of the call
            kept.append(f"{CALL_OPENER}commentary to={message.recipient}{MESSAGE}{message.body}{closer}")
        elif message.channel != "analysis":
            kept.append(message.body)
        else:
            (thoughts if message.closer else unfinished).append(message.body)
    tagged = _divide_tags(_lines(kept), opened)
    unfinished = [tagged.unfinished, *unfinished] if tagged.unfinished is not None else unfinished
    rest = tagged.rest if tagged.rest == text else tagged.rest.strip()
    return _joined([*thoughts, tagged.reasoning], [rest], "\n\n".join(unfinished) if unfinished else None)


def split_thoughts(text: str, *, opened: bool = False) -> tuple[str, str]:
    """Separate thoughts from the rest of a reply.

    Args:
        text: the model's words.
        opened: whether the prompt has opened a thought already, as templates of reasoning models do.

    Returns:
        The reasoning, and the rest. A thought that never ends is reasoning to its end.
    """
    divided = divide(text, opened=opened)
    return divided.all, divided.rest


def conclusion(thought: str) -> tuple[str, str] | None:
    """Divide an unfinished thought that ends in a complete answer or abstention into thought and block."""
    thought = thought.rstrip()
    last = deque(_BLOCK_TAG.finditer(thought), maxlen=2)
    if len(last) < 2 or last[1].end() < len(thought):
        return None
    opening, closing = last
    if opening["closing"] or not closing["closing"] or opening["name"].lower() != closing["name"].lower():
        return None
    return thought[: opening.start()].strip(), thought[opening.start() :]


def _divide_tags(text: str, opened: bool) -> Thoughts:
    pieces: list[tuple[bool, str]] = []  # whether it is a thought, and its text
    thought_before = 0  # pieces that a closing tag without an opening one makes thoughts
    position, inside = 0, opened
    for tag in TAG.finditer(text):
        if tag["open"] and inside:  # opened again, or mentioned
            continue
        pieces.append((inside, text[position : tag.start()]))
        if not tag["open"] and not inside:
            thought_before = len(pieces)
        inside = tag["open"] is not None
        position = tag.end()
    thoughts = [piece for index, (thought, piece) in enumerate(pieces) if thought or index < thought_before]
    kept = [piece for thought, piece in pieces[thought_before:] if not thought]
    if inside:
        return _joined(thoughts, kept, text[position:])
    return _joined(thoughts, [*kept, text[position:]], None)


def _joined(thoughts: list[str], kept: list[str], unfinished: str | None) -> Thoughts:
    return Thoughts(_paragraphs(thoughts), _lines(kept), unfinished)


def _lines(pieces: list[str]) -> str:
    """Pieces on lines of their own, so that no marker arises where two meet. A single piece is left as it is."""
    if len(pieces) == 1:
        return pieces[0] if pieces[0].strip() else ""
    return "\n".join(piece.strip("\n") for piece in pieces if piece.strip())


def _paragraphs(thoughts: list[str]) -> str:
    return "\n\n".join(filter(None, map(str.strip, thoughts)))
