"""Rollouts with an engine of vLLM: our episodes, our prompts and crops, and its tokens. Importing this loads torch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.episode import Episode
from hart_agent.backends.local.engine_reply import engine_reply
from hart_agent.backends.local.prompting import Prompt
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import FinishReason, Reply
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.source import SourceImage
from rl.config import TrainSettings
from rl.data import Sample
from rl.data.rows import Rollout, Segment, join_replies
from rl.openrlhf.sequences import Sequencer, complete

Parameters = Callable[[Prompt], Any]
"""Makes the engine's sampling parameters for the reply to a prompt. It must ask for log-probabilities."""


class Engine(Protocol):
    """OpenRLHF's worker around vLLM."""

    async def generate(
        self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: dict[str, Any] | None = None
    ) -> Any:
        """A reply to a prompt, as vLLM's RequestOutput."""


@dataclass(frozen=True)
class Played:
    """A rollout, and whether a limit of tokens cut off its last reply or ended it."""

    rollout: Rollout
    truncated: bool


class Interaction(Sequencer):
    """Plays episodes.

    Args:
        settings: of the run.

    Raises:
        ConfigError: the model can't be used.
    """

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        self._runtime = ToolRuntime(discover_tools())
        self._config = settings.episode()
        self._open: dict[str, tuple[SourceImage, int]] = {}

    async def play(
        self,
        sample: Sample,
        engine: Engine,
        parameters: Parameters,
        max_length: int,
        config: EpisodeConfig | None = None,
    ) -> Played:
        """One rollout.

        Args:
            sample: the question.
            engine: runs the policy.
            parameters: makes its sampling parameters.
            max_length: tokens of the whole rollout, all rows together. When they are used up the episode ends without
                an answer; the replies until then are trained on.
            config: the mode and limits of the episode; by default the run's.

        Raises:
            ConfigError: not even the first prompt leaves room for a reply.
            ImageError: the image can't be used.
        """
        policy = _EnginePolicy(self, engine, parameters, max_length)
        segments: list[Segment] = []
        truncated = False
        with self._source(sample) as source:
            episode = await asyncio.to_thread(
                Episode, source, sample.prompt(), policy, self._runtime, config or self._config
            )  # decodes the image
            while not episode.done:
                prompt = await asyncio.to_thread(self.prompter.prompt, episode.messages, episode.tools)
                left = max_length - self._length_with(segments, prompt)
                if left <= 0 and not segments:
                    raise ConfigError(
                        f"the first prompt of {sample.id!r} leaves no room for a reply within {max_length} tokens: "
                        "raise --data.max_len, or lower max_pixels"
                    )
                if left <= 0:
                    episode.fail(PolicyError(f"the {max_length} tokens of a rollout are used up"))
                    truncated = True
                    break
                reply, truncated = await policy.complete(replace(prompt, max_tokens=min(prompt.max_tokens, left)))
                segments.append(Segment(prompt, reply.token_ids or (), reply.log_probs or ()))
                await episode.step(reply)
            return Played(Rollout(sample, episode.trajectory(), tuple(segments)), truncated)

    @contextmanager
    def _source(self, sample: Sample) -> Iterator[SourceImage]:
        """The image of a question; its rollouts that are under way at once share one, so that it is decoded once."""
        source, users = self._open.get(sample.id) or (sample.open(), 0)
        self._open[sample.id] = source, users + 1
        try:
            yield source
        finally:
            _, users = self._open.pop(sample.id)
            if users > 1:
                self._open[sample.id] = source, users - 1
            else:
                source.close()

    def _length_with(self, segments: Sequence[Segment], prompt: Prompt) -> int:
        """The tokens of all rows if the policy replied nothing to this prompt."""
        rows = join_replies([*segments, Segment(prompt, (), ())], self.prompter.counts)
        return sum(self.length(complete(row)) for row in rows)


class _EnginePolicy:
    """The policy: gives the episode's replies, and replies to tools such as `verify`, which carry no loss."""

    def __init__(self, sequencer: Sequencer, engine: Engine, parameters: Parameters, max_length: int) -> None:
        self.name = "training (vllm)"
        self.profile = sequencer.profile
        self.vocabulary = sequencer.prompter.vocabulary
        self._prompter = sequencer.prompter
        self._length = sequencer.length
        self._engine = engine
        self._parameters = parameters
        self._max_length = max_length

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        prompt = await asyncio.to_thread(self._prompter.prompt, messages, tools)
        left = self._max_length - self._length(prompt)
        if left <= 0:
            raise PolicyError(f"a tool's question is longer than {self._max_length} tokens")
        reply, _ = await self.complete(replace(prompt, max_tokens=min(prompt.max_tokens, left)))
        return reply

    async def complete(self, prompt: Prompt) -> tuple[Reply, bool]:
        """The reply to a prompt, and whether the limit cut it off.

        Raises:
            PolicyError: the engine resized a view.
        """
        images = {"image": [view.image for view in prompt.views]} if prompt.views else None

        async def generate(given: Prompt) -> Any:
            return await self._engine.generate(list(given.token_ids), self._parameters(given), images)

        reply = await engine_reply(self._prompter, prompt, generate)
        return reply, reply.finish_reason is FinishReason.LENGTH
