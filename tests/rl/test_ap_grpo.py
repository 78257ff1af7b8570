"""AP-GRPO against values worked by hand, against GRPO written plainly, and against TRL's own loss."""

from __future__ import annotations

import math
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hart_agent.errors import ConfigError
from rl.config import AlgorithmConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[transformers]'")
from rl.ap_grpo import Shaping, ap_grpo_loss, diagnostics, ratio_of, rollout_weights  # noqa: E402

DOUBLE = torch.float64


def batch(seed: int, groups: int = 2, size: int = 4, length: int = 7) -> dict[str, Any]:
    """Random rollouts of one sequence each, aligned on the right, with tokens between 1 and `length`."""
    noise = torch.Generator().manual_seed(seed)
    rows = groups * size
    lengths = torch.randint(1, length + 1, (rows,), generator=noise)
    mask = (torch.arange(length) >= length - lengths[:, None]).to(DOUBLE)
    old = -torch.rand((rows, length), generator=noise, dtype=DOUBLE) * 3
    return {
        "new": ((old + 0.3 * torch.randn((rows, length), generator=noise, dtype=DOUBLE)) * mask).requires_grad_(),
        "old": old * mask,
        "ref": (old + 0.3 * torch.randn((rows, length), generator=noise, dtype=DOUBLE)) * mask,
        "mask": mask,
        "rewards": torch.randint(0, 2, (rows,), generator=noise).to(DOUBLE),
        "lengths": lengths,
    }


def loss_of(data: dict[str, Any], config: AlgorithmConfig) -> Any:
    weights = rollout_weights(data["rewards"], data["lengths"], config)
    return ap_grpo_loss(data["new"], data["old"], data["ref"], data["mask"], weights, config).value


def test_weights_worked_by_hand() -> None:
    """Rewards 1, 0, 0, 0: mean 1/4, sample variance (9/16 + 3 * 1/16) / 3 = 1/4, std 1/2."""
    config = AlgorithmConfig(k=0.6, beta=0.1, group_size=4, epsilon=1e-12)
    weights = rollout_weights(torch.tensor([1.0, 0, 0, 0], dtype=DOUBLE), torch.tensor([2, 1, 1, 4]), config)
    assert weights.advantages.tolist() == pytest.approx([1.5, -0.5, -0.5, -0.5])
    assert weights.mu1.tolist() == pytest.approx([1.45, 0.85, 0.85, 0.85])
    assert weights.mu2.tolist() == pytest.approx([0.055, 0.115, 0.115, 0.115])
    assert weights.share.tolist() == pytest.approx([1 / 8, 1 / 4, 1 / 4, 1 / 16])
    by_token = AlgorithmConfig(k=0.6, beta=0.1, group_size=4, aggregation="token")
    shares = rollout_weights(torch.tensor([1.0, 0, 0, 0]), torch.tensor([2, 1, 1, 4]), by_token).share
    assert shares.tolist() == pytest.approx([1 / 8] * 4)


def test_loss_worked_by_hand() -> None:
    """Two rollouts of one token, rewards 1 and 0: A = +-1 / sqrt(2); ratios 2 and 1; KL 2 - ln 2 - 1 and 0."""
    config = AlgorithmConfig(k=0.5, beta=0.1, group_size=2, epsilon=1e-12)
    weights = rollout_weights(torch.tensor([1.0, 0.0], dtype=DOUBLE), torch.tensor([1, 1]), config)
    new = torch.tensor([[math.log(0.4)], [math.log(0.5)]], dtype=DOUBLE)
    old = torch.tensor([[math.log(0.2)], [math.log(0.5)]], dtype=DOUBLE)
    ref = torch.tensor([[math.log(0.8)], [math.log(0.5)]], dtype=DOUBLE)
    loss = ap_grpo_loss(new, old, ref, torch.ones(2, 1, dtype=DOUBLE), weights, config)
    kl = 2 - math.log(2) - 1
    right = 1.25 * 2 / math.sqrt(2) - 0.1 * 0.75 * kl
    wrong = -0.75 * 1 / math.sqrt(2)
    assert float(loss.value) == pytest.approx(-(right + wrong) / 2, abs=1e-9)
    assert float(loss.kl) == pytest.approx(kl / 2)


