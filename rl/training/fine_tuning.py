"""Supervised fine-tuning with the full image visible: the second stage of the method (arXiv 2602.23615).

This is all of it that does not depend on an engine: what a step shows, and the loss.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Sequence

import torch

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.tooling.runtime import ToolRuntime
from rl.config import AGENT_TURNS, SftSettings, rollout_episode
from rl.data import draw
from rl.data.demonstrations import Demonstration, Writer, segments_of
from rl.data.rows import Segment
from rl.training.loop import TrainingLoop


class SftLoop(TrainingLoop[SftSettings]):
    """A run of fine-tuning. Its loss: the negative log-likelihood of a step's replies, the mean over their tokens.

    Attributes:
        demonstrations: of the run.
        writer: writes the prompts.
        runtime: the tools that demonstrations call.
        rank: of this process, which takes every so many-th demonstration of a step.
        processes: that share a step.
    """

    demonstrations: Sequence[Demonstration]
    writer: Writer
    runtime: ToolRuntime
    rank: int = 0
    processes: int = 1

    def compute_gradients(self) -> dict[str, float]:
        """Differentiate the loss of step number `step`. Returns the step's metrics.

        Raises:
            ImageError: an image can't be used.
            PolicyError: a conversation doesn't fit, or the model fails.
        """
        drawn = draw(self.demonstrations, self.settings.prompts_per_step, self.step, self.settings.seed)
        episodes = asyncio.run(self._episodes(drawn[self.rank :: self.processes]))
        tokens = self.total(float(sum(len(segment.token_ids) for segments in episodes for segment in segments)))
        loss = 0.0
        for log_probs in self.forward_passes(episodes):
            part = -log_probs.sum() / tokens
            self.backward(part)
            loss += float(part.detach())
        return {"loss": self.total(loss), "reply_tokens": tokens / len(drawn)}

    def episode(self) -> EpisodeConfig:
        """That of validation. As what it learns: crops, and the full image in sight; an agent with words of its own is
        asked in these. Where it learns to answer at a glance, from the full image alone."""
        if self.settings.targets == "glance":
            return rollout_episode(Mode.DIRECT)
        own = self.writer.prompter.vocabulary.own
        return rollout_episode(Mode.MGPO) if own else rollout_episode(Mode.AGENT, AGENT_TURNS)

    @abstractmethod
    def forward_passes(self, episodes: Sequence[Sequence[Segment]]) -> Iterator[torch.Tensor]:
        """For each micro-batch of B sequences, the log-probabilities of the replies' tokens, with gradient, 0 for all
        other tokens, shape (B, T). The next pass is made after the backward pass of this one."""

    @abstractmethod
    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradients of this process's part of the loss to those of all."""

    def total(self, value: float) -> float:
        """The sum of a number over all processes."""
        return value

    async def _episodes(self, drawn: Sequence[Demonstration]) -> list[list[Segment]]:
        return [await segments_of(self.writer, each, self.runtime) for each in drawn]
