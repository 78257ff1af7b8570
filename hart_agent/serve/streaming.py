"""Server-sent events, and clients that hang up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

T = TypeVar("T")

HEARTBEAT_SECONDS: Final = 15.0
"""Without an event a comment is sent, so that no proxy takes the connection for dead."""

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def server_sent(data: Any, *, event: str | None = None) -> bytes:
    """One event: JSON, or a text as it is."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


async def while_connected(request: Request, work: Awaitable[T], cancel: Callable[[], object]) -> T:
    """The result of some work for a client that waits for it.

    Args:
        request: whose body was read.
        work: what the client waits for.
        cancel: ends the work.

    Raises:
        ClientDisconnect: the client hung up; the work was cancelled.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.create_task(_hung_up(request.receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        gone.cancel()
        if not working.done():
            cancel()
            working.cancel()


class EventStream:
    """A response of server-sent events.

    Args:
        events: encoded; closed early when the client hangs up.
        ended: called at the end, however it came.
    """

    def __init__(self, events: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        self._events = events
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_hung_up(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, gone):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            self._ended()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        async for data in _with_heartbeats(self._events):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _with_heartbeats(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    upcoming: asyncio.Future[bytes] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({upcoming}, timeout=HEARTBEAT_SECONDS)
            if not done:
                yield b": still looking\n\n"
                continue
            try:
                data = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = None
            yield data
    finally:
        if upcoming is not None:
            upcoming.cancel()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
