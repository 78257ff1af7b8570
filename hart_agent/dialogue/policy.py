"""What a policy is: a model that answers a conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.vision.budget import CoordinateProfile
from hart_agent.vision.geometry import Box


@dataclass(frozen=True)
class Usage:
    """What a policy consumed: tokens where the policy counts them, and requests, those that failed included.

    What was under way when an episode was over is not in it.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.requests + other.requests,
        )


class FinishReason(StrEnum):
    """Why generation of a reply ended, as far as the backend knows."""

    STOP = "stop"
    """The model ended the reply, or called a tool."""
    LENGTH = "length"
    """A limit on tokens cut it off: its last value may be half."""


@dataclass(frozen=True)
class ReadLine:
    """A line of text that a policy read in the image, or a few that are set as one.

    Attributes:
        text: its words.
        box: where it stands, in original pixels.
        confidence: 0 to 1.
    """

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True)
class Reply:
    """A policy's reply to a conversation.

    Attributes:
        text: the model's words, unchanged; thoughts in the text are still there.
        native_calls: calls that a server parsed itself, as (name, JSON text of the arguments).
        usage: what the reply cost.
        token_ids: the generated tokens, shape (T,), where training asks for them.
        log_probs: natural-log probability of each of those tokens under the sampling policy, shape (T,).
        finish_reason: why generation ended; None where the backend can't tell.
        reasoning: thoughts that a server sent apart from the text.
        read: lines of text that the policy has read so far, the likeliest to answer the question first; None if it
            doesn't report any.
        fingerprint: by which a server names the state that it replied in (OpenAI's `system_fingerprint`), if it does.
    """

    text: str
    native_calls: tuple[tuple[str, str], ...] = ()
    usage: Usage = field(default_factory=lambda: Usage(requests=1))
    token_ids: tuple[int, ...] | None = None
    log_probs: tuple[float, ...] | None = None
    finish_reason: FinishReason | None = None
    reasoning: str = ""
    read: tuple[ReadLine, ...] | None = None
    fingerprint: str = ""

    @property
    def truncated(self) -> bool:
        """Whether a limit on tokens cut the reply off."""
        return self.finish_reason is FinishReason.LENGTH


@runtime_checkable
class Policy(Protocol):
    """A model that answers a conversation. The only thing in hart-agent that produces words.

    Attributes:
        name: shown in results and traces.
        profile: how the policy sees and points.
    """

    name: str
    profile: CoordinateProfile

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The next reply.

        Args:
            messages: the whole conversation so far; only ever appended to.
            tools: the tools that may be called; none when the question is asked of the crops alone.

        Raises:
            PolicyError: there is no reply.
        """
        ...


@runtime_checkable
class Admitting(Protocol):
    """A policy that limits how many episodes run at once."""

    def admission(self) -> AbstractAsyncContextManager[None]:
        """Wait for room for one more episode, and hold it. An episode's time should start inside."""
        ...


@runtime_checkable
class Seeded(Protocol):
    """A policy whose samples depend on a seed alone: asked twice, it replies the same."""

    def with_seed(self, seed: int) -> Policy:
        """The same policy with another seed."""
        ...


IN_PROCESS: Final = "hart-agent's own process"
"""The server of a policy that asks none."""


@runtime_checkable
class Identified(Protocol):
    """A policy that can say what stands behind its name."""

    async def identity(self) -> dict[str, str]:
        """What is known of `model` (what was loaded under that name), `weights_sha256`, and `server` (the program that
        runs it, and its version); what can't be told is left out.
        """
        ...


def admission_of(policy: object) -> Callable[[], AbstractAsyncContextManager[None]]:
    """How room for one more episode with a policy is had: at once where it isn't `Admitting`."""
    return policy.admission if isinstance(policy, Admitting) else nullcontext
