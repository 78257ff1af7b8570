"""AP-GRPO on one machine, without OpenRLHF: rollouts, rewards, updates (arXiv 2602.23615)."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import torch

from hart_agent.agent.config import EpisodeConfig
from rl.ap_grpo import ap_grpo_loss, diagnostics, ratio_of, rollout_weights
from rl.config import TrainSettings
from rl.data import Sample, check_count, draw
from rl.local.blind import without_blind
from rl.local.model import Batch, PolicyModel
from rl.local.rollout import roll_out_groups
from rl.local.run import Run, load_frozen
from rl.monitor import rollout_metrics
from rl.rewards import Reward, reward_of, reward_parts
from rl.rows import Rollout

_Group: TypeAlias = "list[tuple[Rollout, dict[str, float]]]"
"""The rollouts of a question, each with the parts of its reward."""


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
        groups, redrawn = self._groups()
        rolled_out = time.perf_counter()
        rollouts = [rollout for group in groups for rollout, _ in group]
        parts = [named for group in groups for _, named in group]
        rewards = [_reward(each) for group in groups for each in group]
        losses = self.within_memory(lambda: self._differentiate(rollouts, rewards))
        ended = time.perf_counter()
        tokens = sum(len(segment.token_ids) for rollout in rollouts for segment in rollout.segments)
        return {
            "reward": sum(rewards) / len(rewards),
            **{f"reward/{name}": sum(named[name] for named in parts) / len(parts) for name in parts[0]},
            **rollout_metrics(rollouts),
            **losses,
            **({"redrawn_groups": redrawn / len(groups)} if self.settings.redraws else {}),
            "tokens_per_second": tokens / (ended - started),
            "rollout_seconds": rolled_out - started,
            "update_seconds": ended - rolled_out,
        }

    def roll_out(self, step: int) -> list[Rollout]:
        """The rollouts of a step, group by group, from the weights as they are now."""
        return self._roll_out(draw(self.samples, self.settings.prompts_per_step, step, self.settings.seed), step)

    def _roll_out(self, samples: Sequence[Sample], step: int) -> list[Rollout]:
        return roll_out_groups(self.model, self.runtime, self.settings, samples, step, self.reader())

    def _groups(self) -> tuple[list[_Group], int]:
        """The groups of this step, and how many were redrawn: a group of equal rewards gives way to another question's.

        A group that is still of equal rewards after the last redraw stays; it carries the KL term alone.
        """
        groups = self._rewarded(self.roll_out(self.step))
        asked = {group[0][0].sample.id for group in groups}
        redrawn = 0
        for attempt in range(self.settings.redraws):
            equal = [place for place, group in enumerate(groups) if len({_reward(each) for each in group}) == 1]
            others = [sample for sample in self.samples if sample.id not in asked]
            order = random.Random(f"{self.settings.seed} {self.step} {attempt}").sample(others, len(others))
            if not (chosen := order[: len(equal)]):
                break
            asked |= {sample.id for sample in chosen}
            for place, group in zip(equal, self._rewarded(self._roll_out(chosen, self.step)), strict=False):
                groups[place] = group
            redrawn += len(chosen)
        return groups, redrawn

    def _rewarded(self, rollouts: Sequence[Rollout]) -> list[_Group]:
        rewarded = [(each, reward_parts(self.reward, each.trajectory, each.sample)) for each in rollouts]
        size = self.settings.algorithm.group_size
        return [rewarded[begin : begin + size] for begin in range(0, len(rewarded), size)]

    def episode(self) -> EpisodeConfig:
        return self.settings.episode()

    def _differentiate(self, rollouts: Sequence[Rollout], rewards: Sequence[float]) -> dict[str, float]:
        config, device = self.settings.algorithm, self.model.device
        rows = [(owner, row) for owner, rollout in enumerate(rollouts) for row in self.model.rows(rollout.segments)]
        lengths = [sum(len(segment.token_ids) for segment in rollout.segments) for rollout in rollouts]
        rewarded = torch.tensor(rewards, device=device)
        weights = rollout_weights(rewarded, torch.tensor(lengths, device=device), config)
        self.model.module.train()
        loss = kl = clipped = ratios = highest = entropy = 0.0
        for indices, batch in self.model.micro_batches([row for _, row in rows]):
            own = weights.of([rows[index][0] for index in indices])
            reference = self._reference_log_probs(batch)  # first: it needs no graph, and the policy's is large
            log_probs = self.model.log_probs(batch)
            part = ap_grpo_loss(log_probs, batch.old_log_probs, reference, batch.mask, own, config)
            part.value.backward()
            loss, kl, clipped = loss + float(part.value.detach()), kl + float(part.kl), clipped + float(part.clipped)
            ratio = ratio_of(log_probs.detach(), batch.old_log_probs, batch.mask)
            ratios, highest = (
                ratios + float((ratio * batch.mask).sum()),
                max(highest, float((ratio * batch.mask).max())),
            )
            entropy -= float(batch.old_log_probs.sum())
        tokens = max(sum(lengths), 1)
        return {
            "loss": loss,
            "kl": kl,
            "clipped": clipped,
            "ratio": ratios / tokens,
            "ratio_max": highest,
            "entropy": entropy / tokens,  # what sampled tokens tell of it
            **diagnostics(rewarded, weights, config),
        }

    def _reference_log_probs(self, batch: Batch) -> torch.Tensor | None:
        """The log-probabilities of the same tokens under the initial model, shape (B, L); None without a KL term."""
        if not self.settings.algorithm.beta:
            return None
        with torch.no_grad():
            if self._reference is not None:
                return self._reference.log_probs(batch)
            with self.model.as_reference():
                return self.model.log_probs(batch)


def _reward(rewarded: tuple[Rollout, dict[str, float]]) -> float:
    return list(rewarded[1].values())[-1]
