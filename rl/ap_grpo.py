"""AP-GRPO: Advantage Preference Group Relative Policy Optimization, to be read with the paper (arXiv 2602.23615).

For the G rollouts o_1 ... o_G of one question q, with rewards r_1 ... r_G:

    A_i   = (r_i - mean(r)) / std(r)
    mu1_i = 1 + k (r_i - mean(r))
    mu2_i = beta (1 - k (r_i - mean(r)))
    J     = 1/G sum_i [ mu1_i (pi(o_i | q) / pi_old(o_i | q)) A_i  -  mu2_i KL(pi || pi_ref) ]

The loss is -J. The ratio and the KL are taken token by token, over the tokens that the policy wrote; k = 0 is GRPO.
Where the paper is silent: std is that of the sample (divided by G - 1), so that k = 0 is GRPO as TRL has
it; a group of equal rewards has A = 0; KL is the estimator exp(d) - d - 1, d = log pi_ref - log pi (k3), as in GRPO.

With `kl` another of Schulman's estimators (Approximating KL Divergence, 2020): k2 is d^2 / 2, whose gradient is on
average that of the KL; k1 is -d, whose own gradient is on average 0, whatever the reference. It gets that of k2, which
is the one that k1 has as a part of the reward.

Off unless a setting asks for it: `clip`, with a higher bound from above by `clip_high` (DAPO, arXiv 2503.14476);
`ratio_cap`, above which a token's ratio is scaled down to the cap (truncated importance sampling: its gradient is kept,
unlike a clipped one's); advantages that are not divided by std, and `aggregation` "constant", which divides each
rollout's sum by the same number of tokens (both Dr. GRPO, arXiv 2503.20783); `entropy_floor` h: where the mean entropy
H of a step's tokens lies below h, the advantage of a token gains (h - H) (-log pi_old - H). On average over what the
policy samples that is the gradient of -(h - H)^2 / 2, for the gradient of the entropy is E[(-log pi - H) grad log pi].

Shapes: N rollouts, G of each question in a row; B sequences of T tokens. A rollout of several turns is several
sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hart_agent.errors import ConfigError
from rl.config import AlgorithmConfig, Estimator


@dataclass(frozen=True)
class RolloutWeights:
    """The weights of each rollout's tokens, each of shape (N,).

    Attributes:
        advantages: A.
        mu1: of the advantage.
        mu2: of the KL term.
        share: of one of its tokens in the objective; over all tokens of all rollouts these sum to 1, unless tokens are
            weighed by a constant.
        entropy: of the policy that sampled, the mean over all tokens of the step, the same for each rollout.
    """

    advantages: torch.Tensor
    mu1: torch.Tensor
    mu2: torch.Tensor
    share: torch.Tensor
    entropy: torch.Tensor

    def of(self, rollouts: Sequence[int]) -> RolloutWeights:
        """The weights of the rollouts to which B sequences belong; each of shape (B,)."""
        index = torch.tensor(list(rollouts), device=self.mu1.device)
        values = (self.advantages, self.mu1, self.mu2, self.share, self.entropy)
        return RolloutWeights(*(each[index] for each in values))


@dataclass(frozen=True)
class Shaping:
    """A shaping term: A_i becomes A_i + weight * the term, normalised over its group as rewards are.

    A sum of reward and term would be divided by its own spread: where all answers of a group are equal, any weight
    would have the full effect. Normalised apart, a term of weight .01 moves the policy a hundredth as far as rewards.
    Where advantages are not divided by std, a term's values are brought into a range of 1 in each group, if they are
    further apart: rewards of 0 to 1 are no further.

    Attributes:
        weight: of the term.
        values: shape (N,).
    """

    weight: float
    values: torch.Tensor


def rollout_weights(
    rewards: torch.Tensor,
    lengths: torch.Tensor,
    config: AlgorithmConfig,
    shaping: Sequence[Shaping] = (),
    entropy: float = 0.0,
) -> RolloutWeights:
    """The weights of all rollouts of a step. Micro-batches then only add up.

    Args:
        rewards: raw, shape (N,); those of one question stand together, N is a multiple of the group size.
        lengths: tokens that the policy wrote in each rollout, over all its turns, shape (N,).
        config: the algorithm.
        shaping: further terms, not part of the paper. mu1 and mu2 are made of the rewards alone.
        entropy: of the policy that sampled, for `entropy_floor`: the mean of -log pi_old over all tokens of the step.

    Raises:
        ConfigError: a reward is not a finite number, or rewards are so far apart that a weight would be negative.
        ValueError: there are no rollouts, or groups that are not whole.
    """
    if rewards.numel() == 0 or rewards.numel() % config.group_size:
        raise ValueError(f"{rewards.numel()} rewards are not whole groups of {config.group_size}")
    rewards = rewards if rewards.is_floating_point() else rewards.float()
    if not torch.isfinite(rewards).all():
        raise ConfigError("a reward is not a finite number; fix the reward function")
    centred, advantages = _normalised(rewards, config)
    for term in shaping:
        values = term.values.to(rewards)
        values = values if config.scale_advantages else _bounded(values, config)
        advantages = advantages + term.weight * _normalised(values, config)[1]
    preference = config.k * centred
    if preference.abs().max() > 1:
        raise ConfigError(
            f"rewards are up to {float(centred.abs().max()):.3g} from their group's mean, so that with k = "
            f"{config.k} a weight would be negative: bring rewards into 0 to 1, or lower k"
        )
    written = lengths.to(rewards.dtype)
    if config.aggregation == "sequence":
        share = 1 / (rewards.numel() * written.clamp_min(1))
    elif config.aggregation == "constant":
        share = torch.full_like(rewards, 1 / (rewards.numel() * config.token_budget))
    else:
        share = (1 / written.sum().clamp_min(1)).expand_as(rewards)
    spread = torch.full_like(rewards, entropy)
    return RolloutWeights(advantages, 1 + preference, config.beta * (1 - preference), share, spread)


@dataclass(frozen=True)
class Loss:
    """The loss of some sequences; those of all sequences of a step add up to the step's.

    Attributes:
        value: to be minimised; a scalar.
        kl: the unweighted KL to the reference, a scalar without gradient; 0 without a reference.
        clipped: share of the tokens whose ratio was clipped, a scalar without gradient.
    """

    value: torch.Tensor
    kl: torch.Tensor
    clipped: torch.Tensor


def ap_grpo_loss(
    log_probs: torch.Tensor,
    old_log_probs: torch.Tensor,
    ref_log_probs: torch.Tensor | None,
    mask: torch.Tensor,
    weights: RolloutWeights,
    config: AlgorithmConfig,
) -> Loss:
    """The loss of B sequences.

    Args:
        log_probs: of the tokens under the policy, with gradient, shape (B, T).
        old_log_probs: under the policy that sampled them, shape (B, T).
        ref_log_probs: under the reference, shape (B, T); None without a KL term.
        mask: 1 for tokens that the policy wrote, 0 for all else (images, prompts, tools' results, padding), (B, T).
        weights: of the rollouts to which the sequences belong, each (B,).
        config: the algorithm.
    """
    share = weights.share[:, None] * mask  # (B, T)
    ratio = ratio_of(log_probs, old_log_probs, mask)
    if config.ratio_cap is not None:
        ratio = ratio * (config.ratio_cap / ratio.detach()).clamp_max(1)
    advantages = (weights.mu1 * weights.advantages)[:, None]  # (B, 1)
    if config.entropy_floor is not None:
        surprise = -old_log_probs.detach() - weights.entropy[:, None]
        advantages = advantages + _lacking(weights, config.entropy_floor)[:, None] * surprise  # (B, T)
    gain = ratio * advantages
    clipped = torch.zeros_like(ratio)
    if config.clip is not None:
        highest = config.clip if config.clip_high is None else config.clip_high
        bounded = ratio.clamp(1 - config.clip, 1 + highest) * advantages
        clipped = (bounded < gain).to(ratio.dtype)
        gain = torch.minimum(gain, bounded)
    kl = torch.zeros_like(ratio)
    if ref_log_probs is not None:
        distance = torch.where(mask > 0, ref_log_probs.detach() - log_probs, 0.0)
        kl = _kl(distance, config.kl)
    objective = (share * (gain - weights.mu2[:, None] * kl)).sum()
    return Loss(-objective, (share * kl).sum().detach(), (share * clipped).sum())


def ratio_of(log_probs: torch.Tensor, old_log_probs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The policy's probability of each token over that of the policy that sampled it, 1 where the mask is 0, (B, T)."""
    return torch.exp(torch.where(mask > 0, log_probs - old_log_probs.detach(), 0.0))


def diagnostics(rewards: torch.Tensor, weights: RolloutWeights, config: AlgorithmConfig) -> dict[str, float]:
    """Metrics of a step's groups: the share with equal rewards, the ranges of the weights, the drift.

    The sum of mu1 * A over a group is (G - 1) k std: a pull towards whatever the policy does, largest where half of the
    answers are right. `drift` is its mean over all rollouts, k std (G - 1) / G on average over the groups.
    """
    equal = _equal_rewards(rewards.view(-1, config.group_size))
    floor = config.entropy_floor
    return {
        "zero_variance_groups": float(equal.float().mean()),
        "mu1_min": float(weights.mu1.min()),
        "mu1_max": float(weights.mu1.max()),
        "mu2_min": float(weights.mu2.min()),
        "mu2_max": float(weights.mu2.max()),
        "drift": float((weights.mu1 * weights.advantages).mean()),
        **({} if floor is None else {"entropy_lacking": float(_lacking(weights, floor)[0])}),
    }


def _kl(distance: torch.Tensor, estimator: Estimator) -> torch.Tensor:
    """The KL of the policy to the reference, token by token, from log pi_ref - log pi; of the same shape."""
    if estimator == "k3":
        return torch.exp(distance) - distance - 1
    k2 = distance.square() / 2
    return k2 if estimator == "k2" else k2 + (-distance - k2).detach()


def _lacking(weights: RolloutWeights, floor: float) -> torch.Tensor:
    """How far the entropy lies below its floor, 0 if it doesn't, shape (N,)."""
    return (floor - weights.entropy).clamp_min(0)


def _equal_rewards(groups: torch.Tensor) -> torch.Tensor:
    """Which groups, of shape (N / G, G), have equal rewards, so that only the KL term is left; shape (N / G,)."""
    return groups.amax(dim=1) == groups.amin(dim=1)


def _bounded(values: torch.Tensor, config: AlgorithmConfig) -> torch.Tensor:
    """Values of N rollouts, those of a group at most 1 apart, shape (N,)."""
    groups = values.view(-1, config.group_size)
    apart = groups.amax(dim=1, keepdim=True) - groups.amin(dim=1, keepdim=True)
    return (groups / apart.clamp_min(1)).flatten()


def _normalised(values: torch.Tensor, config: AlgorithmConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Values of N rollouts minus their group's mean, and that divided by the group's spread; each of shape (N,)."""
    groups = values.view(-1, config.group_size)  # (N / G, G)
    varied = ~_equal_rewards(groups)[:, None]  # rounding of the mean must not become an advantage
    centred = torch.where(varied, groups - groups.mean(dim=1, keepdim=True), 0.0)
    advantages = centred
    if config.scale_advantages:
        advantages = centred / (groups.std(dim=1, keepdim=True) + config.epsilon)
    return centred.flatten(), advantages.flatten()
