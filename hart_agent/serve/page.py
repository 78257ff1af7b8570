"""The page, and what it asks of the server: to take a photo, to show it, and to ask a question about it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from hart_agent.concurrency import in_thread
from hart_agent.errors import ImageError
from hart_agent.html.markup import packaged
from hart_agent.serve.answers import answer_text, findings
from hart_agent.serve.asking import Asking, RunningEpisode
from hart_agent.serve.bodies import Bodies
from hart_agent.serve.errors import RequestError, refusal_within_a_stream
from hart_agent.serve.photos import Photo, Photos
from hart_agent.serve.streaming import EventStream, server_sent
from hart_agent.vision.geometry import Box

_log = logging.getLogger(__name__)

FILES: Final = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/viewer.js": ("viewer.js", "text/javascript"),
}
_TILE_HEADERS: Final = {"Cache-Control": "private, max-age=3600, immutable"}
_MAX_NAME: Final = 200


class Page:
    """The routes of the page.

    Args:
        asking: runs the episodes.
        bodies: reads the requests.
        photos: keeps the photos.
    """

    def __init__(self, asking: Asking, bodies: Bodies, photos: Photos) -> None:
        self._asking = asking
        self._bodies = bodies
        self._photos = photos
        self._preparing: set[asyncio.Task[None]] = set()

    @property
    def routes(self) -> list[BaseRoute]:
        """The page's files, and what it asks for."""
        files = [Route(path, _file(*file)) for path, file in FILES.items()]
        return [
            *files,
            Route("/page/photos", self._take, methods=["POST"]),
            Route("/page/photos/{photo}/tiles/{level:int}/{column:int}/{row:int}", self._tile),
            Route("/page/photos/{photo}/regions/{x0:int}/{y0:int}/{x1:int}/{y1:int}", self._region),
            Route("/page/photos/{photo}/questions", self._ask, methods=["POST"]),
        ]

    async def _take(self, request: Request) -> Response:
        body = await self._bodies.read(request)
        try:
            name = request.query_params.get("name", "photo")[:_MAX_NAME]
            photo = await asyncio.to_thread(self._photos.open, name, body.take())
        finally:
            body.release()
        kept = self._photos.keep(photo)
        preparing = asyncio.create_task(_prepare(photo))
        self._preparing.add(preparing)
        preparing.add_done_callback(self._preparing.discard)
        return JSONResponse(kept | {"name": name})

    async def _tile(self, request: Request) -> Response:
        place = request.path_params
        photo = self._photos.get(place["photo"])
        data = await asyncio.to_thread(photo.tile, place["level"], place["column"], place["row"])
        return Response(data, media_type="image/jpeg", headers=_TILE_HEADERS)

    async def _region(self, request: Request) -> Response:
        place = request.path_params
        photo = self._photos.get(place["photo"])
        x0, y0, x1, y1 = (place[name] for name in ("x0", "y0", "x1", "y1"))
        if not (x0 < x1 <= photo.image.size.width and y0 < y1 <= photo.image.size.height):
            raise RequestError(404, "there is no such region", code="not_found")
        data = await asyncio.to_thread(photo.close_up, Box(x0, y0, x1, y1))
        return Response(data, media_type="image/jpeg", headers=_TILE_HEADERS)

    async def _ask(self, request: Request) -> ASGIApp:
        photo = self._photos.get(request.path_params["photo"])
        body = await self._bodies.read(request)
        try:
            question = _question(body.take())
        finally:
            body.release()
        running = self._asking.start(photo.image, question)
        return EventStream(_events(running), running.cancel)


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    text = packaged("hart_agent.serve", name)

    async def send(request: Request) -> Response:
        return Response(text, media_type=kind, headers={"Cache-Control": "no-cache"})

    return send


async def _prepare(photo: Photo) -> None:
    try:
        await in_thread(photo.prepare)
    except ImageError as error:  # reported to whoever looks at it
        _log.info("a photo can't be decoded: %s", error)


def _question(data: bytes) -> str:
    try:
        question = json.loads(data)["question"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise RequestError(400, "the body must be a JSON object with a question", code="invalid_json") from error
    if not isinstance(question, str):
        raise RequestError(400, "the question must be a text", param="question")
    return question


async def _events(running: RunningEpisode) -> AsyncIterator[bytes]:
    async for event in running.events():
        yield server_sent(event.data, event=event.kind)
    try:
        finished = await running.finished()
    except Exception as error:
        yield server_sent({"message": str(refusal_within_a_stream(error))}, event="failed")
        return
    text, _ = answer_text(finished.trajectory, None)
    yield server_sent(findings(finished) | {"answer": text}, event="end")
