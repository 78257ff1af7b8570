"""Asking a backend single questions, within a time limit, and without the adaptation that hides what it refuses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from hart_agent.backends.families import detect_family
from hart_agent.backends.openai.failures import ADVICE, Failure, Problem, ServerError
from hart_agent.backends.openai.limits import Limits
from hart_agent.backends.openai.server import ServedModel, Server
from hart_agent.dialogue.messages import Message, Part, Role, ToolSpec
from hart_agent.dialogue.policy import Policy, Reply
from hart_agent.errors import PolicyError
from hart_agent.vision.budget import CoordinateProfile

_LONGEST_WAIT = 5.0
"""Seconds. A request that fails sooner is repeated once, after no longer than this."""
_ADVICE = {
    **ADVICE,
    Problem.MODEL: "Give --model a name that the server lists.",
    Problem.BYTES: "Raise the limit of the server, or of the proxy before it (nginx: client_max_body_size).",
    Problem.TOOLS: "Start vLLM with --enable-auto-tool-choice and the model's --tool-call-parser (hermes for Qwen), "
    "llama.cpp with --jinja.",
}
_T = TypeVar("_T")


class Unanswered(Exception):  # noqa: N818 (no error of ours: an outcome)
    """A request came to nothing. Internal to the doctor, which turns it into a finding.

    Attributes:
        failure: why.
        advice: what to do about it.
    """

    def __init__(self, failure: Failure, advice: str | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.advice = advice or _ADVICE.get(failure.problem, "See the server's log for why it refuses this.")


class OutOfTime(Unanswered):
    """The examination's time is up."""

    def __init__(self) -> None:
        advice = "Give the doctor more --max-seconds, or serve the model on faster hardware."
        super().__init__(Failure(Problem.BUSY, "no time was left"), advice)


class Session(Protocol):
    """A backend that can be asked.

    Attributes:
        profile: how it is taken to see and point.
        seconds: how long each reply took so far.
        requests: how many were sent so far.
    """

    profile: CoordinateProfile
    seconds: list[float]
    requests: int

    async def ask(self, *parts: Part, system: str = "", tools: Sequence[ToolSpec] = (), **parameters: Any) -> Reply:
        """The reply to one message.

        Args:
            parts: of the message, text and views.
            system: the instructions; none if empty.
            tools: that may be called.
            parameters: of the chat completions API; only servers use them.

        Raises:
            Unanswered: there is none.
        """
        ...


class _Timed:
    """What the sessions share: the clock and the counts."""

    def __init__(self, profile: CoordinateProfile, max_seconds: float) -> None:
        self.profile = profile
        self.seconds: list[float] = []
        self.requests = 0
        self._deadline = time.monotonic() + max_seconds

    async def _send(self, request: Callable[[], Awaitable[_T]]) -> _T:
        started = time.monotonic()
        if started >= self._deadline:
            raise OutOfTime
        self.requests += 1
        try:
            async with asyncio.timeout(self._deadline - started) as limit:
                result = await request()
        except TimeoutError as error:
            if limit.expired():
                raise OutOfTime from error
            raise
        self.seconds.append(time.monotonic() - started)
        return result


class PolicySession(_Timed):
    """Asks a policy.

    Args:
        policy: which one.
        max_seconds: of all requests together.
    """

    def __init__(self, policy: Policy, max_seconds: float) -> None:
        super().__init__(policy.profile, max_seconds)
        self._policy = policy

    async def ask(self, *parts: Part, system: str = "", tools: Sequence[ToolSpec] = (), **parameters: Any) -> Reply:
        try:
            return await self._send(lambda: self._policy.reply(_conversation(system, parts), tools))
        except PolicyError as error:
            problem = Problem.BUSY if error.retryable else Problem.OTHER
            raise Unanswered(Failure(problem, str(error))) from error


class ServerSession(_Timed):
    """Asks a model behind an OpenAI-compatible server.

    Args:
        server: which one.
        max_seconds: of all requests together.
        max_pixels: area of one view, in pixels; None for the default.
        max_tokens: of one reply.
    """

    def __init__(self, server: Server, max_seconds: float, max_pixels: int | None, max_tokens: int) -> None:
        self.family = detect_family(None)
        super().__init__(self.family.profile(max_pixels=max_pixels), max_seconds)
        self._max_pixels = max_pixels
        self._server = server
        self._model = ""
        self._limits = Limits(self.family, max_tokens)

    def choose(self, model: str, hint: str) -> None:
        """Ask this model from now on.

        Args:
            model: its name on the server.
            hint: what its family is recognised by.
        """
        self._model = model
        self.family = detect_family(hint)
        self.profile = self.family.profile(max_pixels=self._max_pixels)
        self._limits = replace(self._limits, family=self.family)

    @property
    def where(self) -> str:
        """The server's address, to show."""
        return self._server.where

    @property
    def refused(self) -> frozenset[str]:
        """Optional parameters that the server doesn't take."""
        return frozenset(self._limits.refused)

    async def models(self) -> list[ServedModel]:
        """The models that the server lists.

        Raises:
            Unanswered: it doesn't.
        """
        return await self._persistently(self._server.models)

    async def ask(self, *parts: Part, system: str = "", tools: Sequence[ToolSpec] = (), **parameters: Any) -> Reply:
        messages = _conversation(system, parts)
        settings = {"model": self._model, "temperature": 0, "seed": 0, **parameters}
        while True:
            space = self.profile.space
            sent = await asyncio.to_thread(self._limits.request, messages, tools, space, settings)
            try:
                reply: Reply = await self._persistently(lambda body=sent.body: self._server.complete(body))  # type: ignore[misc]
            except Unanswered as error:
                if error.failure.problem is Problem.PARAMETER and self._limits.learn(error.failure, sent):
                    continue
                raise
            return replace(reply, text=self._server.shown(reply.text))

    async def _persistently(self, request: Callable[[], Awaitable[_T]]) -> _T:
        """Send a request, and once more if it failed at once for a reason that may pass."""
        for last in (False, True):
            started = time.monotonic()
            try:
                return await self._send(request)
            except ServerError as error:
                failure = error.failure
            if last or failure.problem is not Problem.BUSY or time.monotonic() - started > _LONGEST_WAIT:
                break
            await asyncio.sleep(min(0.5 if failure.wait is None else failure.wait, _LONGEST_WAIT))
        raise Unanswered(failure)


def _conversation(system: str, parts: Sequence[Part]) -> list[Message]:
    question = Message(Role.USER, tuple(parts))
    return [Message(Role.SYSTEM, (system,)), question] if system else [question]
