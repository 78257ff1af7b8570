"""The model that a run starts from, on this machine: what is shown or filtered before any engine trains."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from rl.config import SftSettings, TrainSettings
from rl.data import Sample, draw
from rl.data.demonstrations import DISTILLED, write_demonstrations
from rl.data.rows import Rollout
from rl.local.blind import without_blind
from rl.local.rollout import roll_out_groups, scores_of
from rl.local.run import load_frozen
from rl.local.sft import distilled
from rl.rewards import Judge, reward_of
from rl.rewards.scores import Score


class InitialPolicy:
    """Makes the rollouts of a run's first step; for `rl.local.dry_run`.

    Args:
        settings: of the run.
        samples: its questions.

    Raises:
        ConfigError: the model can't be used.
        InstallError: a package is missing.
    """

    step = 0

    def __init__(self, settings: TrainSettings, samples: Sequence[Sample]) -> None:
        self.model = load_frozen(settings)
        self._judge = Judge(reward_of(settings), settings.algorithm.k)
        self._settings, self._samples = settings, samples
        self._runtime = ToolRuntime(discover_tools())

    def roll_out(self, step: int) -> list[Rollout]:
        """The rollouts of a step, group by group."""
        drawn = draw(self._samples, self._settings.prompts_per_step, step, self._settings.seed)
        return roll_out_groups(self.model, self._runtime, self._settings, drawn, step)

    def scores(self, rollouts: Sequence[Rollout]) -> list[Score]:
        """The scores of a step's rollouts."""
        return scores_of(self._judge, rollouts, self._settings.algorithm.group_size)


def filter_blind(settings: TrainSettings, samples: Sequence[Sample], out: Path) -> list[Sample]:
    """The questions that the initial model does not answer without the image; see `without_blind`.

    The model's memory is free afterwards, but for about half a gigabyte that CUDA keeps for this process.
    """
    kept = without_blind(lambda: load_frozen(settings), samples, settings, out)
    _free()
    return kept


def distil(settings: SftSettings, samples: Sequence[Sample], out: Path) -> None:
    """Write the initial model's own demonstrations to a run's folder, unless they are there; see `distilled`.

    Raises:
        ConfigError: no attempt was right, or the model can't be used.
        OutputError: they can't be written.
        PolicyError: the model fails, or its memory doesn't suffice.
    """
    path = out / DISTILLED
    if path.exists():
        return
    alone = replace(settings, temperature=1.0)  # as in `SftTrainer`
    found = distilled(load_frozen(alone), samples, ToolRuntime(discover_tools()), alone)
    out.mkdir(parents=True, exist_ok=True)
    write_demonstrations(found, path)
    _free()


def _free() -> None:
    gc.collect()
    torch.cuda.empty_cache()
