"""Adapters (LoRA) on OpenRLHF: which layers get them, what vLLM is handed, and what a checkpoint holds.

OpenRLHF would hand the adapters themselves to vLLM, under names that it doesn't know, and save nothing else. vLLM is
handed the weights that have adapters, W + B A, under their own names instead. Adapters may be those in training, and
those of the checkpoint that a run starts from (see `rl.openrlhf.start`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from hart_agent.backends.local.adapters import Terms, terms_of
from rl.training.merging import learnt_terms, merged_weights, on_cpu, write_policy
from rl.training.parts import adapted_layers

PART = 2**30
"""Bytes of weights that are handed over together."""


def adapted_model(actor: Any) -> Any:
    """The model of transformers in an actor, with adapters in its layers; None if it has none."""
    module = getattr(actor.model, "module", actor.model)  # as DeepSpeed wraps it
    if hasattr(module, "peft_config"):
        return module.get_base_model()
    return module if any(terms_of(module)) else None


def language_layers(model: str) -> list[str]:
    """The linear layers of a model's language part, by name, from its configuration alone."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    with torch.device("meta"):
        module = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(model))
    layers = adapted_layers(module, "language")
    assert not isinstance(layers, str)
    return layers


def handed_weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights that a step changes, with what adapters add, one after the other, under the names that vLLM knows:
    those that have adapters, or, where weights themselves are trained, these.

    Computed in float32 and rounded once to the model's precision. All processes must go through it.
    """
    terms = _terms(model)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    adapted = {f"{layer}{end}" for layer in terms for end in (".weight", ".base_layer.weight")}
    chosen = adapted if any(".lora_" in name for name in trained) else trained
    for name, weight in merged_weights(_whole_weights(model, chosen), terms):
        yield name, weight.to(model.dtype)


def in_parts(weights: Iterable[tuple[str, torch.Tensor]], size: int = PART) -> Iterator[Any]:
    """Stand-ins for an actor, each of which has the next weights, of as many bytes or of one tensor, and no others.

    OpenRLHF hands over what an actor's model has: its names, shapes (with ZeRO-3 `ds_shape`) and contents.
    """
    part: list[tuple[str, torch.Tensor]] = []
    for name, weight in weights:
        weight.ds_shape = weight.shape
        part.append((name, weight))
        if sum(each.nbytes for _, each in part) >= size:
            yield _stand_in(part)
            part = []
    if part:
        yield _stand_in(part)


def write_adapted(model: Any, folder: Path, base: str, *, first: bool) -> None:
    """Write a checkpoint of adapters as the engine on one machine does. All processes must call it.

    Args:
        model: with adapters in its layers.
        folder: of the checkpoint.
        base: the model that the adapters were trained on.
        first: whether this process is the one that writes.
    """
    terms = _terms(model)
    weights = merged_weights(_whole_weights(model), terms)
    if first:
        write_policy(model, on_cpu(weights, terms), terms, folder, base)
        return
    for _ in weights:  # only contributes its part of them
        pass


def _terms(model: Any) -> Terms:
    with _gathered([weight for name, weight in model.named_parameters() if ".lora_" in name]):
        return learnt_terms(model)


def _whole_weights(model: Any, only: Collection[str] | None = None) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights by name, tied ones once, each of them whole until the next is asked for.

    Args:
        model: with adapters in its layers.
        only: of these names; None for all weights.
    """
    seen = set()
    for name, weight in model.state_dict(keep_vars=True).items():
        if id(weight) in seen or ".lora_" in name or (only is not None and name not in only):
            continue
        seen.add(id(weight))
        with _gathered([weight]):
            yield name, weight.detach()


def _gathered(weights: list[torch.Tensor]) -> AbstractContextManager[Any]:
    """A context in which weights are whole that ZeRO-3 has distributed over processes."""
    if not any(hasattr(weight, "ds_id") for weight in weights):
        return nullcontext()
    from deepspeed.runtime.zero import GatheredParameters

    gathered: AbstractContextManager[Any] = GatheredParameters(weights)
    return gathered


def _stand_in(weights: list[tuple[str, torch.Tensor]]) -> Any:
    module = SimpleNamespace(named_parameters=lambda: iter(weights))
    return SimpleNamespace(model=SimpleNamespace(module=module))
