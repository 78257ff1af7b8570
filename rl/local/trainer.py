"""AP-GRPO on one machine, without OpenRLHF: rollouts, rewards, updates (arXiv 2602.23615)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from hart_agent.agent.config import EpisodeConfig
from hart_agent.backends.local.checkpoint import find_checkpoint
from rl.ap_grpo import Shaping, ap_grpo_loss, diagnostics, ratio_of, rollout_weights
from rl.config import TrainSettings
from rl.data import Sample, check_count, draw
from rl.data.rows import Rollout
from rl.local.blind import without_blind
from rl.local.curriculum import PassRates
from rl.local.drawing import ScoredGroup, redrawn
from rl.local.model import Batch, PolicyModel
from rl.local.rollout import roll_out_groups, scores_of
from rl.local.run import Run, load_frozen
from rl.local.vllm import VLLMSampler
from rl.rewards import Judge, Reward, reward_of
from rl.rewards.medvr import entropy_metrics
from rl.rewards.scores import Score, in_groups, shaping_of
from rl.training.cut_off import ended_by_itself, without_cut_off
from rl.training.monitor import rollout_metrics


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
        self._reward_state: dict[str, Any] = {}
        self._pass_rates = PassRates()
        super().__init__(settings, samples, out, validation)
        self.judge = Judge(reward or reward_of(self.settings), settings.algorithm.k, self._reward_state)
        if settings.rollouts == "vllm":
            found, prompter = find_checkpoint(str(self.model.checkpoint)), self.model.prompter
            sampler = VLLMSampler(found, prompter, self.model.dtype, settings.vllm_memory, settings.seed)
            self.model.sample_with(sampler)
        self.samples = list(samples)
        if settings.drop_blind:
            self.samples = without_blind(self.initial_model, samples, settings, out)
        self._reference: PolicyModel | None = None
        if settings.algorithm.beta and not settings.lora_rank:
            self._reference = load_frozen(settings)

    def compute_gradients(self) -> dict[str, float]:
        """Make rollouts, reward them, and differentiate the loss of AP-GRPO. Returns the step's metrics."""
        started = time.perf_counter()
        curriculum = self.settings.curriculum
        expected = {"expected_pass_rate": self._pass_rates.mean(self._drawn(self.step))} if curriculum else {}
        groups, redraws = self._groups()
        rolled_out = time.perf_counter()
        rollouts = [rollout for group in groups for rollout, _ in group]
        scores = [score for group in groups for _, score in group]
        rewards, parts = [score.reward for score in scores], [score.parts for score in scores]
        losses = self.within_memory(lambda: self._differentiate(rollouts, rewards, shaping_of(scores)))
        ended = time.perf_counter()
        tokens = sum(len(segment.token_ids) for rollout in rollouts for segment in rollout.segments)
        return {
            "reward": sum(rewards) / len(rewards),
            **{f"reward/{name}": sum(named[name] for named in parts) / len(parts) for name in parts[0]},
            **rollout_metrics(rollouts),
            **entropy_metrics(rollouts, self.model.prompter.words),
            **losses,
            **({"redrawn_groups": redraws / len(groups)} if self.settings.redraws else {}),
            **expected,
            "tokens_per_second": tokens / (ended - started),
            "rollout_seconds": rolled_out - started,
            "update_seconds": ended - rolled_out,
        }

    def roll_out(self, step: int) -> list[Rollout]:
        """The rollouts of a step, group by group, from the weights as they are now."""
        drawn = self._drawn(step)
        return roll_out_groups(self.model, self.runtime, self.settings, drawn, step, self.reader())

    def scores(self, rollouts: Sequence[Rollout]) -> list[Score]:
        """The scores of a step's rollouts."""
        return scores_of(self.judge, rollouts, self.settings.algorithm.group_size)

    def _drawn(self, step: int) -> list[Sample]:
        count, seed = self.settings.prompts_per_step, self.settings.seed
        if self.settings.curriculum:
            return self._pass_rates.draw(self.samples, count, f"{seed} {step}")
        return draw(self.samples, count, step, seed)

    def _groups(self) -> tuple[list[ScoredGroup], int]:
        """The scored groups of this step, and how many of them were redrawn."""
        before = deepcopy(self.judge.state)
        groups = self._scored(self.roll_out(self.step))
        if not self.settings.redraws:
            return groups, 0
        settings = self.settings

        def draw_groups(samples: Sequence[Sample]) -> list[ScoredGroup]:
            self.judge.state = deepcopy(before)
            return self._scored(roll_out_groups(self.model, self.runtime, settings, samples, self.step, self.reader()))

        seed = f"{settings.seed} {self.step}"
        groups, count = redrawn(groups, self.samples, draw_groups, redraws=settings.redraws, seed=seed)
        if count and self.judge.scope == "step":  # what it sees and keeps is the step as it is in the end
            self.judge.state = before
            groups = self._with_scores([rollout for group in groups for rollout, _ in group])
        return groups, count

    def _with_scores(self, rollouts: Sequence[Rollout]) -> list[ScoredGroup]:
        return in_groups(list(zip(rollouts, self.scores(rollouts), strict=True)), self.settings.algorithm.group_size)

    def _scored(self, rollouts: Sequence[Rollout]) -> list[ScoredGroup]:
        scored = self._with_scores(rollouts)
        if self.settings.curriculum:
            self._pass_rates.observe([[rollout for rollout, _ in group] for group in scored])
        return scored

    def episode(self) -> EpisodeConfig:
        return self.settings.episode()

    def state(self) -> dict[str, Any]:
        return {
            "reward": self.judge.state,
            **({"pass_rates": self._pass_rates.seen} if self.settings.curriculum else {}),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._reward_state = state.get("reward", {})
        self._pass_rates = PassRates(state.get("pass_rates", {}))

    def _differentiate(
        self, rollouts: Sequence[Rollout], rewards: Sequence[float], shaping: Sequence[tuple[float, list[float]]] = ()
    ) -> dict[str, float]:
        config, device = self.settings.algorithm, self.model.device
        rows = [(owner, row) for owner, rollout in enumerate(rollouts) for row in self.model.rows(rollout.segments)]
        lengths = [sum(len(segment.token_ids) for segment in rollout.segments) for rollout in rollouts]
        rewarded = torch.tensor(rewards, device=device)
        terms = [Shaping(weight, torch.tensor(values, device=device)) for weight, values in shaping]
        written = torch.tensor(lengths, device=device)
        tokens = max(sum(lengths), 1)
        sampled = [value for rollout in rollouts for segment in rollout.segments for value in segment.log_probs]
        entropy = -sum(sampled) / tokens  # what sampled tokens tell of it
        weights = rollout_weights(rewarded, written, config, terms, entropy)
        metrics = diagnostics(rewarded, weights, config)
        if self.settings.mask_cut_off:
            ended = torch.tensor([ended_by_itself(rollout.trajectory) for rollout in rollouts], device=device)
            weights = without_cut_off(weights, written, ended)
            metrics["cut_off"] = float(1 - ended.float().mean())
        self.model.module.train()
        loss = kl = clipped = ratios = highest = 0.0
        for indices, batch in self.model.micro_batches([row for _, row in rows]):
            own = weights.of([rows[index][0] for index in indices])
            reference = self._reference_log_probs(batch)  # first: it needs no graph, and the policy's is large
            log_probs = self.model.log_probs(batch)
            part = ap_grpo_loss(log_probs, batch.old_log_probs, reference, batch.mask, own, config)
            part.value.backward()
            loss, kl, clipped = loss + float(part.value.detach()), kl + float(part.kl), clipped + float(part.clipped)
            ratio = ratio_of(log_probs.detach(), batch.old_log_probs, batch.mask)
            ratio = ratio * batch.mask
            ratios, highest = ratios + float(ratio.sum()), max(highest, float(ratio.max()))
        return {
            "loss": loss,
            "kl": kl,
            "clipped": clipped,
            "ratio": ratios / tokens,
            "ratio_max": highest,
            "entropy": entropy,
            **metrics,
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
