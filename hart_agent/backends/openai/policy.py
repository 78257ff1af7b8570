"""A policy on any server that speaks OpenAI's chat completions: vLLM, SGLang, Ollama, LM Studio, llama.cpp, services.

Dialects: `tools` is sent unless the format is "text"; a server that refuses it is asked again without, and from then
on. Calls are read from `tool_calls` where the server returns them, otherwise from the text (see
`hart_agent.dialogue.parsing`).

Stopping: no stop strings are sent. A server can't tell whether a model thinks about the tags or writes them, so that
they would cut thoughts; what follows an answer is ignored when the reply is read.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

from hart_agent.backends.chat import DEFAULT_MAX_TOKENS
from hart_agent.backends.cut_off import ask_longer_if_cut_off
from hart_agent.backends.openai.failures import Problem, ServerError
from hart_agent.backends.openai.identity import identify
from hart_agent.backends.openai.images import DEFAULT_MAX_BYTES, is_encoded
from hart_agent.backends.openai.limits import Limits
from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.backends.openai.server import Server
from hart_agent.backends.options import POLICY_OPTIONS, PolicyOptions
from hart_agent.backends.spoken import spoken
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.tooling.protocol import specs_for

_MAX_REMEDIES = 6
"""For one reply: a server that refuses everything must not be asked for ever."""


class OpenAIPolicy:
    """Asks a model behind an OpenAI-compatible server. Safe to share between episodes, threads and event loops.

    Args:
        model: the name that the server knows it by; None if it serves exactly one, which is then asked for at once.
        max_bytes: of all images in one request, as data URLs.
        timeout: seconds for one request.
        retry: when to ask again.
        options: of `PolicyOptions`. `base_url` defaults to `OPENAI_BASE_URL` or OpenAI's own, `api_key` to
            `HART_AGENT_API_KEY` or `OPENAI_API_KEY`; the key never shows in errors, logs or traces. The `tool_format`
            "native" warns if the server refuses `tools`, "text" never sends them.

    Raises:
        ConfigError: an option is out of range, or no model was named and the server has not exactly one.
        InstallError: the package `aiohttp` is missing.
        PolicyError: no model was named and the server can't be asked.
        TypeError: there is no such option.
    """

    accepts: ClassVar[frozenset[str]] = POLICY_OPTIONS

    def __init__(
        self,
        model: str | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        timeout: float = 300.0,
        retry: RetryPolicy | None = None,
        **options: Any,
    ) -> None:
        settings = PolicyOptions.from_keywords(**options)
        for name, value in (("max_bytes", max_bytes), ("timeout", timeout)):
            if value <= 0:
                raise ConfigError(f"{name} must be positive, got {value}")
        self._server = Server(settings.base_url, settings.api_key, timeout, retry or RetryPolicy())
        hint, max_context_tokens = model, settings.max_context_tokens
        if model is None:
            served = self._server.only_model()
            model, hint = served.name, f"{served.name} {served.root}".strip()
            max_context_tokens = max_context_tokens or served.max_context_tokens
        self._parameters: dict[str, Any] = {
            "model": model,
            "temperature": settings.temperature or 0.0,
            "seed": settings.seed,
        }
        spoken_by = spoken(settings, hint)
        self.vocabulary = spoken_by.vocabulary
        self._limits = Limits(
            spoken_by.family,
            settings.max_tokens or DEFAULT_MAX_TOKENS,
            tools=settings.tool_format != "text" and self.vocabulary.own,
            warn_of_tools=settings.tool_format == "native",
            max_images=settings.max_images,
            max_context_tokens=max_context_tokens,
            max_bytes=max_bytes,
            vocabulary=self.vocabulary,
        )
        self.name = f"openai ({model})"
        self.profile = spoken_by.profile

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of the running event loop. The policy can still be asked, over new ones."""
        await self._server.aclose()

    def with_seed(self, seed: int) -> Self:
        """The same policy, over the same connections, with another seed of sampling."""
        other = copy.copy(self)
        other._parameters = {**self._parameters, "seed": seed}
        return other

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The model's next reply. One that is cut off is asked for once more, with more room.

        Raises:
            PolicyError: the server can't be reached, refuses the request, or takes too long; says what to do next.
        """
        return await ask_longer_if_cut_off(
            lambda max_tokens: self._ask(messages, tools, max_tokens),
            self._limits.max_tokens,
            vocabulary=self.vocabulary,
        )

    async def _ask(self, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int) -> Reply:
        space, parameters = self.profile.space, self._parameters
        tools = specs_for(tools, self.profile)
        max_turns: int | None = None
        requests = retries = remedies = served = 0
        build = partial(self._limits.request, messages, tools, space, parameters, max_tokens=max_tokens)
        while True:
            try:
                if all(is_encoded(view) for message in messages for view in message.views):
                    sent = build(max_turns=max_turns)
                else:  # compressing images takes long
                    sent = await asyncio.to_thread(build, max_turns=max_turns)
            except PolicyError as error:
                error.requests = requests
                raise
            requests += 1
            try:
                reply = await self._server.complete(sent.body)
                begun = self._limits.prefill(tools) + reply.text if reply.text else reply.text
                return replace(reply, text=begun, usage=replace(reply.usage, requests=requests))
            except ServerError as error:
                failure = error.failure
                # A server that is busy with others isn't down: this request need only wait.
                turned_away = error.refused and error.served > served
                served = error.served
            if failure.problem is Problem.BUSY and (turned_away or retries < self._server.retry.retries):
                await asyncio.sleep(self._server.retry.delay(retries, failure.wait))
                retries += not turned_away
            elif remedies < _MAX_REMEDIES and self._limits.learn(failure, sent):
                remedies += 1
                if failure.problem is Problem.CONTEXT and sent.context == self._limits.max_context_tokens:
                    max_turns = max(1, sent.turns // 2)
            else:
                raise await self._server.explain(failure, str(parameters["model"]), requests)

    async def identity(self) -> dict[str, str]:
        """What the server tells of the model and of itself; a few small requests."""
        return await identify(self._server, str(self._parameters["model"]))

    def admission(self) -> AbstractAsyncContextManager[None]:
        """Wait until one more episode does the server good, and hold a place for it; see `AdaptiveLimit`."""
        return self._server.admission()
