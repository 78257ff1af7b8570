"""The OpenAI backend against a real HTTP server on the loopback interface."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import answer
from loopback import Behaviour, page, refuse, say, serve
from openai_asks import CROPS, KEY, SCRIPT, ZOOM, ask, images, photo, policy, speak  # noqa: F401 (a fixture)
from PIL import Image

from hart_agent import Agent, ConfigError, InstallError, PolicyError, ScriptedPolicy, Trajectory
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.dialogue.messages import Message, Role
from hart_agent.trace import trace_json


def _fenced(text: str) -> str:
    body = text.removeprefix("<tool_call>").removesuffix("</tool_call>")
    return (
        f"Let me look.\n```json\n{body}\n```"
        if text.startswith("<tool_call>") and text.count("<tool_call>") == 1
        else text
    )


def _native(text: str) -> Behaviour:
    if not text.startswith("<tool_call>"):
        return say(text)
    calls = [json.loads(part.removeprefix("<tool_call>")) for part in text.split("</tool_call>") if part]
    return say(None, [(call["name"], json.dumps(call["arguments"])) for call in calls])


DIALECTS: dict[str, Callable[[str], Behaviour]] = {
    "text": say,
    "fenced": lambda text: say(_fenced(text)),
    "native": _native,
    "cut off at the stop": lambda text: say(text.removesuffix("</answer>").removesuffix("</tool_call>")),
}


@pytest.mark.parametrize(
    ("model", "dialect"),
    [*(("qwen2.5-vl", dialect) for dialect in DIALECTS), ("qwen3-vl", "text"), ("InternVL3-8B", "native")],
)
def test_the_same_words_execute_byte_identical_crops(photo: Path, model: str, dialect: str) -> None:
    with serve([DIALECTS[dialect](text) for text in SCRIPT]) as server:
        remote = policy(server, model)
        there = Agent(remote).ask(photo, "what is there?")
    here = Agent(ScriptedPolicy(SCRIPT, remote.profile)).ask(photo, "what is there?")
    assert there.answer == here.answer == "yes"
    assert there.verdict == here.verdict == "supported"
    hashes = [
        [view.sha256 for turn in run.turns for result in turn.results for view in result.views] for run in (there, here)
    ]
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 3
    assert there.usage.input_tokens == 400
    assert there.usage.output_tokens == 28
    assert there.usage.requests == 4


def test_images_arrive_at_the_size_that_boxes_are_written_on(photo: Path) -> None:
    with serve(speak(SCRIPT)) as server:
        trajectory = Agent(policy(server)).ask(photo, "what is there?")
    views = [
        trajectory.overview,
        *(view for turn in trajectory.turns for result in turn.results for view in result.views),
    ]
    sent = [Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) for url in images(server.bodies[2])]
    assert [image.size for image in sent] == [(view.frame.size.width, view.frame.size.height) for view in views]
    assert all(side % 28 == 0 for image in sent for side in image.size)
    assert [url.partition(";")[0] for url in images(server.bodies[2])] == ["data:image/jpeg"] * 2 + [
        "data:image/png"
    ] * 2


def test_history_goes_back_in_the_dialect_in_which_it_came(photo: Path) -> None:
    with serve([_native(text) for text in SCRIPT]) as server:
        ask(server, photo)
    roles = [message["role"] for message in server.bodies[2]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "user", "assistant", "tool", "tool", "user"]
    calls = [call for message in server.bodies[2]["messages"] for call in message.get("tool_calls", [])]
    assert [call["id"] for call in calls] == ["call1", "call2", "call3"]
    assert "view2" in server.bodies[2]["messages"][6]["content"]
    with serve(speak(SCRIPT)) as server:
        ask(server, photo)
    roles = [message["role"] for message in server.bodies[2]["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert server.bodies[2]["messages"][4]["content"] == CROPS


def test_the_request_carries_its_parameters_and_only_public_schema_formats(photo: Path) -> None:
    with serve(speak([answer("x")])) as server:
        ask(server, photo, temperature=0.5, seed=7, max_tokens=99)
    body = server.bodies[0]
    assert (body["model"], body["temperature"], body["seed"], body["max_tokens"]) == ("qwen2.5-vl", 0.5, 7, 99)
    assert "stop" not in body  # it would cut thoughts
    assert {tool["function"]["name"] for tool in body["tools"]} == {"zoom", "crop", "verify"}
    assert "format" not in json.dumps(body["tools"])


def test_32_concurrent_asks(tmp_path: Path) -> None:
    photo = tmp_path / "small.png"
    Image.effect_noise((200, 150), 80).convert("RGB").save(photo)

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        return refuse(503, "busy") if number % 11 == 3 else say([ZOOM, answer("x")][turn])

    async def all_of_them(agent: Agent) -> list[Trajectory]:
        return await asyncio.gather(*(agent.aask(photo, f"question {index}?") for index in range(32)))

    with serve(behave) as server:
        started = time.perf_counter()
        agent = Agent(policy(server, max_pixels=50_000, retry=RetryPolicy(retries=8, base=0.01)), verify=False)
        trajectories = asyncio.run(all_of_them(agent))
    assert [trajectory.answer for trajectory in trajectories] == ["x"] * 32
    assert time.perf_counter() - started < 15


def test_the_key_is_sent_and_shows_nowhere(photo: Path, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for trouble in (refuse(401, f"Incorrect API key: {KEY}"), refuse(500, KEY), page(400, f"<p>Bearer {KEY}</p>")):
        with serve([trouble]) as server:
            remote = policy(server)
            trajectory = Agent(remote).ask(photo, "what is there?")
        assert server.keys[0] == f"Bearer {KEY}"
        shown = json.dumps(trace_json(trajectory)) + repr(remote) + repr(trajectory) + str(trajectory) + remote.name
        assert trajectory.reason is not None
        assert KEY not in shown + caplog.text


def test_the_key_is_in_no_traceback() -> None:
    for model in ("qwen2.5-vl", None):
        with serve([refuse(401, f"Incorrect API key: {KEY}")], models=[]) as server:
            with pytest.raises((PolicyError, ConfigError)) as caught:
                asyncio.run(policy(server, model, api_key=KEY).reply([Message(Role.USER, ("hi",))], []))
            assert server.keys == [f"Bearer {KEY}"]
        assert KEY not in "".join(traceback.format_exception(caught.value))


def test_without_a_key_a_dummy_is_sent(photo: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serve(speak([answer("x")])) as server:
        assert ask(server, photo).answer == "x"
    assert server.keys[0] == "Bearer not-needed"


def test_the_only_model_is_taken_and_several_are_listed() -> None:
    with serve(speak([answer("x")]), models=[{"id": "Qwen3-VL-8B"}]) as server:
        assert policy(server, None).name == "openai (Qwen3-VL-8B)"
    with (
        serve(speak([answer("x")]), models=[{"id": "a"}, {"id": "b"}]) as server,
        pytest.raises(ConfigError, match=r"serves a, b\. Choose one of them with --model"),
    ):
        policy(server, None)
    with serve(speak([answer("x")]), models=[]) as server, pytest.raises(ConfigError, match="lists no models"):
        policy(server, None)


async def test_the_only_model_is_found_inside_a_running_loop() -> None:
    with serve(speak([answer("x")])) as server:
        assert policy(server, None).name == "openai (qwen2.5-vl)"


def test_malformed_native_calls_are_told_and_can_be_mended(photo: Path) -> None:
    with serve([say(None, [("zoom", "{not json")]), say(None, [("zoom", "[1]")]), say(answer("x"))]) as server:
        trajectory = ask(server, photo)
    assert trajectory.answer == "x"
    assert trajectory.turns[0].feedback is not None
    assert all(message["content"] for message in server.bodies[-1]["messages"])


def test_half_surrogates_do_not_break_the_next_request(photo: Path) -> None:
    with serve([say("\ud800" + ZOOM), say(None, [("zoom", '{"bbox_2d": "\\ud800"}')]), say(answer("x"))]) as server:
        assert ask(server, photo).answer == "x"


def test_settings_are_checked_at_once() -> None:
    for options in (
        {"tool_format": "xml"},
        {"max_images": 0},
        {"timeout": 0},
        {"coordinates": "miles"},
        {"max_pixels": 9},
    ):
        with pytest.raises(ConfigError):
            OpenAIPolicy("qwen2.5-vl", base_url="http://localhost:1/v1", **options)
    with pytest.raises(ConfigError, match="is not a URL"):
        OpenAIPolicy("qwen2.5-vl", base_url="localhost:8000")


def test_a_missing_client_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(InstallError, match=r"-m pip install .*\[openai\]"):
        OpenAIPolicy("qwen2.5-vl", base_url="http://localhost:1/v1")
