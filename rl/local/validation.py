"""Validation of the policy in training on held-out questions: greedy, with crops and without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.tooling.runtime import ToolRuntime
from rl.data import Sample
from rl.data.rows import Rollout
from rl.local.model import PolicyModel
from rl.local.rollout import roll_out
from rl.training.monitor import VALIDATED, rollout_metrics


async def validate(
    model: PolicyModel,
    runtime: ToolRuntime,
    config: EpisodeConfig,
    samples: Sequence[Sample],
    at_once: int,
    reader: PolicyModel | None = None,
    gather: Callable[[list[Rollout]], list[Rollout]] = list,
) -> dict[str, float]:
    """Ask each question once.

    Args:
        model: the policy.
        runtime: the tools.
        config: the mode and the limits of the episodes.
        samples: the questions, one or more.
        at_once: questions per batch.
        reader: see `roll_out`.
        gather: makes of a process's rollouts those of all processes that share the questions.

    Returns:
        The metrics of `rollout_metrics`, with the prefix "validation/". For `accuracy_without_crops` the answers come
        from the overview alone: the difference is what the crops contribute.

    Raises:
        ImageError: an image can't be used.
        PolicyError: the model fails, or its memory doesn't suffice.
    """

    async def ask(mode: Mode) -> list[Rollout]:
        rollouts: list[Rollout] = []
        for begin in range(0, len(samples), at_once):
            chosen = replace(config, mode=mode)
            rollouts += await roll_out(model, runtime, chosen, samples[begin : begin + at_once], 1, 0, reader)
        return gather(rollouts)

    with model.greedily():
        found = rollout_metrics(await ask(config.mode))
        metrics = {f"validation/{name}": found[name] for name in VALIDATED if name in found}
        if config.mode != Mode.DIRECT:
            metrics["validation/accuracy_without_crops"] = rollout_metrics(await ask(Mode.DIRECT))["accuracy"]
    return metrics
