"""Which images a client may name, how many questions run at once, and what is served when nothing is chosen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conftest import answer
from serving import Held, agent, ask, ask_three, body, coded, eventually, request, serving, user
from test_chat import echoing
from test_photos import png
from typer.testing import CliRunner
from web_server import web_server

from hart_agent import Agent
from hart_agent.backends.embedded import EmbeddedPolicy
from hart_agent.cli import app
from hart_agent.serve.app import build_app
from hart_agent.serve.settings import ServeSettings


@pytest.fixture
def picture() -> Iterator[tuple[str, list[str]]]:
    """The address of an image on a web server, and what was asked of that server."""
    data = png(coded(300, 200))
    with web_server(200, {"Content-Length": str(len(data))}, data) as (address, asked):
        yield f"{address}/photo.png", asked


def test_an_image_is_downloaded_only_if_that_is_allowed(picture: tuple[str, list[str]]) -> None:
    address, asked = picture
    sent = body(messages=[user("how large?", address)])
    with serving(agent(echoing, verify=False)) as url:
        status, found = ask(url, sent)
    assert (status, found["error"]["code"], asked) == (400, "invalid_image_url", [])
    assert "--allow-download" in found["error"]["message"]
    with serving(agent(echoing, verify=False), allow_download=True) as url:
        status, found = ask(url, sent)
        assert (status, asked) == (200, ["/photo.png"])
        assert found["choices"][0]["message"]["content"] == "300x200 how large?"
        assert ask(url, body(messages=[user("how large?", address.replace("photo", "\x00"))]))[0] == 400


class OneByOne(Held):
    """A policy whose own server has room for one episode at a time, as the adaptive limit of batches says."""

    def __init__(self) -> None:
        super().__init__()
        self._room = asyncio.Semaphore(1)

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        async with self._room:
            yield


def test_the_policys_own_limit_holds() -> None:
    policy = OneByOne()
    with serving(Agent(policy), concurrency=4) as url:
        connections = ask_three(url, policy)
        policy.let_go(4)  # the first one's three turns and its check, and with that the next one begins
        eventually(lambda: policy.asked == 5)
        assert b"hart_agent_running 1.0" in request(url, "GET", "/metrics")[2]
        policy.let_go(8)
        assert [connection.getresponse().status for connection in connections] == [200, 200, 200]
        for connection in connections:
            connection.close()


def test_without_options_the_embedded_reader_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr("hart_agent.serve.server.serve", lambda *arguments: served.append(arguments))
    done = CliRunner().invoke(app, ["serve"], catch_exceptions=False)
    assert done.exit_code == 0
    ((asked, settings),) = served
    assert isinstance(asked.policy, EmbeddedPolicy)
    assert (settings.host, settings.port, settings.folders, settings.allow_download) == ("127.0.0.1", 8600, None, False)


def test_every_address_refuses_a_foreign_host_and_a_foreign_page() -> None:
    guarded: Any = build_app(agent(), ServeSettings())
    routes = guarded._app._app._app._app.routes
    paths = [route.path.replace(":int", "").replace("{", "").replace("}", "") for route in routes]
    assert {"/", "/page.css", "/page/photos", "/page/traces", "/v1/models", "/v1/chat/completions"} <= set(paths)
    with serving(agent(lambda messages, tools: answer("x"))) as url:
        for path in [*paths, "/nothing"]:
            for headers in ({"Host": "attacker.example"}, {"Origin": "https://attacker.example"}):
                for method in ("GET", "POST"):
                    assert request(url, method, path, headers=headers)[0] == 403, (method, path)


def test_its_model_is_listed_and_can_be_asked_for_by_name() -> None:
    with serving(agent(lambda messages, tools: answer("x"))) as url:
        listed = json.loads(request(url, "GET", "/v1/models")[2])["data"]
        assert [model["id"] for model in listed] == ["hart-agent"]
        status, _, found = request(url, "GET", "/v1/models/hart-agent")
        assert (status, json.loads(found)) == (200, listed[0])
        assert request(url, "GET", "/v1/models/another")[0] == 404
