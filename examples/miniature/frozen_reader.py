"""A policy that only learns where to look: another model reads what it is shown."""

from __future__ import annotations

from collections.abc import Sequence

from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Policy, Reply
from rl.local.model import PolicyModel
from rl.local.trainer import Trainer


class FrozenReaderTrainer(Trainer):
    """Reinforcement learning in which the first model gives the answers: they are not learnt from."""

    def reader(self) -> PolicyModel | None:
        return self._reference


class WithReader:
    """What such a policy does: one model points, the other answers.

    Args:
        pointing: replies where a tool may be called.
        reading: replies where none may.
    """

    def __init__(self, pointing: Policy, reading: Policy) -> None:
        self.name = pointing.name
        self.profile = pointing.profile
        self._pointing = pointing
        self._reading = reading

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        return await (self._pointing if tools else self._reading).reply(messages, tools)
