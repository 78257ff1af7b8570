"""What is read from a reply, and what the model is asked to write instead of a reply that can't be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hart_agent.errors import ReplyFormatError

Schemas = Mapping[str, Mapping[str, Any]]
"""The name of each tool, and the JSON Schema of its arguments."""

HINT_TOOLS = (
    'Reply with a tool call, <tool_call>{"name": "...", "arguments": {...}}</tool_call>, or with your final '
    "<answer>...</answer>, or, if the image can't answer the question, <abstain>why</abstain>."
)
HINT_ANSWER = (
    "Reply with your final <answer>...</answer>, or, if the image can't answer the question, <abstain>why</abstain>."
)


@dataclass(frozen=True)
class RawCall:
    """A call that was read from a reply but not yet checked against any tool.

    Attributes:
        name: the tool's name as written; empty if it can't be read.
        arguments: the JSON object; empty if it can't be read.
        raw: the text of the call, unchanged.
        error: why the call can't be read. It keeps its place among calls that can.
    """

    name: str
    arguments: dict[str, Any]
    raw: str
    error: ReplyFormatError | None = None


@dataclass(frozen=True)
class ParsedReply:
    """What a reply asks for: calls, or an answer, or an abstention; or an error that the model can act on.

    Attributes:
        calls: in order; at least one of them has no error.
        answer: the final answer, from a tagged block.
        abstention: why the model gives none.
        set_aside: an answer that was written in the same turn as a call, and does not count.
        plain: the words of a reply without any tag or call, reduced to the answer that they give; None if there are
            none. Always accompanied by an error: whether the words may count is for the caller to decide.
        reasoning: the thoughts, which were not parsed.
        cut_off: the reply ended at a token limit before any block was complete; nothing of it may be used.
        dialect: the dialect in which calls were read; None for native calls.
        error: why there are no calls, no answer and no abstention.
        findings: what the model says it has found out so far, in order; empty ones are left out.
    """

    calls: tuple[RawCall, ...] = ()
    answer: str | None = None
    abstention: str | None = None
    set_aside: str | None = None
    plain: str | None = None
    reasoning: str = ""
    cut_off: bool = False
    dialect: str | None = None
    error: ReplyFormatError | None = None
    findings: tuple[str, ...] = ()
