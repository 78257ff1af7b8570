"""Time and memory of a model of true shape, from one, two and four layers with random weights, beside `--plan`.

    python tests/benchmarks/true_shape.py                          # on the hardware at hand; nothing is downloaded
    python tests/benchmarks/true_shape.py --tokens 2048 --layers 1 2 4

Qwen2.5-VL-7B's widths, a small vocabulary: a forward and a backward pass of the language model and of the vision tower,
for each number of layers. What a layer adds is the slope of a line through the figures; the constant part is not a
layer's. Memory is what the backward pass keeps in bfloat16, counted on tensors without content (of the language model:
the tower's code reads its own), and on a GPU the peak as CUDA tells it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLTextConfig, Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
    Qwen2_5_VLTextModel,
)

from rl.training.sizes import layer_bytes

TEXT = {"hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4}
VISION = {"hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584, "window_size": 112}
PARTS = {"language": (TEXT, 28), "vision": (VISION, 32)}
"""Widths, and layers of the whole model."""


def language(layers: int, device: str, dtype: torch.dtype, tokens: int) -> tuple[torch.nn.Module, Callable[[], Any]]:
    rope = {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
    config = Qwen2_5_VLTextConfig(**TEXT, num_hidden_layers=layers, vocab_size=512, rope_parameters=rope)
    with torch.device(device):
        model = Qwen2_5_VLTextModel(config).to(dtype)
    ids = torch.randint(0, 512, (1, tokens), device=device)
    return model, lambda: model(input_ids=ids, use_cache=False).last_hidden_state


def vision(layers: int, device: str, dtype: torch.dtype, tokens: int) -> tuple[torch.nn.Module, Callable[[], Any]]:
    config = Qwen2_5_VLVisionConfig(**VISION, depth=layers, fullatt_block_indexes=[])
    with torch.device(device):
        model = Qwen2_5_VisionTransformerPretrainedModel(config).to(dtype)
    side = 2 * max(round(tokens**0.5), 1)
    grid = torch.tensor([[1, side, side]], device=device)
    pixels = torch.randn(side * side, 1176, device=device, dtype=dtype)
    return model, lambda: model(pixels, grid_thw=grid)[0]


def kept(model: torch.nn.Module, forward: Callable[[], Any]) -> float:
    """Bytes that the backward pass keeps besides the weights. Tensors without content will do."""
    model.train()
    owned = {weight.untyped_storage()._cdata for weight in model.parameters()}
    found: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in owned:
            found[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward()
    return float(sum(storage.nbytes() for storage in found.values()))


def measure(model: torch.nn.Module, forward: Callable[[], Any]) -> dict[str, float]:
    """Seconds of both passes and, on a GPU, the peak of its memory."""
    model.train()
    cuda = next(model.parameters()).is_cuda
    forward().float().pow(2).mean().backward()  # what is made once is made
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    started = _now(cuda)
    output = forward()
    between = _now(cuda)
    output.float().pow(2).mean().backward()
    ended = _now(cuda)
    peak = {"peak": float(torch.cuda.max_memory_allocated())} if cuda else {}
    return {"forward": between - started, "backward": ended - between, **peak}


def _now(cuda: bool) -> float:
    if cuda:
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--tokens", type=int, default=256, help="of a sequence; of a view, four patches each")
    parser.add_argument("--part", choices=sorted(PARTS), nargs="+", default=sorted(PARTS))
    parser.add_argument("--no-time", action="store_true", help="count what is kept alone")
    given = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype, found = torch.bfloat16 if device == "cuda" else torch.float32, []
    for part in given.part:
        shape, whole = PARTS[part]
        make, figures = language if part == "language" else vision, []
        for layers in given.layers:
            torch.manual_seed(0)
            size = kept(*make(layers, "meta", torch.bfloat16, given.tokens)) if part == "language" else float("nan")
            figures.append(
                {"kept": size, **({} if given.no_time else measure(*make(layers, device, dtype, given.tokens)))}
            )
            print(json.dumps({"part": part, "layers": layers, **figures[-1]}), flush=True)
        lines = {name: np.polyfit(given.layers, [each[name] for each in figures], 1) for name in figures[0]}
        told = {
            "part": part, "layers of the whole": whole, "device": device, "dtype": str(dtype),
            **{f"whole, {name}": float(np.polyval(line, whole)) for name, line in lines.items()},
            "kept of a token in a layer": float(lines["kept"][0]) / given.tokens,
            "the plan's": layer_bytes(shape["hidden_size"], shape["intermediate_size"]),
        }  # fmt: skip
        print(json.dumps(told), flush=True)
        found.append(told)
    return found


if __name__ == "__main__":
    main()
