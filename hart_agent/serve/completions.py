"""The endpoint of chat completions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from hart_agent.serve.answers import Completion, turn_text
from hart_agent.serve.asking import Asking, Event, RunningEpisode
from hart_agent.serve.bodies import Bodies
from hart_agent.serve.chat import ChatRequest, read_chat
from hart_agent.serve.errors import refusal_within_a_stream
from hart_agent.serve.images import RequestedImages
from hart_agent.serve.settings import ServeSettings
from hart_agent.serve.streaming import EventStream, server_sent, while_connected

_LONG_BODY: Final = 1_000_000
"""Bytes from which a body is parsed in a thread, so that others don't wait."""


class ChatCompletions:
    """Answers POST /v1/chat/completions.

    Args:
        asking: runs the episodes.
        bodies: reads the requests.
        settings: which images may be named.
    """

    def __init__(self, asking: Asking, bodies: Bodies, settings: ServeSettings) -> None:
        self._asking = asking
        self._bodies = bodies
        self._images = RequestedImages(settings)

    async def answer(self, request: Request) -> ASGIApp:
        """The response to a request.

        Raises:
            HartError: it can't be answered.
            ClientDisconnect: the client hung up.
        """
        body = await self._bodies.read(request)
        try:
            data = body.take()
            chat = read_chat(data) if len(data) < _LONG_BODY else await asyncio.to_thread(read_chat, data)
            del data
            opening = asyncio.ensure_future(self._images.open(chat.image))
            image = await while_connected(request, opening, opening.cancel)
            running = self._asking.start(image, chat.question)
        except BaseException:
            body.release()
            raise
        running.task.add_done_callback(lambda _: body.release())
        answer = _streamed if chat.stream else _whole
        return await answer(request, chat, running)


async def _whole(request: Request, chat: ChatRequest, running: RunningEpisode) -> ASGIApp:
    finished = await while_connected(request, running.finished(), running.cancel)
    turns = [turn_text(event.data, running.size) async for event in running.events() if event.kind == "turn"]
    return JSONResponse(Completion(chat.max_tokens).whole(finished, "".join(turns)))


async def _streamed(request: Request, chat: ChatRequest, running: RunningEpisode) -> ASGIApp:
    """The stream begins with the first turn: what fails before that has a status of its own."""
    events = (event async for event in running.events() if event.kind == "turn")
    first = await while_connected(request, anext(events, None), running.cancel)
    if first is None:  # it failed, or an answer came without a turn
        await running.finished()
    return EventStream(_chunks(chat, running, first, events), running.cancel)


async def _chunks(
    chat: ChatRequest, running: RunningEpisode, first: Event | None, events: AsyncIterator[Event]
) -> AsyncIterator[bytes]:
    completion = Completion(chat.max_tokens)
    yield server_sent(completion.chunk(role="assistant", content=""))
    if first is not None and (text := turn_text(first.data, running.size)):
        yield server_sent(completion.chunk(reasoning_content=text))
    async for event in events:
        if text := turn_text(event.data, running.size):
            yield server_sent(completion.chunk(reasoning_content=text))
    try:
        finished = await running.finished()
    except Exception as error:
        yield server_sent(refusal_within_a_stream(error).body())
        return
    for chunk in completion.answer_chunks(finished, include_usage=chat.include_usage):
        yield server_sent(chunk)
    yield server_sent("[DONE]")