def test_what_is_reported_beside_the_loss() -> None:
    """Shares of 1/4, 1/4 and 1/2. The first token has a ratio of 2 and a reference .4 above it; all others stay."""
    mask = torch.tensor([[1, 1], [1, 0]], dtype=DOUBLE)
    new = torch.tensor([[math.log(2), 0], [0, 5]], dtype=DOUBLE)
    old, ref = torch.zeros_like(new), torch.tensor([[math.log(2) + 0.4, 0], [0, 1]], dtype=DOUBLE)
    expected = {"k1": -0.4 / 4, "k2": 0.08 / 4, "k3": (math.exp(0.4) - 1.4) / 4}
    for estimator, kl in expected.items():
        config = AlgorithmConfig(k=0.0, group_size=2, clip=0.2, kl=estimator)
        weights = rollout_weights(torch.tensor([1.0, 0.0], dtype=DOUBLE), torch.tensor([2, 1]), config)
        loss = ap_grpo_loss(new, old, ref, mask, weights, config)
        assert float(loss.kl) == pytest.approx(kl)
        assert float(loss.clipped) == pytest.approx(1 / 4)
    assert ratio_of(new, old, mask).flatten().tolist() == pytest.approx([2, 1, 1, 1])


def test_the_range_of_a_shaping_term_is_brought_to_1_where_nothing_else_bounds_it() -> None:
    """Of 2, 4, 3, 2, with a range of 2, half less the mean is added; what is no further apart than 1 stays."""
    config = AlgorithmConfig(k=0.0, group_size=4, scale_advantages=False)
    term = Shaping(0.1, torch.tensor([2, 4, 3, 2, 5, 5.5, 5, 5.5], dtype=DOUBLE))
    weights = rollout_weights(torch.ones(8, dtype=DOUBLE), torch.ones(8), config, [term])
    added = [-0.375, 0.625, 0.125, -0.375, -0.25, 0.25, -0.25, 0.25]
    assert weights.advantages.tolist() == pytest.approx([0.1 * value for value in added])


def test_below_the_floor_of_entropy_surprising_tokens_gain() -> None:
    """Entropy .1, floor .2: a token gains .1 times its surprise less .1, here -.05 and .05, with a share of a half."""
    config = AlgorithmConfig(k=0.0, beta=0.0, group_size=2, entropy_floor=0.2)
    old = torch.tensor([[-0.05], [-0.15]], dtype=DOUBLE)
    new = old.clone().requires_grad_()
    weights = rollout_weights(torch.ones(2, dtype=DOUBLE), torch.ones(2), config, entropy=0.1)
    ap_grpo_loss(new, old, None, torch.ones_like(old), weights, config).value.backward()
    assert new.grad.flatten().tolist() == pytest.approx([0.0025, -0.0025])
    above = rollout_weights(torch.ones(2, dtype=DOUBLE), torch.ones(2), config, entropy=0.3)
    assert float(ap_grpo_loss(new, old, None, torch.ones_like(old), above, config).value.detach()) == 0
    assert rollout_weights(torch.ones(2), torch.ones(2), config).entropy.tolist() == [0, 0]


@pytest.mark.parametrize(("aggregation", "lengths", "shares"), [
    ("sequence", [0, 2], [1 / 2, 1 / 4]), ("token", [0, 0], [1, 1]), ("token", [1, 0], [1, 1]),
])  # fmt: skip
def test_a_rollout_without_tokens_has_a_finite_share(aggregation: Any, lengths: list[int], shares: list[float]) -> None:
    config = AlgorithmConfig(group_size=2, aggregation=aggregation)
    assert rollout_weights(torch.ones(2), torch.tensor(lengths), config).share.tolist() == shares


