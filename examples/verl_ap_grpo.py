"""AP-GRPO (arXiv 2602.23615) for verl: an advantage estimator and the weight of the KL. Copy this file.

verl imports it in each of its processes, and then knows the estimator:

    export PYTHONPATH=FOLDER_OF_THIS_FILE VERL_USE_EXTERNAL_MODULES=verl_ap_grpo AP_GRPO_K=0.6
    python -m verl.trainer.main_ppo algorithm.adv_estimator=ap_grpo \
        actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.02 \
        actor_rollout_ref.actor.kl_loss_type=low_var_kl actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean ...

For the G responses to one prompt, with rewards r from 0 to 1 and A_i = (r_i - mean(r)) / std(r):

    mu1_i = 1 + k (r_i - mean(r))          weighs the advantage
    mu2_i = beta (1 - k (r_i - mean(r)))   weighs the KL to the reference; beta is kl_loss_coef

The estimator gives mu1 A as advantages. It gives mu2 / beta as returns, which verl carries to the actor and without a
critic does not use; the loss takes it from there.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from typing import Any

import torch
from verl.trainer.ppo.core_algos import agg_loss, kl_penalty, register_adv_est
from verl.utils.metric import Metric
from verl.workers.utils import losses
from verl.workers.utils.padding import no_padding_2_padding

EPSILON = 1e-6
"""Added to the standard deviation, as verl does."""

_ppo_loss = losses.ppo_loss


@register_adv_est("ap_grpo")
def ap_grpo_advantage(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: Any, config: Any = None, **_: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """mu1 A and mu2 / beta of each token, both of shape (B, T), 0 where the mask is 0.

    Args:
        token_level_rewards: whose sum over the tokens is a response's reward, shape (B, T).
        response_mask: 1 for tokens that the policy wrote, shape (B, T).
        index: of each response's prompt, shape (B,).
        config: verl's; not used.

    Raises:
        ValueError: rewards are not from 0 to 1, or k is not.
    """
    k = float(os.environ.get("AP_GRPO_K", "0.6"))
    if not 0 <= k <= 1:
        raise ValueError(f"AP_GRPO_K must be 0 to 1, or a weight could turn negative; got {k}")
    with torch.no_grad():
        rewards = token_level_rewards.sum(dim=-1)
        if k and not ((rewards >= 0) & (rewards <= 1)).all():
            low, high = float(rewards.min()), float(rewards.max())
            raise ValueError(
                f"rewards must be from 0 to 1, or k 0; got {low:g} to {high:g}: scale them, (r - low) / (high - low)"
            )
        groups: dict[Any, list[int]] = defaultdict(list)
        for row, prompt in enumerate(index):
            groups[prompt].append(row)
        centred, advantages = torch.zeros_like(rewards), torch.zeros_like(rewards)
        for rows in groups.values():
            own = rewards[rows]
            if own.max() > own.min():  # the rounding of a mean is no advantage
                centred[rows] = own - own.mean()
                advantages[rows] = centred[rows] / (own.std() + EPSILON)
        weighed = (1 + k * centred) * advantages
        return weighed[:, None] * response_mask, (1 - k * centred)[:, None] * response_mask


def ap_grpo_loss(
    config: Any, model_output: Any, data: Any, dp_group: Any = None
) -> tuple[torch.Tensor, dict[str, Any]]:
    """verl's loss without its KL term, which is the same for all responses, and with one of its own for each.

    Arguments and results are those of verl's `ppo_loss`.
    """
    if not config.use_kl_loss or "returns" not in data:
        return _ppo_loss(config, model_output, data, dp_group)
    own = replace(config, use_kl_loss=False)
    loss, metrics = _ppo_loss(own, model_output, data, dp_group)
    log_prob = no_padding_2_padding(model_output["log_probs"], data)
    padded = data.select("response_mask", "ref_log_prob", "returns").to_padded_tensor()
    mask = padded["response_mask"].to(bool)
    kl = kl_penalty(logprob=log_prob, ref_logprob=padded["ref_log_prob"], kl_penalty=config.kl_loss_type)
    weighed = padded["returns"].to(kl.dtype) * kl
    kl_loss = agg_loss(weighed, mask, loss_agg_mode=config.loss_agg_mode, **own.global_batch_info)
    metrics["kl_loss"] = Metric(value=kl_loss, aggregation=metrics["actor/pg_loss"].aggregation)
    return loss + config.kl_loss_coef * kl_loss, metrics


losses.ppo_loss = ap_grpo_loss
