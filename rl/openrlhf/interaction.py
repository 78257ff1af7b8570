"""Rollouts with an engine of vLLM: our episodes, our prompts and crops, and its tokens. Importing this loads torch.

OpenRLHF knows a rollout as one sequence. Where the conversation starts anew, as in the mode `closed-loop`, a rollout is
several rows (see `rl.rows`); they are put behind one another, and the actor takes them apart again (see `actor`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from hart_agent.backends.checkpoint import find_checkpoint
from hart_agent.backends.encoding import Encoder
from hart_agent.backends.prompting import Prompt, Prompter
from hart_agent.episode import Episode, EpisodeConfig
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import discover_tools
from hart_agent.types import Message, Reply, ToolSpec, Usage
from rl.data import Sample
from rl.rollout import Rollout
from rl.rows import Row, Segment, join_replies
from rl.settings import TrainSettings

ROW_LENGTHS, ROW_COUNTS = "row_lengths", "row_counts"
"""What a rollout's tensors tell the actor: the tokens of each row, shape (rows,), and how many rows, shape (1,)."""

Parameters = Callable[[int], Any]
"""Makes the engine's sampling parameters for a reply of at most so many tokens. It must ask for log-probabilities."""


class Engine(Protocol):
    """OpenRLHF's worker around vLLM."""

    async def generate(
        self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: dict[str, Any] | None = None
    ) -> Any:
        """A reply to a prompt, as vLLM's RequestOutput."""


@dataclass(frozen=True)
class Sequence1D:
    """A rollout as one sequence of T tokens.

    Attributes:
        token_ids: of all rows, those of images multiplied as the model has them, shape (T,).
        action_ranges: where the policy's own tokens lie: from, and up to but without.
        log_probs: of those tokens under the distribution that they were sampled from, 0 elsewhere, shape (T,).
        tensors: pixels, and `ROW_LENGTHS` and `ROW_COUNTS`; all are joined along their first axis in batches.
    """

    token_ids: list[int]
    action_ranges: list[tuple[int, int]]
    log_probs: list[float]
    tensors: dict[str, torch.Tensor]


@dataclass(frozen=True)
class Played:
    """A rollout, and whether a limit of tokens cut off its last reply or ended it."""

    rollout: Rollout
    truncated: bool


