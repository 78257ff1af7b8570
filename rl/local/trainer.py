"""AP-GRPO on one machine, without OpenRLHF: rollouts, rewards, updates (arXiv 2602.23615)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from hart_agent.agent.config import EpisodeConfig
from rl.ap_grpo import ap_grpo_loss, diagnostics, rollout_weights
from rl.config import TrainSettings
from rl.data import Sample, check_count
from rl.local.blind import without_blind
from rl.local.model import Batch, PolicyModel
from rl.local.rollout import roll_out_step
from rl.local.run import Run, load_frozen
from rl.monitor import rollout_metrics
from rl.rewards import Reward, reward_of, reward_parts
from rl.rows import Rollout


class Trainer(Run[TrainSettings]):
    """A run of reinforcement learning.

    Args:
        settings: of the run.
        samples: the questions.
        reward: of a rollout; None for the one that the settings name.
        out: the run's folder; see `Run`.
        validation: other questions; see `Run`.

    Raises:
        ConfigError, InstallError, PolicyError: see `Run`; or there are fewer questions than a step needs.
    """

    def __init__(
        self,
        settings: TrainSettings,
        samples: Sequence[Sample],
        reward: Reward | None,
        out: Path,
        validation: Sequence[Sample] = (),
    ) -> None:
        check_count(samples, settings.prompts_per_step)
        super().__init__(settings, samples, out, validation)
        self.reward = reward or reward_of(self.settings)
        self.samples = list(samples)
        if settings.drop_blind:
            self.samples = without_blind(self.initial_model, samples, settings, out)
        self._reference: PolicyModel | None = None
        if settings.algorithm.beta and not settings.lora_rank:
            self._reference = load_frozen(settings)

    def compute_gradients(self) -> dict[str, float]:
        """Make rollouts, reward them, and differentiate the loss of AP-GRPO. Returns the step's metrics."""
        started = time.perf_counter()
        rollouts = self.roll_out(self.step)
        rolled_out = time.perf_counter()
        parts = [reward_parts(self.reward, rollout.trajectory, rollout.sample) for rollout in rollouts]
        rewards = [list(named.values())[-1] for named in parts]
        losses = self._differentiate(rollouts, rewards)
        ended = time.perf_counter()
        tokens = sum(len(segment.token_ids) for rollout in rollouts for segment in rollout.segments)
        return {
            "reward": sum(rewards) / len(rewards),
            **{f"reward/{name}": sum(named[name] for named in parts) / len(parts) for name in parts[0]},
            **rollout_metrics(rollouts),
            **losses,
            "tokens_per_second": tokens / (ended - started),
            "rollout_seconds": rolled_out - started,
            "update_seconds": ended - rolled_out,
        }

    def roll_out(self, step: int) -> list[Rollout]:
        """The rollouts of a step, group by group, from the weights as they are now."""
        return roll_out_step(self.model, self.runtime, self.settings, self.samples, step, self.reader())

    def episode(self) -> EpisodeConfig:
        return self.settings.episode()

    def _differentiate(self, rollouts: Sequence[Rollout], rewards: Sequence[float]) -> dict[str, float]:
        config, device = self.settings.algorithm, self.model.device
        rows = [(owner, row) for owner, rollout in enumerate(rollouts) for row in self.model.rows(rollout.segments)]
        lengths = [sum(len(segment.token_ids) for segment in rollout.segments) for rollout in rollouts]
        rewarded = torch.tensor(rewards, device=device)
        weights = rollout_weights(rewarded, torch.tensor(lengths, device=device), config)
        self.model.module.train()
        loss = kl = clipped = 0.0
        for indices, batch in self.model.micro_batches([row for _, row in rows]):
            own = weights.of([rows[index][0] for index in indices])
            log_probs, reference = self.model.log_probs(batch), self._reference_log_probs(batch)
            part = ap_grpo_loss(log_probs, batch.old_log_probs, reference, batch.mask, own, config)
            part.value.backward()
            loss, kl, clipped = loss + float(part.value.detach()), kl + float(part.kl), clipped + float(part.clipped)
        return {"loss": loss, "kl": kl, "clipped": clipped} | diagnostics(rewarded, weights, config)

    def _reference_log_probs(self, batch: Batch) -> torch.Tensor | None:
        """The log-probabilities of the same tokens under the initial model, shape (B, L); None without a KL term."""
        if not self.settings.algorithm.beta:
            return None
        with torch.no_grad():
            if self._reference is not None:
                return self._reference.log_probs(batch)
            with self.model.as_reference():
                return self.model.log_probs(batch)
