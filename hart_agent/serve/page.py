"""The page, and what it asks of the server: to take a photo, to show it, and to ask a question about it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from string import Template
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from hart_agent.concurrency import in_thread
from hart_agent.errors import ImageError
from hart_agent.html.markup import packaged
from hart_agent.html.words import CHANGED, tell_call, tell_result, tell_turn
from hart_agent.serve.answers import findings
from hart_agent.serve.asking import Asking, RunningEpisode
from hart_agent.serve.bodies import Bodies
from hart_agent.serve.errors import RequestError, refusal_within_a_stream
from hart_agent.serve.photos import Photo, Photos
from hart_agent.serve.saved import find_photo, saved_events
from hart_agent.serve.settings import ServeSettings
from hart_agent.serve.streaming import EventStream, server_sent
from hart_agent.trace.json import result_json
from hart_agent.trace.load import read_trace
from hart_agent.vision.geometry import Box

_log = logging.getLogger(__name__)

_HERE, _SHARED = "hart_agent.serve", "hart_agent.html"
FILES: Final = {
    "/page.css": ("text/css", ((_SHARED, "page.css"), (_HERE, "page.css"))),
    "/viewer.js": ("text/javascript", ((_SHARED, "viewer.js"),)),
    "/page.js": ("text/javascript", ((_HERE, "tiles.js"), (_HERE, "page.js"))),
}
"""The page's style and scripts, from what it shares with the pages of traces and its own."""
_TILE_HEADERS: Final = {"Cache-Control": "private, max-age=3600, immutable"}
_MAX_NAME: Final = 200
_TELLING: Final = {"call": tell_call, "turn": tell_turn}


class Page:
    """The routes of the page.

    Args:
        asking: runs the episodes.
        bodies: reads the requests.
        photos: keeps the photos.
        settings: where the photos of saved traces may be.
    """

    def __init__(self, asking: Asking, bodies: Bodies, photos: Photos, settings: ServeSettings) -> None:
        self._asking = asking
        self._bodies = bodies
        self._photos = photos
        self._settings = settings
        self._preparing: set[asyncio.Task[None]] = set()

    @property
    def routes(self) -> list[BaseRoute]:
        """The page's files, and what it asks for."""
        page = Template(packaged(_HERE, "page.html")).substitute(bar=packaged(_SHARED, "bar.html"))
        return [
            Route("/", _text(page, "text/html")),
            *(Route(path, _text(_joined(parts), kind)) for path, (kind, parts) in FILES.items()),
            Route("/page/photos", self._take, methods=["POST"]),
            Route("/page/traces", self._open_trace, methods=["POST"]),
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
        return JSONResponse(self._keep(photo))

    def _keep(self, photo: Photo) -> dict[str, Any]:
        """Keep a photo, and decode it meanwhile. Returns what the page must know of it."""
        kept = self._photos.keep(photo)
        preparing = asyncio.create_task(_prepare(photo))
        self._preparing.add(preparing)
        preparing.add_done_callback(self._preparing.discard)
        return kept

    async def _open_trace(self, request: Request) -> Response:
        body = await self._bodies.read(request)
        given = request.query_params.get("photo")
        photo = self._photos.get(given) if given is not None else None
        try:
            trace = await asyncio.to_thread(read_trace, "the file", body.take())
        finally:
            body.release()
        image, same = await in_thread(lambda: find_photo(trace, photo.image if photo else None, self._settings))
        kept: dict[str, Any] | None = None
        if image is not None:
            found_here = photo is None or image is not photo.image
            kept = self._keep(Photo(image)) if found_here else self._photos.describe(str(given))
        size = {"width": trace["image"]["width"], "height": trace["image"]["height"]}
        warning = CHANGED if image is not None and not same else None
        events = [{"kind": kind, "data": data} for kind, data in saved_events(trace)]
        return JSONResponse(
            {"question": trace["question"], "image": size, "photo": kept, "warning": warning, "events": events}
        )

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


def _joined(parts: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(packaged(package, name) for package, name in parts)


def _text(text: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
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
        tell = _TELLING.get(event.kind)
        yield server_sent(tell(event.data, running.size) if tell else event.data, event=event.kind)
    try:
        finished = await running.finished()
    except Exception as error:
        yield server_sent({"message": str(refusal_within_a_stream(error))}, event="failed")
        return
    yield server_sent(findings(finished) | tell_result(result_json(finished.trajectory)), event="end")
