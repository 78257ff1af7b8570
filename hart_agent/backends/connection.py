"""HTTP to one server from one event loop: connections that are kept, and a bound on the requests under way."""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlunsplit

from hart_agent.backends.adaptive import AdaptiveLimit

if TYPE_CHECKING:
    import aiohttp

_KEPT_SECONDS = 4.0
"""Uvicorn, and with it vLLM, drops an idle connection after 5 seconds: a request must not meet that end."""


@dataclass(frozen=True)
class Response:
    """What a server sent.

    Attributes:
        status: of HTTP.
        headers: whose names may be written in any case.
        text: the body.
    """

    status: int
    headers: Mapping[str, str]
    text: str


class Connection:
    """How a server is reached.

    Args:
        url: the base URL, to whose path those of the requests are added.
        key: sent as the bearer, unless the URL holds a user and a password.
        is_overload: see `AdaptiveLimit`.

    Attributes:
        limit: of the requests under way, for those who ask to heed.
    """

    def __init__(self, url: SplitResult, key: str, is_overload: Callable[[Exception], bool]) -> None:
        import aiohttp

        self.limit = AdaptiveLimit(is_overload)
        self._url = url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_SECONDS),
            headers={} if "@" in url.netloc else {"Authorization": f"Bearer {key}"},
            timeout=aiohttp.ClientTimeout(total=None),
            proxy=_proxy(url),
        )
        self._keeper = _closing_with_the_loop(self._session)

    async def keep(self) -> None:
        """Have the connections closed when the event loop shuts down. Call this once."""
        await anext(self._keeper)

    async def request(self, method: str, path: str, data: bytes | None = None) -> Response:
        """Send a request, with JSON if there is data.

        Raises:
            aiohttp.ClientError, OSError: there is no whole answer.
        """
        url = urlunsplit(self._url._replace(path=f"{self._url.path.rstrip('/')}/{path}"))
        headers = None if data is None else {"Content-Type": "application/json"}
        async with self._session.request(method, url, data=data, headers=headers) as response:
            return Response(response.status, response.headers, await response.text(errors="replace"))


async def _closing_with_the_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """A generator that is never run to its end: what runs an event loop closes its generators before the loop."""
    try:
        yield
    finally:
        await session.close()


def _proxy(url: SplitResult) -> str | None:
    """The proxy that the environment names for this server."""
    if url.hostname is None or urllib.request.proxy_bypass(url.hostname):
        return None
    return urllib.request.getproxies().get(url.scheme)
