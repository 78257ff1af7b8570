"""A training run in a folder, on the CPU or one GPU: the model, its optimiser, metrics and checkpoints.

Nothing in a step depends on anything but the weights, the optimiser and the step's number: which questions are used,
and with which seeds, is drawn from the run's seed and that number. A run that is stopped and gone on with is therefore
the same, bit by bit, on a CPU with as many threads.
"""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch

from hart_agent.agent.config import EpisodeConfig
from hart_agent.errors import ConfigError
from hart_agent.store.files import renew_settings
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from rl.checkpoints import checkpoints, load_state, save_checkpoint
from rl.data import Sample, fingerprint
from rl.model import PolicyModel
from rl.monitor import MetricsLog, alarms
from rl.optimiser import Optimiser
from rl.settings import RunSettings
from rl.validation import validate

_log = logging.getLogger(__name__)

Observer = Callable[[int, dict[str, float]], None]
"""Called after each step with its number and its metrics."""

SETTINGS = "settings.json"
_MAY_CHANGE = frozenset({"steps", "checkpoint_every", "keep_checkpoints", "device"})
_T = TypeVar("_T")


def first_model(settings: RunSettings) -> PolicyModel:
    """The model that a run begins with; not to be trained."""
    model = load_model(settings, settings.model)
    model.module.requires_grad_(False)
    return model


class Run(ABC):
    """A training run; if its folder holds checkpoints of the same run, it goes on from the last one.

    Args:
        settings: of the run.
        samples: the questions that it learns from.
        out: the run's folder; it is made.
        validation: other questions, by which the policy is measured, greedily, before the first step and at each
            checkpoint; a record of the metrics is of the weights after as many steps as its number says.

    Attributes:
        model: the policy in training.
        step: that comes next.
        metrics: of all steps so far.

    Raises:
        ConfigError: the folder holds a run with other settings or questions, or the model can't be used.
        InstallError: a package is missing.
        PolicyError: the model has to be downloaded, and can't be.
    """

    def __init__(
        self, settings: RunSettings, samples: Sequence[Sample], out: Path, validation: Sequence[Sample]
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        told = {**asdict(settings), "questions": fingerprint(samples)}
        renew_settings(out / SETTINGS, told, may_differ=_MAY_CHANGE)
        self.out = out
        self.step = 0
        self._settings = settings
        self._validation = validation
        self._runtime = ToolRuntime(discover_tools())
        found = checkpoints(out)
        torch.manual_seed(settings.seed)  # of the adapters' first weights
        self.model = load_model(settings, settings.model if settings.lora_rank or not found else str(found[-1]))
        if settings.lora_rank:
            self.model.add_lora(settings.lora_rank, settings.lora_alpha)
        if self.model.dtype is torch.float16:
            raise ConfigError("gradients are too small for float16: choose another --dtype, bfloat16 or float32")
        self._optimiser = Optimiser(self.model.trainable().values(), settings)
        if found:
            self._resume(found[-1])
        self.metrics = MetricsLog(out, self.step)

    def first_model(self) -> PolicyModel:
        """The model as it was before the run; not to be trained."""
        if self.step == 0:
            return self.model
        return first_model(self._settings)

    @abstractmethod
    def compute_gradients(self) -> dict[str, float]:
        """Compute the gradients of step number `step`. Returns the step's metrics."""

    @abstractmethod
    def episode(self) -> EpisodeConfig:
        """The mode and limits of the episodes in which the policy is measured."""

    def reader(self) -> PolicyModel | None:
        """Another model that gives the answers in the policy's place; none, unless a subclass has one."""
        return None

    def validate(self) -> dict[str, float]:
        """How the policy does on the validation questions as it is now; nothing if there are none.

        Raises:
            ImageError: an image can't be used.
            PolicyError: the model fails, or its memory doesn't suffice.
        """
        if not self._validation:
            return {}
        at_once = self._settings.micro_batch
        return asyncio.run(
            validate(self.model, self._runtime, self.episode(), self._validation, at_once, self.reader())
        )

    def train(self, observer: Observer | None = None) -> Path:
        """Run to the last step; returns the folder of the last checkpoint.

        Raises:
            ImageError: an image can't be used.
            PolicyError: the model fails, or its memory doesn't suffice.
            OutputError: a checkpoint can't be written; the earlier ones stay.
        """
        warned: set[str] = set()
        while self.step < self._settings.steps:
            metrics = self.validate() if self.step % self._settings.checkpoint_every == 0 else {}
            metrics |= self.compute_gradients()
            metrics["grad_norm"] = self._optimiser.step()
            self.metrics.write(self.step, metrics)
            if observer is not None:
                observer(self.step, metrics)
            for alarm in alarms(self.metrics.history):
                if (kind := alarm.partition(":")[0]) not in warned:
                    warned.add(kind)
                    _log.warning("step %d: %s", self.step, alarm)
            self.step += 1
            if self.step % self._settings.checkpoint_every == 0 or self.step == self._settings.steps:
                self.save()
        if reached := self.validate():
            self.metrics.write(self.step, reached)
            if observer is not None:
                observer(self.step, reached)
        return checkpoints(self.out)[-1]

    def save(self) -> Path:
        """Write a checkpoint of the state after the last step."""
        state: dict[str, Any] = {"step": self.step, "optimiser": self._optimiser.state_dict()}
        if self._settings.lora_rank:
            state["adapters"] = {name: value.detach() for name, value in self.model.trainable().items()}
        saved = save_checkpoint(self.out, self.step, self.model.save, state, self._settings.keep_checkpoints)
        self.model.checkpoint = saved  # the one that it was opened from may be gone now
        return saved

    def _resume(self, checkpoint: Path) -> None:
        state = load_state(checkpoint)
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        if "adapters" in state:
            self.model.module.load_state_dict(state["adapters"], strict=False)
        _log.info("going on from step %d", self.step)


def load_model(settings: RunSettings, model: str) -> PolicyModel:
    """A model with the settings of a run."""
    return PolicyModel(
        model,
        device=settings.device,
        dtype=settings.dtype,
        max_pixels=settings.max_pixels,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        max_batch=settings.micro_batch,
    )


def draw(items: Sequence[_T], count: int, step: int, seed: int) -> list[_T]:
    """The items of a step: each once before any comes again, in an order that only the seed decides."""
    drawn: list[_T] = []
    position = step * count
    while len(drawn) < count:
        epoch, offset = divmod(position, len(items))
        order = random.Random(f"{seed} {epoch}").sample(range(len(items)), len(items))
        chosen = order[offset : offset + count - len(drawn)]
        drawn += [items[index] for index in chosen]
        position += len(chosen)
    return drawn
