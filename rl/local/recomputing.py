"""Gradient checkpointing that goes together with shared prefixes. Importing this loads torch.

A layer's inputs are kept, all else in it is computed again in the backward pass. In transformers this switches off the
cache, by which suffixes see their prefix. Here the cache goes through: the keys and values of the prefix are outputs of
what is computed again for the prefix, and inputs of what is for the suffixes, so that gradients flow as without.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

_CACHES = ("cache", "past_key_values")
"""What layers call the cache, depending on the version of transformers."""


def recompute_layers(model: Any) -> None:
    """Have all layers of a model, of both its parts, compute their insides again where gradients are asked for."""
    for layer in model.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.forward = _Recomputed(layer)


class _Recomputed:
    """The forward pass of a layer in training."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._own = layer.forward

    def __call__(self, hidden: torch.Tensor, *args: Any, **given: Any) -> Any:
        if not (self._layer.training and torch.is_grad_enabled()):
            return self._own(hidden, *args, **given)
        name = next((name for name in _CACHES if given.get(name) is not None), None)
        if name is None:
            return checkpointed(lambda states: self._own(states, *args, **given), hidden)
        kept = given[name].layers[self._layer.self_attn.layer_idx]
        prefix = (kept.keys, kept.values) if kept.is_initialized else ()

        def run(states: torch.Tensor, *prefix: torch.Tensor) -> Any:
            cache = _Passing(prefix)
            output = self._own(states, *args, **given | {name: cache})
            return output, *cache.pair

        output, keys, values = checkpointed(run, hidden, *prefix)
        if not prefix:  # in training, nothing comes after the suffixes
            kept.lazy_initialization(keys, values)
            kept.keys, kept.values = keys, values
        return output


class _Passing:
    """The cache of one layer in one pass: what was there before, with what the pass adds."""

    def __init__(self, prefix: tuple[torch.Tensor, ...]) -> None:
        self.pair = prefix

    def update(self, keys: torch.Tensor, values: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, ...]:
        new = (keys, values)
        if self.pair:
            new = tuple(torch.cat([before, own], dim=-2) for before, own in zip(self.pair, new, strict=True))
        self.pair = new
        return new


def checkpointed(run: Any, *inputs: torch.Tensor) -> Any:
    """What a function makes of its inputs, which are kept; all that is between is computed again."""
    return checkpoint(run, *inputs, use_reentrant=False, preserve_rng_state=False)  # there is no dropout
