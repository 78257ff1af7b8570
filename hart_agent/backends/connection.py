"""The official client of one server in one event loop: connections that are kept, and a bound on requests under way."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlunsplit

from hart_agent.backends.adaptive import AdaptiveLimit

if TYPE_CHECKING:
    import openai

_KEPT_SECONDS = 4.0
"""Uvicorn, and with it vLLM, drops an idle connection after 5 seconds: a request must not meet that end."""


class Refusal(Exception):  # noqa: N818 (an answer, of which the backend makes an error)
    """A server's answer that is an HTTP error.

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

    Args:
        url: the base URL.
        key: sent as the bearer, unless the URL holds a user and a password.
        is_overload: see `AdaptiveLimit`.

    Attributes:
        limit: of the requests under way, for those who ask to heed.
    """

    def __init__(self, url: SplitResult, key: str, is_overload: Callable[[Exception], bool]) -> None:
        import openai

        self.limit = AdaptiveLimit(is_overload)
        limits = type(openai.DEFAULT_CONNECTION_LIMITS)(
            max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEPT_SECONDS
        )
        self._client = openai.AsyncOpenAI(
            api_key=key,
            base_url=urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2], query="")),
            default_query=dict(parse_qsl(url.query)),
            timeout=None,  # the caller's
            max_retries=0,
            default_headers=_basic(url),
            http_client=openai.DefaultAioHttpClient(
                limits=limits, timeout=None
            ),  # httpx's own pool is slow at hundreds
        )
        self._keeper = _closing_with_the_loop(self._client)

    async def keep(self) -> None:
        """Have the connections closed when the event loop shuts down. Call this once."""
        await anext(self._keeper)

    async def complete(self, body: dict[str, Any]) -> Any:
        """Send a chat completion.

        Returns:
            The server's JSON; or its words, where it doesn't answer in JSON.

        Raises:
            Refusal: the server answers with an error.
            OSError: there is no whole answer.
            ValueError: its JSON can't be read.
        """
        # Not `chat.completions.create`: it looks for types in all parts of the body, which takes as long as the rest.
        return await self._answer(self._client.post("/chat/completions", body=body, cast_to=object))

    async def models(self) -> Any:
        """Ask for the models; see `complete`."""
        return await self._answer(self._client.get("/models", cast_to=object))

    @staticmethod
    async def _answer(request: Awaitable[object]) -> Any:
        import openai

        try:
            return await request
        except openai.APIStatusError as error:
            raise Refusal(error.response.status_code, error.response.headers, error.response.text) from None
        except openai.APIConnectionError as error:
            raise OSError(str(error.__cause__ or error)) from error


def _basic(url: SplitResult) -> dict[str, str]:
    """The header for a user and a password in the URL, which goes before the bearer's."""
    if "@" not in url.netloc:
        return {}
    pair = unquote(url.netloc.rpartition("@")[0]).encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


async def _closing_with_the_loop(client: openai.AsyncOpenAI) -> AsyncGenerator[None, None]:
    """A generator that is never run to its end: what runs an event loop closes its generators before the loop."""
    try:
        yield
    finally:
        await client.close()
