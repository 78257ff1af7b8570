"""Checkpoints of OpenRLHF's models that open anywhere, under the same names as on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hart_agent.backends.local.checkpoint import find_checkpoint
from rl.config import RunSettings
from rl.openrlhf.adapters import adapted_model, write_adapted
from rl.openrlhf.start import trained_on
from rl.training.checkpoints import copy_without_weights, save_checkpoint


def export(strategy: Any, actor: Any, tokenizer: Any, settings: RunSettings, out: Path, step: int) -> Path:
    """Write a model with tokenizer, processor and chat template, atomically. All processes must call it.

    Adapters are merged into it in float32, and stand next to it, too.

    Args:
        strategy: OpenRLHF's, which collects weights that are distributed over processes.
        actor: the model.
        tokenizer: of the model.
        settings: of the run.
        out: the run's folder.
        step: after which it is written.

    Returns:
        Its folder; in processes other than the first, the run's.

    Raises:
        OutputError: it can't be written; earlier ones stay.
    """

    model = adapted_model(actor)

    def write(folder: Path) -> None:
        if model is None:
            strategy.save_model(actor, tokenizer, str(folder))
        else:
            write_adapted(model, folder, trained_on(settings.model), first=strategy.is_rank_0())
        if strategy.is_rank_0():
            copy_without_weights(find_checkpoint(settings.model).path, folder)

    if strategy.is_rank_0():
        return save_checkpoint(out, step, write, {"step": step}, settings.keep_checkpoints)
    write(out)  # only contributes its part of the weights
    return out
