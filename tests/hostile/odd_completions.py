"""Odd completions of a chat server, over real connections: each is a reply or a `PolicyError`, in bounded time."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import random
import time
import zlib
from collections import Counter
from typing import Any

from loopback import Behaviour, completion, half_json, reset_mid_body, send, serve
from openai_asks import KEY, policy

from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.dialogue.messages import Message, Role
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import PolicyError

AT_ONCE = 8
SECONDS = 60
"""Within which a reply must be read, on a busy machine; the policy's own time-out is a sixth of it."""
VALUES: list[Any] = [
    None, True, False, 0, -1, 7.5, 10**30, 1e308, "", " ", "x", "\0\x1b[31m\n", "\ud800", "é" * 50, KEY,
    "<answer>x</answer>", [], [None], {}, {"a": {}}, [[[]]], "length", "content_filter", "tool_calls", {"text": "x"},
    [{"type": "text", "text": "x"}], [{"type": "text", "text": None}], '{"bbox_2d": [1, 2, 3', "9" * 5000, -(10**25),
]  # fmt: skip
NAMES = (
    "refusal", "reasoning_content", "tool_calls", "function_call", "error", "delta", "logprobs", "usage", "text",
    "content", "finish_reason", "audio", "choices", "message",
)  # fmt: skip
RAW = [
    b"",
    b"null",
    b"[",
    b"\xff\xfe",
    b"[" * 100_000,
    b"{" * 5000,
    b'{"a":' * 5000,
    b"NaN",
    b"<html>busy</html>",
    b"1" * 6000,
]
LOGPROBS = {"content": [{"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": []}]}


def sound(draw: random.Random) -> dict[str, Any]:
    calls = [("zoom", '{"bbox_2d": [1, 2, 30, 40]}'), ("crop", "{}")][: draw.randrange(3)]
    body = completion(draw.choice(["<answer>x</answer>", None, "", "words"]), calls)
    if draw.random() < 0.4:
        body["choices"][0]["logprobs"] = copy.deepcopy(LOGPROBS)
    return body


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container in a JSON value, with each of its keys."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def injured(draw: random.Random) -> Any:
    """A sound body in which values are exchanged, left out, moved or added."""
    body: Any = sound(draw)
    for _ in range(draw.choice((1, 1, 2, 4))):
        if not (found := places(body)):
            break
        holder, key = draw.choice(found)
        match draw.randrange(5):
            case 0 | 1:
                holder[key] = copy.deepcopy(draw.choice(VALUES))
            case 2:
                del holder[key]
            case 3:
                holder[key] = [copy.deepcopy(holder[key])] * draw.choice((1, 2, 300))
            case 4 if isinstance(holder, dict):
                holder[draw.choice(NAMES)] = copy.deepcopy(draw.choice(VALUES))
    return body


def odd(draw: random.Random) -> Behaviour:
    if draw.random() < 0.04:
        return draw.choice([reset_mid_body, half_json])
    data = draw.choice(RAW) if draw.random() < 0.1 else json.dumps(injured(draw)).encode()
    if draw.random() < 0.15:
        at = draw.randrange(len(data) + 1)
        data = draw.choice(
            [data[:at], data + data, data[:at] + draw.randbytes(3) + data[at:], b"data: " + data + b"\n\n"]
        )
    status = draw.choice([200] * 9 + [201, 204, 400, 404, 413, 422, 429, 500, 503])
    headers = {
        "content-type": draw.choice(["application/json"] * 5 + ["text/html", "text/event-stream", "image/png", "\xe9"])
    }
    if draw.random() < 0.1:
        headers["retry-after"] = draw.choice(["nan", "0", "-3", "soon", "0.01"])
    if draw.random() < 0.1:
        packed = draw.choice([gzip.compress(data), zlib.compress(data), data, gzip.compress(data)[:-9]])
        data, headers["content-encoding"] = packed, draw.choice(["gzip", "deflate", "br", "identity"])
    return lambda handler: send(handler, status, data, **headers)


async def _ask(remote: Any, outcomes: Counter[str], failures: list[str], described: str) -> None:
    started = time.monotonic()
    try:
        async with asyncio.timeout(SECONDS):
            reply = await remote.reply([Message(Role.USER, ("what?",))], ())
        if not (isinstance(reply, Reply) and isinstance(reply.text, str)):
            failures.append(f"{described}: {reply!r}")
        json.dumps(reply.text)
        outcomes["replies"] += 1
    except PolicyError as error:
        if KEY in str(error) or not str(error).isprintable() or not str(error):
            failures.append(f"{described}: the message {str(error)!r}")
        outcomes["errors"] += 1
    except Exception as error:
        failures.append(f"{described}: {type(error).__name__}: {error} after {time.monotonic() - started:.1f} s"[:600])


async def _ask_all(seed: int, count: int) -> tuple[list[str], Counter[str]]:
    outcomes: Counter[str] = Counter()
    failures: list[str] = []

    async def ask_some(first: int) -> None:
        for number in range(first, count, AT_ONCE):
            described = f"seed {seed}, completion {number}"
            with serve([odd(random.Random(f"{seed} {number}"))]) as server:
                async with policy(server, api_key=KEY, timeout=SECONDS / 6, retry=RetryPolicy(retries=0)) as remote:
                    await _ask(remote, outcomes, failures, described)

    await asyncio.gather(*(ask_some(first) for first in range(AT_ONCE)))
    return failures, outcomes


def attack(seed: int, count: int) -> tuple[int, list[str], str]:
    failures, outcomes = asyncio.run(_ask_all(seed, count))
    return count, failures, ", ".join(f"{number} {name}" for name, number in sorted(outcomes.items())) + "."
