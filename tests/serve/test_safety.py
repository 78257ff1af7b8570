"""What the server refuses before any question is read, and how it starts and ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from serving import agent, ask, body, data_url, request, serving, user
from typer.testing import CliRunner

from hart_agent.cli import app
from hart_agent.errors import ConfigError
from hart_agent.serve.addresses import Addresses
from hart_agent.serve.settings import ServeSettings
from hart_agent.serve.traces import Traces

KEY = "a-secret-of-the-server-0123456789"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(agent(), allow_host=["photos.example"], allow_origin=["https://chat.example"]) as found:
        yield found


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        (None, None, 200),
        ("localhost:8600", None, 200),
        ("LOCALHOST", None, 200),
        ("127.0.0.1:1", None, 200),
        ("[::1]:8600", None, 200),
        ("photos.example:8600", None, 200),
        ("attacker.example", None, 403),
        ("127.0.0.1.attacker.example", None, 403),
        ("localhost.attacker.example", None, 403),
        ("192.0.2.7", None, 403),
        ("", None, 403),
        ("localhost:8600", "http://localhost:8600", 200),
        ("photos.example", "https://photos.example", 200),
        (None, "https://chat.example", 200),
        (None, "https://attacker.example", 403),
        (None, "http://localhost:3000", 403),
        (None, "null", 403),
        ("localhost:8600", "http://localhost:8600.attacker.example", 403),
        ("localhost:8600", "file://localhost:8600", 403),
    ],
)
def test_host_and_origin_are_checked_on_every_address(
    url: str, host: str | None, origin: str | None, status: int
) -> None:
    headers = ({"Host": host} if host is not None else {}) | ({"Origin": origin} if origin is not None else {})
    for method, path in [
        ("GET", "/health"),
        ("GET", "/v1/models"),
        ("GET", "/metrics"),
        ("POST", "/v1/chat/completions"),
    ]:
        got, _, content = request(url, method, path, body() if method == "POST" else None, headers)
        assert got == status, (path, content)
        if status == 403:
            assert json.loads(content)["error"]["code"] == "forbidden_address"


def test_beyond_loopback_an_ip_address_will_do_and_a_foreign_name_will_not() -> None:
    found = Addresses("0.0.0.0", frozenset({"photos.example"}))
    for header in ("192.168.1.5:8600", "[2001:db8::1]:8600", "localhost", socket.gethostname(), "photos.example"):
        assert found.allows_host(header), header
    for header in ("attacker.example", "", None, "192.168.1.5.attacker.example"):
        assert not found.allows_host(header), header


def test_the_key_is_required() -> None:
    with serving(agent(), key=KEY) as url:
        for headers in ({}, {"Authorization": KEY}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": "Bearer ü"}):
            for method, path in [("GET", "/v1/models"), ("GET", "/metrics"), ("POST", "/v1/chat/completions")]:
                status, sent, content = request(url, method, path, b"{}" if method == "POST" else None, headers)
                assert status == 401, path
                assert sent["www-authenticate"] == "Bearer"
                assert json.loads(content)["error"]["code"] == "invalid_api_key"
        assert request(url, "GET", "/health")[0] == 200
        assert ask(url, Authorization=f"Bearer {KEY}")[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_beyond_this_machine_a_key_is_required(host: str) -> None:
    with pytest.raises(ConfigError, match="HART_AGENT_SERVE_KEY"):
        ServeSettings(host=host)
    assert KEY not in repr(ServeSettings(host=host, key=KEY))


def test_bodies_have_limits_of_size_and_time() -> None:
    with serving(agent(), max_body_bytes=10_000, body_seconds=0.5) as url:
        assert ask(url, b"x" * 10_001)[0] == 413
        small = body(messages=[user("what?", data_url(Image.new("RGB", (64, 48))))])
        assert ask(url, small)[0] == 200

        def chunks() -> Iterator[bytes]:
            yield from (b" " * 1000 for _ in range(50))

        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        connection.request("POST", "/v1/chat/completions", chunks(), encode_chunked=True)  # no length is announced
        assert connection.getresponse().status == 413
        connection.close()

        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b"{")  # and sends no more
        assert connection.getresponse().status == 408
        connection.close()
        assert ask(url, small)[0] == 200

    with serving(agent(), max_held_bytes=1000) as url:
        status, headers, _ = request(url, "POST", "/v1/chat/completions", b" " * 2000)
        assert status == 429
        assert int(headers["retry-after"]) >= 1
        assert ask(url, b"{}")[0] == 400  # what was refused is held no longer


def test_images_have_a_limit_of_pixels() -> None:
    with serving(agent(), max_image_pixels=1_000_000) as url:
        status, found = ask(url)
    assert status == 400
    assert "megapixels" in found["error"]["message"]


def test_traces_are_bounded() -> None:
    traces = Traces(max_traces=3, max_bytes=1000)
    names = [traces.keep({"number": number}) for number in range(5)]
    assert [traces.get(name) is not None for name in names] == [False, False, True, True, True]
    large = traces.keep({"text": "x" * 900})
    assert traces.get(large) is not None
    assert [traces.get(name) is not None for name in names] == [False, False, False, True, True]
    traces.keep({"text": "x" * 900})
    assert traces.get(large) is None


def test_health_and_metrics(url: str) -> None:
    assert json.loads(request(url, "GET", "/health")[2]) == {"status": "ok"}
    assert ask(url)[0] == 200
    request(url, "GET", "/nothing/here")
    _, headers, content = request(url, "GET", "/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    text = content.decode()
    for line in (
        r'hart_agent_questions_total\{stop_reason="answered",verdict="supported"\} [1-9]',
        r'hart_agent_tool_calls_total\{result="ok",tool="zoom"\} [1-9]',
        r'hart_agent_http_requests_total\{route="/v1/chat/completions",status="200"\} [1-9]',
        r'hart_agent_http_requests_total\{route="none",status="404"\} [1-9]',
        r"hart_agent_running 0\.0",
        r"hart_agent_question_seconds_count [1-9]",
    ):
        assert re.search(line, text), line
    assert "/nothing" not in text


# ---- the command ----

SLOW = """
import asyncio
from conftest import answer
from serving import PROFILE
from hart_agent.dialogue.policy import Reply
class Slow:
    name, profile, accepts = "slow", PROFILE, frozenset()
    async def reply(self, messages, tools):
        print("asked", flush=True)
        await asyncio.sleep(1)
        return Reply(answer("late but there"))
