"""Rollouts that a limit cut off teach nothing: the over-turn mask of Mini-o3 (ICLR 2026).

    M_i = 1 if rollout i ended by itself, within its turns and tokens, else 0

Advantages are multiplied by M_i, and the loss is divided by the sum of M_i in place of their count. An episode that
needs more turns than training allows isn't punished for it, so that turns can grow when it is asked later. Two things
are our choice: the KL term is masked, too, and masked rollouts still enter their group's mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hart_agent.agent.trajectory import StopReason, Trajectory

if TYPE_CHECKING:  # torch takes seconds to load, and the commands' help has no use for it
    import torch

    from rl.ap_grpo import RolloutWeights

_CUT_OFF = frozenset(
    {StopReason.MAX_TURNS, StopReason.MAX_SECONDS, StopReason.TOKEN_BUDGET, StopReason.CUT_OFF, StopReason.POLICY_ERROR}
)
"""A policy in training fails where the tokens of a rollout are used up."""


def ended_by_itself(trajectory: Trajectory) -> bool:
    """Whether no limit cut a rollout off. One that ended for want of a readable reply ended by itself."""
    return trajectory.stop_reason not in _CUT_OFF


def without_cut_off(weights: RolloutWeights, lengths: torch.Tensor, ended: torch.Tensor) -> RolloutWeights:
    """The weights with those of rollouts that were cut off at 0, and the others the larger for it.

    mu1 and mu2 carry the mask, for both engines make the loss from them.

    Args:
        weights: of all rollouts of a step, each of shape (N,).
        lengths: tokens that the policy wrote in each, shape (N,).
        ended: M, shape (N,).
    """
    kept = ended.to(weights.share)
    left = (weights.share * kept * lengths).sum()  # the share of the objective that isn't masked
    scale = kept / left if left > 0 else kept
    return replace(weights, mu1=weights.mu1 * scale, mu2=weights.mu2 * scale)
