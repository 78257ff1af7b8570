"""The official client of one server in one event loop: connections that are kept, and a bound on requests under way."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlunsplit

from hart_agent.backends.adaptive import AdaptiveLimit

if TYPE_CHECKING:
    import openai

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

    async def complete(self, body: dict[str, Any]) -> Response:
        """Send a chat completion.

        Raises:
            OSError: there is no whole answer.
        """
        return await self._raw(lambda: self._client.chat.completions.with_raw_response.create(**body))

    async def models(self) -> Response:
        """Ask for the models.

        Raises:
            OSError: there is no whole answer.
        """
        return await self._raw(self._client.models.with_raw_response.list)

    @staticmethod
    async def _raw(send: Callable[[], Any]) -> Response:
        import openai

        try:
            answer = (await send()).http_response
        except openai.APIStatusError as error:
            answer = error.response
        except openai.APIConnectionError as error:
            raise OSError(str(error.__cause__ or error)) from error
        return Response(answer.status_code, answer.headers, answer.text)


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
