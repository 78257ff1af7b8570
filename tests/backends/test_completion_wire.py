"""Odd completions through a real HTTP server: how they are sent, and what becomes of an episode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from loopback import completion, refuse, say, send, serve
from openai_asks import ZOOM, ask, photo, policy  # noqa: F401 (a fixture)

from hart_agent import Agent, EpisodeConfig, Mode, PolicyError
from hart_agent.dialogue.messages import Message, Role
from hart_agent.dialogue.policy import Usage

OPEN = "<answer>OPEN</answer>"


def body(message: Any, *, finish: str = "stop") -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": finish}]}


ASKED = [Message(Role.USER, ("what is there?",))]


def raw(data: str | bytes, kind: str = "application/json", status: int = 200) -> Any:
    encoded = data.encode() if isinstance(data, str) else data
    return lambda handler: send(handler, status, encoded, **{"content-type": kind})


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/json; charset=utf-8", ""])
async def test_json_is_read_whatever_it_is_called(kind: str) -> None:
    for data in (
        json.dumps(completion(OPEN)),
        "\ufeff" + json.dumps(completion(OPEN)),
        "\n " + json.dumps(completion(OPEN)),
    ):
        with serve([raw(data, kind or "x")]) as server:
            assert (await policy(server).reply(ASKED, ())).text == OPEN


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"choices": ' + "[" * 200_000, "nested too deeply"),
        ('{"usage": {"prompt_tokens": ' + "9" * 5000 + '}, "choices": []}', "is empty"),
        ("\x00\xff", "can't be read"),
        ("", "can't be read"),
        ('data: {"choices": []}\n\ndata: [DONE]\n\n', "can't be read"),
    ],
    ids=["deep", "deep choices", "5,000 digits", "binary", "empty", "stream"],
)
async def test_what_cannot_be_read_is_an_error_that_says_so(data: str, words: str) -> None:
    with serve([raw(data)]) as server, pytest.raises(PolicyError, match=r"127\.0\.0\.1") as caught:
        await policy(server).reply(ASKED, ())
    assert words in str(caught.value)


async def test_numbers_of_5000_digits_are_no_counts() -> None:
    data = json.dumps(completion(OPEN)).replace('"prompt_tokens": 100', '"prompt_tokens": ' + "9" * 5000)
    with serve([raw(data)]) as server:
        reply = await policy(server).reply(ASKED, ())
    assert (reply.text, reply.usage) == (OPEN, Usage(0, 7, 1))


@pytest.mark.parametrize(
    ("trouble", "retryable", "outage"),
    [
        (refuse(503, "busy"), True, True),
        (refuse(401, "bad key"), False, True),
        (refuse(404, "The model `x` does not exist."), False, True),
        (refuse(404, "Not Found"), False, True),
        (refuse(402, "Payment required"), False, True),
        (refuse(429, "You exceeded your current quota"), False, True),
        (refuse(400, "The response was filtered by the content management policy"), False, False),
        (refuse(403, "Your input was flagged by moderation"), False, False),
        (refuse(400, "Invalid image data"), False, False),
        (refuse(400, "This model's maximum context length is 900 tokens."), False, False),
        (refuse(400, "At most 0 image(s) may be provided in one prompt."), False, False),
        (raw(json.dumps({"error": {"message": "busy", "code": 503}})), True, True),
        (raw(json.dumps(body({"content": None}, finish="content_filter"))), False, False),
        (raw(json.dumps(body({"content": None, "refusal": "No."}))), False, False),
        (raw("<html>hello</html>", "text/html"), False, True),
        (lambda handler: send(handler, 307, {}, location="http://127.0.0.1:9/v1"), False, True),
    ],
)
async def test_an_error_says_whether_it_concerns_this_question_only(
    trouble: Any, retryable: bool, outage: bool
) -> None:
    with serve([trouble]) as server, pytest.raises(PolicyError) as caught:
        await policy(server).reply(ASKED, ())
    assert (caught.value.retryable, caught.value.outage) == (retryable, outage)


def test_an_error_of_status_200_is_waited_out(photo: Path) -> None:
    passing = [
        raw(json.dumps({"error": {"message": "busy", "code": 429}})),
        raw(json.dumps({"choices": []})),
        say(OPEN),
    ]
    with serve(passing) as server:
        trajectory = ask(server, photo)
    assert (trajectory.answer, trajectory.usage.requests) == ("OPEN", 3)


def test_thoughts_apart_and_calls_in_the_old_form_work_in_an_episode(photo: Path) -> None:
    arguments = json.loads(ZOOM.removeprefix("<tool_call>").removesuffix("</tool_call>"))["arguments"]
    legacy = body(
        {"content": None, "reasoning_content": OPEN, "function_call": {"name": "zoom", "arguments": arguments}}
    )
    last = body({"content": None, "reasoning_content": f"<answer>SHUT</answer>? No. {OPEN}"})
    with serve([raw(json.dumps(legacy)), raw(json.dumps(last))]) as server:
        trajectory = ask(server, photo)
    assert trajectory.answer == "OPEN"
    assert [result.error for result in trajectory.turns[0].results] == [None]
    assert trajectory.turns[0].reply.reasoning == OPEN


def test_a_refusal_ends_the_episode_with_its_words(photo: Path) -> None:
    with serve([raw(json.dumps(body({"content": None, "refusal": "I can't look at people."})))]) as server:
        trajectory = Agent(policy(server), config=EpisodeConfig(Mode.DIRECT)).ask(photo, "who is it?")
    assert "I can't look at people." in str(trajectory.reason)
    assert len(server.bodies) == 1
