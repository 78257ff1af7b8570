"""AP-GRPO on one machine, without OpenRLHF: rollouts, rewards, updates (arXiv 2602.23615)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import discover_tools
from rl.ap_grpo import ap_grpo_loss, diagnostics, rollout_weights
from rl.data import BlindlyAnswered, Sample, check_count, drop_blind
from rl.model import Batch, PolicyModel
from rl.monitor import rollout_metrics
from rl.rewards import Reward, answer_reward, reward_parts
from rl.rollout import Asker, Rollout, roll_out
from rl.run import Run, draw, first_model
from rl.settings import TrainSettings

_log = logging.getLogger(__name__)


class Trainer(Run):
    """A run of reinforcement learning.

    Args:
        settings: of the run.
        samples: questions that are asked.
        reward: of a rollout.
        out: the run's folder; see `Run`.

    Raises:
        ConfigError, InstallError, PolicyError: see `Run`; or there are fewer questions than a step asks.
    """

    def __init__(self, settings: TrainSettings, samples: Sequence[Sample], reward: Reward, out: Path) -> None:
        check_count(samples, settings.prompts_per_step)
        super().__init__(settings, out)
        self.settings = settings
        self.samples = list(samples)
        self.reward = reward
        self._runtime = ToolRuntime(discover_tools())
        self._reference: PolicyModel | None = None
        if settings.algorithm.beta and not settings.lora_rank:
            self._reference = first_model(settings)

    def drop_blind_questions(self) -> list[BlindlyAnswered]:
        """Leave out the questions that the policy answered without the image before the run; see `drop_blind`.

        Raises:
            ConfigError: too few are left.
        """
        asker = Asker(self.first_model(), self.settings.seed)
        self.samples, dropped = asyncio.run(drop_blind(self.samples, asker))
        _log.warning("%d questions are answered without the image and dropped", len(dropped))
        check_count(self.samples, self.settings.prompts_per_step)
        return dropped

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
        right = [answer_reward(rollout.trajectory, rollout.sample) > 0 for rollout in rollouts]
        return {
            "reward": sum(rewards) / len(rewards),
            **{f"reward/{name}": sum(named[name] for named in parts) / len(parts) for name in parts[0]},
            **rollout_metrics(rollouts, right),
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

    def reader(self) -> PolicyModel | None:
        """Another model that gives the answers in the policy's place; none, unless a subclass has one."""
        return None

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
