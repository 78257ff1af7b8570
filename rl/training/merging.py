"""Checkpoints of adapters: merged weights in float32, and the adapters next to them. Importing this loads torch.

Why both: see `hart_agent.backends.local.adapters`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from hart_agent.backends.local.adapters import ADAPTERS, PREFIX, WEIGHTS, Terms, terms_of


def learnt_terms(model: Any) -> Terms:
    """What all adapters of a model add: those that are trained, and those of the checkpoint that it was opened from.

    Args:
        model: of transformers, with PEFT's layers in it or without.

    Returns:
        On the model's device; the scale is in B.
    """
    with torch.no_grad():
        found = {_plain(name): (a, b) for name, a, b in terms_of(model)}
        for name, layer in model.named_modules():
            if not hasattr(layer, "lora_A"):
                continue
            for adapter in layer.active_adapters:
                a, b = layer.lora_A[adapter].weight.float(), layer.lora_B[adapter].weight.float()
                own = a, b * layer.scaling[adapter]
                found[name] = joined([found[name], own]) if name in found else own
        return found


def joined(terms: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """A and B of one term that adds what several add to a layer together: their ranks stand one after the other."""
    return torch.cat([a for a, _ in terms]), torch.cat([b for _, b in terms], 1)


def write_merged(model: Any, folder: Path, base: str) -> None:
    """Write a model, with its adapters, if it has any, both merged in float32 and as files of their own.

    Args:
        model: of transformers; it stays as it is.
        folder: of the checkpoint.
        base: the model that the adapters were trained on.
    """
    terms = learnt_terms(model)
    if not terms:
        model.save_pretrained(folder)
        return
    write_policy(model, on_cpu(merged_weights(model.state_dict().items(), terms), terms), terms, folder, base)


def write_policy(model: Any, weights: dict[str, torch.Tensor], terms: Terms, folder: Path, base: str) -> None:
    """Write weights, merged, and the adapters next to them; see `write_merged`.

    Args:
        model: of transformers, whose weights they are.
        weights: by their names without PEFT.
        terms: of the adapters that are merged.
        folder: of the checkpoint.
        base: the model that the adapters were trained on.
    """
    model.save_pretrained(folder, state_dict=weights)
    config = folder / "config.json"  # by which others choose the precision: the model's own would lose the adapters'
    record = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**record, "dtype": "float32"}, indent=2) + "\n", encoding="utf-8")
    write_adapters(terms, folder / ADAPTERS, base)


def merged_weights(weights: Iterable[tuple[str, torch.Tensor]], terms: Terms) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights under the names that they have without PEFT; those to which terms are added are in float32.

    Args:
        weights: by name, such as of a model's `state_dict`; each is looked at before the next is asked for.
        terms: of the adapters.
    """
    for name, value in weights:
        if ".lora_" in name:
            continue
        plain = _plain(name)
        term = terms.get(plain.removesuffix(".weight"))
        yield plain, value if term is None else value.float() + term[1] @ term[0]


def on_cpu(weights: Iterable[tuple[str, torch.Tensor]], terms: Terms) -> dict[str, torch.Tensor]:
    """Merged weights, by name, on the CPU; tied ones stay one."""
    moved: dict[int, torch.Tensor] = {}
    found = {}
    for name, value in weights:
        own = name.removesuffix(".weight") in terms
        found[name] = value.cpu() if own else moved.setdefault(value.data_ptr(), value.cpu())
    return found


def write_adapters(terms: Terms, folder: Path, base: str) -> None:
    """Adapters as PEFT has them; lower ranks are filled up with zeros."""
    from peft import LoraConfig

    rank = max(a.shape[0] for a, _ in terms.values())
    tensors = {}
    for name, (a, b) in terms.items():
        missing = rank - a.shape[0]
        tensors[f"{PREFIX}{name}.lora_A.weight"] = torch.nn.functional.pad(a, (0, 0, 0, missing)).cpu().contiguous()
        tensors[f"{PREFIX}{name}.lora_B.weight"] = torch.nn.functional.pad(b, (0, missing)).cpu().contiguous()
    config = LoraConfig(
        r=rank, lora_alpha=rank, target_modules=sorted(terms), base_model_name_or_path=base, inference_mode=True
    )
    config.save_pretrained(folder)
    save_file(tensors, folder / WEIGHTS)


def _plain(name: str) -> str:
    return name.replace(".base_layer", "")
