"""AP-GRPO (arXiv 2602.23615) as a trainer of TRL. Copy this file: it needs TRL alone.

    trainer = APGRPOTrainer(model, reward_funcs=..., args=GRPOConfig(loss_type="grpo", beta=0.02, ...), k=0.6, ...)

For the G completions of one prompt, with rewards r from 0 to 1 and A_i = (r_i - mean(r)) / std(r):

    mu1_i = 1 + k (r_i - mean(r))          weighs the advantage
    mu2_i = beta (1 - k (r_i - mean(r)))   weighs the KL to the reference

The mean over the completions of mu1_i * ratio * A_i - mu2_i * KL is maximised; k = 0 is GRPO. The rest is TRL's.
"""

from __future__ import annotations

from typing import Any

import torch
from trl import GRPOTrainer

LOSS_TYPES = ("grpo", "bnpo", "dapo")
"""Of TRL. With "grpo" each completion weighs the same, as in the paper; with the others each token."""
EPSILON = 1e-4
"""Added to the standard deviation, as TRL does."""


class APGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's GRPOTrainer with the weights of AP-GRPO.

    The paper does not clip the ratio: with one update per generation it is 1, otherwise set `epsilon` as you like.

    Args:
        k: preference for right answers, 0 to 1; the paper has .6.
        arguments: those of GRPOTrainer. `args.beta` weighs the KL.

    Raises:
        ValueError: an argument changes the loss in a way that these weights are not made for.
    """

    def __init__(self, *arguments: Any, k: float = 0.6, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if not 0 <= k <= 1:
            raise ValueError(f"k must be 0 to 1, or a weight could turn negative; got {k}")
        if self.loss_type not in LOSS_TYPES or self.importance_sampling_level != "token":
            raise ValueError(
                f"AP-GRPO needs loss_type in {LOSS_TYPES} and importance_sampling_level='token'; "
                f"got {self.loss_type!r} and {self.importance_sampling_level!r}"
            )
        self.k = k

    def _calculate_rewards(self, *arguments: Any, **named: Any) -> torch.Tensor:
        self._rewards: torch.Tensor = super()._calculate_rewards(*arguments, **named)  # of all processes, by function
        return self._rewards

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        made: dict[str, Any] = super()._generate_and_score_completions(inputs)
        rewards = (self._rewards * self.reward_weights.to(self._rewards.device)).nansum(dim=1)
        size = self.num_generations if self.model.training else self.num_generations_eval
        mu1, advantages, mu2 = ap_grpo_weights(rewards, size, self.k)
        count = len(made["advantages"])
        own = slice(self.accelerator.process_index * count, (self.accelerator.process_index + 1) * count)
        return {**made, "advantages": (mu1 * advantages)[own], "mu2": self.beta * mu2[own]}

    def _get_per_token_logps_and_entropies(self, *arguments: Any, **named: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(*arguments, **named)
        self._log_probs: torch.Tensor = found[0]
        return found

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """TRL's loss without its KL term, which is the same for all completions, and with one of its own for each."""
        beta, self.beta = self.beta, 0.0
        try:
            loss: torch.Tensor = super()._compute_loss(model, inputs)
        finally:
            self.beta = beta
        if not beta:
            return loss
        log_probs, self._log_probs = self._log_probs, torch.empty(0)
        mask = (inputs["completion_mask"] * inputs.get("tool_mask", 1)).to(log_probs.dtype)
        distance = torch.where(mask > 0, inputs["ref_per_token_logps"] - log_probs, 0.0)
        kl = torch.exp(distance) - distance - 1
        share = self._share(mask, inputs)
        mode = "train" if self.model.training else "eval"
        mean_kl = (kl.detach() * mask).sum() / mask.sum().clamp(min=1)
        self._metrics[mode]["kl"].append(self.accelerator.gather(mean_kl).nanmean().item())
        return loss + (share * inputs["mu2"][:, None] * kl).sum()

    def _share(self, mask: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
        """What each token, of shape (B, T), weighs in TRL's loss of this type."""
        training = self.model.training
        accumulated = self.current_gradient_accumulation_steps if training else 1
        if self.loss_type == "grpo":
            return mask / mask.sum(dim=1, keepdim=True).clamp(min=1) / (len(mask) * accumulated)
        if self.loss_type == "bnpo":
            return mask / (mask.sum().clamp(min=1) * accumulated)
        items = inputs["num_items_in_batch"].clamp(min=1) / self.accelerator.num_processes
        return mask / (items * accumulated / self.args.steps_per_generation if training else items)


def ap_grpo_weights(rewards: torch.Tensor, size: int, k: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """mu1, the advantage and mu2 / beta of each completion.

    Args:
        rewards: shape (N,); those of one prompt stand together.
        size: completions of each prompt (G).
        k: preference for right answers.

    Returns:
        Three tensors of shape (N,). A group of equal rewards has advantages of 0 and weights of 1.

    Raises:
        ValueError: rewards are not from 0 to 1, so that a weight could turn negative.
    """
    if k and not ((rewards >= 0) & (rewards <= 1)).all():
        low, high = float(rewards.min()), float(rewards.max())
        raise ValueError(
            f"rewards must be from 0 to 1, or k 0; got {low:g} to {high:g}: scale, (r - low) / (high - low)"
        )
    groups = rewards.view(-1, size)
    varied = (groups.amax(dim=1) > groups.amin(dim=1))[:, None]  # the rounding of a mean is no advantage
    centred = torch.where(varied, groups - groups.mean(dim=1, keepdim=True), 0.0)
    advantages = centred / (groups.std(dim=1, keepdim=True) + EPSILON)
    return 1 + k * centred.flatten(), advantages.flatten(), 1 - k * centred.flatten()
