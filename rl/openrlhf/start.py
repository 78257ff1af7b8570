"""A run that starts from a checkpoint of adapters: OpenRLHF opens it as it was trained, instead of rounding it.

OpenRLHF opens models in bfloat16, which would lose most of what adapters added to merged weights (see
`hart_agent.backends.local.adapters`). So policy and reference are opened from the weights as before merging, which are
written to the run's folder once, and add the adapters' part in float32. vLLM samples from merged weights, rounded once,
as it does after each update. Importing this loads torch.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from hart_agent.backends.local.adapters import add_apart, base_of, read_terms, take_apart
from hart_agent.backends.local.checkpoint import find_checkpoint
from rl.training.checkpoints import copy_without_weights

START = "start"
"""In the run's folder: the model without the adapters' part."""


def write_start(model: str, out: Path, dtype: str) -> None:
    """Write the weights that a run starts from, if its model has adapters and they are not there yet.

    Args:
        model: a folder, or an id on the hub.
        out: the run's folder, which all machines must see.
        dtype: of the weights, such as "bfloat16".

    Raises:
        ConfigError: the adapters are damaged, or are another model's.
    """
    checkpoint, target = find_checkpoint(model).path, out / START
    if target.is_dir() or not (terms := read_terms(checkpoint)):
        return
    loaded = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32)
    take_apart(loaded, terms, getattr(torch, dtype))
    unfinished = out / f".{START}.tmp"
    shutil.rmtree(unfinished, ignore_errors=True)
    loaded.save_pretrained(unfinished)
    copy_without_weights(checkpoint, unfinished)
    unfinished.rename(target)


def start_of(model: str, out: Path) -> str:
    """What a run's policy and reference are opened from: its model, unless `write_start` wrote another."""
    return str(out / START) if (out / START).is_dir() else model


def add_learnt(actor: Any, model: str) -> None:
    """Have an actor that was opened from `start_of` add what the adapters of the run's model add, if it has any.

    Args:
        actor: of OpenRLHF, in DeepSpeed, which leaves alone what is added now; all of it stays in float32.
        model: of the run.
    """
    terms, device = read_terms(find_checkpoint(model).path), actor.model.device
    module = getattr(actor.model, "module", actor.model)
    bare = module.get_base_model() if hasattr(module, "peft_config") else module
    add_apart(bare, {name: (a.to(device), b.to(device)) for name, (a, b) in terms.items()})


def trained_on(model: str) -> str:
    """The model that a run's adapters are trained on: its own, or the one below the adapters that this has."""
    return base_of(find_checkpoint(model).path) or model
