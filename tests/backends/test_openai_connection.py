"""How the OpenAI backend speaks HTTP: connections that are kept and closed, proxies, passwords, unusual answers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from loopback import Behaviour, Handler, completion, refuse, say, send, serve
from openai_asks import SCRIPT, ZOOM, ask, photo, policy, speak  # noqa: F401 (a fixture)
from serving import eventually

from hart_agent import Agent, EpisodeConfig, Mode


def test_a_conversation_keeps_its_connection_and_leaves_none_open(
    photo: Path, recwarn: pytest.WarningsRecorder
) -> None:
    ports: list[int] = []
    ended: list[int] = []

    class Watched:
        def __init__(self, inner: Behaviour) -> None:
            self._inner = inner

        def __call__(self, handler: Handler) -> None:
            ports.append(handler.client_address[1])
            finish = handler.finish
            handler.finish = lambda: (ended.append(handler.client_address[1]), finish())[1]  # type: ignore[method-assign]
            self._inner(handler)

    with serve([Watched(behaviour) for behaviour in speak(SCRIPT)]) as server:
        remote = policy(server)
        for _ in range(2):
            assert Agent(remote).ask(photo, "what is there?").answer == "yes"
    assert len(ports) > 4
    assert len(set(ports)) == 2  # one for each event loop
    eventually(lambda: set(ended) == set(ports))
    assert not [warning for warning in recwarn if "nclosed" in str(warning.message)]


def test_a_proxy_that_the_environment_names_is_used(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve([say(answer("through it"))]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        proxy.url = "http://model.invalid/v1"
        assert ask(proxy, photo).answer == "through it"
        monkeypatch.setenv("no_proxy", "model.invalid")
        trajectory = ask(proxy, photo)
    assert trajectory.answer is None
    assert "connection failed" in str(trajectory.reason)


def test_a_password_in_the_address_is_sent_and_not_shown(photo: Path) -> None:
    with serve([refuse(400, "no")]) as server:
        server.url = server.url.replace("http://", "http://me:hush@")
        reason = ask(server, photo).reason
    assert server.keys == [f"Basic {base64.b64encode(b'me:hush').decode()}"]
    assert reason is not None
    assert "hush" not in reason


def test_what_stands_behind_the_path_of_the_address_is_kept(photo: Path) -> None:
    paths: list[str] = []

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        def note(handler: Handler) -> None:
            paths.append(handler.path)
            say(answer("x"))(handler)

        return note

    with serve(behave) as server:
        server.url += "/?version=3"
        assert ask(server, photo).answer == "x"
    assert set(paths) == {"/v1/chat/completions?version=3"}


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "I do not like it"}}, {"error": "I do not like it"}, {"message": "I do not like it"},
        {"detail": "I do not like it"}, "I do not like it", ["I do not like it"],
    ],
)  # fmt: skip
def test_a_refusal_is_quoted_wherever_its_words_stand(photo: Path, body: Any) -> None:
    with serve([lambda handler: send(handler, 400, body)]) as server:
        reason = ask(server, photo).reason
    assert reason is not None
    assert "HTTP 400" in reason
    assert "I do not like it" in reason


def test_arguments_that_come_as_an_object_are_taken(photo: Path) -> None:
    native = completion(None, [("zoom", "")])
    call = json.loads(ZOOM.removeprefix("<tool_call>").removesuffix("</tool_call>"))
    native["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = call["arguments"]
    with serve([lambda handler: send(handler, 200, native), say(answer("x"))]) as server:
        trajectory = ask(server, photo)
    assert trajectory.answer == "x"
    assert trajectory.turns[0].results[0].call.arguments == call["arguments"]
    assert trajectory.turns[0].results[0].error is None


@pytest.mark.parametrize(
    "body", [{"choices": []}, {"choices": [{}]}, {"choices": [{"message": None}]}, {"choices": "x"}, {}, [], 3, None]
)
def test_answers_that_are_no_completion_are_named(photo: Path, body: Any) -> None:
    with serve([lambda handler: send(handler, 200, body)]) as server:
        trajectory = Agent(policy(server), config=EpisodeConfig(Mode.DIRECT)).ask(photo, "what is there?")
    assert trajectory.stop_reason == "policy_error"
    assert "chat completion" in str(trajectory.reason)


@pytest.mark.parametrize("call", [{}, {"type": "custom"}, {"function": {}}, {"function": {"name": "zoom"}}])
def test_calls_that_lack_something_are_told_to_the_model(photo: Path, call: dict[str, Any]) -> None:
    native = completion(None, [("zoom", "{}")])
    native["choices"][0]["message"]["tool_calls"] = [call]
    with serve([lambda handler: send(handler, 200, native), say(answer("x"))]) as server:
        trajectory = ask(server, photo)
    assert trajectory.answer == "x"
    turn = trajectory.turns[0]
    assert turn.feedback is not None or turn.results[0].error is not None


def test_usage_may_be_missing(photo: Path) -> None:
    bare = completion(tool_call("crop", bbox_2d=[0, 0, 60, 60], label="x")), completion(answer("x"))
    for body in bare:
        del body["usage"]
    with serve([lambda handler, body=body: send(handler, 200, body) for body in bare]) as server:  # type: ignore[misc]
        trajectory = ask(server, photo)
    assert trajectory.answer == "x"
    assert (trajectory.usage.input_tokens, trajectory.usage.requests) == (0, 2)
