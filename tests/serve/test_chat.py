"""The agent as a model: what a client gets, by OpenAI's own client and as it is on the wire."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import answer, coded_pixels, tool_call
from PIL import Image
from serving import (
    PHOTO,
    PROFILE,
    SCRIPT,
    Held,
    agent,
    ask,
    ask_three,
    body,
    coded,
    data_url,
    eventually,
    request,
    serving,
    user,
)

from hart_agent import Agent
from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.vision.files import EncodedImage

if TYPE_CHECKING:
    import openai  # takes .8 s of every process that collects these tests, and one of them runs them


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(agent()) as found:
        yield found


def client(url: str) -> openai.OpenAI:
    import openai

    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def test_the_model_is_listed(url: str) -> None:
    assert [model.id for model in client(url).models.list()] == ["hart-agent"]


def test_an_answer_with_its_turns_verdict_and_evidence(url: str) -> None:
    found = client(url).chat.completions.create(**body())
    (choice,) = found.choices
    assert (choice.message.content, choice.finish_reason) == ("Marwick Bakery", "stop")
    reasoning = choice.message.reasoning_content  # type: ignore[attr-defined]
    assert reasoning.index("Zoomed into the upper left") < reasoning.index("as evidence: the sign")
    hart = found.hart  # type: ignore[attr-defined]
    # A tenth of 1200 x 900 from the middle.
    assert hart["evidence"] == [{"box": [600, 450, 720, 540], "label": "the sign"}]
    assert (hart["verdict"], hart["abstained"], hart["turns"]) == ("supported", False, 3)
    assert hart["image"] == {"width": 1200, "height": 900}
    status, _, content = request(url, "GET", f"/v1/traces/{hart['trace']}")
    trace = json.loads(content)
    assert status == 200
    assert (trace["schema"], trace["question"], trace["answer"]) == (
        "hart-agent/trace", "what is on the sign?", "Marwick Bakery",
    )  # fmt: skip


def test_a_stream_holds_the_turns_then_the_answer_then_done(url: str) -> None:
    chunks = list(client(url).chat.completions.create(**body(stream=True, stream_options={"include_usage": True})))
    parts = [
        ("reasoning" if getattr(chunk.choices[0].delta, "reasoning_content", None) else "content")
        for chunk in chunks
        if chunk.choices and chunk.choices[0].delta.model_dump(exclude_none=True).keys() - {"role"}
    ]
    assert parts == ["content", "reasoning", "reasoning", "content"]  # the first one is empty, with the role
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Marwick Bakery"
    (final,) = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert final.hart["evidence"][0]["box"] == [600, 450, 720, 540]  # type: ignore[attr-defined]
    assert chunks[-1].usage is not None
    assert len({chunk.id for chunk in chunks}) == 1

    status, headers, content = request(url, "POST", "/v1/chat/completions", body(stream=True))
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert content.endswith(b"data: [DONE]\n\n")


def test_a_turn_is_sent_before_the_next_one_is_there() -> None:
    policy = Held()
    with serving(Agent(policy)) as url:
        policy.let_go()  # one turn, and no more before it has arrived here
        stream = client(url).chat.completions.create(**body(stream=True))
        seen = ""
        for chunk in stream:
            seen = getattr(chunk.choices[0].delta, "reasoning_content", None) or ""
            if seen:
                break
        assert "Zoomed into the upper left" in seen
        assert policy.asked == 2
        policy.let_go(3)
        rest = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
        assert "Marwick Bakery" in rest


@pytest.mark.parametrize(
    ("limit", "text", "reason"),
    [(1, "Marwick", "length"), (2, "Marwick Bakery", "stop"), (16, "Marwick Bakery", "stop")],
)
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_bounds_the_answer_and_not_the_turns(
    url: str, name: str, limit: int, text: str, reason: str
) -> None:
    found = client(url).chat.completions.create(**body(**{name: limit}))
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == (text, reason)
    assert found.hart["turns"] == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("reply", "words", "stop_reason"),
    [
        ("<abstain>the price is hidden</abstain>", "the price is hidden", "abstained"),
        (SCRIPT[0], "3 turns", "max_turns"),
    ],
)
def test_an_abstention_is_an_answer_in_words(reply: str, words: str, stop_reason: str) -> None:
    from hart_agent.agent.config import EpisodeConfig

    with serving(agent(lambda messages, tools: reply, config=EpisodeConfig(max_turns=3))) as url:
        status, found = ask(url)
    assert status == 200
    assert words in found["choices"][0]["message"]["content"]
    assert (found["hart"]["abstained"], found["hart"]["stop_reason"]) == (True, stop_reason)
    assert found["hart"]["verdict"] == "unchecked"


def echoing(messages: Any, tools: Any) -> str:
    """Answers with the question and the size of the overview."""
    (view,) = messages[1].views[:1]
    question = messages[1].text.partition("<question>")[2].partition("</question>")[0]
    return answer(f"{view.frame.box.size} {' / '.join(question.split(chr(10)))}")


def test_earlier_messages_are_context_and_an_image_of_one_still_counts() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        user("what is it?", data_url(Image.new("RGB", (30, 20)))),
        {"role": "assistant", "content": "A red one."},
        user("and now?", data_url(Image.new("RGB", (60, 40)))),
        {"role": "assistant", "content": "A blue one."},
        {"role": "user", "content": "how large?"},
    ]
    with serving(agent(echoing, verify=False)) as url:
        status, found = ask(url, body(messages=messages))
        text = found["choices"][0]["message"]["content"]
        assert status == 200
        assert text.startswith("60x40 ")
        places = [text.index(words) for words in ("Be brief.", "what is it?", "A red one.", "and now?", "how large?")]
        assert places == sorted(places)
        assert ask(url, body(messages=messages[1:2]))[1]["choices"][0]["message"]["content"] == "30x20 what is it?"


def test_the_embedded_reader_takes_the_last_question_of_a_conversation() -> None:
    from hart_agent.backends.embedded.question import understand
    from hart_agent.dialogue.conversations import with_history, without_history

    asked = "what is the phone number?"
    continued = with_history(asked, "user: what is on the sign?\nassistant: a bakery")
    assert without_history(continued) == without_history(asked) == asked
    assert understand(without_history(continued)) == understand(asked)


DAMAGED = "data:image/png;base64," + PHOTO.partition(",")[2][:4000]
REFUSED = [
    (b"{", 400, "invalid_json"),
    (b"[]", 400, "invalid_json"),
    (b"[" * 100_000, 400, "invalid_json"),
    ({"messages": []}, 400, None),
    (body(model="gpt-4o"), 404, "model_not_found"),
    (body(n=2), 400, None),
    (body(max_tokens=0), 400, None),
    (body(max_tokens=True), 400, None),
    (body(stream="yes"), 400, None),
    (body(messages=[{"role": "user", "content": "what?"}]), 400, "no_image"),
    (body(messages=[user("", PHOTO)]), 400, None),
    (body(messages=[user("which?", PHOTO, PHOTO)]), 400, "several_images"),
    (body(messages=[user("which?", PHOTO, PHOTO), {"role": "user", "content": "and now?"}]), 400, "several_images"),
    (body(messages=[{"role": "tool", "content": "x"}]), 400, None),
    (body(messages=[{"role": ["user"], "content": "x"}]), 400, None),
    (body(messages=[{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]), 400, None),
    (body(messages=[user("what?", DAMAGED)]), 400, "invalid_image"),
    (body(messages=[user("what?", "data:image/png;base64,AAAA")]), 400, "invalid_image"),
    (body(messages=[user("what?", "data:image/png;base64")]), 400, "invalid_image"),
    (body(messages=[user("what?", "/etc/passwd")]), 400, "invalid_image_url"),
    (body(messages=[user("what?", "-")]), 400, "invalid_image_url"),
    (body(messages=[user("what?", "file:///etc/hostname")]), 400, "invalid_image_url"),
    (body(messages=[user("what?", "http://127.0.0.1:1/x.png")]), 400, "invalid_image_url"),
]


@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_answered_is_refused_in_openais_form(url: str, stream: bool) -> None:
    for sent, status, code in REFUSED:
        asked = {**sent, "stream": True} if stream and isinstance(sent, dict) and "stream" not in sent else sent
        got, found = ask(url, asked)
        assert (got, found["error"]["code"]) == (status, code), (sent, found)
        assert found["error"]["message"]
        assert found["error"]["type"] == "invalid_request_error"
    assert ask(url)[0] == 200


def test_openais_client_raises_its_own_errors(url: str) -> None:
    import openai

    with pytest.raises(openai.BadRequestError, match="2 images"):
        client(url).chat.completions.create(**body(messages=[user("which?", PHOTO, PHOTO)]))
    with pytest.raises(openai.NotFoundError, match="no model"):
        client(url).chat.completions.create(**body(model="other"))
    assert request(url, "GET", "/v1/nothing")[0] == 404
    assert json.loads(request(url, "GET", "/v1/nothing")[2])["error"]["code"] == "not_found"
    assert request(url, "GET", "/v1/chat/completions")[0] == 405
    assert request(url, "GET", "/v1/traces/none")[0] == 404


@pytest.mark.parametrize("stream", [False, True])
def test_a_policy_that_is_down_is_a_502(stream: bool) -> None:
    with serving(agent([])) as url:  # it has nothing to say
        status, found = ask(url, body(stream=stream))
    assert status == 502
    assert "no more replies" in found["error"]["message"]
    assert found["error"]["type"] == "server_error"


def test_a_policy_that_fails_midway_ends_the_stream_with_an_error() -> None:
    import openai

    with serving(agent(SCRIPT[:1])) as url:
        stream = client(url).chat.completions.create(**body(stream=True))
        with pytest.raises(openai.APIError, match="no more replies"):
            list(stream)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_cancels_its_episode(stream: bool) -> None:
    policy = Held()
    with serving(Agent(policy)) as url:
        if stream:
            policy.let_go()
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("POST", "/v1/chat/completions", json.dumps(body(stream=stream)))
        eventually(lambda: policy.asked == 1 + stream)
        assert policy.cancelled == 0
        if stream:
            response = connection.getresponse()
            response.readline()
            response.close()
        connection.close()
        eventually(lambda: policy.cancelled == 1)
        assert b"hart_agent_cancelled_total 1.0" in request(url, "GET", "/metrics")[2]
        assert b"hart_agent_running 0.0" in request(url, "GET", "/metrics")[2]


def test_a_client_that_hangs_up_while_it_waits_leaves_the_queue() -> None:
    policy = Held()
    with serving(Agent(policy), concurrency=1) as url:
        connections = ask_three(url, policy)
        for connection in connections:
            connection.close()
        eventually(lambda: b"hart_agent_cancelled_total 3.0" in request(url, "GET", "/metrics")[2])
        policy.let_go(4)
        assert ask(url)[0] == 200


def test_a_busy_server_says_when_to_come_back() -> None:
    policy = Held()
    with serving(Agent(policy), concurrency=1, max_waiting=0) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("POST", "/v1/chat/completions", json.dumps(body()))
        eventually(lambda: policy.asked == 1)
        status, headers, content = request(url, "POST", "/v1/chat/completions", body())
        assert status == 429
        assert 1 <= int(headers["retry-after"]) <= 60
        assert json.loads(content)["error"]["type"] == "rate_limit_error"
        policy.let_go(4)
        assert connection.getresponse().status == 200
        connection.close()


async def test_64_at_once_get_their_own_answers() -> None:
    import openai

    def by_question(messages: Any, tools: Any) -> str:
        return answer(messages[1].text.partition("<question>")[2].partition("</question>")[0].upper())

    with serving(agent(by_question, verify=False), concurrency=64) as url:
        asking = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        small = data_url(Image.new("RGB", (64, 48)))
        found = await asyncio.gather(
            *(asking.chat.completions.create(**body(messages=[user(f"question {n}?", small)])) for n in range(64))
        )
        await asking.close()
    assert [each.choices[0].message.content for each in found] == [f"QUESTION {n}?" for n in range(64)]


def test_a_slow_reader_does_not_hold_others() -> None:
    long = answer("x" * 4_000_000)

    def by_size(messages: Any, tools: Any) -> str:
        return long if "long" in messages[1].text else answer("short")

    with serving(agent(by_size, verify=False), concurrency=1) as url:
        slow = http.client.HTTPConnection(url.removeprefix("http://"))
        slow.request("POST", "/v1/chat/completions", json.dumps(body(messages=[user("long?", PHOTO)], stream=True)))
        slow.getresponse()  # and reads no further
        for _ in range(3):
            assert ask(url)[1]["choices"][0]["message"]["content"] == "short"
        slow.close()


# ---- the standard harnesses ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "open").mkdir()
    for place in ("open/photo.png", "secret.png"):
        coded(900, 600).save(home / place, compress_level=1)
    (home / "open" / "out.png").symlink_to(home / "secret.png")
    return home / "open"


def test_as_vlmevalkit_asks(url: str, folder: Path) -> None:
    """One message of the user with a JPEG of its own quality, or with a file under --root."""
    jpeg = data_url(coded(2000, 1500), "JPEG", quality=85)
    parts = [
        {"type": "image_url", "image_url": {"url": jpeg, "detail": "low"}},
        {"type": "text", "text": "What is on the sign?\nOptions:\nA. Marwick Bakery\nB. A fish"},
    ]
    sent = {"model": "hart-agent", "max_tokens": 2048, "n": 1, "temperature": 0}
    status, found = ask(url, {**sent, "messages": [{"role": "user", "content": parts}]})
    assert status == 200
    assert found["choices"][0]["message"]["content"] == "Marwick Bakery"
    assert found["hart"]["evidence"][0]["box"] == [1000, 750, 1200, 900]

    with serving(agent(), root=[folder]) as local:
        for name, status in [("photo.png", 200), ("out.png", 400), ("../secret.png", 400), ("none.png", 400)]:
            parts[0] = {"type": "image_url", "image_url": {"url": f"file://{folder}/{name}"}}
            got, found = ask(local, {**sent, "messages": [{"role": "user", "content": parts}]})
            assert got == status, (name, found)
        message = found["error"]["message"]
        parts[0] = {"type": "image_url", "image_url": {"url": f"file://{folder}/../secret.png"}}
        refused = ask(local, {**sent, "messages": [{"role": "user", "content": parts}]})[1]["error"]["message"]
        assert message.replace("none.png", "") == refused.replace("../secret.png", "")  # which tells nothing


def test_as_lmms_eval_asks(folder: Path) -> None:
    """A PNG of all pixels, and no more than 16 tokens: the same reply as the agent's own, from the same pixels."""
    seen: list[Any] = []

    def looking(messages: Any, tools: Any) -> str:
        views = [view for message in messages for view in message.views]
        seen.append([view.sha256 for view in views])
        if len(views) == 1:
            return tool_call("crop", bbox_2d=[100, 100, 200, 200], label="x")
        pixels = views[-1].image.getpixel((0, 0))
        return answer(f"{pixels[0]} {pixels[1]}")

    image, question = coded(2400, 1800), "Which colour?\nAnswer with the option's letter."
    sent = {
        "model": "hart-agent", "max_tokens": 16, "temperature": 0,
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": question},
            {"type": "image_url", "image_url": {"url": data_url(image)}},
        ]}],
    }  # fmt: skip
    with serving(Agent(ScriptedPolicy(looking, PROFILE), verify=False)) as url:
        status, found = ask(url, sent)
    served, seen[:] = seen[:], []
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    own = Agent(ScriptedPolicy(looking, PROFILE), verify=False).ask(EncodedImage("x", buffer.getvalue()), question)
    assert status == 200
    assert found["choices"][0]["message"]["content"] == own.answer
    red, green, _ = coded_pixels(240, 180, 241, 181)[0, 0]
    assert own.answer == f"{red} {green}"
    assert served == seen