class Interaction:
    """Plays episodes.

    Args:
        settings: of the run.

    Raises:
        ConfigError: the model can't be used.
    """

    def __init__(self, settings: TrainSettings) -> None:
        checkpoint = find_checkpoint(settings.model)
        self.prompter = Prompter(
            checkpoint,
            coordinates=None,
            max_pixels=settings.max_pixels,
            max_images=None,
            max_tokens=settings.max_tokens,
            max_context_tokens=None,
            temperature=settings.temperature,
            seed=settings.seed,
        )
        self._encoder = Encoder(checkpoint, self.prompter)
        self._runtime = ToolRuntime(discover_tools())
        self._config: EpisodeConfig = settings.episode()
        self._dtype = getattr(torch, settings.dtype or "bfloat16")

    async def play(self, sample: Sample, engine: Engine, parameters: Parameters, max_length: int) -> Played:
        """One rollout.

        Args:
            sample: what is asked.
            engine: runs the policy.
            parameters: makes its sampling parameters.
            max_length: tokens of the whole rollout, all rows together. When they are used up the episode ends without
                an answer; what was said until then is trained on.

        Raises:
            ConfigError: not even the first prompt leaves room for a reply.
            ImageError: the image can't be used.
        """
        speaker = _Speaker(self.prompter, engine, parameters, max_length)
        segments: list[Segment] = []
        truncated = False
        with sample.open() as source:
            episode = await asyncio.to_thread(
                Episode, source, sample.prompt(), speaker, self._runtime, self._config
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
                reply, truncated = await speaker.say(prompt, min(prompt.max_tokens, left))
                segments.append(Segment(prompt, reply.token_ids or (), reply.log_probs or ()))
                await episode.step(reply)
            return Played(Rollout(sample, episode.trajectory(), tuple(segments)), truncated)

    def sequence(self, rollout: Rollout) -> Sequence1D:
        """A rollout as OpenRLHF trains on it: tokens, masks and pixels are those that `rl.model` trains on."""
        token_ids: list[int] = []
        log_probs: list[float] = []
        ranges: list[tuple[int, int]] = []
        lengths: list[int] = []
        parts: list[dict[str, torch.Tensor]] = []
        for row in join_replies(rollout.segments, self.prompter.counts):
            inputs = self._encoder.encode([_whole(row)], self._dtype)
            own = inputs["input_ids"][0].tolist()
            said = iter(row.log_probs)
            values = [0.0] * len(own)
            for begin, end in row.spans:
                first, last = len(own) - begin, len(own) - end
                ranges.append((len(token_ids) + first, len(token_ids) + last))
                values[first:last] = [next(said) for _ in range(first, last)]
            token_ids += own
            log_probs += values
            lengths.append(len(own))
            parts.append({name: inputs[name] for name in ("pixel_values", "image_grid_thw") if name in inputs})
        tensors = {name: torch.cat([part[name] for part in parts if name in part]) for name in _names(parts)}
        tensors |= {ROW_LENGTHS: torch.tensor(lengths), ROW_COUNTS: torch.tensor([len(lengths)])}
        return Sequence1D(token_ids, ranges, log_probs, tensors)

    def _length_with(self, segments: Sequence[Segment], prompt: Prompt) -> int:
        """The tokens of all rows if the policy replied nothing to this prompt."""
        rows = join_replies([*segments, Segment(prompt, (), ())], self.prompter.counts)
        return sum(_length(_whole(row), self.prompter) for row in rows)


class _Speaker:
    """The policy: asked for the episode's replies, and by tools such as `verify`, whose questions carry no loss."""

    def __init__(self, prompter: Prompter, engine: Engine, parameters: Parameters, max_length: int) -> None:
        self.name = "training (vllm)"
        self.profile = prompter.profile
        self._prompter = prompter
        self._engine = engine
        self._parameters = parameters
        self._max_length = max_length

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        prompt = await asyncio.to_thread(self._prompter.prompt, messages, tools)
        left = self._max_length - _length(prompt, self._prompter)
        if left <= 0:
            raise PolicyError(f"a tool's question is longer than {self._max_length} tokens")
        reply, _ = await self.say(prompt, min(prompt.max_tokens, left))
        return reply

    async def say(self, prompt: Prompt, max_tokens: int) -> tuple[Reply, bool]:
        """The reply to a prompt, and whether the limit cut it off.

        Raises:
            PolicyError: the engine resized a view.
        """
        images = {"image": [view.image for view in prompt.views]} if prompt.views else None
        output = await self._engine.generate(list(prompt.token_ids), self._parameters(max_tokens), images)
        read = output.prompt_token_ids or []
        self._prompter.check_counts(prompt.views, read.count(self._prompter.image_id))
        said = output.outputs[0]
        token_ids = tuple(said.token_ids)
        log_probs = tuple(entry[token].logprob for entry, token in zip(said.logprobs, token_ids, strict=True))
        usage = Usage(len(read), len(token_ids), 1)
        reply = Reply(self._prompter.text(token_ids), (), usage, token_ids, log_probs)
        return reply, said.finish_reason == "length"


def _whole(row: Row) -> Prompt:
    return replace(
        row.first, token_ids=row.first.token_ids + row.rest.token_ids, views=row.first.views + row.rest.views
    )


def _length(prompt: Prompt, prompter: Prompter) -> int:
    """Its tokens as the model has them."""
    images = sum(prompter.family.view_tokens(view.frame.size) for view in prompt.views)
    return len(prompt.token_ids) - len(prompt.views) + images


def _names(parts: Sequence[dict[str, torch.Tensor]]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part))
