"""What a policy found out on its way to the answer: which of it is right, and how soon it said something.

Measures of interleaved reasoning (arXiv 2505.19640): gold intermediate answers are the `steps` of a question; the time
to the first one is a share of all that was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hart_agent.agent.trajectory import Trajectory, Turn
from hart_agent.answers import AnswerType, is_right
from hart_agent.dialogue.blocks import FINDING
from hart_agent.dialogue.thoughts import split_thoughts


@dataclass(frozen=True)
class FirstFinding:
    """When a policy first said something: its first finding or, without any, its answer; at the end if it never did.

    Attributes:
        share: of all characters that it wrote, thoughts included, those before it; 0 to 1.
        tokens: that it wrote before it. Those of the reply itself are in proportion to its characters. None where the
            policy doesn't count tokens.
    """

    share: float
    tokens: int | None


def says(finding: str, step: str, *, strict: bool = False) -> bool:
    """Whether a finding says what a gold step says: the same number if the step is one, else the same text.

    Args:
        finding: in the policy's words.
        step: the gold intermediate answer.
        strict: for rewards, as for `hart_agent.answers.is_right`.
    """
    return is_right(finding, step, AnswerType.NUMBER if _is_number(step) else AnswerType.TEXT, strict=strict)


def steps_found(findings: Sequence[str], steps: Sequence[str], *, strict: bool = False) -> list[int | None]:
    """For each gold step the number, from 1, of the first finding that says it; None if none does."""
    return [
        next((number for number, found in enumerate(findings, start=1) if says(found, step, strict=strict)), None)
        for step in steps
    ]


def right_findings(findings: Sequence[str], steps: Sequence[str]) -> list[bool]:
    """For each finding whether it says one of the gold steps."""
    return [any(says(found, step) for step in steps) for found in findings]


def first_finding(run: Trajectory) -> FirstFinding:
    """When the policy of an episode first said something."""
    lengths = [len(each.reply.reasoning) + len(each.reply.text) for each in run.turns]
    tokens = [each.reply.usage.output_tokens for each in run.turns]
    counted = bool(tokens) and all(tokens)
    found = next((index for index, turn in enumerate(run.turns) if turn.findings), None)
    if found is None and run.answer is None:
        return FirstFinding(1.0, sum(tokens) if counted else None)
    index = len(run.turns) - 1 if found is None else found
    before = _before(run.turns[index], "<answer>" if found is None else FINDING)
    written = sum(tokens[:index]) + round(tokens[index] * before / max(1, lengths[index]))
    return FirstFinding((sum(lengths[:index]) + before) / max(1, sum(lengths)), written if counted else None)


def _before(turn: Turn, opener: str) -> int:
    """The characters of a reply before the words that this tag opens, or before all that is no thought."""
    text = turn.reply.text
    start = max(0, len(text) - len(split_thoughts(text)[1]))
    place = text.lower().find(opener, start)
    return len(turn.reply.reasoning) + (place if place >= 0 else start)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
