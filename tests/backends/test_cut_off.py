"""Replies that a limit cuts off: asked for once more with more room, and never completed by guessing."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import answer, tool_call
from loopback import Behaviour, completion, refuse, send, serve
from openai_asks import policy

from hart_agent import PolicyError
from hart_agent.dialogue.messages import Message, Role
from hart_agent.dialogue.policy import FinishReason, Reply, Usage
from hart_agent.dialogue.reading import read_reply

ASKED = [Message(Role.USER, ("what is there?",))]
CALL = tool_call("zoom", bbox_2d=[1, 2, 3, 4])


@pytest.mark.parametrize(
    ("text", "calls", "cut"),
    [
        ("<answer>14 Alder", (), True),
        ('<tool_call>{"name": "crop", "arguments": {"bbox_2d": [400, 40, 610, 60', (), True),
        ("I see a sign that", (), True),
        ("", (), True),
        ("<think>It may be <answer>SHUT</answer>, or", (), True),
        ("or <answer>SHUT</answer>?</think>The sign", (), True),
        ("◁think▷<answer>SHUT</answer>", (), True),
        (answer("14 Alder Lane") + " because", (), False),
        ("<think>Hm.</think>" + answer("14 Alder Lane") + " because", (), False),
        ("<abstain>too dark</abstain> since", (), False),
        (CALL + "<tool_call>{", (), False),
        ("", (("crop", '{"bbox_2d": [400, 40, 610, 60'),), True),
        ("", (("crop", '{"bbox_2d": [400, 40, 610, 600]}'),), False),
    ],
)
def test_a_reply_is_cut_off_unless_something_in_it_is_complete(text: str, calls: Any, cut: bool) -> None:
    assert read_reply(Reply(text, calls, finish_reason=FinishReason.LENGTH)).cut_off is cut
    assert not read_reply(Reply(text, calls, finish_reason=FinishReason.STOP)).cut_off
    assert not read_reply(Reply(text, calls)).cut_off


def ended(text: str, finish: str = "length", **message: Any) -> Behaviour:
    data = completion(text)
    data["choices"][0]["finish_reason"] = finish
    data["choices"][0]["message"] |= message
    return lambda handler: send(handler, 200, data)


async def test_it_is_asked_for_once_more_with_four_times_the_tokens() -> None:
    with serve([ended("<answer>14 Alder"), ended(answer("14 Alder Lane"), "stop")]) as server:
        reply = await policy(server, max_tokens=50).reply(ASKED, ())
    assert [body["max_tokens"] for body in server.bodies] == [50, 200]
    assert (reply.text, reply.finish_reason) == (answer("14 Alder Lane"), FinishReason.STOP)
    assert reply.usage == Usage(200, 14, 2)


async def test_once_is_enough() -> None:
    with serve([ended("<answer>14"), ended("<answer>14 Alder"), ended(answer("never"), "stop")]) as server:
        reply = await policy(server, max_tokens=50).reply(ASKED, ())
    assert (reply.text, reply.truncated, reply.usage.requests) == ("<answer>14 Alder", True, 2)


async def test_a_thought_that_is_cut_off_is_asked_for_again() -> None:
    thought = ended("", content=None, reasoning_content="I must end with <answer>the answer</answer>. It")
    with serve([thought, ended(answer("OPEN"), "stop")]) as server:
        assert (await policy(server).reply(ASKED, ())).text == answer("OPEN")


async def test_what_is_complete_is_not_asked_for_again() -> None:
    with serve([ended(answer("x") + " and")]) as server:
        reply = await policy(server).reply(ASKED, ())
    assert (reply.truncated, len(server.bodies)) == (True, 1)


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [(refuse(400, "max_tokens is too large: 200"), False), (refuse(503, "busy"), True), (refuse(401, "key"), True)],
)
async def test_a_server_that_takes_no_higher_limit_has_still_replied(trouble: Behaviour, raised: bool) -> None:
    with serve([ended("<answer>14"), trouble]) as server:
        if raised:
            with pytest.raises(PolicyError):
                await policy(server, max_tokens=50).reply(ASKED, ())
        else:
            reply = await policy(server, max_tokens=50).reply(ASKED, ())
            assert (reply.text, reply.truncated) == ("<answer>14", True)


async def test_the_higher_limit_stays_within_the_context() -> None:
    with serve([ended("<answer>14"), ended(answer("x"), "stop")]) as server:
        await policy(server, max_tokens=300, max_context_tokens=1000).reply(ASKED, ())
    first, second = (body["max_tokens"] for body in server.bodies)
    assert first == 250  # a quarter of the context
    assert 900 < second < 1000  # all but the conversation


async def test_a_context_that_only_the_refusal_names_is_heeded() -> None:
    def behave(body: dict[str, Any], number: int) -> Behaviour:
        if body["max_tokens"] > 3000:
            return refuse(400, "This model's maximum context length is 3000 tokens.")
        return ended(answer("x"), "stop") if number else ended("<answer>14")

    with serve(behave) as server:
        reply = await policy(server, max_tokens=1000).reply(ASKED, ())
    limits = [body["max_tokens"] for body in server.bodies]
    assert limits[:2] == [1000, 4000]
    assert 2500 < limits[2] < 3000
    assert reply.text == answer("x")
