"""The sizes of a model, from its configuration alone, as `rl.training.planning` counts with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hart_agent.backends.local.checkpoint import find_folder
from hart_agent.errors import ConfigError

_CONFIG = "config.json"


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model."""

    parameters: int
    vision: int  # parameters outside the language model
    layers: int  # of the language model, as are all that follow
    hidden: int
    intermediate: int  # width inside a layer's MLP
    vocabulary: int
    cache: int  # bytes of keys and values for one token
    grid: int  # pixels of one token's side in an image
    patches: int = 4  # of the vision tower that become one token
    weights: int = 0  # tensors
    tower: tuple[int, int, int] = (0, 0, 0)  # layers of the vision tower, their width, and that inside their MLP


def model_shape(model: str) -> ModelShape:
    """The sizes of a model, from its configuration alone; weights are neither read nor downloaded.

    Args:
        model: a folder, or an id on the Hugging Face hub.

    Raises:
        ConfigError: there is no such model, or it is not a vision-language model.
        ImportError: torch or transformers is missing.
        PolicyError: the hub can't be reached.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    from rl.training.parts import in_part

    folder = find_folder(model, [_CONFIG], lambda found: (found / _CONFIG).is_file())
    try:
        config = AutoConfig.from_pretrained(folder)
        text, vision = config.get_text_config(), config.vision_config
        with torch.device("meta"):  # sizes without memory
            module = AutoModelForImageTextToText.from_config(config)
        merge = getattr(vision, "spatial_merge_size", None) or round(1 / getattr(config, "downsample_ratio", 0.5))
        head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        sizes = {name: weight.numel() for name, weight in module.named_parameters()}
        return ModelShape(
            parameters=sum(sizes.values()),
            weights=len(sizes),
            vision=sum(size for name, size in sizes.items() if in_part(name, "vision")),
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            intermediate=text.intermediate_size,
            vocabulary=text.vocab_size,
            cache=2 * text.num_hidden_layers * text.num_key_value_heads * head * 2,
            grid=(side[0] if isinstance(side := vision.patch_size, Sequence) else side) * merge,
            patches=merge**2,
            tower=_tower(vision),
        )
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{model} is not a vision-language model that transformers knows ({error})") from error


def _tower(vision: Any) -> tuple[int, int, int]:
    depth = getattr(vision, "depth", None) or vision.num_hidden_layers
    if not hasattr(vision, "intermediate_size"):  # Qwen2-VL, whose hidden_size is what the tower hands on
        return depth, vision.embed_dim, int(vision.embed_dim * vision.mlp_ratio)
    return depth, vision.hidden_size, vision.intermediate_size


def layer_bytes(width: int, mlp: int) -> float:
    """What the backward pass needs of one token (of the vision tower: patch) in a layer that isn't recomputed."""
    return 34 * width + 13 * mlp


def adapter_size(shape: ModelShape, rank: int, *, vision: bool) -> float:
    """Parameters of adapters of all linear layers: their rank times the inputs and outputs of each."""
    keys = shape.cache / (4 * shape.layers)  # width of keys, and of values
    size = shape.layers * (9 * shape.hidden + 2 * keys + 3 * shape.intermediate)
    depth, width, mlp = shape.tower
    return rank * (size + (depth * (9 * width + 2 * width + 3 * mlp) if vision else 0))
