"""An OpenAI-compatible server: one request at a time, and every way it can fail as one error."""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import itertools
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlunsplit

from hart_agent.backends.openai.completion import error_words, read_completion
from hart_agent.backends.openai.connection import MAX_BODY, Connection, Refusal, TooLong
from hart_agent.backends.openai.failures import OVERLOAD, Failure, Problem, ServerError, diagnose
from hart_agent.backends.openai.retries import RetryPolicy, retry_after
from hart_agent.backends.options import ENVIRONMENT, split_base_url
from hart_agent.commands import install_command
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import ConfigError, InstallError, PolicyError

_OPENAI = "https://api.openai.com/v1"
_NO_KEY = "not-needed"
"""Local servers need no key, but some want to see one."""
_MAX_SHOWN = 2_000
"""Characters of a server's words, once secrets are out of them."""
_SECRET_NAME = re.compile("key|token|secret|sig|pass|auth|code", re.I)
"""Names of parameters in a URL's query."""
_LONG = 16
"""Characters of a value in a URL's query that is taken for a secret, whatever its name."""
_SHORTEST_SECRET = 4
"""Characters. What is shorter (a key for a local server, such as "x") would hide words that hold it by chance."""
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_MODELS = 1_000
_MAX_FINGERPRINT = 100
"""Characters that are kept of it."""
_MAX_CONTEXT = 10**9
"""Tokens. A larger limit is no limit."""


@dataclass(frozen=True)
class ServedModel:
    """A model that the server lists.

    Attributes:
        name: to ask for it.
        root: what was loaded under that name (vLLM), or the empty text.
        max_context_tokens: if the server says so (vLLM).
        owner: who the server says owns it; some programs give their own name.
    """

    name: str
    root: str = ""
    max_context_tokens: int | None = None
    owner: str = ""


