"""The progress of a training run, on stderr."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hart_agent.cli.console.counting import CountProgress
from rl.training.loop import TrainingLoop

_log = logging.getLogger(__name__)

_SHOWN = ("reward", "accuracy", "iou", "area_fraction", "invalid_calls", "zero_variance_groups", "loss", "kl")
_VALIDATION = "validation/"


class StepProgress(CountProgress):
    """Shows how far a run is; `show` is an observer of `TrainingLoop.train`. Validation results stay, line by line."""

    def __init__(self, steps: int) -> None:
        super().__init__("steps")
        self._steps = steps

    def show(self, step: int, metrics: dict[str, float]) -> None:
        if measured := {name: value for name, value in metrics.items() if name.startswith(_VALIDATION)}:
            parts = (f"{name.removeprefix(_VALIDATION)} {value:.3g}" for name, value in measured.items())
            _log.info("after %d steps: %s", step, "  ".join(parts))
        if len(measured) < len(metrics):
            self.begin(self._steps, step)
            self.add("  ".join(f"{name} {metrics[name]:.3g}" for name in _SHOWN if name in metrics))


def train_with_progress(loop: TrainingLoop[Any]) -> Path:
    """Run to the last step. Returns the folder of the last checkpoint."""
    with StepProgress(loop.settings.steps) as progress:
        return loop.train(progress.show)
