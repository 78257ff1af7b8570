"""The OpenAI backend against servers that refuse, fail and break off: retries, remedies, errors that say what next."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from loopback import Behaviour, completion, endless, half_json, page, refuse, reset_mid_body, say, send, serve
from openai_asks import CROPS, ZOOM, ask, images, photo, policy, speak, words  # noqa: F401 (a fixture)
from PIL import Image

from hart_agent import Agent, PolicyError, StopReason


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
    assert len(server.bodies) == trajectory.usage.requests == requests
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


@pytest.mark.parametrize("guess", [False, True])
def test_requests_that_failed_count_wherever_they_were_made(photo: Path, guess: bool) -> None:
    crop, no = say(tool_call("crop", bbox_2d=[10, 10, 200, 200], label="x")), refuse(400, "I do not like it")
    with serve([*([no] if guess else []), crop, say(answer("x")), no]) as server:
        run = Agent(policy(server), guess_overview=guess).ask(photo, "what is there?")
    assert (run.answer, run.verdict.value) == ("x", "unchecked")
    assert run.usage.requests == len(server.bodies) == 3 + guess
    cut = completion("<answer>half")
    cut["choices"][0]["finish_reason"] = "length"
    with serve([lambda handler: send(handler, 200, cut), no]) as server:
        run = ask(server, photo)
    assert run.usage.requests == len(server.bodies) == 2
