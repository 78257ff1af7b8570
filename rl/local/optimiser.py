"""AdamW for a model of any precision, and gradients that lose nothing. Importing this loads torch."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from transformers import get_scheduler

from hart_agent.commands import install_command
from hart_agent.errors import InstallError
from rl.config import OptimiserName, RunSettings


class Optimiser:
    """AdamW on weights in float32.

    A number of bfloat16 has 8 significant bits: an update by less than a 500th of a weight is lost in it, and with the
    usual learning rates nearly all are. So each parameter of lower precision has a float32 copy, which collects its
    gradients and is updated; the parameter is that copy, rounded.

    Args:
        parameters: of the model, those that are trained.
        settings: of the run.

    Raises:
        InstallError: states of 8 bits need a package that is missing.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], settings: RunSettings) -> None:
        self._max_grad_norm = settings.max_grad_norm
        self._weights: list[torch.nn.Parameter] = []
        self._rounded: list[tuple[torch.nn.Parameter, torch.nn.Parameter]] = []
        """Parameters of lower precision, each with its weight."""
        for parameter in parameters:
            weight = parameter
            if torch.finfo(parameter.dtype).bits < 32:
                weight = torch.nn.Parameter(parameter.detach().float())
                parameter.register_post_accumulate_grad_hook(partial(_collect, weight))
                self._rounded.append((parameter, weight))
            self._weights.append(weight)
        self._adamw = _adamw_class(settings.optimiser)(
            self._weights, lr=settings.learning_rate, betas=settings.betas, weight_decay=0.0
        )
        schedule = "constant_with_warmup" if settings.schedule == "constant" else settings.schedule
        self._schedule = get_scheduler(schedule, self._adamw, settings.warmup, settings.steps)

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return float(self._adamw.param_groups[0]["lr"])

    def step(self) -> float:
        """Update the model by the gradients that were computed since the last step.

        Returns:
            Their norm, before it was limited.
        """
        norm = torch.nn.utils.clip_grad_norm_(self._weights, self._max_grad_norm)
        self._adamw.step()
        self._schedule.step()
        self.zero_grad()
        self._round()
        return float(norm)

    def zero_grad(self) -> None:
        """Drop the gradients that were computed since the last step, also those of a backward pass that broke off."""
        self._adamw.zero_grad(set_to_none=True)
        for parameter, _ in self._rounded:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """The state for `load_state_dict`."""
        return {
            "adamw": self._adamw.state_dict(),
            "schedule": self._schedule.state_dict(),
            "weights": [weight.detach() for _, weight in self._rounded],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state, and the model's weights with it."""
        self._adamw.load_state_dict(state["adamw"])
        if "schedule" in state:  # earlier runs had a constant rate
            self._schedule.load_state_dict(state["schedule"])
        with torch.no_grad():
            for (_, weight), saved in zip(self._rounded, state["weights"], strict=True):
                weight.copy_(saved)
        self._round()

    def _round(self) -> None:
        with torch.no_grad():
            for parameter, weight in self._rounded:
                parameter.copy_(weight)


def _adamw_class(name: OptimiserName) -> Any:
    if name == "adamw":
        return torch.optim.AdamW
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise InstallError(
            f"--optimiser {name} needs the package bitsandbytes. Run: {install_command('bitsandbytes')}"
        ) from error
    return AdamW8bit


def _collect(weight: torch.nn.Parameter, parameter: torch.nn.Parameter) -> None:
    """Move a gradient to where those of all micro-batches add up without rounding."""
    assert parameter.grad is not None
    gradient = parameter.grad.float()
    weight.grad = gradient if weight.grad is None else weight.grad + gradient
    parameter.grad = None