class Server:
    """One server and how to ask it. Safe to share between threads and event loops, each of which has its connection.

    Args:
        base_url: None for `OPENAI_BASE_URL` or OpenAI's own.
        api_key: None for `HART_AGENT_API_KEY`, else `OPENAI_API_KEY`; local servers need none.
        timeout: seconds for one request, from first to last byte.
        retry: when to ask again.

    Raises:
        InstallError: the package `aiohttp` is missing.
        ConfigError: the base URL is not a URL of HTTP; or it is OpenAI's own, and there is no key.
    """

    def __init__(self, base_url: str | None, api_key: str | None, timeout: float, retry: RetryPolicy) -> None:
        try:
            import aiohttp  # noqa: F401
        except ImportError as error:
            raise InstallError(
                f"the backend 'openai' needs the package aiohttp. Run: {install_command(extra='openai')}"
            ) from error
        self.retry = retry
        url = base_url if base_url is not None else os.environ.get("OPENAI_BASE_URL")
        self._api_key = api_key or next(filter(None, map(os.environ.get, ENVIRONMENT["api_key"])), None)
        if not (url or base_url is not None or self._api_key):
            raise ConfigError(
                "OpenAI's own API needs a key: set HART_AGENT_API_KEY or OPENAI_API_KEY. Another server is named with "
                "--base-url; hart-agent doctor finds those of this machine."
            )
        self._url = split_base_url(_OPENAI if url is None else url)
        self._secrets = _secrets(self._url, self._api_key)
        self._timeout = timeout
        self._connections: dict[asyncio.AbstractEventLoop, Connection] = {}

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Others are closed with their loops."""
        connection = self._connections.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            await connection.aclose()

    async def complete(self, body: dict[str, Any]) -> Reply:
        """One chat completion, without retries, sent as soon as the server can be expected to take it.

        Raises:
            ServerError: whatever went wrong.
        """
        limit = (await self._connection()).limit
        try:
            async with limit.request():
                reply = read_completion(await self._ask(lambda connection: connection.complete(body)))
                return replace(reply, fingerprint=self.shown(reply.fingerprint)[:_MAX_FINGERPRINT])
        except ServerError as error:
            error.failure = replace(error.failure, message=self.shown(error.failure.message))
            error.served = limit.served
            raise

    async def models(self) -> list[ServedModel]:
        """The models that the server lists; entries that name none are left out.

        Raises:
            ServerError: whatever went wrong.
        """
        page = await self._ask(lambda connection: connection.models())
        listed = page.get("data", page.get("models")) if isinstance(page, dict) else page
        entries = listed[:_MAX_MODELS] if isinstance(listed, list) else []
        return [model for entry in entries if (model := self._model(entry)) is not None]

    async def get_from_root(self, path: str) -> Any:
        """What lies at a path next to the API: its JSON, or its words.

        Raises:
            ServerError: whatever went wrong.
        """
        return await self._ask(lambda connection: connection.get_from_root(path))

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
        advice = failure.advice
        if failure.problem is Problem.BUSY and self._url.hostname in _THIS_MACHINE:
            advice += " The servers of this machine: hart-agent doctor"
        if failure.problem is Problem.MODEL:
            try:
                served = _listed(await self.models())
            except ServerError:
                served = "what the server's documentation names"
            advice = f"There is no model {model!r}. Choose another --model: {served}."
        retryable = failure.problem is Problem.BUSY
        return PolicyError(f"{happened} {advice}", retryable=retryable, outage=failure.outage, requests=requests)

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
        except TooLong:
            raise self._error(Problem.OTHER, f"its answer is longer than {MAX_BODY / 1e6:.0f} MB") from None
        except ValueError as error:  # JSON that breaks off
            raise self._error(Problem.BUSY, f"the answer can't be read ({error})") from None

    def _model(self, entry: Any) -> ServedModel | None:
        entry = {"id": entry} if isinstance(entry, str) else entry
        name = next((entry[key] for key in ("id", "name") if entry.get(key)), None) if isinstance(entry, dict) else None
        if not isinstance(name, str):
            return None
        root, limit = entry.get("root"), entry.get("max_model_len")
        known = isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit <= _MAX_CONTEXT
        shown, owner = (self.shown(text) if isinstance(text, str) else "" for text in (root, entry.get("owned_by")))
        return ServedModel(self.shown(name), shown, limit if known else None, owner)

    def _refusal(self, refusal: Refusal) -> ServerError:
        """What an HTTP error means."""
        try:
            words = error_words(json.loads(refusal.text))
        except (ValueError, RecursionError):  # a proxy's page, perhaps
            words = None
        if refusal.status < 400:
            place = refusal.headers.get("location", "another place")
            return self._error(Problem.PATH, f"HTTP {refusal.status}: it redirects to {place}")
        message = self.shown(f"HTTP {refusal.status}: {words or refusal.text}")
        failure = diagnose(refusal.status, message, retry_after(refusal.headers))
        return ServerError(failure, refused=failure.problem is Problem.BUSY and refusal.status in OVERLOAD)

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
        return ServerError(Failure(problem, self.shown(message)))

    def shown(self, text: str) -> str:
        """A server's words, to show: on one line, and without the key and the password, which servers quote."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = text[:_MAX_SHOWN]
        return "".join(character if character.isprintable() else " " for character in text)


def _secrets(url: SplitResult, api_key: str | None) -> tuple[str, ...]:
    """What must not be shown, the longest first: the key, the password, values in the query; also as they are sent."""
    user, _, password = url.netloc.rpartition("@")[0].partition(":")
    basic = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode() if password else ""
    queried = [value for name, value in parse_qsl(url.query) if _SECRET_NAME.search(name) or len(value) >= _LONG]
    given = [secret for secret in (api_key, password, basic, *queried) if secret and len(secret) >= _SHORTEST_SECRET]
    forms = {form for secret in given for form in (secret, quote(secret, safe=""), quote(secret), unquote(secret))}
    return tuple(sorted(forms, key=len, reverse=True))


def _listed(models: Sequence[ServedModel]) -> str:
    names = [model.name for model in models]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(names[:20]) or "none") + more
