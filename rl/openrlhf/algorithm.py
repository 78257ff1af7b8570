"""AP-GRPO inside OpenRLHF: the weights of `rl.ap_grpo` on its experiences, and that loss in its actor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from openrlhf.trainer.ppo_utils.experience import Experience
from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker
from openrlhf.trainer.ray.ppo_actor import ActorPPOTrainer

from rl.ap_grpo import RolloutWeights, Shaping, ap_grpo_loss, diagnostics, rollout_weights
from rl.config import AlgorithmConfig
from rl.data import Sample
from rl.openrlhf.adapters import adapted_model, handed_weights, in_parts
from rl.openrlhf.scoring import LOGGED, Outcome, scores_of, step_metrics
from rl.rewards import Judge
from rl.rewards.scores import shaping_of
from rl.training.cut_off import without_cut_off

_WEIGHTS = ("advantage", "mu1", "mu2", "sampled_entropy")
"""Entries of each rollout's `info` for the actor."""


class APGRPOExperienceMaker(RemoteExperienceMaker):  # type: ignore[misc]
    """Gives experiences the advantages and weights of AP-GRPO, from their raw rewards.

    Attributes:
        algorithm: its numbers.
        judge: gives the rewards.
        samples: the questions by id.
        mask_cut_off: whether rollouts that a limit cut off teach nothing; see `rl.training.cut_off`.
        step_metrics: of the last batch.
    """

    algorithm: AlgorithmConfig
    judge: Judge
    samples: dict[str, Sample]
    mask_cut_off: bool = False
    step_metrics: dict[str, float]

    def compute_advantages_and_returns(self, experiences: list[Experience]) -> list[Experience]:
        experiences = super().compute_advantages_and_returns(experiences)
        place = torch.tensor([index for experience in experiences for index in experience.index])
        outcomes: list[Outcome] = [outcome for experience in experiences for outcome in experience.labels]
        in_order = [outcomes[index] for index in place.argsort().tolist()]  # group by group
        scores = scores_of(self.judge, in_order, self.samples, self.algorithm.group_size)
        rewards = torch.tensor([score.reward for score in scores])
        written = torch.cat([experience.action_mask.sum(dim=-1) for experience in experiences])
        lengths = torch.empty_like(written).index_copy(0, place, written)
        shaping = [Shaping(weight, torch.tensor(values)) for weight, values in shaping_of(scores)]
        differing = _differing(experiences)
        entropy = differing.pop("entropy")
        weights = rollout_weights(rewards, lengths, self.algorithm, shaping, entropy)
        found = diagnostics(rewards, weights, self.algorithm)
        if self.mask_cut_off:
            ended = torch.tensor([outcome.ended for outcome in in_order])
            weights = without_cut_off(weights, lengths, ended)
            found["cut_off"] = float(1 - ended.float().mean())
        logged: dict[str, list[float]] = defaultdict(list)
        for experience in experiences:
            own = weights.of(experience.index)
            experience.labels = [outcome.question for outcome in experience.labels]
            experience.info |= dict(zip(_WEIGHTS, (own.advantages, own.mu1, own.mu2, own.entropy), strict=True))
            experience.advantages = (own.mu1 * own.advantages)[:, None] * experience.action_mask
            experience.returns = experience.advantages.clone()
            for name in [name for name in experience.info if name.startswith(LOGGED)]:
                logged[name] += experience.info.pop(name).tolist()
        parts = {f"reward/{name}": [score.parts[name] for score in scores] for name in scores[0].parts}
        self.step_metrics = {
            "reward": float(rewards.mean()), "entropy": entropy, **step_metrics(logged | parts), **found, **differing,
        }  # fmt: skip
        return experiences


def _differing(experiences: Sequence[Experience]) -> dict[str, float]:
    """What the sampling policy's log-probabilities tell of it, and how far they are from the trainer's.

    Returns:
        `entropy`, the mean of -log pi_old over all tokens that it wrote; the mean and the largest `ratio` of the
        trainer to it; and `engine_apart`, the mean of its log-probabilities less the trainer's.
    """
    written = [each.action_mask.bool() for each in experiences]
    sampled = torch.cat([each.rollout_log_probs[own] for each, own in zip(experiences, written, strict=True)]).double()
    trainer = torch.cat([each.action_log_probs[own] for each, own in zip(experiences, written, strict=True)]).double()
    if sampled.numel() == 0:
        return {"entropy": 0.0}
    ratio = (trainer - sampled).exp()
    return {
        "entropy": -float(sampled.mean()), "engine_apart": float((sampled - trainer).mean()),
        "ratio": float(ratio.mean()), "ratio_max": float(ratio.max()),
    }  # fmt: skip


