"""The conversation between a policy and an episode: immutable, and free of model or tool code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from hart_agent.vision.source import View

Part: TypeAlias = "str | View"
"""A piece of a message: text, or an image."""


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True)
class ToolSpec:
    """What a model needs to know of a tool: its name, what it does, and the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A call as the model wrote it.

    Attributes:
        id: unique in an episode.
        name: the tool's name.
        arguments: the parsed JSON object; coordinates are still in the model's space.
        raw: the text from which it was read, unchanged.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    raw: str


@dataclass(frozen=True)
class Message:
    """One message of the conversation. Messages are only ever appended.

    Attributes:
        role: who speaks.
        parts: text and images, in order.
        calls: on an assistant's message, the tool calls that were read from it.
        call_id: on a tool's message, the call that it answers.
    """

    role: Role
    parts: tuple[Part, ...]
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None

    @property
    def text(self) -> str:
        """The text parts, joined by new lines."""
        return "\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def views(self) -> tuple[View, ...]:
        return tuple(part for part in self.parts if isinstance(part, View))