def test_no_rollouts_are_refused_and_a_weight_of_zero_is_not() -> None:
    config = AlgorithmConfig(k=1.0, group_size=2)
    with pytest.raises(ValueError, match="whole groups of 2"):
        rollout_weights(torch.ones(0), torch.ones(0), config)
    assert rollout_weights(torch.tensor([0.0, 2.0]), torch.ones(2), config).mu1.tolist() == [0, 2]


def plain_grpo(data: dict[str, Any], beta: float, size: int) -> Any:
    """GRPO rollout by rollout and token by token."""
    total = 0.0
    rewards = data["rewards"].tolist()
    for row, reward in enumerate(rewards):
        group = rewards[row // size * size : row // size * size + size]
        mean = sum(group) / size
        std = math.sqrt(sum((each - mean) ** 2 for each in group) / (size - 1))
        advantage = (reward - mean) / (std + 1e-6)
        tokens = 0.0
        for place in range(data["mask"].shape[1]):
            if data["mask"][row, place]:
                new, old, ref = (data[name][row, place] for name in ("new", "old", "ref"))
                distance = ref - new
                tokens = tokens + torch.exp(new - old) * advantage - beta * (torch.exp(distance) - distance - 1)
        total = total + tokens / int(data["lengths"][row])
    return -total / len(rewards)


@pytest.mark.parametrize("seed", range(5))
def test_k_of_0_is_grpo_in_loss_and_gradients(seed: int) -> None:
    ours, plain = batch(seed), batch(seed)
    first = loss_of(ours, AlgorithmConfig(k=0.0, beta=0.04, group_size=4))
    second = plain_grpo(plain, 0.04, 4)
    first.backward()
    second.backward()
    assert float(first.detach()) == pytest.approx(float(second.detach()), abs=1e-12)
    torch.testing.assert_close(ours["new"].grad, plain["new"].grad, atol=1e-12, rtol=0)


class TrlTrainer(SimpleNamespace):
    """What TRL's loss needs of its trainer."""

    def __init__(self, data: dict[str, Any], beta: float, loss_type: str, clip: float) -> None:
        accelerator = SimpleNamespace(
            gather=lambda value: value, reduce=lambda value, reduction: value, sync_gradients=False, num_processes=1
        )
        super().__init__(
            _get_per_token_logps_and_entropies=lambda *_, **__: (data["new"], torch.zeros_like(data["new"]), None),
            aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None,
            importance_sampling_level="token", beta=beta, loss_type=loss_type, epsilon_low=clip, epsilon_high=clip,
            args=SimpleNamespace(use_bias_correction_kl=False, delta=None, steps_per_generation=1), use_vllm=False,
            model=SimpleNamespace(training=True), current_gradient_accumulation_steps=1, accelerator=accelerator,
            _entropy_bonus_enabled=False, entropy_coef=0.0, _metrics={"train": defaultdict(list)},
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("aggregation", "loss_type"), [("sequence", "grpo"), ("token", "bnpo")])
@pytest.mark.parametrize("clip", [0.2, 0.05])
def test_the_loss_agrees_with_trls_own(seed: int, aggregation: str, loss_type: str, clip: float) -> None:
    from trl.trainer.grpo_trainer import GRPOTrainer

    ours, theirs = batch(seed), batch(seed)
    config = AlgorithmConfig(k=0.0, beta=0.04, group_size=4, clip=clip, aggregation=aggregation)
    first = loss_of(ours, config)
    empty = torch.zeros((8, 1), dtype=torch.long)
    inputs = {
        "prompt_ids": empty, "prompt_mask": empty, "completion_ids": torch.zeros((8, 7), dtype=torch.long),
        "completion_mask": theirs["mask"], "old_per_token_logps": theirs["old"], "ref_per_token_logps": theirs["ref"],
        "advantages": rollout_weights(theirs["rewards"], theirs["lengths"], config).advantages,
    }  # fmt: skip
    second = GRPOTrainer._compute_loss(TrlTrainer(theirs, 0.04, loss_type, clip), None, inputs)
    first.backward()
    second.backward()
    assert float(first.detach()) == pytest.approx(float(second.detach()), abs=1e-6)
    torch.testing.assert_close(ours["new"].grad, theirs["new"].grad, atol=1e-6, rtol=0)


@given(st.integers(0, 999), st.sampled_from(["sequence", "token"]), st.sampled_from([None, 0.1]))
@settings(max_examples=30)
def test_order_padding_and_micro_batches_change_nothing(seed: int, aggregation: str, clip: float | None) -> None:
    config = AlgorithmConfig(k=0.6, beta=0.04, group_size=4, clip=clip, aggregation=aggregation)
    data = batch(seed)
    whole = loss_of(data, config)
    whole.backward()
    weights = rollout_weights(data["rewards"], data["lengths"], config)
    rows = torch.randperm(8, generator=torch.Generator().manual_seed(seed)).tolist()
    new = data["new"].detach().clone().requires_grad_()
    for some in (rows[:3], rows[3:4], rows[4:]):
        padded = [
            torch.nn.functional.pad(tensor[some], (5, 0), value=value)
            for tensor, value in ((new, -9.0), (data["old"], 3.0), (data["ref"], -40.0), (data["mask"], 0.0))
        ]
        ap_grpo_loss(padded[0], padded[1], padded[2], padded[3], weights.of(some), config).value.backward()
    torch.testing.assert_close(new.grad, data["new"].grad, atol=1e-12, rtol=0)
    assert (new.grad[data["mask"] == 0] == 0).all()


@pytest.mark.parametrize("garbage", [-math.inf, math.inf, math.nan, 1e6])
def test_whatever_stands_at_masked_tokens_changes_nothing(garbage: float) -> None:
    """A model may well give a token of padding the probability 0."""
    config = AlgorithmConfig(k=0.6, beta=0.04, group_size=4, clip=0.1)
    clean, dirty = batch(3), batch(3)
    masked = dirty["mask"] == 0
    for name in ("new", "old", "ref"):
        dirty[name] = torch.where(masked, garbage, dirty[name].detach())
    dirty["new"].requires_grad_()
    first, second = loss_of(clean, config), loss_of(dirty, config)
    first.backward()
    second.backward()
    assert masked.any()
    assert float(first.detach()) == float(second.detach())
    assert (dirty["new"].grad[masked] == 0).all()
    assert torch.equal(clean["new"].grad, dirty["new"].grad)


@pytest.mark.parametrize("aggregation", ["sequence", "token"])
def test_a_rollout_of_several_turns_counts_as_one(aggregation: str) -> None:
    """Its turns are sequences of their own: cut in two, a rollout has the same loss."""
    config = AlgorithmConfig(k=0.6, beta=0.04, group_size=4, aggregation=aggregation)
    data = batch(5)
    turns = {name: torch.cat([data[name].detach()] * 2) for name in ("new", "old", "ref", "mask")}
    turns["mask"][:8, 5:] = 0
    turns["mask"][8:, :5] = 0
    weights = rollout_weights(data["rewards"], data["lengths"], config)
    both = ap_grpo_loss(turns["new"], turns["old"], turns["ref"], turns["mask"], weights.of([*range(8)] * 2), config)
    assert float(both.value) == pytest.approx(float(loss_of(data, config).detach()), abs=1e-12)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=8, max_size=8), st.floats(0, 1))
