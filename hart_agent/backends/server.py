"""The connection to an OpenAI-compatible server: one request at a time, and every way it can fail as one error."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from hart_agent.backends.failures import ADVICE, Failure, Problem, diagnose
from hart_agent.backends.retries import RetryPolicy, retry_after
from hart_agent.errors import ConfigError, InstallError, PolicyError

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion

_NO_KEY = "not-needed"
"""Local servers need no key, but the client insists on one."""


class ServerError(Exception):
    """A request failed. Internal to the backend, which finds a remedy or turns it into a PolicyError."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


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
    """One server and how to ask it.

    Args:
        base_url: None for the client library's default.
        api_key: None for `OPENAI_API_KEY`; local servers need none.
        timeout: seconds for one request, from first to last byte.
        retry: when to ask again.

    Raises:
        InstallError: the package `openai` is missing.
        ConfigError: the base URL is no URL.
    """

    def __init__(self, base_url: str | None, api_key: str | None, timeout: float, retry: RetryPolicy) -> None:
        try:
            import openai  # noqa: F401
        except ImportError as error:
            raise InstallError(
                "the backend 'openai' needs the package openai. Run: pip install 'hart-agent[openai]'"
            ) from error
        if base_url is not None and not re.match(r"https?://[^/]", base_url):
            raise ConfigError(f"--base-url {base_url!r} is no URL; expected one like http://localhost:8000/v1")
        self.retry = retry
        self._base_url = base_url
        self._api_key = api_key or os.environ.get("OPENAI_API_KEY")
        self._timeout = timeout
        self._clients: dict[asyncio.AbstractEventLoop, openai.AsyncOpenAI] = {}

    async def complete(self, body: dict[str, Any]) -> ChatCompletion:
        """One chat completion, without retries.

        Raises:
            ServerError: whatever went wrong.
        """
        completion = await self._ask(lambda client: client.chat.completions.create(**body))
        if not hasattr(completion, "choices"):  # the client hands over whatever text a server sends
            raise self._error(Problem.PATH, f"it answers, but not as a chat completion: {str(completion)[:200]!r}")
        if not completion.choices or completion.choices[0].message is None:
            raise self._error(Problem.BUSY, f"its chat completion is empty: {str(completion)[:200]}")
        result: ChatCompletion = completion
        return result

    async def models(self) -> list[ServedModel]:
        """The models that the server lists.

        Raises:
            ServerError: whatever went wrong.
        """
        page = await self._ask(lambda client: client.models.list())
        listed = getattr(page, "data", None) or []
        return [
            ServedModel(entry.id, getattr(entry, "root", None) or "", getattr(entry, "max_model_len", None))
            for entry in listed
        ]

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

    async def _ask(self, send: Callable[[openai.AsyncOpenAI], Awaitable[Any]]) -> Any:
        import openai

        try:
            async with asyncio.timeout(self._timeout):
                return await send(self._client())
        except openai.APIStatusError as error:
            words = error.body.get("message") if isinstance(error.body, dict) else None
            message = self.clean(f"HTTP {error.status_code}: {words or error.response.text or error.message}")
            raise ServerError(diagnose(error.status_code, message, retry_after(error.response.headers))) from None
        except (TimeoutError, openai.APITimeoutError):
            raise self._error(Problem.BUSY, f"no complete reply within {self._timeout:g} seconds") from None
        except openai.APIConnectionError as error:
            raise self._error(Problem.BUSY, f"the connection failed ({error.__cause__ or error})") from None
        except (openai.OpenAIError, ValueError) as error:  # ValueError: JSON that breaks off
            raise self._error(Problem.BUSY, f"the answer can't be read ({error})") from None

    def _client(self) -> openai.AsyncOpenAI:
        """The client of the running event loop. It keeps no connection open, which the loop's end would tear."""
        import openai

        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            client = openai.AsyncOpenAI(
                api_key=self._api_key or _NO_KEY,
                base_url=self._base_url,
                timeout=self._timeout,
                max_retries=0,
                default_headers={"Connection": "close"},
            )
            alive = {known: theirs for known, theirs in list(self._clients.items()) if not known.is_closed()}
            self._clients = {**alive, loop: client}
            return client
        return self._clients[loop]

    @property
    def where(self) -> str:
        """The base URL without a password or a query, to show."""
        url = urlsplit(self._base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1")
        return urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))

    def _error(self, problem: Problem, message: str) -> ServerError:
        return ServerError(Failure(problem, self.clean(message)))

    def clean(self, text: str) -> str:
        """Servers quote what they were sent: the key must not come back in a message."""
        return text.replace(self._api_key, "***") if self._api_key else text


def _listed(models: Sequence[ServedModel]) -> str:
    names = [model.name for model in models]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(names[:20]) or "none") + more
