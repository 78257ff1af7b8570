"""What a run will need, as `--plan` shows it: memory of each GPU and of the host, and hours.

All sizes are in bytes, 1 GB = 1e9 bytes; all times in seconds. docs/training.md explains the formulas of a run on one
machine, docs/openrlhf.md those of OpenRLHF.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hart_agent.agent.modes import Mode
from rl.config import TrainSettings
from rl.training.sizes import ModelShape, adapter_size, layer_bytes

TEXT = 700  # tokens of instructions and question in a prompt
FIXED = 3e9  # bytes on each GPU for CUDA itself and what fragmentation leaves unused
FIXED_OPENRLHF = 4e9  # the same with buffers of DeepSpeed and NCCL
CALL = 0.03  # seconds that transformers takes for one token of a batch, besides reading the weights
PREPROCESSING = 0.064  # seconds in which one core scales a megapixel and cuts it into patches; measured
HOST_BANDWIDTH = 50e9  # bytes a second at which an optimiser on the host goes through its memory
CHANNELS = 3 * 2  # values for a pixel of a patch: its colours, in two frames, of which an image is both
RAY = 3 * 2 * CHANNELS / 0.7e9
"""Seconds of a pixel in Ray's object store: values of 2 bytes pass it 3 times (from vLLM, to the log-probabilities, to
the update), at 0.7e9 bytes a second; measured."""
SYNC, SYNC_CALL = 25e9, 0.004  # of weights handed to vLLM: bytes a second, and seconds for the calls that announce each


@dataclass(frozen=True)
class GPU:
    """A kind of GPU. Of operations and bandwidth, 40 % and 60 % of the data sheet's are reached, if all goes well."""

    memory: float = 80e9  # bytes
    flops: float = 0.4 * 989e12  # bf16 operations a second in training
    bandwidth: float = 0.6 * 3.35e12  # bytes a second that decoding reads


H100 = GPU()
GPUS = {"h100": H100, "h200": GPU(141e9, H100.flops, 0.6 * 4.8e12), "a100": GPU(80e9, 0.4 * 312e12, 0.6 * 2.0e12)}
"""By name, with the memory that they are mostly sold with."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An estimate. Memory is in bytes on each GPU, by purpose; seconds are those of a step, by phase."""

    training: dict[str, float]  # while the policy is updated
    rollouts: dict[str, float]  # while they are made; empty if in the same memory
    host: float  # bytes of each machine's own memory
    memory: float  # of one GPU
    steps: int  # of the run
    at_once: int  # complete rollouts that the memory for rollouts holds, on all GPUs
    seconds: dict[str, float] = field(default_factory=dict)  # if all goes well
    slow: dict[str, float] = field(default_factory=dict)  # if little does

    @property
    def hours(self) -> float:
        """Of the run, if all goes well."""
        return sum(self.seconds.values()) * self.steps / 3600

    @property
    def fits(self) -> bool:
        """Whether it should run at all."""
        return max(sum(self.training.values()), sum(self.rollouts.values())) <= self.memory and self.at_once > 0

    def lines(self) -> list[str]:
        """The estimate as text."""

        def listed(parts: dict[str, float]) -> str:
            named = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in parts.items() if size)
            return f"{sum(parts.values()) / 1e9:.1f} of {self.memory / 1e9:.0f} GB ({named})"

        phases = ", ".join(f"{name} {low:.0f} to {self.slow[name]:.0f}" for name, low in self.seconds.items() if low)
        low, high = sum(self.seconds.values()), sum(self.slow.values())
        apart = f"{listed(self.rollouts)}; " if self.rollouts else ""
        return [
            f"GPU memory, training: {listed(self.training)}",
            f"GPU memory, rollouts: {apart}{self.at_once} rollouts at once",
            f"memory of each machine: {self.host / 1e9:.0f} GB",
            f"a step: {low:.0f} to {high:.0f} s ({phases})",
            f"the run: {self.hours:.1f} to {self.hours * high / low:.1f} hours",
            "it should fit" if self.fits else "it does NOT fit: see docs/openrlhf.md for what to change",
        ]


