"""What a run on OpenRLHF will need: memory of each GPU and of the host, and hours.

The formulas are explained in docs/openrlhf.md. All sizes are in bytes, 1 GB = 1e9 bytes; all times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from rl.config import TrainSettings
from rl.openrlhf.flags import Flag, number
from rl.training.planning import (
    CHANNELS,
    GPU,
    H100,
    ModelShape,
    Plan,
    adapter_size,
    preprocessing,
    rollout_tokens,
    view_pixels,
    views_of,
)

FIXED = 4e9
"""Bytes on each GPU for CUDA itself and the buffers of DeepSpeed and NCCL."""
HOST_BANDWIDTH = 50e9
"""Bytes a second at which an optimiser on the host goes through its memory."""
OBJECT_STORE = 0.7e9
"""Bytes a second that one process puts into Ray's object store and gets out again; measured."""
_HOPS = 3
"""Times that pixels go through it: from vLLM, to the log-probabilities, to the update."""
_SYNC, _SYNC_CALL = 25e9, 0.004
"""Of weights handed to vLLM: bytes a second, and seconds for the calls that announce each."""


def estimate(shape: ModelShape, settings: TrainSettings, flags: Mapping[str, Flag], gpu: GPU = H100) -> Plan:
    """The needs of a run with all flags of OpenRLHF (see `rl.openrlhf.flags.flags_of`) on GPUs of one kind."""
    per_node, stage = number(flags, "actor.num_gpus_per_node"), number(flags, "ds.zero_stage")
    engines, split = number(flags, "vllm.num_engines"), number(flags, "vllm.tensor_parallel_size")
    length, gpus = number(flags, "data.max_len"), number(flags, "actor.num_nodes") * per_node
    on = {name for name, value in flags.items() if value}
    beta, offload, asleep = settings.algorithm.beta, "ds.adam_offload" in on, "ds.enable_sleep" in on
    frozen = "actor.freeze_visual_encoder" in on
    handed: float = shape.parameters - (shape.vision if frozen else 0)
    trained = adapter_size(shape, settings.lora_rank, vision=not frozen) if settings.lora_rank else handed

    full = flags.get("ds.grad_accum_dtype") == "fp32"
    weights = 2 * shape.parameters / (gpus if stage >= 3 else 1)
    adapters = 2 * trained / (gpus if stage >= 3 else 1) if settings.lora_rank else 0
    states = {
        "gradients": 0 if offload else (4 if full else 2) * trained / (gpus if stage >= 2 else 1),
        "optimiser": 0 if offload else 12 * trained / gpus,
    }
    layer = 2 * shape.hidden * shape.layers + 2 * (8 * shape.hidden + 3 * shape.intermediate) + 14 * shape.vocabulary
    activations = number(flags, "train.micro_batch_size") * length * layer
    training = {"weights": weights, "adapters": adapters, **states, "activations": activations, "fixed": FIXED}
    away = "ref.offload" in on and stage >= 3  # OpenRLHF uses it only there
    reference = weights if beta and not away else 0
    if on & {"train.colocate_all", "train.colocate_actor_ref"}:
        training["reference"] = reference

    engine = float(str(flags.get("vllm.gpu_memory_utilization", 0.95))) * gpu.memory
    rollouts = {"vLLM": engine}
    if "train.colocate_all" in on and "train.async_enable" not in on:
        training["vLLM"] = 0 if "vllm.enable_sleep" in on else engine
        rollouts |= {"weights": weights + adapters, "reference": reference, "fixed": FIXED}
        rollouts |= {} if asleep else states
    at_once = max(int((engine * split - 2 * shape.parameters) // (shape.cache * length)), 0) * engines
    moved = 16 * trained / gpus if offload else sum(states.values()) if asleep else 0
    count, views = settings.rollouts_per_step, settings.rollouts_per_step * views_of(settings)
    pixels = views * view_pixels(settings) * CHANNELS * 2
    host = per_node * (moved + (weights if beta and away else 0))

    # A forward pass costs 2 operations per parameter and token, the backward pass 2 more and 2 per trained parameter.
    given, written = rollout_tokens(shape, settings)
    passes = 2 * shape.parameters * (5 if beta else 4) + 2 * trained  # old, reference, forward, recomputed, backward
    # The vision tower does so for each patch of a view, of which a token has several. A frozen one has no backward.
    shown = views * view_pixels(settings) / shape.grid**2 * (shape.patches - 1)
    seen = 2 * shape.vision * shown * ((2 if beta else 1) + (1 if frozen else 4))

    def step(gpu: GPU, share: float) -> dict[str, float]:
        """Seconds by phase, where the host does its part at this share of its measured speed."""
        reading = 2 * shape.parameters * count * given / (gpu.flops * engines * split)
        writing = -(-count // max(at_once, 1)) * written * 2 * shape.parameters / split / gpu.bandwidth  # wave by wave
        vision = 2 * shape.vision * shown / (gpu.flops * engines * split) + seen / (gpu.flops * gpus)
        updating = passes * count * (given + written) / (gpu.flops * gpus)
        optimising = 28 * trained / gpus / HOST_BANDWIDTH if offload else 0
        return {
            "rollouts": reading + writing,
            "training": updating + optimising,
            "vision": vision,
            "preprocessing": preprocessing(settings) / engines / share,
            "pixels through Ray": _HOPS * pixels / OBJECT_STORE / share,
            "weight sync": (2 * handed / _SYNC + shape.weights * _SYNC_CALL) / share,
        }

    return Plan(training, at_once, step(gpu, 1.0), step(gpu.slow(), 0.5), settings.steps, gpu.memory, rollouts, host)
