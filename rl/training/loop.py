"""The training loop of every engine and stage: updates, metrics, alarms, validation and checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Generic

from rl.training.checkpoints import checkpoints
from rl.training.manifest import S
from rl.training.monitor import MetricsLog

Observer = Callable[[int, dict[str, float]], None]
"""Called after each step with its number and its metrics."""


class TrainingLoop(ABC, Generic[S]):
    """A run from its current step to its last.

    Attributes:
        settings: of the run.
        out: the run's folder.
        step: that comes next.
        metrics: of all steps so far; None in a process that does not write them.
    """

    settings: S
    out: Path
    step: int
    metrics: MetricsLog | None

    @abstractmethod
    def update(self) -> dict[str, float]:
        """Make the update of step number `step`. Returns the step's metrics."""

    @abstractmethod
    def save(self) -> Path:
        """Write a checkpoint of the state after the last step. Returns its folder."""

    def validate(self) -> dict[str, float]:
        """Measurements of the policy as it is now; none, unless a subclass makes some."""
        return {}

    def train(self, observer: Observer | None = None) -> Path:
        """Run to the last step. Returns the folder of the last checkpoint.

        Raises:
            ImageError: an image can't be used.
            PolicyError: the model fails, or its memory doesn't suffice.
            OutputError: a checkpoint can't be written; the earlier ones stay.
        """
        every, saved = self.settings.checkpoint_every, None
        while self.step < self.settings.steps:
            metrics = (self.validate() if self.step % every == 0 else {}) | self.update()
            self._report(metrics, observer)
            self.step += 1
            if self.step % every == 0 or self.step == self.settings.steps:
                saved = self.save()
        self._report(self.validate(), observer)
        return saved or checkpoints(self.out)[-1]

    def _report(self, metrics: dict[str, float], observer: Observer | None) -> None:
        if metrics and self.metrics is not None:
            self.metrics.write(self.step, metrics)
            if observer is not None:
                observer(self.step, metrics)
