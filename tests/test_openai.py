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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from loopback import Behaviour, Loopback, endless, half_json, page, refuse, reset_mid_body, say, serve
from PIL import Image

from hart_agent import Agent, ConfigError, InstallError, PolicyError, ScriptedPolicy, StopReason, Trajectory
from hart_agent.backends.chat import STOP
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.retries import RetryPolicy
from hart_agent.trace import trace_json
from hart_agent.types import Message, Role

QUICK = RetryPolicy(retries=2, base=0.01, cap=5.0)
KEY = "sk-a-very-secret-key-0123456789"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, 700 x 560: no two regions look alike."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.effect_noise((700, 560), 80).convert("RGB").save(path, compress_level=1)
    return path


def policy(server: Loopback, model: str | None = "qwen2.5-vl", **options: Any) -> OpenAIPolicy:
    return OpenAIPolicy(model, base_url=server.url, **{"retry": QUICK, "timeout": 5.0, **options})


def ask(server: Loopback, photo: Path, **options: Any) -> Trajectory:
    return Agent(policy(server, **options), verify=False).ask(photo, "what is there?")


def speak(words: Sequence[str]) -> list[Behaviour]:
    return [say(text) for text in words]


def images(body: dict[str, Any]) -> list[str]:
    """The data URLs in a request."""
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [part["image_url"]["url"] for content in contents for part in content if part["type"] == "image_url"]


def words(body: dict[str, Any]) -> str:
    """All the text in a request."""
    contents = [message["content"] or "" for message in body["messages"]]
    parts = [part for content in contents for part in ([content] if isinstance(content, str) else content)]
    return "\n".join(part if isinstance(part, str) else part.get("text", "") for part in parts)


ZOOM = tool_call("zoom", bbox_2d=[100, 100, 400, 300])
CROPS = tool_call("crop", bbox_2d=[10, 10, 90, 60], label="a") + tool_call(
    "crop", bbox_2d=[5, 5, 50, 50], label="b", image="view1"
)
SCRIPT = [ZOOM, CROPS, answer("yes"), answer("yes")]


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
    assert body["stop"] == list(STOP)
    assert {tool["function"]["name"] for tool in body["tools"]} == {"zoom", "crop", "verify"}
    assert "format" not in json.dumps(body["tools"])


def test_a_server_that_refuses_tools_is_asked_in_words_from_then_on(
    photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        return refuse(400, message) if "tools" in body else say([ZOOM, answer("x")][number > 1])

    for tool_format, records in (("auto", 0), ("native", 1)):
        caplog.clear()
        with serve(behave) as server:
            assert ask(server, photo, tool_format=tool_format).answer == "x"
        assert ["tools" in body for body in server.bodies] == [True, False, False]
        assert len(caplog.records) == records
    with serve(behave) as server:
        ask(server, photo, tool_format="text")
    assert not any("tools" in body for body in server.bodies)


def test_a_parameter_that_is_refused_is_left_out(photo: Path) -> None:
    def behave(body: dict[str, Any], number: int) -> Behaviour:
        for name in ("max_tokens", "stop", "temperature"):
            if name in body:
                return refuse(400, f"Unsupported parameter: '{name}' is not supported with this model.")
        return say(answer("x"))

    with serve(behave) as server:
        assert ask(server, photo).answer == "x"
    assert server.bodies[-1]["max_completion_tokens"] == 4096


@pytest.mark.parametrize(
    ("trouble", "least"),
    [
        ([refuse(429, "slow down", retry_after="0.3")], 0.3),
        ([refuse(500, "oops"), refuse(500, "oops")], 0.0),
        ([refuse(503, "loading")], 0.0),
        ([page(502, "<html>Bad Gateway</html>")], 0.0),
        ([reset_mid_body], 0.0),
        ([half_json], 0.0),
        ([endless], 0.5),
    ],
)
def test_passing_trouble_is_waited_out(photo: Path, trouble: list[Behaviour], least: float) -> None:
    with serve([*trouble, say(answer("x"))]) as server:
        started = time.perf_counter()
        trajectory = ask(server, photo, timeout=0.5)
        elapsed = time.perf_counter() - started
    assert trajectory.answer == "x"
    assert trajectory.usage.requests == len(server.bodies) == len(trouble) + 1
    assert least <= elapsed < 3


@pytest.mark.parametrize(
    ("trouble", "requests", "said"),
    [
        (refuse(429, "slow down", retry_after="0.05"), 3, "HTTP 429: slow down"),
        (refuse(429, "You exceeded your current quota", retry_after="0.05"), 1, "quota"),
        (refuse(500, "oops"), 3, "server is up"),
        (reset_mid_body, 3, "connection failed"),
        (half_json, 3, "can't be read"),
        (endless, 3, "no complete reply within 0.3 seconds"),
        (page(200, "<html>hello</html>"), 1, "ends in /v1"),
        (refuse(404, "Not Found"), 1, "ends in /v1"),
        (refuse(404, "The model `qwen2.5-vl` does not exist."), 1, "Choose another --model: good-vl, other-vl"),
        (refuse(401, "Incorrect API key provided"), 1, "OPENAI_API_KEY"),
        (refuse(400, "At most 0 image(s) may be provided in one prompt."), 1, "--limit-mm-per-prompt"),
        (page(413, "<html>413 Request Entity Too Large</html>"), 3, "client_max_body_size"),
        (refuse(400, "This model's maximum context length is 900 tokens."), 1, "--max-model-len"),
        (refuse(400, "I do not like it"), 1, "I do not like it"),
    ],
)
def test_lasting_trouble_ends_the_episode_with_the_next_step(
    photo: Path, trouble: Behaviour, requests: int, said: str
) -> None:
    with serve([trouble], models=[{"id": "good-vl"}, {"id": "other-vl"}]) as server:
        started = time.perf_counter()
        trajectory = ask(server, photo, timeout=0.3)
    assert trajectory.stop_reason is StopReason.POLICY_ERROR
    assert trajectory.reason is not None
    assert said in trajectory.reason
    assert len(server.bodies) == requests
    assert time.perf_counter() - started < 3


def test_a_server_that_is_down_is_named(photo: Path) -> None:
    with serve([say("x")]) as server:
        pass
    reason = ask(server, photo).reason
    assert reason is not None
    assert server.url in reason
    with pytest.raises(PolicyError, match="connection failed"):
        policy(server, None)


def test_at_most_n_images_drops_the_oldest_and_is_learned(photo: Path, caplog: pytest.LogCaptureFixture) -> None:
    script = iter([ZOOM, CROPS, tool_call("zoom", bbox_2d=[0, 0, 50, 50]), answer("x")])

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        too_many = len(images(body)) > 2
        return refuse(400, "At most 2 image(s) may be provided in one prompt.") if too_many else say(next(script))

    with serve(behave) as server:
        assert ask(server, photo).answer == "x"
    assert [len(images(body)) for body in server.bodies] == [1, 2, 4, 2, 2]
    assert "view1 (zoom) was left out" in words(server.bodies[3])
    assert "overview (" not in words(server.bodies[3])
    assert [record.message for record in caplog.records if "--max-images 2" in record.message]


def test_with_one_image_the_model_sees_what_it_just_asked_for(photo: Path) -> None:
    with serve(speak([ZOOM, answer("x")])) as server:
        trajectory = ask(server, photo, max_images=1)
    zoomed = trajectory.turns[0].results[0].views[0].frame.size
    (url,) = images(server.bodies[1])
    assert Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).size == (zoomed.width, zoomed.height)
    again = 'zoom with "image": "overview", "bbox_2d": [0, 0, '
    assert again in words(server.bodies[1])


