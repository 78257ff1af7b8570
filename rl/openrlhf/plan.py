"""What a run on OpenRLHF will need: memory of each GPU and of the host, and hours.

The formulas are explained in docs/openrlhf.md. All sizes are in bytes, 1 GB = 1e9 bytes; all times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from hart_agent.store.hub import from_hub
from rl.config import TrainSettings
from rl.openrlhf.flags import Flag, number

FIXED = 4e9
"""Bytes on each GPU for CUDA itself and the buffers of DeepSpeed and NCCL."""
TEXT = 700
"""Tokens of instructions and question in a prompt."""
HOST_BANDWIDTH = 50e9
"""Bytes a second at which an optimiser on the host goes through its memory."""


@dataclass(frozen=True)
class GPU:
    """A kind of GPU. Of operations and bandwidth, 40 % and 60 % of the data sheet's are reached."""

    memory: float = 80e9  # bytes
    flops: float = 0.4 * 989e12  # bf16 operations a second in training
    bandwidth: float = 0.6 * 3.35e12  # bytes a second that decoding reads


H100 = GPU()


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


@dataclass(frozen=True)
class Plan:
    """An estimate: bytes on each GPU of the policy and of vLLM by purpose, seconds of a step by phase."""

    training: dict[str, float]
    rollouts: dict[str, float]
    host: float  # bytes of each machine's own memory
    at_once: int  # complete rollouts that vLLM's memory holds, on all of its GPUs
    seconds: dict[str, float]
    hours: float  # of the run
    memory: float  # of one GPU, in bytes

    @property
    def fits(self) -> bool:
        """Whether it should run at all."""
        return max(sum(self.training.values()), sum(self.rollouts.values())) <= self.memory and self.at_once > 0

    def lines(self) -> list[str]:
        """The estimate as text."""

        def listed(parts: dict[str, float]) -> str:
            named = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in parts.items() if size)
            return f"{sum(parts.values()) / 1e9:.1f} of {self.memory / 1e9:.0f} GB ({named})"

        phases = ", ".join(f"{name} {seconds:.0f}" for name, seconds in self.seconds.items())
        return [
            f"GPU memory, training: {listed(self.training)}",
            f"GPU memory, rollouts: {listed(self.rollouts)}; {self.at_once} rollouts at once",
            f"memory of each machine: {self.host / 1e9:.0f} GB",
            f"a step: {sum(self.seconds.values()):.0f} s ({phases}); the run: {self.hours:.1f} hours",
            "it should fit" if self.fits else "it does NOT fit: see docs/openrlhf.md for what to change",
        ]


def estimate(shape: ModelShape, settings: TrainSettings, flags: Mapping[str, Flag], gpu: GPU = H100) -> Plan:
    """The needs of a run with all flags of OpenRLHF (see `rl.openrlhf.flags.flags_of`) on GPUs of one kind.

    Raises:
        ConfigError: a flag is not a number.
    """
    per_node, stage = number(flags, "actor.num_gpus_per_node"), number(flags, "ds.zero_stage")
    engines, split = number(flags, "vllm.num_engines"), number(flags, "vllm.tensor_parallel_size")
    length, gpus = number(flags, "data.max_len"), number(flags, "actor.num_nodes") * per_node
    on = {name for name, value in flags.items() if value}
    beta, offload, asleep = settings.algorithm.beta, "ds.adam_offload" in on, "ds.enable_sleep" in on
    trained = shape.parameters - (shape.vision if "actor.freeze_visual_encoder" in on else 0)

    weights = 2 * shape.parameters / (gpus if stage >= 3 else 1)
    states = {
        "gradients": 0 if offload else 2 * trained / (gpus if stage >= 2 else 1),
        "optimiser": 0 if offload else 12 * trained / gpus,
    }
    layer = 2 * shape.hidden * shape.layers + 2 * (8 * shape.hidden + 3 * shape.intermediate) + 14 * shape.vocabulary
    activations = number(flags, "train.micro_batch_size") * length * layer
    training = {"weights": weights, **states, "activations": activations, "fixed": FIXED}
    away = "ref.offload" in on and stage >= 3  # OpenRLHF uses it only there
    reference = weights if beta and not away else 0
    if on & {"train.colocate_all", "train.colocate_actor_ref"}:
        training["reference"] = reference

    engine = float(str(flags.get("vllm.gpu_memory_utilization", 0.95))) * gpu.memory
    rollouts = {"vLLM": engine}
    if "train.colocate_all" in on and "train.async_enable" not in on:
        training["vLLM"] = 0 if "vllm.enable_sleep" in on else engine
        rollouts |= {"weights": weights, "reference": reference, "fixed": FIXED, **({} if asleep else states)}
    at_once = max(int((engine * split - 2 * shape.parameters) // (shape.cache * length)), 0) * engines
    moved = 16 * trained / gpus if offload else sum(states.values()) if asleep else 0
    host = per_node * (moved + (weights if beta and away else 0))

    # A forward pass costs 2 operations per parameter and token, the backward pass 2 more and 2 per trained parameter.
    given, written = rollout_tokens(shape, settings)
    count = settings.rollouts
    reading = 2 * shape.parameters * count * given / (gpu.flops * engines * split)
    writing = -(-count // max(at_once, 1)) * written * 2 * shape.parameters / split / gpu.bandwidth  # wave by wave
    passes = 2 * shape.parameters * (5 if beta else 4) + 2 * trained  # old, reference, forward, recomputed, backward
    updating = passes * count * (given + written) / (gpu.flops * gpus)
    optimising = 28 * trained / gpus / HOST_BANDWIDTH if offload else 0
    seconds = {"rollouts": reading + writing, "training": updating + optimising}
    return Plan(training, rollouts, host, at_once, seconds, sum(seconds.values()) * settings.steps / 3600, gpu.memory)


def rollout_tokens(shape: ModelShape, settings: TrainSettings) -> tuple[int, int]:
    """Tokens that a rollout is given and that it writes, on average.

    An overview takes max_pixels; each turn after the first adds a view as large and half of the instructions; a reply
    is a quarter of max_tokens.
    """
    view = (settings.max_pixels or 1_200_000) // shape.grid**2
    turns = 1 if settings.mode == Mode.DIRECT else settings.max_turns
    return (TEXT + view) + (turns - 1) * (TEXT // 2 + view), turns * max(settings.max_tokens // 4, 1)


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

    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = from_hub(model, patterns=["config.json"], complete=lambda found: (found / "config.json").is_file())
    try:
        config = AutoConfig.from_pretrained(folder)
        text, vision = config.get_text_config(), config.vision_config
        with torch.device("meta"):  # sizes without memory
            module = AutoModelForImageTextToText.from_config(config)
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{model} is not a vision-language model that transformers knows ({error})") from error
    sizes = {name: weight.numel() for name, weight in module.named_parameters()}
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return ModelShape(
        parameters=sum(sizes.values()),
        vision=sum(size for name, size in sizes.items() if "language_model" not in name and "lm_head" not in name),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        intermediate=text.intermediate_size,
        vocabulary=text.vocab_size,
        cache=2 * text.num_hidden_layers * text.num_key_value_heads * head * 2,
        grid=vision.patch_size * getattr(vision, "spatial_merge_size", 2),
    )
