"""A training run in a folder, on the CPU or one GPU: the model, its optimiser, metrics and checkpoints.

A step depends on nothing but the weights, the optimiser and the step's number: which questions are used, and with which
seeds, is drawn from the run's seed and that number. On a CPU, with the same number of threads, a run that is stopped
and resumed is therefore bit-identical to one that isn't.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from hart_agent.agent.config import EpisodeConfig
from hart_agent.backends.local.generation import out_of_memory
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from rl.config import RunSettings
from rl.data import Sample, fingerprint
from rl.local.model import PolicyModel
from rl.local.optimiser import Optimiser
from rl.local.validation import validate
from rl.training.checkpoints import checkpoints, load_state, save_checkpoint
from rl.training.loop import TrainingLoop
from rl.training.manifest import Manifest, S
from rl.training.monitor import MetricsLog
from rl.training.parts import freeze_except

_log = logging.getLogger(__name__)

_MAY_CHANGE = frozenset(
    {
        "steps",
        "checkpoint_every",
        "keep_checkpoints",
        "device",
        "generation_batch",
        "gradient_checkpointing",
        "attention",
        "tracker",
        "vllm_memory",
    }
)
T = TypeVar("T")


class Run(TrainingLoop[S]):
    """A training run; if its folder holds checkpoints of the same run, it is resumed from the last one.

    Args:
        settings: of the run.
        samples: the questions that it learns from.
        out: the run's folder, which is created.
        validation: other questions, on which the policy is measured, greedily, before the first step and at each
            checkpoint; the record of step n then describes the weights after n steps.

    Attributes:
        model: the policy in training.
        runtime: the tools.

    Raises:
        ConfigError: the folder holds a run with other settings or questions, or the model can't be used.
        InstallError: a package is missing.
        PolicyError: the model has to be downloaded, and can't be.
    """

    metrics: MetricsLog

    def __init__(self, settings: S, samples: Sequence[Sample], out: Path, validation: Sequence[Sample]) -> None:
        run = Manifest(out=out, settings=settings, questions=fingerprint(samples))
        self.settings = settings = run.save(may_change=_MAY_CHANGE)
        self.out = out
        self.step = 0
        self.runtime = ToolRuntime(discover_tools())
        self._validation = validation
        found = checkpoints(out)
        torch.manual_seed(settings.seed)  # of the adapters' first weights
        self.model = load_model(settings, settings.model if settings.lora_rank or not found else str(found[-1]))
        if settings.lora_rank:
            self.model.add_lora(settings.lora_rank, settings.lora_alpha or settings.lora_rank, settings.train_part)
        else:
            freeze_except(self.model.module, settings.train_part)
        if self.model.dtype is torch.float16:
            raise ConfigError("gradients are too small for float16: choose another --dtype, bfloat16 or float32")
        self._optimiser = Optimiser(self.model.trainable().values(), settings)
        if found:
            self._resume(found[-1])
        self.metrics = MetricsLog(out, self.step, settings)

    def initial_model(self) -> PolicyModel:
        """The model as it was before the run; not to be trained."""
        return self.model if self.step == 0 else load_frozen(self.settings)

    @abstractmethod
    def compute_gradients(self) -> dict[str, float]:
        """Compute the gradients of step number `step`. Returns the step's metrics."""

    @abstractmethod
    def episode(self) -> EpisodeConfig:
        """The mode and limits of the episodes in which the policy is measured."""

    def reader(self) -> PolicyModel | None:
        """Another model that gives the answers in the policy's place; none, unless a subclass has one."""
        return None

    def state(self) -> dict[str, Any]:
        """What else a checkpoint holds, plain values and tensors by name; see `restore`."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave to the checkpoint; an older one may lack it."""

    def update(self) -> dict[str, float]:
        rate = self._optimiser.learning_rate
        metrics = self.compute_gradients() | {"grad_norm": self._optimiser.step(), "learning_rate": rate}
        self.model.moved()
        return metrics

    def within_memory(self, differentiate: Callable[[], T]) -> T:
        """Differentiate a step; if the memory runs out, again with half as many sequences at a time, from now on.

        Raises:
            PolicyError: the memory doesn't suffice for one.
        """
        while True:
            try:
                return differentiate()
            except Exception as error:
                if not out_of_memory(error):
                    raise
                if (size := self.model.max_batch) == 1:
                    raise PolicyError(
                        f"out of memory on {self.model.device} with one sequence. Add --gradient-checkpointing, "
                        "--train-part language or --lora-rank, or lower --max-pixels or --max-tokens."
                    ) from error
            self._optimiser.zero_grad()
            gc.collect()  # the error held the graph
            if self.model.device.type == "cuda":
                torch.cuda.empty_cache()
            self.model.max_batch = (size + 1) // 2
            _log.warning("out of memory with %d sequences at a time: going on with %d", size, self.model.max_batch)

    def validate(self) -> dict[str, float]:
        """Measurements of the policy as it is now on the validation questions, if there are any.

        Raises:
            ImageError: an image can't be used.
            PolicyError: the model fails, or its memory doesn't suffice.
        """
        if not self._validation:
            return {}
        batch = self.settings.generation_batch or self.settings.micro_batch
        return asyncio.run(validate(self.model, self.runtime, self.episode(), self._validation, batch, self.reader()))

    def save(self) -> Path:
        state: dict[str, Any] = {"step": self.step, "optimiser": self._optimiser.state_dict(), **self.state()}
        if self.settings.lora_rank:
            state["adapters"] = {name: value.detach() for name, value in self.model.trainable().items()}
        saved = save_checkpoint(self.out, self.step, self.model.save, state, self.settings.keep_checkpoints)
        self.model.checkpoint = saved  # the one that it was opened from may be gone now
        return saved

    def _resume(self, checkpoint: Path) -> None:
        state = load_state(checkpoint)
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        self.restore(state)
        if "adapters" in state:
            self.model.module.load_state_dict(state["adapters"], strict=False)
        _log.info("resuming from step %d", self.step)


def load_model(settings: RunSettings, model: str) -> PolicyModel:
    """A model with the settings of a run."""
    return PolicyModel(
        model,
        device=settings.device,
        dtype=settings.dtype,
        max_batch=settings.micro_batch,
        generation_batch=settings.generation_batch,
        attention=settings.attention,
        recompute=settings.gradient_checkpointing,
        frozen_vision=settings.train_part == "language",
        **settings.model_options(),
    )


def load_frozen(settings: RunSettings) -> PolicyModel:
    """The model that a run starts from, as a reference: without gradients."""
    model = load_model(settings, settings.model)
    model.module.requires_grad_(False)
    return model
