"""AP-GRPO through verl's own functions: loss and gradients are those of rl/ap_grpo.py on the same tensors, to 1e-9."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rl.ap_grpo import ap_grpo_loss, rollout_weights
from rl.config import AlgorithmConfig

pytestmark = pytest.mark.verl

ACCURACY = 1e-9
DOUBLE = torch.float64
GROUPS, SIZE, PROMPT, LENGTH, BETA, CLIP = 3, 4, 3, 7, 0.04, 0.1
MODES = {"sequence": "seq-mean-token-mean", "token": "token-mean"}


def batch() -> dict[str, Any]:
    """12 responses to 3 prompts, in another order than group by group, of several lengths."""
    noise = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, LENGTH + 1, (GROUPS * SIZE,), generator=noise)
    mask = (torch.arange(LENGTH) < lengths[:, None]).long()
    rewards = torch.tensor([1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1], dtype=DOUBLE)
    shape = (GROUPS * SIZE, LENGTH)
    new = -torch.rand(shape, generator=noise, dtype=DOUBLE) * 3
    near = {name: new + 0.1 * torch.randn(shape, generator=noise, dtype=DOUBLE) for name in ("old", "ref")}
    order = torch.randperm(GROUPS * SIZE, generator=noise)
    prompts = np.array([f"q{row // SIZE}" for row in range(GROUPS * SIZE)])
    return {"lengths": lengths, "mask": mask, "rewards": rewards, "new": new, "order": order, "uid": prompts, **near}


def through_verl(data: dict[str, Any], k: float, aggregation: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The loss and its gradient by the log-probabilities, from verl's trainer's and its actor's functions."""
    from tensordict import TensorDict
    from verl import DataProto
    from verl.trainer.ppo.ray_trainer import compute_advantage
    from verl.utils import tensordict_utils
    from verl.workers.config import FSDPActorConfig
    from verl.workers.engine_workers import ppo_loss

    monkeypatch.setenv("AP_GRPO_K", str(k))
    order, mask = data["order"], data["mask"][data["order"]]
    scores = torch.zeros(mask.shape, dtype=DOUBLE)
    scores[torch.arange(len(mask)), data["lengths"][order] - 1] = data["rewards"][order]
    proto = DataProto.from_dict(
        tensors={"token_level_rewards": scores, "response_mask": mask},
        non_tensors={"uid": data["uid"][order.numpy()].astype(object)},
    )
    advantages = compute_advantage(proto, "ap_grpo", config=None).batch

    config = FSDPActorConfig(
        strategy="fsdp", rollout_n=SIZE, ppo_micro_batch_size_per_gpu=1, use_kl_loss=True, kl_loss_coef=BETA,
        kl_loss_type="low_var_kl", loss_agg_mode=MODES[aggregation], clip_ratio=CLIP, clip_ratio_low=CLIP,
        clip_ratio_high=CLIP, clip_ratio_c=1e9, use_dynamic_bsz=True,
    )  # fmt: skip
    log_probs = data["new"][order].clone().requires_grad_()
    # A model gives the log-probability of each token after the first; those of prompts are not looked at.
    outputs = [
        torch.cat([torch.zeros(PROMPT - 1, dtype=DOUBLE), own[:length], torch.zeros(1, dtype=DOUBLE)])
        for own, length in zip(log_probs, data["lengths"][order].tolist(), strict=True)
    ]
    attention = torch.cat([torch.ones(len(mask), PROMPT, dtype=torch.long), mask], dim=1)
    given = TensorDict(
        {
            "prompts": torch.ones(len(mask), PROMPT, dtype=torch.long), "responses": mask, "attention_mask": attention,
            "response_mask": mask, "old_log_probs": data["old"][order], "ref_log_prob": data["ref"][order],
            "advantages": advantages["advantages"], "returns": advantages["returns"],
        },
        batch_size=[len(mask)],
    )  # fmt: skip
    for name, value in {"dp_size": 1, "batch_num_tokens": int(mask.sum()), "global_batch_size": len(mask)}.items():
        tensordict_utils.assign_non_tensor_data(given, name, value)
    loss, metrics = ppo_loss(config, {"log_probs": torch.cat(outputs)}, given)
    loss.backward()
    assert log_probs.grad is not None
    gradient = torch.empty_like(log_probs).index_copy(0, order, log_probs.grad)
    return loss.detach(), gradient, metrics


@pytest.mark.parametrize("aggregation", MODES)
@pytest.mark.parametrize("k", [0.0, 0.6])
def test_loss_and_gradients_are_ours(k: float, aggregation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = batch()
    loss, gradient, metrics = through_verl(data, k, aggregation, monkeypatch)
    config = AlgorithmConfig(k=k, beta=BETA, group_size=SIZE, clip=CLIP, aggregation=aggregation)  # type: ignore[arg-type]
    weights = rollout_weights(data["rewards"], data["lengths"], config)
    log_probs = data["new"].clone().requires_grad_()
    ours = ap_grpo_loss(log_probs, data["old"], data["ref"], data["mask"], weights, config)
    ours.value.backward()
    assert 0 < float(ours.clipped) < 1
    assert float(ours.kl) > 1e-3
    assert float(loss) == pytest.approx(float(ours.value.detach()), abs=ACCURACY)
    torch.testing.assert_close(gradient, log_probs.grad, atol=ACCURACY, rtol=0)
    assert {"kl_loss", "actor/pg_loss"} <= metrics.keys()


def test_k_moves_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = [float(through_verl(batch(), k, "sequence", monkeypatch)[0]) for k in (0.0, 0.6)]
    assert abs(losses[0] - losses[1]) > 1e-3


def test_rewards_out_of_range_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = batch()
    with pytest.raises(ValueError, match=r"from 0 to 1, or k 0; got 0 to 2: scale"):
        through_verl({**data, "rewards": 2 * data["rewards"]}, 0.6, "sequence", monkeypatch)
