"""Supervised fine-tuning on one machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from hart_agent.tooling.runtime import ToolRuntime
from rl.config import SftSettings, rollout_episode
from rl.data import Sample
from rl.data.demonstrations import Demonstration, gold_answers
from rl.data.rows import Segment
from rl.local.model import PolicyModel
from rl.local.rollout import roll_out
from rl.local.run import Run
from rl.rewards import AnswerReward
from rl.training.fine_tuning import SftLoop


class SftTrainer(SftLoop, Run[SftSettings]):
    """A run of supervised fine-tuning.

    Args:
        settings: of the run.
        samples: the questions.
        out: the run's folder; see `Run`.
        validation: other questions; see `Run`.

    Raises:
        ConfigError, InstallError, PolicyError: see `Run`; or there is nothing to learn from.
    """

    def __init__(
        self, settings: SftSettings, samples: Sequence[Sample], out: Path, validation: Sequence[Sample] = ()
    ) -> None:
        alone = replace(settings, temperature=1.0)  # the likelihood is the model's own
        super().__init__(alone, samples, out, validation)
        self.writer = self.model
        self.demonstrations = self._demonstrations(samples)

    def compute_gradients(self) -> dict[str, float]:
        self.model.forget_images()
        return self.within_memory(super().compute_gradients)

    def forward_passes(self, episodes: Sequence[Sequence[Segment]]) -> Iterator[torch.Tensor]:
        self.model.module.train()
        for _, batch in self.model.micro_batches([row for segments in episodes for row in self.model.rows(segments)]):
            yield self.model.log_probs(batch)

    def backward(self, loss: torch.Tensor) -> None:
        torch.autograd.backward(loss)

    def _demonstrations(self, samples: Sequence[Sample]) -> list[Demonstration]:
        if self.settings.targets == "gold":
            return gold_answers(samples)
        # Always from the initial weights, so that a resumed run learns from the same replies.
        return distilled(self.initial_model(), samples, self.runtime, self.settings)


def distilled(
    model: PolicyModel, samples: Sequence[Sample], runtime: ToolRuntime, settings: SftSettings
) -> list[Demonstration]:
    """The policy's own way to the right answer, to be shown with the full image in sight (rejection sampling).

    It is asked in the closed loop, where the answer comes from the crops alone; the first attempt that is right is
    kept. Questions without one are left out. For the targets `glance` only its answer is kept, to be given at once from
    the full image: what it saw when it zoomed, it learns to see without (the aim of arXiv 2605.18740).

    Args:
        model: that was trained with reinforcement learning.
        samples: the questions.
        runtime: the tools.
        settings: the attempts at each question, the seed, and how answers are read.

    Raises:
        ConfigError: no attempt was right.
        ImageError: an image can't be used.
        PolicyError: the model fails.
    """
    kept: dict[str, Demonstration] = {}
    right, episode = AnswerReward(settings.strict_reading), rollout_episode(Mode.CLOSED_LOOP)
    for rollout in asyncio.run(roll_out(model, runtime, episode, samples, settings.attempts, settings.seed)):
        run = rollout.trajectory
        if right(run, rollout.sample) == 1:
            way = tuple(turn.reply.text for turn in run.turns), Mode.MGPO
            if settings.targets == "glance":
                way = (f"<answer>{run.answer}</answer>",), Mode.DIRECT
            kept.setdefault(rollout.sample.id, Demonstration(rollout.sample, *way))
    if not kept:
        raise ConfigError(
            "there is nothing to learn from: no question had a right rollout. Raise attempts, "
            "or choose the targets gold"
        )
    return list(kept.values())
