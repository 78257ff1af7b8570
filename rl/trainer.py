"""AP-GRPO on one machine, without OpenRLHF: rollouts, rewards, updates (arXiv 2602.23615)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from hart_agent.agent.config import EpisodeConfig
from rl.ap_grpo import ap_grpo_loss, diagnostics, rollout_weights
from rl.blind import ATTEMPTS, find_blind, read_blind, write_blind
from rl.data import Sample, check_count
from rl.model import Batch, PolicyModel
from rl.monitor import rollout_metrics
from rl.rewards import Reward, reward_parts
from rl.rollout import Rollout, answer_blindly, roll_out
from rl.run import Run, draw, first_model
from rl.settings import TrainSettings

_log = logging.getLogger(__name__)

BLIND = "blind.jsonl"
"""In the run's folder: which questions were dropped."""


class Trainer(Run):
    """A run of reinforcement learning.

    Args:
        settings: of the run.
        samples: questions that are asked.
        reward: of a rollout.
        out: the run's folder; see `Run`.
        validation: other questions; see `Run`.

    Raises:
        ConfigError, InstallError, PolicyError: see `Run`; or there are fewer questions than a step asks.
    """

    def __init__(
        self,
        settings: TrainSettings,
        samples: Sequence[Sample],
        reward: Reward,
        out: Path,
        validation: Sequence[Sample] = (),
    ) -> None:
        check_count(samples, settings.prompts_per_step)
        super().__init__(settings, samples, out, validation)
        self.settings = settings
        self.reward = reward
        self.samples = self._without_blind(samples) if settings.drop_blind else list(samples)
        self._reference: PolicyModel | None = None
        if settings.algorithm.beta and not settings.lora_rank:
            self._reference = first_model(settings)

    def compute_gradients(self) -> dict[str, float]:
        """Ask, reward, and differentiate the loss of AP-GRPO. Returns the step's metrics."""
        started = time.perf_counter()
        rollouts = self.roll_out(self.step)
        asked = time.perf_counter()
        parts = [reward_parts(self.reward, rollout.trajectory, rollout.sample) for rollout in rollouts]
        rewards = [list(named.values())[-1] for named in parts]
        learnt = self._differentiate(rollouts, rewards)
        ended = time.perf_counter()
        tokens = sum(len(segment.token_ids) for rollout in rollouts for segment in rollout.segments)
        return {
            "reward": sum(rewards) / len(rewards),
            **{f"reward/{name}": sum(named[name] for named in parts) / len(parts) for name in parts[0]},
            **rollout_metrics(rollouts),
            **learnt,
            "tokens_per_second": tokens / (ended - started),
            "rollout_seconds": asked - started,
            "update_seconds": ended - asked,
        }

    def roll_out(self, step: int) -> list[Rollout]:
        """The rollouts of a step, group by group, from the weights as they are now."""
        settings = self.settings
        samples = draw(self.samples, settings.prompts_per_step, step, settings.seed)
        seed = settings.seed * 1_000_003 + step
        group_size = settings.algorithm.group_size
        return asyncio.run(
            roll_out(self.model, self._runtime, settings.episode(), samples, group_size, seed, self.reader())
        )

    def episode(self) -> EpisodeConfig:
        return self.settings.episode()

    def _without_blind(self, samples: Sequence[Sample]) -> list[Sample]:
        """Those that the policy, as it was before the run, didn't answer without the image; see `rl.blind`.

        Raises:
            ConfigError: too few are left.
        """
        record = self.out / BLIND
        if not record.exists():
            _log.info("asking %d questions without their images", len(samples))
            said = answer_blindly(self.first_model(), samples, ATTEMPTS, self.settings.seed)
            write_blind(find_blind(samples, said), record)
        dropped = read_blind(record)
        _log.info("%d questions are answered without the image, and dropped; see %s", len(dropped), record)
        kept = [sample for sample in samples if sample.id not in dropped]
        check_count(kept, self.settings.prompts_per_step)
        return kept

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
            part = ap_grpo_loss(log_probs, batch.old, reference, batch.mask, own, config)
            part.value.backward()
            loss, kl, clipped = loss + float(part.value.detach()), kl + float(part.kl), clipped + float(part.clipped)
        return {"loss": loss, "kl": kl, "clipped": clipped} | diagnostics(rewarded, weights, config)

    def _reference_log_probs(self, batch: Batch) -> torch.Tensor | None:
        """What the model before the training says to the same tokens, shape (B, L); None without a KL term."""
        if not self.settings.algorithm.beta:
            return None
        with torch.no_grad():
            if self._reference is not None:
                return self._reference.log_probs(batch)
            with self.model.as_reference():
                return self.model.log_probs(batch)
