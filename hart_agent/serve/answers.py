"""The bodies of responses, in the form of chat completions."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hart_agent.agent.trajectory import Trajectory
from hart_agent.html.words import answer_words, call_words
from hart_agent.serve.asking import Finished
from hart_agent.serve.chat import MODEL
from hart_agent.trace.json import result_json

_TOKEN: Final = re.compile(r"\s*(?:[^\W_]{1,8}|\S)")
"""What counts as a token of an answer: up to eight letters or digits, or a mark. The policy's own tokens are seldom
longer, so that an answer which fits by its own count is not cut."""


def models() -> dict[str, Any]:
    """The list of models."""
    return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "hart-agent"}]}


def answer_text(run: Trajectory, max_tokens: int | None) -> tuple[str, str]:
    """The answer in words, cut to its limit, and the finish reason."""
    text = answer_words(run.answer, run.reason, run.stop_reason.value)
    if max_tokens is None:
        return text, "stop"
    end = 0
    for count, match in enumerate(_TOKEN.finditer(text), start=1):
        if count > max_tokens:
            return text[:end], "length"
        end = match.end()
    return text, "stop"


def turn_text(turn: Mapping[str, Any], size: tuple[int, int]) -> str:
    """A turn as a paragraph of reasoning: its thoughts, then each call in words with its result.

    Args:
        turn: of a trace.
        size: width and height of the original image, in pixels.
    """
    thoughts = turn.get("reasoning", "").strip()
    lines = [thoughts] if thoughts else []
    lines += [f"{call_words(call, size)}. {call['result']}".strip() for call in turn["calls"]]
    return "".join(f"{line}\n" for line in lines)


def findings(finished: Finished) -> dict[str, Any]:
    """The field `hart`: what an answer has beyond its words. All boxes are in pixels of the original image."""
    run, result = finished.trajectory, result_json(finished.trajectory)
    return {
        "verdict": result["verdict"],
        "abstained": run.answer is None,
        "reason": result["reason"],
        "withheld_answer": result["withheld_answer"],
        "evidence": result["evidence"],
        "image": {"width": run.image.size.width, "height": run.image.size.height},
        "stop_reason": result["stop_reason"],
        "turns": len(run.turns),
        "seconds": result["seconds"],
        "trace": finished.trace_id,
    }


def usage(run: Trajectory) -> dict[str, int]:
    """What the policy consumed, if it counts its tokens."""
    spent = run.usage
    return {
        "prompt_tokens": spent.input_tokens,
        "completion_tokens": spent.output_tokens,
        "total_tokens": spent.input_tokens + spent.output_tokens,
    }


@dataclass(frozen=True)
class Completion:
    """One chat completion, sent whole or in chunks.

    Attributes:
        max_tokens: of the answer, or None.
    """

    max_tokens: int | None
    _id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    _created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, finished: Finished, reasoning: str) -> dict[str, Any]:
        """The response without streaming.

        Args:
            finished: the episode.
            reasoning: its turns in words.
        """
        text, reason = answer_text(finished.trajectory, self.max_tokens)
        message = {"role": "assistant", "content": text, "reasoning_content": reasoning, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        head = self._head("chat.completion")
        return head | {"choices": [choice], "usage": usage(finished.trajectory), "hart": findings(finished)}

    def chunk(self, **delta: str) -> dict[str, Any]:
        """A part of the stream."""
        return self._head("chat.completion.chunk") | {"choices": [_choice(delta, None)]}

    def answer_chunks(self, finished: Finished, *, include_usage: bool) -> list[dict[str, Any]]:
        """The end of the stream: the answer, then why it ended and what was found, then the usage if it is wanted."""
        text, reason = answer_text(finished.trajectory, self.max_tokens)
        head = self._head("chat.completion.chunk")
        last = head | {"choices": [_choice({}, reason)], "hart": findings(finished)}
        counted = [head | {"choices": [], "usage": usage(finished.trajectory)}] if include_usage else []
        return [self.chunk(content=text), last, *counted]

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": MODEL}


def _choice(delta: Mapping[str, str], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": reason}
