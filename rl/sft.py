"""Supervised fine-tuning with the full image visible: the second stage of the method (arXiv 2602.23615)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from rl.data import Sample
from rl.demonstrations import Demonstration, distil, gold_answers, segments_of
from rl.rows import Row
from rl.run import Run, draw
from rl.settings import SftSettings, rollout_episode


class SftTrainer(Run):
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
        self.settings = settings
        self.demonstrations = self._demonstrations(samples)
        if not self.demonstrations:
            raise ConfigError(
                "there is nothing to learn from: of no question was a rollout right and supported. Raise attempts, or "
                "choose the targets gold"
            )

    def compute_gradients(self) -> dict[str, float]:
        """Differentiate the negative log-likelihood of a step's replies, the mean over their tokens."""
        settings = self.settings
        shown = draw(self.demonstrations, settings.prompts_per_step, self.step, settings.seed)
        rows: list[Row] = asyncio.run(self._rows(shown))
        total = sum(row.written for row in rows)
        self.model.module.train()
        loss = 0.0
        for _, batch in self.model.micro_batches(rows):
            part = -self.model.log_probs(batch).sum() / total
            part.backward()
            loss += float(part.detach())
        return {"loss": loss, "reply_tokens": total / len(shown)}

    def episode(self) -> EpisodeConfig:
        """As what it learns: crops, and the full image in sight."""
        return rollout_episode(Mode.MGPO)

    def _demonstrations(self, samples: Sequence[Sample]) -> list[Demonstration]:
        if self.settings.targets == "gold":
            return gold_answers(samples)
        # Always from the first weights, so that a run that is gone on with learns from the same replies.
        seed, attempts = self.settings.seed, self.settings.attempts
        return asyncio.run(distil(self.first_model(), samples, self._runtime, attempts, seed))

    async def _rows(self, shown: Sequence[Demonstration]) -> list[Row]:
        said = [await segments_of(self.model, each, self._runtime) for each in shown]
        return [row for segments in said for row in self.model.rows(segments)]