class APGRPOLoss(torch.nn.Module):  # type: ignore[misc]
    """Replaces OpenRLHF's PolicyLoss; it includes the KL term, whose weight differs for each rollout.

    Args:
        config: the algorithm.
    """

    def __init__(self, config: AlgorithmConfig) -> None:
        super().__init__()
        self.config = config
        self.experience: Experience | None = None
        self.kl = torch.tensor(0.0)

    def forward(
        self,
        log_probs: torch.Tensor,
        old_log_probs: torch.Tensor,
        advantages: torch.Tensor,
        action_mask: torch.Tensor,
        rollout_log_probs: torch.Tensor | None = None,  # here the same as old_log_probs
        dp_size: int = 1,
        batch_num_tokens: torch.Tensor | float = 1.0,
        global_batch_size: torch.Tensor | float = 1.0,
    ) -> tuple[torch.Tensor, ...]:
        """As of OpenRLHF's PolicyLoss.

        Args:
            log_probs: with gradient, shape (B, A); so are the other tensors.
            old_log_probs: of the policy that sampled.
            advantages: not used; those of the experience and its weights are.
            action_mask: 1 for tokens that the policy wrote.
            rollout_log_probs: as the engine sampled them.
            dp_size: processes over whose gradients DeepSpeed averages.
            batch_num_tokens: that the policy wrote in this update, over the micro-batches of a process.
            global_batch_size: rollouts of this update, likewise.

        Returns:
            The loss, the share of clipped tokens, the KL from the old policy to this, and two numbers of OpenRLHF's own
            correction, which is not used.
        """
        info = self._known().info
        advantage, mu1, mu2, entropy = (torch.stack(list(info[name])).to(log_probs) for name in _WEIGHTS)
        written = action_mask.sum(dim=-1).to(log_probs).clamp_min(1)
        if self.config.aggregation == "sequence":
            share = dp_size / (global_batch_size * written)
        elif self.config.aggregation == "constant":
            share = (dp_size / torch.as_tensor(global_batch_size * self.config.token_budget)).to(log_probs)
            share = share.expand_as(written)
        else:
            share = (dp_size / torch.as_tensor(batch_num_tokens)).to(log_probs).expand_as(written)
        weights = RolloutWeights(advantage, mu1, mu2, share, entropy)
        reference = self._known().base_action_log_probs if self.config.beta else None
        loss = ap_grpo_loss(log_probs, old_log_probs, reference, action_mask, weights, self.config)
        self.kl = loss.kl
        moved = ((old_log_probs - log_probs.detach()) * action_mask).sum() / action_mask.sum().clamp_min(1)
        nothing = torch.zeros_like(moved)
        return loss.value, loss.clipped, moved, nothing, nothing

    def _known(self) -> Experience:
        assert self.experience is not None
        return self.experience


class APGRPOActorTrainer(ActorPPOTrainer):  # type: ignore[misc]
    """Trains the actor with the loss of AP-GRPO. `adopt` makes it of one that OpenRLHF has made."""

    actor: Any

    @classmethod
    def adopt(cls, trainer: ActorPPOTrainer, config: AlgorithmConfig) -> None:
        trainer.__class__ = cls
        trainer.actor_loss_fn = APGRPOLoss(config)

    def training_step(
        self, experience: Experience, kl_ctl: float, step: int, loss_batch_info: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """One micro-batch. OpenRLHF's own KL term, the same for all rollouts, gets no weight: ours is in the loss.

        The ratio is taken to what vLLM sampled from: its kernels are others, and in async runs its weights older.
        """
        experience.action_log_probs = experience.rollout_log_probs
        self.actor_loss_fn.experience = experience
        status: dict[str, Any] = super().training_step(experience, 0.0, step, loss_batch_info)
        self.actor_loss_fn.experience = None
        if self.actor_loss_fn.config.beta:
            status["metrics"]["kl"], status["weights"]["kl"] = self.actor_loss_fn.kl, "sample"
        return status

    def broadcast_to_vllm(self) -> None:
        """Hand the weights to vLLM; with adapters, those that have some, merged."""
        model = adapted_model(self.actor)
        if model is None:
            super().broadcast_to_vllm()
            return
        actor = self.actor
        try:
            for part in in_parts(handed_weights(model)):
                self.actor = part
                super().broadcast_to_vllm()
        finally:
            self.actor = actor
