"""Which images a client may name, how many questions run at once, and what is served when nothing is chosen."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conftest import answer
from serving import Held, agent, ask, body, coded, eventually, request, serving, user
from test_chat import echoing
from test_photos import png
from typer.testing import CliRunner

from hart_agent import Agent
from hart_agent.backends.embedded import EmbeddedPolicy
from hart_agent.cli import app
from hart_agent.serve.app import build_app
from hart_agent.serve.settings import ServeSettings


@pytest.fixture
def picture() -> Iterator[tuple[str, list[str]]]:
    """The address of an image on a web server, and what was asked of that server."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            data = png(coded(300, 200))
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}/photo.png", asked
        running.shutdown()


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
        connections = [http.client.HTTPConnection(url.removeprefix("http://")) for _ in range(3)]
        for connection in connections:
            connection.request("POST", "/v1/chat/completions", json.dumps(body()))
        eventually(lambda: b"hart_agent_waiting 2.0" in request(url, "GET", "/metrics")[2])
        eventually(lambda: policy.asked == 1)
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