def estimate(
    shape: ModelShape, settings: TrainSettings, flags: Mapping[str, Any] | None = None, gpu: GPU = H100
) -> Plan:
    """The needs of a run on GPUs of one kind: with all flags of OpenRLHF, or without any on one GPU of this machine.

    Where most of a run on one GPU fails to fit, they tell at least how far it is from fitting.
    """
    local, flags = flags is None, flags or {}
    gpus, engines, split = gpus_of(flags), number(flags, "vllm.num_engines"), number(flags, "vllm.tensor_parallel_size")
    beta, recomputed = settings.algorithm.beta > 0, settings.gradient_checkpointing or not local
    sees = settings.train_part != "language" and not flags.get("actor.freeze_visual_encoder")
    handed: float = shape.parameters - (0 if sees else shape.vision)
    trained = adapter_size(shape, settings.lora_rank, vision=sees) if settings.lora_rank else handed
    words = TEXT + view_pixels(settings) / shape.grid**2 + settings.max_tokens
    length = words if local else number(flags, "data.max_len")
    plan = _memory(shape, settings, flags, gpu, trained, length)
    training = plan.training | _activations(shape, settings, flags, length, sees=sees)

    given, written = rollout_tokens(shape, settings)
    count, views = settings.rollouts_per_step, settings.rollouts_per_step * views_of(settings)
    pixels = views * view_pixels(settings)
    together = settings.generation_batch or settings.micro_batch
    waves = -(-count // (together if local and settings.rollouts != "vllm" else max(plan.at_once, 1)))
    # A forward pass costs 2 operations per parameter and token, the backward pass 2 more and 2 per trained parameter;
    # there is one more of the reference, one of the old policy on OpenRLHF, and one of all that is recomputed.
    forward, passes = 2 * shape.parameters, 2 + beta + (not local) + recomputed
    operations = (forward * passes + 2 * trained) * count * (given + written)
    # The vision tower does so for each patch of a view, of which a token has several. A frozen one has no backward.
    look = 2 * shape.vision * pixels / shape.grid**2 * (shape.patches - 1)
    looks = (5 if sees else 0) if local else 1 + beta + (4 if sees else 1)
    optimising = 28 * trained / gpus / HOST_BANDWIDTH if flags.get("ds.adam_offload") else 0

    def step(gpu: GPU, share: float) -> dict[str, float]:
        """Seconds by phase, where the host does its part at this share of its measured speed."""
        sampling, learning = gpu.flops * engines * split, gpu.flops * gpus
        writing = waves * written * (forward / split / gpu.bandwidth + (CALL / share if local else 0))
        return {
            "rollouts": forward * count * given / sampling + writing,
            "training": operations / learning + optimising,
            "vision": look / sampling + looks * look / learning,
            "preprocessing": 2 * pixels / 1e6 * PREPROCESSING / engines / share,
            "pixels through Ray": 0 if local else RAY * pixels / share,
            "weight sync": 0 if local else (2 * handed / SYNC + shape.weights * SYNC_CALL) / share,
        }

    # Where little goes well, 15 % of a GPU's operations are reached, and 30 % of its bandwidth.
    slow = replace(gpu, flops=gpu.flops * 15 / 40, bandwidth=gpu.bandwidth / 2)
    return replace(plan, training=training, seconds=step(gpu, 1.0), slow=step(slow, 0.5))


def _memory(
    shape: ModelShape, settings: TrainSettings, flags: Mapping[str, Any], gpu: GPU, trained: float, length: float
) -> Plan:
    """What each GPU of OpenRLHF holds or, without flags, that of this machine; but for activations.

    Where an engine samples, it has room for rollouts of `length` tokens beside all else that is in its memory.
    """
    local, on = not flags, {name for name, value in flags.items() if value}
    gpus, stage, adapted = gpus_of(flags), number(flags, "ds.zero_stage"), settings.lora_rank > 0
    shards, fixed = gpus if stage >= 3 else 1, FIXED if local else FIXED_OPENRLHF
    moments = 2 if local and settings.optimiser == "adamw-8bit" else 8
    gradient = 4 if local or flags.get("ds.grad_accum_dtype") == "fp32" else 2
    weights, adapters = 2 * shape.parameters / shards, 2 * trained / shards if adapted else 0
    states = {
        "gradients": gradient * trained / (gpus if stage >= 2 else 1),
        "optimiser": (4 + moments) * trained / gpus,
    }
    if local and adapted:  # they are trained in float32, without copies
        adapters, states = (4 + gradient + moments) * trained, {}
    reference = weights if settings.algorithm.beta and not (local and adapted) else 0
    away = reference if "ref.offload" in on and stage >= 3 else 0  # OpenRLHF uses it only there
    offload, asleep = "ds.adam_offload" in on, "ds.enable_sleep" in on
    moved = 16 * trained / gpus if offload else sum(states.values()) if asleep else 0
    states = dict.fromkeys(states, 0) if offload else states

    training, rollouts = {"weights": weights, "adapters": adapters, **states, "fixed": fixed}, {}
    if local or on & {"train.colocate_all", "train.colocate_actor_ref"}:
        training["reference"] = reference - away
    room, shared = gpu.memory - sum(training.values()), "train.colocate_all" in on and "train.async_enable" not in on
    if not local or settings.rollouts == "vllm":
        engine = gpu.memory * (settings.vllm_memory if local else float(str(flags["vllm.gpu_memory_utilization"])))
        training["vLLM"] = engine if local or (shared and "vllm.enable_sleep" not in on) else 0
        rollouts = {} if local else {"vLLM": engine}
        room = engine * number(flags, "vllm.tensor_parallel_size") - 2 * shape.parameters
    if shared:
        rollouts |= {"weights": weights + adapters, "reference": reference - away, "fixed": fixed}
        rollouts |= {} if asleep else states
    at_once = max(int(room // (shape.cache * length)), 0) * number(flags, "vllm.num_engines")
    host, memory, steps = number(flags, "actor.num_gpus_per_node") * (moved + away), gpu.memory, settings.steps
    return Plan(training=training, rollouts=rollouts, host=host, memory=memory, steps=steps, at_once=at_once)


def _activations(
    shape: ModelShape, settings: TrainSettings, flags: Mapping[str, Any], length: float, *, sees: bool
) -> dict[str, float]:
    """What the backward pass of a micro-batch needs on each GPU; a rollout has `length` tokens."""
    if flags:
        layers = 2 * shape.hidden * shape.layers + 2 * (8 * shape.hidden + 3 * shape.intermediate)
        return {"activations": number(flags, "train.micro_batch_size") * length * (layers + 14 * shape.vocabulary)}
    rows, words = settings.micro_batch, settings.max_tokens * shape.vocabulary
    inside, (depth, width, mlp) = layer_bytes(shape.hidden, shape.intermediate), shape.tower
    activations, patch = rows * length * inside * shape.layers, layer_bytes(width, mlp)
    logits, looked = 14.0 * rows * words, patch * depth
    if settings.gradient_checkpointing:
        # Logits and their gradient in bfloat16, and in float32 those of one row at a time; all of it is gone when the
        # first layer's insides are there again.
        logits, looked = (4 * rows + 12) * words, 2 * width * depth + patch
        activations = rows * length * 2 * shape.hidden * shape.layers + max(rows * length * inside - logits, 0)
    vision = rows * view_pixels(settings) / shape.grid**2 * shape.patches * looked if sees else 0
    return {"activations": activations, "vision": vision, "logits": logits}


def number(flags: Mapping[str, Any], name: str) -> int:
    """A flag of OpenRLHF that is a whole number; without flags, as on one machine, all is there once."""
    return int(str(flags.get(name, 1)))


def gpus_of(flags: Mapping[str, Any]) -> int:
    """The GPUs that the policy is trained on."""
    return number(flags, "actor.num_nodes") * number(flags, "actor.num_gpus_per_node")


def views_of(settings: TrainSettings) -> int:
    """Views that a rollout is given: the overview, and one more after each turn but the last."""
    return 1 if settings.mode == Mode.DIRECT else settings.max_turns


def view_pixels(settings: TrainSettings) -> int:
    """Pixels of a view, at most."""
    return settings.max_pixels or 1_200_000


def rollout_tokens(shape: ModelShape, settings: TrainSettings) -> tuple[int, int]:
    """Tokens that a rollout is given and that it writes, on average.

    An overview takes max_pixels; each turn after the first adds a view as large and half of the instructions; a reply
    is a quarter of max_tokens.
    """
    view, turns = view_pixels(settings) // shape.grid**2, views_of(settings)
    return (TEXT + view) + (turns - 1) * (TEXT // 2 + view), turns * max(settings.max_tokens // 4, 1)
