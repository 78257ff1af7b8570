"""A chat completions server on the loopback interface that does what a test tells it to, however rude."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler"], None]
"""Answers one request."""


@dataclass
class Loopback:
    """What the server is to do, and what it was asked.

    Attributes:
        behave: chooses what to do with a chat request, from its JSON body and how many came before it.
        models: the entries of its list of models.
        other_paths: what lies at paths outside the API; None for the list of models everywhere.
        bodies: the chat requests so far.
        url: its base URL.
    """

    behave: Callable[[dict[str, Any], int], Behaviour]
    models: Sequence[dict[str, Any]] = ({"id": "qwen2.5-vl"},)
    other_paths: dict[str, Any] | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the `Loopback`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its head
    loopback: Loopback

    def do_GET(self) -> None:
        self.loopback.keys.append(self.headers.get("authorization"))
        if self.loopback.other_paths is not None and self.path != "/v1/models":
            found = self.path in self.loopback.other_paths
            send(self, 200 if found else 404, self.loopback.other_paths.get(self.path, {}))
            return
        entries = [{"object": "model", "created": 0, "owned_by": "test", **model} for model in self.loopback.models]
        send(self, 200, {"object": "list", "data": entries})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.loopback.lock:
            number = len(self.loopback.bodies)
            self.loopback.bodies.append(body)
            self.loopback.keys.append(self.headers.get("authorization"))
        self.loopback.behave(body, number)(self)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *arguments: Any) -> None:
        """Clients go away in the middle of these tests; that is no news."""

    def serve_until(self, closing: threading.Event) -> None:
        """Unlike `serve_forever`, it doesn't wake up a hundred times a second: a connection does that at the end."""
        while not closing.is_set():
            self.handle_request()


@contextmanager
def serve(
    behave: Callable[[dict[str, Any], int], Behaviour] | Sequence[Behaviour], **options: Any
) -> Iterator[Loopback]:
    """Run a server. A sequence of behaviours is gone through in order, and its last one repeated."""
    if not callable(behave):
        steps = list(behave)
        loopback = Loopback(lambda _, number: steps[min(number, len(steps) - 1)], **options)
    else:
        loopback = Loopback(behave, **options)
    server = _Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"loopback": loopback}))
    loopback.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_until, args=(loopback.closing,), daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        loopback.closing.set()
        socket.create_connection(("127.0.0.1", server.server_port)).close()
        thread.join()
        server.server_close()


def send(handler: Handler, status: int, value: Any, **headers: str) -> None:
    """A whole, honest JSON response."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    handler.send_response(status)
    kind = "text/html" if isinstance(value, bytes) else "application/json"
    for name, text in {"content-type": kind, "content-length": str(len(data)), **headers}.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.end_headers()
    handler.wfile.write(data)


def completion(text: str | None, calls: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The body of a chat completion with (name, JSON arguments) as native calls."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": f"x{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for index, (name, arguments) in enumerate(calls)
        ]
    return {
        "id": "1", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107},
    }  # fmt: skip


def say(text: str | None, calls: Sequence[tuple[str, str]] = ()) -> Behaviour:
    return lambda handler: send(handler, 200, completion(text, calls))


def refuse(status: int, message: str, **headers: str) -> Behaviour:
    """An error in OpenAI's shape."""
    error = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    return lambda handler: send(handler, status, error, **headers)


def page(status: int, html: str) -> Behaviour:
    """What a proxy in front of a server says."""
    return lambda handler: send(handler, status, html.encode())


def reset_mid_body(handler: Handler) -> None:
    """Promise a long body, send a little, reset the connection."""
    _begin(handler, 5000)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def half_json(handler: Handler) -> None:
    """A body that is as long as promised, and stops in the middle of its JSON."""
    data = json.dumps(completion("<answer>x</answer>")).encode()[:60]
    _begin(handler, len(data), data)


def drip_bytes(handler: BaseHTTPRequestHandler, count: int, pause: float) -> None:
    """The first bytes of a long body, with a pause of so many seconds after each."""
    handler.send_response(200)
    handler.send_header("content-length", "1000000")
    handler.end_headers()
    for _ in range(count):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(pause)


def flood(chunk: bytes, pause: float = 0) -> Behaviour:
    """A body that never ends, as fast as it can be read, or with a pause of so many seconds before each chunk."""

    def behave(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.send_header("connection", "close")
        handler.end_headers()
        handler.close_connection = True
        while not handler.loopback.closing.wait(pause):
            handler.wfile.write(chunk)

    return behave


endless = flood(b" ", pause=0.02)


def _begin(handler: Handler, length: int, data: bytes = b'{"id": "1", "choi') -> None:
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(length))
    handler.end_headers()
    handler.wfile.write(data)
    handler.wfile.flush()
    handler.close_connection = True
