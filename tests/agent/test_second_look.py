"""A second look that fails, whatever the reason, loses nothing of the first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image

from hart_agent import Agent, EpisodeConfig, ScriptedPolicy
from hart_agent.agent.trajectory import StopReason
from hart_agent.dialogue.messages import Message
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import PolicyError
from hart_agent.tooling.records import Verdict


class Second(ScriptedPolicy):
    """Commits a region, answers, is contradicted by its own crops, and fails in its own way when it looks again."""

    def __init__(self, failure: str) -> None:
        self._failure = failure
        super().__init__(self._say)

    def _say(self, messages: Sequence[Message], tools: Any) -> str:
        replies = sum(message.role == "assistant" for message in messages)
        if not tools:
            return answer("something else")
        return (
            (tool_call("crop", bbox_2d=[4, 4, 40, 40], label="sign"), answer("first"))[replies] if replies < 2 else ""
        )

    async def reply(self, messages: Sequence[Message], tools: Any) -> Reply:
        if tools and sum(message.role == "assistant" for message in messages) >= 2:
            if self._failure == "outage":
                raise PolicyError("the server is down", retryable=True)
            if self._failure == "time-out of its own":
                raise TimeoutError("no reply")
            if self._failure == "hangs":
                await asyncio.sleep(3600)
            if self._failure == "abstains":
                return Reply("<abstain>now I can't tell</abstain>")
            return Reply("<tool_call>{")  # unreadable
        return await super().reply(messages, tools)


@pytest.mark.parametrize(
    "failure",
    ["outage", "time-out of its own", pytest.param("hangs", marks=pytest.mark.long), "abstains", "unreadable"],
)
def test_the_first_answer_stays(failure: str) -> None:
    config = EpisodeConfig(max_seconds=3.0 if failure == "hangs" else 600.0, max_turns=6)
    agent = Agent(Second(failure), config=config, on_unsupported="retry")
    result = agent.ask(Image.effect_noise((96, 64), 60).convert("RGB"), "what?")
    assert (result.answer, result.verdict, result.stop_reason) == ("first", Verdict.UNSUPPORTED, StopReason.ANSWERED)
    assert result.failure is None
    assert result.reason is not None
    assert "looked again, without a new answer" in result.reason
    assert [item.label for item in result.evidence] == ["sign"]


def test_a_check_that_raises_a_time_out_of_its_own_leaves_the_answer_unchecked() -> None:
    class Late(Second):
        async def reply(self, messages: Sequence[Message], tools: Any) -> Reply:
            if not tools:
                raise TimeoutError("no reply")
            return await super().reply(messages, tools)

    result = Agent(Late("")).ask(Image.effect_noise((96, 64), 60).convert("RGB"), "what?")
    assert (result.answer, result.verdict) == ("first", Verdict.UNCHECKED)
    assert "the check against the evidence failed: no reply" in str(result.reason)
