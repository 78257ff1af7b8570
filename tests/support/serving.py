"""What the tests of the server share: a real server on loopback, and policies that do as they are told."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from conftest import answer, coded_pixels, tool_call
from PIL import Image

from hart_agent import Agent
from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply
from hart_agent.serve.server import listen, make_server
from hart_agent.serve.settings import ServeSettings
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace

PROFILE = CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=1_000_000))
"""Boxes in thousandths, so that a test knows where they lie whatever the overview's size is."""

LOOK = tool_call("zoom", bbox_2d=[0, 0, 500, 500])
KEEP = tool_call("crop", bbox_2d=[500, 500, 600, 600], label="the sign")
SCRIPT = (LOOK, KEEP, answer("Marwick Bakery"))
"""Zooms into the upper left, keeps a tenth of each side from the middle, answers. The check says the same."""


def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
    """Says `SCRIPT` in any number of conversations at once."""
    if not tools:  # the check
        return SCRIPT[-1]
    return SCRIPT[sum(message.role == "assistant" for message in messages)]


def agent(say: Any = speak, **options: Any) -> Agent:
    return Agent(ScriptedPolicy(say, PROFILE), **options)


class Held:
    """A policy whose replies wait until they are let go.

    Attributes:
        asked: how many replies were asked for.
        cancelled: how many were given up.
    """

    name = "held"
    profile = PROFILE

    def __init__(self) -> None:
        self.asked = self.cancelled = 0
        self._free = threading.Semaphore(0)

    def let_go(self, count: int = 1) -> None:
        self._free.release(count)

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        self.asked += 1
        try:
            while not self._free.acquire(blocking=False):
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Reply(speak(messages, tools))


@contextmanager
def serving(agent: Agent, **options: Any) -> Iterator[str]:
    """A running server. Yields its base URL, without /v1."""
    listening = listen("127.0.0.1", 0)
    server = make_server(agent, ServeSettings(shutdown_seconds=1, **options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is true; fail after a minute, for the machine may have other work."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not become true")


def data_url(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def coded(width: int = 1200, height: int = 900) -> Image.Image:
    return Image.fromarray(coded_pixels(0, 0, width, height))


PHOTO = data_url(coded(), compress_level=1)


def user(text: str, *urls: str) -> dict[str, Any]:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [*images, {"type": "text", "text": text}]}


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "hart-agent", "messages": [user("what is on the sign?", PHOTO)], **changes}


def request(
    url: str, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """One request, as it is on the wire: status, headers in lower case, body."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        sent = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
        connection.request(method, path, sent, headers or {})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def ask(url: str, data: Any = None, **headers: str) -> tuple[int, Any]:
    """One chat completion: status and JSON."""
    status, _, content = request(url, "POST", "/v1/chat/completions", body() if data is None else data, headers)
    return status, json.loads(content)


def ask_three(url: str, policy: Held) -> list[http.client.HTTPConnection]:
    """Ask three questions of a server that has room for one, and wait until it has begun with that."""
    connections = [http.client.HTTPConnection(url.removeprefix("http://")) for _ in range(3)]
    for connection in connections:
        connection.request("POST", "/v1/chat/completions", json.dumps(body()))
    eventually(lambda: b"hart_agent_waiting 2.0" in request(url, "GET", "/metrics")[2])
    eventually(lambda: policy.asked == 1)
    return connections
