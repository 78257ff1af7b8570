"""An OpenAI-compatible server: one request at a time, and every way it can fail as one error."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from hart_agent.backends.openai.connection import Connection, Refusal
from hart_agent.backends.openai.failures import ADVICE, Failure, Problem, diagnose
from hart_agent.backends.openai.retries import RetryPolicy, retry_after
from hart_agent.errors import ConfigError, InstallError, PolicyError

_OPENAI = "https://api.openai.com/v1"
_NO_KEY = "not-needed"
"""Local servers need no key, but some want to see one."""
_TOO_MUCH = frozenset({429, 503, 529})
"""The statuses by which a server says that it has too much to do."""


class ServerError(Exception):
    """A request failed. Internal to the backend, which finds a remedy or turns it into a PolicyError.

    Attributes:
        failure: what happened.
        refused: whether the server said that it has too much to do.
        late: whether it took too long.
        served: how many requests it had answered by then.
    """

    def __init__(self, failure: Failure, *, refused: bool = False, late: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.refused = refused
        self.late = late
        self.served = 0


@dataclass(frozen=True)
class ServedModel:
    """A model that the server lists.

    Attributes:
        name: to ask for it.
        root: what was loaded under that name (vLLM), or the empty text.
        max_context_tokens: if the server says so (vLLM).
    """

    name: str
    root: str = ""
    max_context_tokens: int | None = None


class Server:
    """One server and how to ask it. Safe to share between threads and event loops, each of which has its connection.

    Args:
        base_url: None for `OPENAI_BASE_URL` or OpenAI's own.
        api_key: None for `OPENAI_API_KEY`; local servers need none.
        timeout: seconds for one request, from first to last byte.
        retry: when to ask again.

    Raises:
        InstallError: the package `aiohttp` is missing.
        ConfigError: the base URL is no URL.
    """

    def __init__(self, base_url: str | None, api_key: str | None, timeout: float, retry: RetryPolicy) -> None:
        try:
            import aiohttp  # noqa: F401
        except ImportError as error:
            raise InstallError(
                "the backend 'openai' needs the package aiohttp. Run: pip install 'hart-agent[openai]'"
            ) from error
        if base_url is not None and not re.match(r"https?://[^/]", base_url):
            raise ConfigError(f"--base-url {base_url!r} is no URL; expected one like http://localhost:8000/v1")
        self.retry = retry
        self._url = urlsplit(base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI)
        self._api_key = api_key or os.environ.get("OPENAI_API_KEY")
        self._timeout = timeout
        self._connections: dict[asyncio.AbstractEventLoop, Connection] = {}

    async def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """One chat completion, without retries, sent as soon as the server can be expected to take it.

        Returns:
            Its JSON, with at least one choice that holds a message.

        Raises:
            ServerError: whatever went wrong.
        """
        limit = (await self._connection()).limit
        try:
            async with limit.request():
                return self._completion(await self._ask(lambda connection: connection.complete(body)))
        except ServerError as error:
            error.served = limit.served
            raise

    async def models(self) -> list[ServedModel]:
        """The models that the server lists.

        Raises:
            ServerError: whatever went wrong.
        """
        page = await self._ask(lambda connection: connection.models())
        listed = page.get("data") if isinstance(page, dict) else None
        return [
            ServedModel(str(entry["id"]), str(entry.get("root") or ""), entry.get("max_model_len"))
            for entry in listed or []
        ]

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        """Hold a place among the running event loop's episodes: as many as do the server good."""
        async with (await self._connection()).limit.episode():
            yield

    def only_model(self) -> ServedModel:
        """The only model that the server lists. Blocks, inside and outside a running event loop.

        Raises:
            ConfigError: it lists none, or several.
            PolicyError: it can't be asked.
        """
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            found = pool.submit(asyncio.run, self._models_with_retries()).result()
        if len(found) == 1:
            return found[0]
        if not found:
            raise ConfigError(f"{self.where} lists no models. Load one there, or give its name as --model.")
        raise ConfigError(f"{self.where} serves {_listed(found)}. Choose one of them with --model.")

    async def explain(self, failure: Failure, model: str, requests: int) -> PolicyError:
        """The error that ends an episode: what happened, and what to do next."""
        happened = f"{self.where}: {failure.message[:600].rstrip('.')}."
        if requests > 1:
            happened += f" ({requests} requests were made.)"
        advice = ADVICE.get(failure.problem, "The request can't be mended here; see the server's log.")
        if failure.problem is Problem.MODEL:
            try:
                served = _listed(await self.models())
            except ServerError:
                served = "what the server's documentation names"
            advice = f"There is no model {model!r}. Choose another --model: {served}."
        return PolicyError(f"{happened} {advice}", retryable=failure.problem is Problem.BUSY)

    async def _models_with_retries(self) -> list[ServedModel]:
        for retry in itertools.count():
            try:
                return await self.models()
            except ServerError as error:
                failure = error.failure
            if failure.problem is not Problem.BUSY or retry >= self.retry.retries:
                break
            await asyncio.sleep(self.retry.delay(retry, failure.wait))
        raise await self.explain(failure, "", retry + 1)

    async def _ask(self, send: Callable[[Connection], Awaitable[Any]]) -> Any:
        """The server's JSON; or its words, where it doesn't answer in JSON.

        Raises:
            ServerError: whatever went wrong.
        """
        connection = await self._connection()
        try:
            async with asyncio.timeout(self._timeout):
                return await send(connection)
        except Refusal as refusal:
            raise self._refusal(refusal) from None
        except TimeoutError:
            failure = Failure(Problem.BUSY, f"no complete reply within {self._timeout:g} seconds")
            raise ServerError(failure, late=True) from None
        except OSError as error:
            raise self._error(Problem.BUSY, f"the connection failed ({error or type(error).__name__})") from None
        except ValueError as error:  # JSON that breaks off
            raise self._error(Problem.BUSY, f"the answer can't be read ({error})") from None

    def _completion(self, answer: Any) -> dict[str, Any]:
        """The answer, if it is a chat completion with a message.

        Raises:
            ServerError: it is something else.
        """
        if not isinstance(answer, dict) or "choices" not in answer:
            raise self._error(Problem.PATH, f"it answers, but not as a chat completion: {str(answer)[:200]!r}")
        choices = answer["choices"]
        first = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
            raise self._error(Problem.BUSY, f"its chat completion is empty: {str(answer)[:200]}")
        return answer

    def _refusal(self, refusal: Refusal) -> ServerError:
        """What an HTTP error means. Servers put their words in `error.message`, `error`, `message`, or nowhere."""
        words: Any = None
        try:
            words = json.loads(refusal.text)
            words = words.get("error") or words
            words = words.get("message")
        except (ValueError, AttributeError):  # no JSON; or text where an object might be
            words = words if isinstance(words, str) else None
        message = self.clean(f"HTTP {refusal.status}: {words or refusal.text}")
        failure = diagnose(refusal.status, message, retry_after(refusal.headers))
        return ServerError(failure, refused=failure.problem is Problem.BUSY and refusal.status in _TOO_MUCH)

    async def _connection(self) -> Connection:
        """The connection of the running event loop."""
        loop = asyncio.get_running_loop()
        known = self._connections.get(loop)
        if known is not None:
            return known
        connection = Connection(
            self._url,
            self._api_key or _NO_KEY,
            is_overload=lambda error: isinstance(error, ServerError) and (error.refused or error.late),
        )
        alive = {other: theirs for other, theirs in list(self._connections.items()) if not other.is_closed()}
        self._connections = {**alive, loop: connection}
        await connection.keep()
        return connection

    @property
    def where(self) -> str:
        """The base URL without a password or a query, to show."""
        return urlunsplit((self._url.scheme, self._url.netloc.rpartition("@")[2], self._url.path, "", ""))

    def _error(self, problem: Problem, message: str) -> ServerError:
        return ServerError(Failure(problem, self.clean(message)))

    def clean(self, text: str) -> str:
        """Servers quote what they were sent: the key must not come back in a message."""
        return text.replace(self._api_key, "***") if self._api_key else text


def _listed(models: Sequence[ServedModel]) -> str:
    names = [model.name for model in models]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(names[:20]) or "none") + more
