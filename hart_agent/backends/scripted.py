"""A policy that replies from a script: for tests and demonstrations of everything but a model's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import PolicyError
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace

Speaker = Callable[[Sequence[Message], Sequence[ToolSpec]], str]


class ScriptedPolicy:
    """Replies from a list, in order, or with whatever a function of the conversation returns.

    Args:
        script: the replies, or the function.
        profile: how it sees and points; by default pixels of the view, at most a megapixel.
    """

    name = "scripted"

    def __init__(self, script: Iterable[str] | Speaker, profile: CoordinateProfile | None = None) -> None:
        self.profile = profile or CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=1_000_000))
        self._speak = script if callable(script) else _from_list(script)

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The next reply of the script.

        Raises:
            PolicyError: the script is at its end.
        """
        return Reply(self._speak(messages, tools))


def _from_list(replies: Iterable[str]) -> Speaker:
    remaining = iter(replies)

    def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        try:
            return next(remaining)
        except StopIteration:
            raise PolicyError("the script has no more replies") from None

    return speak
