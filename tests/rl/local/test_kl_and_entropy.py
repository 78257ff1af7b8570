"""The estimators of the KL and the floor of the entropy: values by hand, gradients over all that is sampled."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[transformers]'")
from hart_agent import ConfigError  # noqa: E402
from rl.ap_grpo import RolloutWeights, ap_grpo_loss, diagnostics  # noqa: E402
from rl.config import AlgorithmConfig, Estimator  # noqa: E402

DOUBLE = torch.float64
FORMULAS = {"k1": lambda d: -d, "k2": lambda d: d * d / 2, "k3": lambda d: math.exp(d) - d - 1}
"""Schulman's, of d = log pi_ref - log pi."""
SLOPES = {"k1": lambda d: -d, "k2": lambda d: -d, "k3": lambda d: 1 - math.exp(d)}
"""With respect to log pi; that of k1 is k2's, as is documented."""


def logits(seed: int, scale: float = 1.0) -> Any:
    return scale * torch.randn(6, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def weighted(share: Any, mu2: float = 0.0, entropy: float = 0.0) -> RolloutWeights:
    """Weights of sequences that are all rewarded alike."""
    zero = torch.zeros_like(share)
    return RolloutWeights(zero, zero + 1, zero + mu2, share, zero + entropy)


def gradient_over_all_tokens(config: AlgorithmConfig, policy: Any, reference: Any, **weights: float) -> Any:
    """The loss's gradient, the mean over each token that the policy could sample, each as often as it would be."""
    policy = policy.clone().requires_grad_()
    log_probs = torch.log_softmax(policy, dim=0)[:, None]  # of 6 sequences of 1 token
    old, ref = log_probs.detach(), torch.log_softmax(reference, dim=0)[:, None]
    share = old[:, 0].exp()
    ap_grpo_loss(log_probs, old, ref, torch.ones_like(old), weighted(share, **weights), config).value.backward()
    return policy.grad


@pytest.mark.parametrize("kl", ["k1", "k2", "k3"])
def test_each_estimator_is_its_formula(kl: Estimator) -> None:
    new = torch.tensor([[-0.2, -2.1], [-1.5, -0.3]], dtype=DOUBLE, requires_grad=True)
    ref = torch.tensor([[-1.2, -2.0], [-0.1, -0.9]], dtype=DOUBLE)
    mask = torch.tensor([[1.0, 1.0], [1.0, 0.0]], dtype=DOUBLE)
    share = torch.tensor([0.25, 0.5], dtype=DOUBLE)
    config = AlgorithmConfig(kl=kl, group_size=2)
    loss = ap_grpo_loss(new, new.detach(), ref, mask, weighted(share, mu2=0.3), config)
    loss.value.backward()
    value, slope = 0.0, torch.zeros_like(ref)
    for row, place in ((0, 0), (0, 1), (1, 0)):
        distance = float(ref[row, place]) - float(new[row, place].detach())
        value += float(share[row]) * FORMULAS[kl](distance)
        slope[row, place] = 0.3 * float(share[row]) * SLOPES[kl](distance)
    assert float(loss.kl) == pytest.approx(value, abs=1e-14)
    assert float(loss.value.detach()) == pytest.approx(0.3 * value, abs=1e-14)
    torch.testing.assert_close(new.grad, slope, atol=1e-14, rtol=0)


@pytest.mark.parametrize("kl", ["k1", "k2"])
def test_the_gradient_of_k1_and_k2_is_that_of_the_kl_of_the_distributions(kl: Estimator) -> None:
    found = gradient_over_all_tokens(AlgorithmConfig(kl=kl, group_size=2), logits(1), logits(2), mu2=1.0)
    policy, reference = logits(1).requires_grad_(), torch.log_softmax(logits(2), dim=0)
    log_probs = torch.log_softmax(policy, dim=0)
    (log_probs.exp() * (log_probs - reference)).sum().backward()
    assert found.abs().max() > 0.05
    torch.testing.assert_close(found, policy.grad, atol=1e-15, rtol=0)


def entropy_of(policy: Any) -> Any:
    log_probs = torch.log_softmax(policy, dim=0)
    return -(log_probs.exp() * log_probs).sum()


def test_below_its_floor_the_entropy_is_pushed_up_by_its_own_gradient() -> None:
    policy = logits(3, scale=2.0).requires_grad_()
    entropy = entropy_of(policy)
    config = AlgorithmConfig(beta=0.0, group_size=2, entropy_floor=1.5)
    assert entropy < 1.4
    found = gradient_over_all_tokens(config, policy.detach(), logits(0), entropy=float(entropy.detach()))
    ((1.5 - entropy) ** 2 / 2).backward()
    assert found.abs().max() > 0.01
    torch.testing.assert_close(found, policy.grad, atol=1e-15, rtol=0)
    pushed = entropy_of(policy.detach() - 0.1 * found)
    assert pushed > entropy
    told = diagnostics(torch.zeros(2), weighted(torch.ones(2), entropy=1.25), config)
    assert told["entropy_lacking"] == 0.25


def test_above_its_floor_nothing_changes() -> None:
    policy = logits(3, scale=2.0)
    entropy = float(entropy_of(policy))
    found = [
        gradient_over_all_tokens(
            AlgorithmConfig(group_size=2, entropy_floor=floor), policy, logits(0), mu2=0.1, entropy=entropy
        )
        for floor in (None, entropy / 2)
    ]
    assert torch.equal(*found)
    assert found[0].abs().max() > 0.01


def test_what_is_no_estimator_or_no_floor_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"there is no kl 'k4'; choose --kl k1 \| k2 \| k3"):
        AlgorithmConfig(kl="k4")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="entropy_floor must be positive"):
        AlgorithmConfig(entropy_floor=0.0)
