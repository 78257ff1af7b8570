"""What the policies that run a model in this process share: how a conversation is prompted and asked."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from hart_agent.backends.cut_off import ask_longer_if_cut_off
from hart_agent.backends.local.checkpoint import weights_sha256
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.backends.options import MODEL_OPTIONS
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import IN_PROCESS, Reply
from hart_agent.dialogue.vocabularies.vocabulary import Vocabulary
from hart_agent.vision.budget import CoordinateProfile


class LocalPolicy(ABC):
    """A policy whose engine is given prompts of token ids and views. Subclasses set `_prompter` and `name`."""

    accepts: ClassVar[frozenset[str]] = MODEL_OPTIONS | {"model"}
    name: str
    _prompter: Prompter

    @property
    def profile(self) -> CoordinateProfile:
        """How the model sees and points; the prompts speak of boxes as it says."""
        return self._prompter.profile

    @profile.setter
    def profile(self, profile: CoordinateProfile) -> None:
        self._prompter.profile = profile

    @property
    def vocabulary(self) -> Vocabulary:
        """In which words the model calls, and is shown the result."""
        return self._prompter.vocabulary

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The model's next reply. One that is cut off is asked for once more, with more room.

        Raises:
            PolicyError: the conversation doesn't fit, memory runs out, or the engine fails; says what to do next.
        """
        prompt = await asyncio.to_thread(self._prompter.prompt, messages, tools)
        return await ask_longer_if_cut_off(
            lambda max_tokens: self._ask(replace(prompt, max_tokens=max_tokens)),
            prompt.max_tokens,
            self._prompter.room,
            self.vocabulary,
        )

    async def identity(self) -> dict[str, str]:
        """The hash of the weights, which are read whole for it unless the hub's cache names it."""
        digest = await asyncio.to_thread(weights_sha256, self._prompter.checkpoint.path)
        return {"weights_sha256": digest, "server": IN_PROCESS}

    @abstractmethod
    async def _ask(self, prompt: Prompt) -> Reply:
        """The engine's reply to a prompt, of at most `prompt.max_tokens` tokens."""