"""


@contextmanager
def command(folder: Path, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`hart-agent serve` as a process, and its address."""
    (folder / "slow.py").write_text(textwrap.dedent(SLOW))
    here = Path(__file__).parent
    backend = f"{folder / 'slow.py'}:Slow"
    folders = [str(here), str(here.parent), str(here.parent / "support"), os.environ.get("PYTHONPATH", "")]
    paths = os.pathsep.join(folders)
    process = subprocess.Popen(
        [sys.executable, "-m", "hart_agent", "serve", "--port", "0", "--backend", backend, *arguments],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        found = re.search(r"http://(?:127\.0\.0\.1|0\.0\.0\.0):\d+", process.stderr.readline())
        assert found is not None
        yield process, found[0].replace("0.0.0.0", "127.0.0.1")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.long
def test_the_command_finishes_what_is_under_way_and_logs_no_key(tmp_path: Path) -> None:
    with command(tmp_path, "--host", "0.0.0.0", HART_AGENT_SERVE_KEY=KEY, OPENAI_API_KEY="another") as (process, url):
        assert process.stdout is not None
        assert process.stderr is not None
        assert request(url, "GET", "/v1/models", headers={"Authorization": "Bearer wrong"})[0] == 401
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        headers = {"Authorization": f"Bearer {KEY}"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body()), headers)
        process.stdout.readline()  # the policy is asked
        process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["choices"][0]["message"]["content"] == "late but there"
        process.wait(20)
        with pytest.raises(OSError, match=r".*"):
            request(url, "GET", "/health")
        logged = process.stderr.read()
        assert KEY not in logged
        assert "another" not in logged
        assert "Traceback" not in logged


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--host", "0.0.0.0"), "HART_AGENT_SERVE_KEY"), (("--root", "/no/such/folder"), "not a folder")],
)
def test_the_command_does_not_start_unsafely(arguments: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(app, ["serve", *arguments], env={"HART_AGENT_SERVE_KEY": ""})
    assert isinstance(done.exception, ConfigError)
    assert words in str(done.exception)
