"""Reading the bodies of requests: within a size, a time, and what all of them together may take."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from hart_agent.serve.errors import RequestError
from hart_agent.serve.settings import ServeSettings


class Bodies:
    """Reads bodies, and counts the bytes of those in use.

    Args:
        settings: the limits.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._held = 0

    async def read(self, request: Request) -> Body:
        """The body of a request; it counts until it is released.

        Raises:
            RequestError: it is too large or too slow, or too much is held already.
        """
        body = Body(self)
        announced = request.headers.get("content-length", "")
        if announced.isdecimal():
            self._check(int(announced[:20]))
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                async for chunk in request.stream():
                    self._check(len(body.data) + len(chunk))
                    body.grow(chunk)
        except TimeoutError as error:
            body.release()
            seconds = self._settings.body_seconds
            raise RequestError(408, f"the request had not arrived after {seconds:g} seconds", code="timeout") from error
        except BaseException:
            body.release()
            raise
        return body

    def count(self, change: int) -> None:
        """Take into account that a body has grown, or was released."""
        self._held += change
        if change > 0 and self._held > self._settings.max_held_bytes:
            raise RequestError(429, "the requests under way hold too much; try again later", code="busy", retry_after=5)

    def _check(self, size: int) -> None:
        limit = self._settings.max_body_bytes
        if size > limit:
            raise RequestError(
                413, f"the request has more than {limit / 1e6:.0f} MB; send a smaller file, or start the server with a "
                "larger --max-body-megabytes", code="too_large",
            )  # fmt: skip


class Body:
    """The body of a request.

    Attributes:
        data: its bytes.
    """

    def __init__(self, bodies: Bodies) -> None:
        self.data = bytearray()
        self._bodies = bodies
        self._counted = 0

    def take(self) -> bytes:
        """Its bytes, which are no longer kept here; what is made of them still counts until the release."""
        data, self.data = bytes(self.data), bytearray()
        return data

    def grow(self, chunk: bytes) -> None:
        """Add a part."""
        self.data += chunk
        self._counted += len(chunk)
        self._bodies.count(len(chunk))

    def release(self) -> None:
        """It is no longer in use."""
        self._bodies.count(-self._counted)
        self._counted = 0