def test_the_drift_is_k_times_the_spread(rewards: list[float], k: float) -> None:
    """mean(mu1 * A) = k * (mean of squares about the mean) / std: k * std with the population's for both."""
    config = AlgorithmConfig(k=k, group_size=8, epsilon=1e-12)
    given_rewards = torch.tensor(rewards, dtype=DOUBLE)
    found = diagnostics(given_rewards, rollout_weights(given_rewards, torch.ones(8), config), config)
    std = float(given_rewards.std())
    assert found["drift"] == pytest.approx(k * std * 7 / 8, abs=1e-9)
    assert found["zero_variance_groups"] == (1.0 if len(set(rewards)) == 1 else 0.0)


def test_equal_rewards_leave_only_the_kl() -> None:
    config = AlgorithmConfig(k=0.6, beta=0.1, group_size=4)
    weights = rollout_weights(torch.ones(4), torch.ones(4), config)
    assert weights.advantages.tolist() == [0.0] * 4
    assert weights.mu1.tolist() == [1.0] * 4
    assert weights.mu2.tolist() == pytest.approx([0.1] * 4)


@pytest.mark.parametrize("reward", [0.1, 0.3, 0.7, 0.9])
@pytest.mark.parametrize("size", [2, 3, 7, 8, 10])
def test_equal_rewards_leave_only_the_kl_whatever_their_mean_is_rounded_to(reward: float, size: int) -> None:
    """In float32 the mean of eight rewards of 0.3 isn't 0.3."""
    config = AlgorithmConfig(k=0.6, beta=0.25, group_size=size, epsilon=1e-9)
    weights = rollout_weights(torch.tensor([reward] * size + [1.0] + [0.0] * (size - 1)), torch.ones(2 * size), config)
    assert weights.advantages[:size].tolist() == [0.0] * size
    assert weights.mu1[:size].tolist() == [1.0] * size
    assert weights.mu2[:size].tolist() == [0.25] * size
    assert weights.advantages[size] > 0


