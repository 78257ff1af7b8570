"""A policy on any server that speaks OpenAI's chat completions: vLLM, SGLang, Ollama, LM Studio, llama.cpp, services.

Dialects: `tools` is sent unless the format is "text"; a server that refuses it is asked again without, and from then
on. Calls are read from `tool_calls` where the server returns them, otherwise from the text (see
`hart_agent.dialogue.parsing`).

Stopping: generation stops at the end of an answer or an abstention, and where a model begins to invent a tool's result.
It does not stop at the end of a call, for a turn may hold several. Servers cut the stop text off; the parser knows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from hart_agent.backends.chat import DEFAULT_MAX_TOKENS, STOP
from hart_agent.backends.families import detect_family, detect_profile
from hart_agent.backends.openai.failures import Problem
from hart_agent.backends.openai.images import DEFAULT_MAX_BYTES, is_encoded
from hart_agent.backends.openai.limits import Limits
from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.backends.openai.server import Server, ServerError
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.errors import ConfigError

TOOL_FORMATS = ("auto", "native", "text")
_MAX_REMEDIES = 6
"""For one reply: a server that refuses everything must not be asked for ever."""


class OpenAIPolicy:
    """Asks a model behind an OpenAI-compatible server. Safe to share between episodes, threads and event loops.

    Args:
        model: the name that the server knows it by; None if it serves exactly one, which is then asked for at once.
        base_url: such as "http://localhost:8000/v1"; None for `OPENAI_BASE_URL` or OpenAI's own.
        api_key: None for `OPENAI_API_KEY`; local servers need none. It never shows in errors, logs or traces.
        coordinates: "pixel", "thousand" or "unit", instead of what the model's family writes; or "auto".
        max_pixels: area of one view, in pixels.
        max_images: in one request.
        max_tokens: of one reply.
        max_context_tokens: of prompt and reply together; the oldest turns are left out to stay within.
        max_bytes: of all images in one request, as data URLs.
        temperature: of sampling; 0 is greedy.
        seed: of sampling.
        tool_format: "auto"; "native", which warns if the server refuses `tools`; or "text", which never sends them.
        timeout: seconds for one request.
        retry: when to ask again.

    Raises:
        ConfigError: a setting is out of range, or no model was named and the server has not exactly one.
        InstallError: the package `aiohttp` is missing.
        PolicyError: no model was named and the server can't be asked.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        coordinates: str | None = None,
        max_pixels: int | None = None,
        max_images: int | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        max_context_tokens: int | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        temperature: float = 0.0,
        seed: int = 0,
        tool_format: str = "auto",
        timeout: float = 300.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        if tool_format not in TOOL_FORMATS:
            raise ConfigError(f"there is no tool format {tool_format!r}; choose one of {', '.join(TOOL_FORMATS)}")
        limits = {"max_images": max_images, "max_tokens": max_tokens, "max_context_tokens": max_context_tokens}
        for name, value in {**limits, "max_bytes": max_bytes, "timeout": timeout}.items():
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be positive, got {value}")
        self._server = Server(base_url, api_key, timeout, retry or RetryPolicy())
        hint = model
        if model is None:
            served = self._server.only_model()
            model, hint = served.name, f"{served.name} {served.root}".strip()
            max_context_tokens = max_context_tokens or served.max_context_tokens
        self._parameters: dict[str, Any] = {
            "model": model, "temperature": temperature, "seed": seed, "stop": list(STOP)
        }  # fmt: skip
        self._limits = Limits(
            detect_family(hint),
            max_tokens,
            tools=tool_format != "text",
            warn_of_tools=tool_format == "native",
            max_images=max_images,
            max_context_tokens=max_context_tokens,
            max_bytes=max_bytes,
        )
        self.name = f"openai ({model})"
        self.profile = detect_profile(hint, space=coordinates, max_pixels=max_pixels)

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The model's next reply.

        Raises:
            PolicyError: the server can't be reached, refuses the request, or takes too long; says what to do next.
        """
        build, space, parameters = self._limits.request, self.profile.space, self._parameters
        max_turns: int | None = None
        requests = retries = remedies = served = 0
        while True:
            if all(is_encoded(view) for message in messages for view in message.views):
                sent = build(messages, tools, space, parameters, max_turns)
            else:  # compressing images takes long
                sent = await asyncio.to_thread(build, messages, tools, space, parameters, max_turns)
            requests += 1
            try:
                return read_completion(await self._server.complete(sent.body), requests)
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

    def admission(self) -> AbstractAsyncContextManager[None]:
        """Wait until one more episode does the server good, and hold a place for it; see `AdaptiveLimit`."""
        return self._server.admission()


def read_completion(completion: dict[str, Any], requests: int) -> Reply:
    """A server's completion, with at least one choice that holds a message, as a reply that took so many requests."""
    message = completion["choices"][0]["message"]
    calls = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    used = completion.get("usage") or {}
    content = message.get("content")
    return Reply(
        content if isinstance(content, str) else "",
        tuple((call.get("name") or "", _text(call.get("arguments"))) for call in calls),
        Usage(used.get("prompt_tokens") or 0, used.get("completion_tokens") or 0, requests),
    )


def _text(arguments: Any) -> str:
    """A call's arguments are JSON in a text; some servers send the object itself."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
