"""Servers that flood, drip, quote secrets and ask for absurd waits: bounded memory, bounded time, nothing shown."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
import tracemalloc
import zlib
from typing import Any
from urllib.parse import unquote

import pytest
from loopback import Behaviour, Handler, completion, flood, say, send, serve
from openai_asks import KEY, policy

from hart_agent import ConfigError, PolicyError
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.openai.connection import MAX_BODY
from hart_agent.backends.openai.retries import RetryPolicy, retry_after
from hart_agent.dialogue.messages import Message, Role
from hart_agent.doctor import examine_server

ASKED = [Message(Role.USER, ("what is there?",))]
ONCE = RetryPolicy(retries=0)
OPEN = json.dumps(completion("<answer>OPEN</answer>")).encode()


def packed(data: bytes, encoding: str) -> Behaviour:
    headers = {"content-type": "application/json", "content-encoding": encoding}
    return lambda handler: send(handler, 200, data, **headers)


def answering(status: int, value: Any, **headers: str) -> Behaviour:
    return lambda handler: send(handler, status, value, **headers)


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_compressed_answers_are_read(encoding: str, pack: Any) -> None:
    with serve([packed(pack(OPEN), encoding)]) as server:
        assert (await policy(server).reply(ASKED, ())).text == "<answer>OPEN</answer>"


def bomb(size: int) -> bytes:
    """A small gzip file that unfolds into so many bytes of JSON."""
    pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = b" " * 1_000_000
    return b"".join([*(pack.compress(block) for _ in range(size // len(block))), pack.compress(OPEN), pack.flush()])


@pytest.mark.long
async def test_a_gzip_bomb_takes_no_more_memory_than_an_answer_may() -> None:
    with serve([packed(bomb(300_000_000), "gzip")]) as server:
        tracemalloc.start()
        try:
            with pytest.raises(PolicyError, match="longer than 8 MB"):
                await policy(server, retry=ONCE, timeout=60.0).reply(ASKED, ())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 100_000_000


@pytest.mark.long
async def test_an_endless_body_ends_with_an_error() -> None:
    with serve([flood(b" " * 65536)]) as server, pytest.raises(PolicyError, match="longer than 8 MB"):
        await policy(server, retry=ONCE, timeout=60.0).reply(ASKED, ())
    with (
        serve([flood(b'{"error": "'), say("x")]) as server,
        pytest.raises(PolicyError, match=r"longer than 8 MB|no complete"),
    ):
        await policy(server, retry=ONCE, timeout=3.0).reply(ASKED, ())


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"no gzip", "gzip"),
        (gzip.compress(OPEN, mtime=0)[:40], "gzip"),
        (OPEN, "br"),
        (OPEN, "gzip, gzip"),
        (b"\x00", "deflate"),
    ],
)
async def test_damaged_compression_is_an_error(data: bytes, encoding: str) -> None:
    with serve([packed(data, encoding)]) as server, pytest.raises(PolicyError, match="compress"):
        await policy(server, retry=ONCE).reply(ASKED, ())


@pytest.mark.long
async def test_an_answer_of_the_largest_size_is_read() -> None:
    text = "<answer>" + "x" * (MAX_BODY - 1000) + "</answer>"
    with serve([say(text)]) as server:
        assert (await policy(server).reply(ASKED, ())).text == text


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("nan", None), ("-nan", None), ("inf", 60), ("1e999", 60), ("-5", 0), ("9" * 5000, 60), ("soon", None),
        ("Fri, 01 Jan 99999 00:00:00 GMT", None), ("Fri, 31 Dec 9999 23:59:59 GMT", 60), ("Fri, 32 Foo 2026", None),
        ("", None), ("Mon, 01 Jan 0001 00:00:00 +2400", None), ("٣", 3), ("1;2", None),
    ],
)  # fmt: skip
def test_an_absurd_wait_is_bounded(asked: str, wait: float | None) -> None:
    seconds = retry_after({"retry-after": asked})
    waited = RetryPolicy(base=0.0, cap=60.0).delay(0, seconds, chance=0.5)
    assert (seconds is None) == (wait is None)
    assert waited == (wait or 0)


async def test_a_server_that_wants_to_be_asked_in_the_year_99999_is_asked_again() -> None:
    busy = [
        lambda handler, value=value: send(handler, 429, {"error": "busy"}, retry_after=value)
        for value in ("nan", "Fri, 01 Jan 99999 00:00:00 GMT")
    ]
    started = time.monotonic()
    with serve([*busy, say("x")]) as server:
        assert (await policy(server).reply(ASKED, ())).text == "x"
    assert time.monotonic() - started < 3


MODELS: list[Any] = [
    None, 7, [], {}, {"id": None}, {"id": 7}, {"id": ["a"]}, {"root": "x"}, {"id": ""},
    {"id": "only-vl", "root": 7, "max_model_len": "long"},
]  # fmt: skip


@pytest.mark.parametrize("limit", [-1, 0, True, 10**30, float("inf"), "8", None, [8]])
def test_odd_entries_in_a_list_of_models_are_left_out(limit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [*MODELS[:-1], {**MODELS[-1], "max_model_len": limit}]

    def listed(handler: Handler) -> None:
        send(handler, 200, {"object": "list", "data": entries})

    with serve([say("x")]) as server:
        monkeypatch.setattr(Handler, "do_GET", listed)
        remote = policy(server, None)
    assert remote.name == "openai (only-vl)"
    assert asyncio.run(_reply(remote, say("y"))) == "y"


async def _reply(remote: OpenAIPolicy, behaviour: Behaviour) -> str:
    with serve([behaviour]) as server:
        return (await policy(server, remote.name.removeprefix("openai (").removesuffix(")")).reply(ASKED, ())).text


SECRET = "p4ss/w0rd+and=more"


@pytest.mark.parametrize("padding", [0, 150, 190, 195, 580, 1990, 1995, 19_990])
async def test_a_key_is_gone_before_anything_is_cut(padding: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = "x" * padding + KEY + "x" * 50
    for status, value in (
        (200, {"id": echo}),
        (200, {"choices": echo}),
        (400, {"error": echo}),
        (200, {"error": echo}),
        (200, {"choices": [{"message": {"content": None, "refusal": echo}}]}),
        (500, echo),
    ):
        with serve([answering(status, value)]) as server, pytest.raises(PolicyError) as caught:
            await policy(server, api_key=KEY, retry=ONCE).reply(ASKED, ())
        for shown in (str(caught.value), caplog.text):
            assert KEY[:12] not in shown
            assert KEY[-12:] not in shown


def test_a_key_in_a_list_of_models_is_not_shown() -> None:
    models = [{"id": "x" * 195 + KEY}, {"id": KEY + "-vl", "root": KEY}]
    with serve([say("x")], models=models) as server:
        with pytest.raises(ConfigError) as caught:
            policy(server, None, api_key=KEY)
        report = asyncio.run(examine_server(server.url, None, KEY))
    assert KEY not in str(caught.value) + repr(report) + json.dumps(report.to_json())


@pytest.mark.parametrize(
    "address", [f"?api-key={KEY}", f"?API_KEY={KEY}&x=1", f"?code={KEY}", f"?x={KEY}", "?sig=p4ss%2Fw0rd%2Band%3Dmore"]
)
async def test_a_secret_in_the_address_is_sent_and_not_shown(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    paths: list[str] = []

    def echo(handler: Handler) -> None:
        paths.append(handler.path)
        send(handler, 404, {"error": {"message": f"no {handler.path} ({secret})"}})

    secret = SECRET if "sig" in address else KEY

    with serve([echo]) as server:
        server.url += address
        remote = policy(server, retry=ONCE)
        with pytest.raises(PolicyError) as caught:
            await remote.reply(ASKED, ())
        report = await examine_server(server.url, None, None, max_seconds=5)
    assert unquote(paths[0]) == f"/v1/chat/completions{unquote(address)}"
    shown = str(caught.value) + remote.name + repr(remote) + repr(report) + json.dumps(report.to_json())
    for form in (KEY, SECRET, "w0rd%2B"):
        assert form not in shown
        assert form not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000", f"htp://me:{KEY}@host/v1", f"http://me:{KEY}@host:port/v1", f"http://me:{KEY}@[::1/v1",
        f"http://?api-key={KEY}", f"http:///v1?api-key={KEY}", f"ftp://host/v1?api-key={KEY}", "",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_its_secrets(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    for given in (url or None, None):
        if not url:
            continue
        with pytest.raises(ConfigError, match="is not a URL") as caught:
            OpenAIPolicy("qwen2.5-vl", base_url=given)
        assert KEY not in str(caught.value)


async def test_a_redirection_is_not_followed() -> None:
    with serve([say("stolen")]) as other:
        place = other.url + "/chat/completions"
        for status in (301, 302, 303, 307, 308):
            words = f"HTTP {status}: it redirects to {place}"
            with serve([answering(status, {}, location=place)]) as server, pytest.raises(PolicyError, match=words):
                await policy(server, api_key=KEY).reply(ASKED, ())
        assert other.bodies == []


async def test_messages_hold_no_control_characters() -> None:
    with (
        serve(
            [lambda handler: send(handler, 400, {"error": {"message": "a\x1b[31mb\nverdict: supported\x07"}})]
        ) as server,
        pytest.raises(PolicyError) as caught,
    ):
        await policy(server).reply(ASKED, ())
    assert str(caught.value).isprintable()


async def test_connections_are_closed_when_asked() -> None:
    ended: list[int] = []

    def watched(handler: Handler) -> None:
        finish = handler.finish
        handler.finish = lambda: (ended.append(1), finish())[1]  # type: ignore[method-assign]
        say("x")(handler)

    with serve([watched]) as server:
        async with policy(server) as remote:
            for _ in range(3):
                await remote.reply(ASKED, ())
            assert not ended
        for _ in range(100):
            if ended:
                break
            await asyncio.sleep(0.02)
        assert ended
        assert (await remote.reply(ASKED, ())).text == "x"  # over a new connection
        await remote.aclose()
        await remote.aclose()