def test_rewards_that_cannot_be_used_are_named() -> None:
    config = AlgorithmConfig(k=0.6, beta=0.1, group_size=4)
    for reward in (math.nan, math.inf):
        with pytest.raises(ConfigError, match="not a finite number"):
            rollout_weights(torch.tensor([1.0, 0, 0, reward]), torch.ones(4), config)
    with pytest.raises(ConfigError, match="up to 3 from their group's mean"):  # 1 + 0.6 * -3 < 0
        rollout_weights(torch.tensor([4.0, 4, 4, 0]), torch.ones(4), config)
    far = AlgorithmConfig(k=0.0, beta=0.1, group_size=4)
    assert rollout_weights(torch.tensor([4.0, 4, 4, 0]), torch.ones(4), far).mu1.tolist() == [1.0] * 4
    whole = rollout_weights(torch.tensor([1, 0, 0, 0]), torch.ones(4), config)
    assert whole.mu1.tolist() == pytest.approx([1.45, 0.85, 0.85, 0.85])


@given(st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6), st.floats(0, 1))
def test_no_weight_is_negative_for_rewards_from_0_to_1(rewards: list[float], k: float) -> None:
    config = AlgorithmConfig(k=k, beta=0.1, group_size=3)
    weights = rollout_weights(torch.tensor(rewards), torch.ones(6), config)
    assert (weights.mu1 >= 0).all()
    assert (weights.mu2 >= 0).all()
    assert torch.isfinite(weights.advantages).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"k": 1.5}, "k must"), ({"beta": -1}, "beta"), ({"group_size": 1}, "group_size"), ({"clip": 0}, "clip"),
     ({"aggregation": "mean"}, r"sequence \| token"), ({"epsilon": 0}, "epsilon"),
     ({"k": math.nan}, "k must"), ({"beta": math.inf}, "beta"), ({"epsilon": math.nan}, "epsilon")],
)  # fmt: skip
def test_settings_out_of_range_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        AlgorithmConfig(**changes)
    with pytest.raises(ValueError, match="whole groups"):
        rollout_weights(torch.ones(5), torch.ones(5), AlgorithmConfig(group_size=4))
