"""The application: its routes, and what stands before them."""

from __future__ import annotations

import logging
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hart_agent.agent import Agent
from hart_agent.errors import HartError
from hart_agent.serve.addresses import AddressGuard
from hart_agent.serve.answers import models
from hart_agent.serve.asking import Asking
from hart_agent.serve.bodies import Bodies
from hart_agent.serve.completions import ChatCompletions
from hart_agent.serve.errors import RequestError, request_error_of
from hart_agent.serve.metrics import Metrics
from hart_agent.serve.page import Page
from hart_agent.serve.photos import Photos
from hart_agent.serve.security import KeyGuard, SafeHeaders
from hart_agent.serve.settings import ServeSettings
from hart_agent.serve.traces import Traces

_log = logging.getLogger(__name__)

_CLIENT_CLOSED: Final = 499
"""No client sees it: it hung up."""


def build_app(agent: Agent, settings: ServeSettings) -> ASGIApp:
    """The application of a server.

    Args:
        agent: that answers.
        settings: the limits.
    """
    metrics, traces, bodies = Metrics(), Traces(), Bodies(settings)
    asking = Asking(agent, settings, metrics, traces)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def exposition(request: Request) -> Response:
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def list_models(request: Request) -> Response:
        return JSONResponse(models())

    async def retrieve_model(request: Request) -> Response:
        for model in models()["data"]:
            if model["id"] == request.path_params["name"]:
                return JSONResponse(model)
        raise RequestError(404, "there is no such model; see /v1/models", code="model_not_found")

    async def trace(request: Request) -> Response:
        found = traces.get(request.path_params["name"])
        if found is None:
            raise RequestError(404, "there is no such trace; only the latest are kept", code="not_found")
        return Response(found, media_type="application/json")

    routes = [
        *Page(asking, bodies, Photos(settings.max_image_pixels), settings).routes,
        Route("/health", health),
        Route("/metrics", exposition),
        Route("/v1/models", list_models),
        Route("/v1/models/{name}", retrieve_model),
        Route("/v1/chat/completions", ChatCompletions(asking, bodies, settings).answer, methods=["POST"]),
        Route("/v1/traces/{name}", trace),
    ]
    app = Starlette(routes=routes, exception_handlers=_HANDLERS)
    return AddressGuard(SafeHeaders(KeyGuard(_Counted(app, metrics), settings.key or None)), settings.addresses)


class _Counted:
    """Counts requests by route and status, whatever the path was."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._requests = metrics.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                self._requests.labels(route.path if route is not None else "none", str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counting)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path[:200]}: {error.detail}"
    return JSONResponse(
        RequestError(error.status_code, message, code="not_found").body(), error.status_code, error.headers
    )


async def _error(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=_CLIENT_CLOSED)
    refusal = request_error_of(error)
    return JSONResponse(refusal.body(), refusal.status, refusal.headers)


_HANDLERS: Final = {HTTPException: _http_error, HartError: _error, ClientDisconnect: _error, Exception: _error}
