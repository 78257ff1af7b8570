"""What low-rank adapters learnt, kept from being rounded away. Importing this loads torch.

A number of bfloat16 has 8 significant bits: most of what adapters add to a weight is less than half of its last one,
and would be lost in merged weights of that precision. So a checkpoint of adapters has two things: merged weights in
float32, which are the policy wherever they are opened in float32, and the adapters themselves, in PEFT's format, in a
folder next to them. A model of lower precision is opened as it was trained: weights as before merging, and the part of
the adapters added, in float32, to what each layer gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from hart_agent.errors import ConfigError

ADAPTERS = "adapters"
"""The folder, in a checkpoint's."""
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What PEFT puts before the names of layers."""

Terms: TypeAlias = "dict[str, tuple[torch.Tensor, torch.Tensor]]"
"""What is added to the weights of linear layers, by name: A (r, inputs) and B (outputs, r), for B A; in float32."""


def read_terms(checkpoint: Path) -> Terms:
    """What a checkpoint's adapters add; nothing, if it has none.

    Raises:
        ConfigError: the adapters are damaged.
    """
    folder = checkpoint / ADAPTERS
    if not folder.is_dir():
        return {}
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        scale = config["lora_alpha"] / config["r"]
        found = load_file(folder / WEIGHTS)
        ends = ".lora_A.weight"
        names = [name.removeprefix(PREFIX).removesuffix(ends) for name in found if name.endswith(ends)]
        return {
            name: (found[f"{PREFIX}{name}{ends}"].float(), found[f"{PREFIX}{name}.lora_B.weight"].float() * scale)
            for name in names
        }
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ConfigError(f"the adapters in {folder} can't be read ({error}). Get the checkpoint again.") from error


def base_of(checkpoint: Path) -> str | None:
    """The model that a checkpoint's adapters were trained on, as its run named it; None without adapters."""
    path = checkpoint / ADAPTERS / CONFIG
    return json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"] if path.is_file() else None


def take_apart(model: Any, terms: Terms, dtype: torch.dtype) -> None:
    """Make merged weights in float32 weights of lower precision, with the adapters' part kept apart.

    Args:
        model: of transformers, merged, in float32; it is changed.
        terms: of the adapters that were merged.
        dtype: of the weights that remain.

    Raises:
        ConfigError: the terms belong to another model.
    """
    with torch.no_grad():
        for name, (a, b) in terms.items():
            layer = _layer(model, name)
            layer.weight -= b @ a
        for parameter in model.parameters():  # buffers stay: positions need all their digits
            parameter.data = parameter.data.to(dtype)
    add_apart(model, terms)


def add_apart(model: Any, terms: Terms) -> None:
    """Have layers add the adapters' part, in float32, to what their weights give, which lack it.

    Args:
        model: of transformers; there may be further adapters in its layers.
        terms: where the layers compute.

    Raises:
        ConfigError: the terms belong to another model.
    """
    for name, (a, b) in terms.items():
        layer = _layer(model, name)
        layer = getattr(layer, "base_layer", layer)
        layer.register_buffer("adapter_a", a, persistent=False)
        layer.register_buffer("adapter_b", b, persistent=False)
        layer.register_forward_hook(_add)


def terms_of(model: Any) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """What `take_apart` keeps apart in a model: each layer's name, A and B."""
    for name, layer in model.named_modules():
        if hasattr(layer, "adapter_a"):
            yield name, layer.adapter_a, layer.adapter_b


def _add(layer: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    linear = torch.nn.functional.linear
    added = linear(linear(inputs[0].to(layer.adapter_a.dtype), layer.adapter_a), layer.adapter_b)
    return (output + added).to(output.dtype)


def _layer(model: Any, name: str) -> Any:
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise ConfigError(
            f"the adapters have a layer {name} that the model lacks. Get the checkpoint again."
        ) from error