def test_413_shrinks_the_images_but_not_their_size(photo: Path) -> None:
    allowed: list[float] = []

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        size = sum(map(len, images(body)))
        allowed.append(size * 0.6 if number == 0 else allowed[-1])
        if size > allowed[0]:
            return page(413, "<html>413 Request Entity Too Large</html>")
        return say([tool_call("crop", bbox_2d=[0, 0, 60, 60], label="x"), answer("x")][number > 1])

    with serve(behave) as server:
        trajectory = ask(server, photo)
    assert trajectory.answer == "x"
    assert len(server.bodies) == 3
    decoded = Image.open(io.BytesIO(base64.b64decode(images(server.bodies[-1])[0].split(",")[1])))
    assert decoded.size == (trajectory.overview.frame.size.width, trajectory.overview.frame.size.height)


@pytest.mark.parametrize(
    "wording", ["maximum context length is 6000 tokens", "the request exceeds the available context size"]
)
def test_too_long_a_context_drops_whole_old_turns(photo: Path, wording: str) -> None:
    script = iter([ZOOM, CROPS, ZOOM, ZOOM, answer("x")])

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        return refuse(400, f"This model: {wording}.") if len(images(body)) > 4 else say(next(script))

    with serve(behave) as server:
        assert ask(server, photo).answer == "x"
    last = server.bodies[-1]
    assert [message["role"] for message in last["messages"][:2]] == ["system", "user"]
    assert "<question>what is there?</question>" in words(last)
    assert "turns were left out" in words(last)
    assert any(message["content"] == ZOOM for message in last["messages"][2:3])


def test_the_context_is_kept_before_the_server_complains(photo: Path) -> None:
    model = {"id": "served", "root": "Qwen/Qwen2.5-VL-7B-Instruct", "max_model_len": 6000}
    with serve(speak([ZOOM, ZOOM, ZOOM, ZOOM, answer("x")]), models=[model]) as server:
        remote = policy(server, None)
        assert Agent(remote, verify=False).ask(photo, "what is there?").answer == "x"
    assert remote.profile.space == "pixel"
    assert max(len(images(body)) for body in server.bodies) < 5
    assert "turns were left out" in words(server.bodies[-1])
    assert server.bodies[0]["max_tokens"] == 1500


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
    with pytest.raises(ConfigError, match="is no URL"):
        OpenAIPolicy("qwen2.5-vl", base_url="localhost:8000")


def test_a_missing_client_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(InstallError, match=r"pip install 'hart-agent\[openai\]'"):
        OpenAIPolicy("qwen2.5-vl", base_url="http://localhost:1/v1")
