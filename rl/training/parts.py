"""The two parts of a vision-language model, by the names of their modules. Importing this loads torch."""

from __future__ import annotations

from typing import Any

import torch

from rl.config import Part


def in_part(name: str, part: Part) -> bool:
    """Whether a module or parameter belongs to a part; what joins images to the language model is part of vision."""
    return part == "both" or ("language_model" in name or "lm_head" in name) == (part == "language")


def adapted_layers(model: Any, part: Part) -> str | list[str]:
    """The layers that get adapters: all linear ones of a part, but for the output layer; as PEFT takes them."""
    if part == "both":
        return "all-linear"
    linear = [name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)]
    return [name for name in linear if in_part(name, part) and "lm_head" not in name]


def freeze_except(model: Any, part: Part) -> None:
    """Train one part of a model alone."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(in_part(name, part))
