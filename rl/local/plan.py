"""What a run on one machine will need: memory of its GPU, and hours. The formulas are explained in docs/training.md.

All sizes are in bytes, 1 GB = 1e9 bytes; all times in seconds.
"""

from __future__ import annotations

from rl.config import TrainSettings
from rl.training.planning import (
    GPU,
    H100,
    TEXT,
    ModelShape,
    Plan,
    adapter_size,
    preprocessing,
    rollout_tokens,
    view_pixels,
    views_of,
)

FIXED = 3e9
"""Bytes for CUDA itself and what fragmentation leaves unused."""
CALL = 0.03
"""Seconds that transformers takes for one token of a batch, besides reading the weights."""


def layer_bytes(width: int, mlp: int) -> float:
    """What the backward pass needs of one token (of the vision tower: patch) in a layer that isn't recomputed."""
    return 34 * width + 13 * mlp


def estimate(shape: ModelShape, settings: TrainSettings, gpu: GPU = H100) -> Plan:
    """The needs of a run on one GPU, or, where most of it fails to fit, at least how far it is from fitting."""
    sees = settings.train_part != "language"
    trained: float = shape.parameters if sees else shape.parameters - shape.vision
    beta, moments = settings.algorithm.beta, 8 if settings.optimiser == "adamw" else 2
    weights: dict[str, float] = {"weights": 2 * shape.parameters}
    if settings.lora_rank:
        trained = adapter_size(shape, settings.lora_rank, vision=sees)
        weights["adapters"] = (4 + 4 + moments) * trained
    else:
        weights |= {"gradients": 4 * trained, "optimiser": (4 + moments) * trained}
        weights["reference"] = 2 * shape.parameters if beta else 0

    if apart := settings.rollouts == "vllm":
        weights["vLLM"] = settings.vllm_memory * gpu.memory
    rows, view = settings.micro_batch, view_pixels(settings) / shape.grid**2
    length = TEXT + view + settings.max_tokens
    inside = layer_bytes(shape.hidden, shape.intermediate)
    recomputed, words = settings.gradient_checkpointing, settings.max_tokens * shape.vocabulary
    kept = (2 * shape.hidden if recomputed else inside) * shape.layers
    # Recomputed: logits and their gradient in bfloat16, and in float32 those of one row at a time; all of it is gone
    # when the first layer's insides are there again.
    logits = (4 * rows + 12) * words if recomputed else 14 * rows * words
    insides = max(rows * length * inside - logits, 0) if recomputed else 0
    depth, width, mlp = shape.tower
    patch = layer_bytes(width, mlp)
    looked = 2 * width * depth + patch if recomputed else patch * depth
    training = {
        **weights,
        "activations": rows * length * kept + insides,
        "vision": rows * view * shape.patches * looked if sees else 0,
        "logits": logits,
        "fixed": FIXED,
    }
    room = weights["vLLM"] - 2 * shape.parameters if apart else gpu.memory - sum(weights.values()) - FIXED
    at_once = int(room // (shape.cache * length))

    given, written = rollout_tokens(shape, settings)
    count, views = settings.rollouts_per_step, settings.rollouts_per_step * views_of(settings)
    waves = -(-count // (max(at_once, 1) if apart else settings.generation_batch or settings.micro_batch))
    passes = 2 * shape.parameters * (3 if beta else 2) + 2 * (0 if settings.lora_rank else trained)
    passes += 2 * shape.parameters if recomputed else 0
    shown = views * view * (shape.patches - 1)

    def step(gpu: GPU, share: float) -> dict[str, float]:
        reading = 2 * shape.parameters * count * given / gpu.flops
        writing = waves * written * (2 * shape.parameters / gpu.bandwidth + CALL / share)
        return {
            "rollouts": reading + writing,
            "training": passes * count * (given + written) / gpu.flops,
            "vision": 2 * shape.vision * shown * (6 if sees else 1) / gpu.flops,
            "preprocessing": preprocessing(settings) / share,
        }

    return Plan(training, at_once, step(gpu, 1.0), step(gpu.slow(), 0.5), settings.steps, gpu.memory)
