"""HTTP to one server from one event loop: connections that are kept, and a bound on the requests under way."""

from __future__ import annotations

import json
import urllib.request
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlunsplit

from hart_agent.backends.openai.concurrency import AdaptiveLimit

if TYPE_CHECKING:
    import aiohttp

_KEPT_SECONDS = 4.0
"""Uvicorn, and with it vLLM, drops an idle connection after 5 seconds: a request must not meet that end."""
MAX_BODY = 8_000_000
"""Bytes of one answer, decompressed: many times the longest reply."""
_COMPRESSIONS = ("gzip", "x-gzip", "deflate")


class TooLong(Exception):  # noqa: N818 (an answer, of which the backend makes an error)
    """A server's answer is longer than `MAX_BODY`."""


class Refusal(Exception):  # noqa: N818 (an answer, of which the backend makes an error)
    """A server's answer that is an HTTP error, or a redirection, which is not followed: it may lead anywhere.

    Attributes:
        status: of HTTP.
        headers: whose names may be written in any case.
        text: the body.
    """

    def __init__(self, status: int, headers: Mapping[str, str], text: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.text = text


class Connection:
    """How a server is reached.

    It posts with aiohttp itself: OpenAI's own client takes four times its processor time for a request, with which one
    core can't keep 256 requests of 200 ms under way.

    Args:
        url: the base URL, to whose path those of the requests are added.
        key: sent as the bearer, unless the URL holds a user and a password.
        is_overload: see `AdaptiveLimit`.

    Attributes:
        limit: of the requests under way, which callers should respect.
    """

    def __init__(self, url: SplitResult, key: str, is_overload: Callable[[Exception], bool]) -> None:
        import aiohttp

        self.limit = AdaptiveLimit(is_overload)
        self._url = url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_SECONDS),
            headers={"Accept-Encoding": "gzip"} | ({} if "@" in url.netloc else {"Authorization": f"Bearer {key}"}),
            timeout=aiohttp.ClientTimeout(total=None),  # the caller's
            proxy=_proxy(url),
            auto_decompress=False,  # it would decompress without a limit
        )
        self._keeper = _closing_with_the_loop(self._session)

    async def keep(self) -> None:
        """Have the connections closed when the event loop shuts down. Call this once."""
        await anext(self._keeper)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._keeper.aclose()

    async def complete(self, body: dict[str, Any]) -> Any:
        """Send a chat completion.

        Returns:
            The server's JSON; or its words, where it doesn't answer in JSON.

        Raises:
            Refusal: the server answers with an error.
            OSError: there is no whole answer.
            TooLong: the answer doesn't end in time.
            ValueError: its JSON or its compression can't be read.
        """
        return await self._request("POST", "chat/completions", body)

    async def models(self) -> Any:
        """Ask for the models; see `complete`."""
        return await self._request("GET", "models")

    async def get_from_root(self, path: str) -> Any:
        """Ask for something that lies next to the API, not in it; see `complete`."""
        return await self._request("GET", path, base=self._url.path.rstrip("/").removesuffix("/v1"))

    async def _request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, base: str | None = None
    ) -> Any:
        import aiohttp

        base = self._url.path.rstrip("/") if base is None else base
        url = urlunsplit(self._url._replace(path=f"{base}/{path}"))
        data = None
        if body is not None:
            data = aiohttp.BytesPayload(json.dumps(body).encode(), content_type="application/json")
        try:
            async with self._session.request(method, url, data=data, allow_redirects=False) as response:
                text = (await _read(response)).decode("utf-8-sig", errors="replace")
        except aiohttp.ClientError as error:
            raise OSError(str(error) or type(error).__name__) from error
        if response.status >= 300:
            raise Refusal(response.status, response.headers, text)
        is_json = "json" in response.content_type or text.lstrip().startswith("{")  # some send it as plain text
        return _parsed(text) if is_json else text


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """A body, decompressed as it comes, so that a small one that unfolds into gigabytes is noticed in time.

    Raises:
        TooLong: it is longer than `MAX_BODY`.
        ValueError: its compression can't be read.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", *_COMPRESSIONS):
        raise ValueError(f"its compression is {encoding[:40]!r}, which was not asked for")
    unfold = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in _COMPRESSIONS else None  # gzip or zlib
    body = bytearray()
    async for chunk in response.content.iter_any():
        try:
            body += chunk if unfold is None else unfold.decompress(chunk, MAX_BODY + 1 - len(body))
        except zlib.error as error:
            raise ValueError(f"its compression can't be read: {error}") from error
        if len(body) > MAX_BODY:
            raise TooLong
    if unfold is not None and not unfold.eof:
        raise ValueError("its compressed body breaks off")
    return bytes(body)


def _parsed(text: str) -> Any:
    """JSON from a stranger. Numbers that Python refuses to convert become infinite, which nobody takes for a count.

    Raises:
        ValueError: it is damaged, or nested too deeply.
    """
    try:
        return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


async def _closing_with_the_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """A generator that is never run to its end: what runs an event loop closes its generators before the loop."""
    try:
        yield
    finally:
        await session.close()


def _proxy(url: SplitResult) -> str | None:
    """The proxy that the environment names for this server. aiohttp would look it up for each request anew."""
    if url.hostname is None or urllib.request.proxy_bypass(url.hostname):
        return None
    return urllib.request.getproxies().get(url.scheme)
