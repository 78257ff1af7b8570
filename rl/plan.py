"""What a run on OpenRLHF will need, before it is started: memory of each GPU, memory of the host, hours.

The formulas are in docs/openrlhf.md, and tested by hand-made numbers. All sizes are bytes, 1 GB = 1e9 bytes. With P
parameters, T of them trained, on N GPUs that share the policy:

    weights                 2 P                     / N with ZeRO-3
    gradients               2 T                     / N with ZeRO-2 and 3; on the host with --ds.adam_offload
    optimiser               12 T / N                on the host with --ds.adam_offload, where both take 16 T / N
    reference               2 P                     / N with ZeRO-3, there on the host with --ref.offload; none if
                                                    beta is 0
    activations             m S (2 h L + 2 (8 h + 3 f) + 14 V)
    vLLM                    --vllm.gpu_memory_utilization of the GPU

for micro-batches of m rollouts of S tokens, L layers of width h, f inside, and V words. Layers are taken to be
recomputed (--actor.gradient_checkpointing_enable): one at a time is held whole; 14 V are the logits (bf16, float32, and
their gradients, and one copy).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError, InstallError
from hart_agent.store.hub import from_hub
from rl.openrlhf.command import Flag, number
from rl.settings import TrainSettings

FIXED = 4e9
"""Bytes on each GPU for CUDA itself and the buffers of DeepSpeed and NCCL."""
TEXT = 700
"""Tokens of instructions and question in a prompt."""


@dataclass(frozen=True)
class GPU:
    """A kind of GPU.

    Attributes:
        memory: bytes.
        flops: bf16, a second, that training reaches: 40 % of the data sheet's.
        bandwidth: bytes of its memory a second that decoding reaches: 60 % of the data sheet's.
    """

    memory: float = 80e9
    flops: float = 0.4 * 989e12
    bandwidth: float = 0.6 * 3.35e12


H100 = GPU()
HOST_BANDWIDTH = 50e9
"""Bytes a second at which an optimiser on the host goes through its memory."""


@dataclass(frozen=True)
class ModelShape:
    """What counts of a model.

    Attributes:
        parameters: all (P).
        vision: those outside the language model.
        layers: of the language model (L).
        width: (h).
        inner: width inside a layer's MLP (f).
        words: of the vocabulary (V).
        cache: bytes of keys and values for one token.
        grid: pixels of one token's side in an image.
    """

    parameters: int
    vision: int
    layers: int
    width: int
    inner: int
    words: int
    cache: int
    grid: int


@dataclass(frozen=True)
class Plan:
    """An estimate.

    Attributes:
        training: bytes on each GPU of the policy, by what they are for.
        rollouts: bytes on each GPU of vLLM, by what they are for.
        host: bytes of each machine's own memory.
        at_once: whole rollouts that vLLM's memory holds, on all of its GPUs.
        seconds: of a step, by phase.
        hours: of the run.
        memory: of one GPU, in bytes.
    """

    training: dict[str, float]
    rollouts: dict[str, float]
    host: float
    at_once: int
    seconds: dict[str, float]
    hours: float
    memory: float

    @property
    def fits(self) -> bool:
        """Whether it should run at all."""
        return max(sum(self.training.values()), sum(self.rollouts.values())) <= self.memory and self.at_once > 0

    def lines(self) -> list[str]:
        """The estimate in words."""

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
    """The needs of a run.

    Args:
        shape: of the model.
        settings: of the run.
        flags: all flags of OpenRLHF (see `rl.openrlhf.command.flags_of`).
        gpu: of which all machines have as many.

    Raises:
        ConfigError: a flag is no number.
    """
    nodes, per_node = number(flags, "actor.num_nodes"), number(flags, "actor.num_gpus_per_node")
    gpus, stage = nodes * per_node, number(flags, "ds.zero_stage")
    engines, split = number(flags, "vllm.num_engines"), number(flags, "vllm.tensor_parallel_size")
    offload, beta = bool(flags.get("ds.adam_offload")), settings.algorithm.beta
    colocated = bool(flags.get("train.colocate_all")) and not flags.get("train.async_enable")
    shared, whole = (gpus if stage >= 3 else 1), shape.parameters
    trained = whole - (shape.vision if flags.get("actor.freeze_visual_encoder") else 0)
    length, micro = number(flags, "data.max_len"), number(flags, "train.micro_batch_size")
    layer = 2 * shape.width * shape.layers + 2 * (8 * shape.width + 3 * shape.inner) + 14 * shape.words
    engine = float(str(flags.get("vllm.gpu_memory_utilization", 0.95))) * gpu.memory
    weights = 2 * whole / shared
    states = {
        "gradients": 0 if offload else 2 * trained / (gpus if stage >= 2 else 1),
        "optimiser": 0 if offload else 12 * trained / gpus,
    }
    away = bool(flags.get("ref.offload")) and stage >= 3  # OpenRLHF heeds it only there
    reference = weights if beta and not away else 0
    together = flags.get("train.colocate_all") or flags.get("train.colocate_actor_ref")
    training: dict[str, float] = {"weights": weights, **states, "activations": micro * length * layer, "fixed": FIXED}
    if together:
        training["reference"] = reference
    rollouts: dict[str, float] = {"vLLM": engine}
    if colocated:
        training["vLLM"] = 0 if flags.get("vllm.enable_sleep") else engine
        asleep = bool(flags.get("ds.enable_sleep"))
        rollouts |= {"weights": weights, "reference": reference, "fixed": FIXED, **({} if asleep else states)}
    room = engine - 2 * whole / split
    at_once = max(int(room * split // (shape.cache * length)), 0) * engines

    moved = 16 * trained / gpus if offload else sum(states.values()) if flags.get("ds.enable_sleep") else 0
    host = per_node * (moved + (weights if beta and away else 0))
    seconds = _seconds(shape, settings, gpu, gpus, (engines, split), at_once, trained, offload=offload)
    return Plan(training, rollouts, host, at_once, seconds, sum(seconds.values()) * settings.steps / 3600, gpu.memory)


def rollout_tokens(shape: ModelShape, settings: TrainSettings) -> tuple[int, int]:
    """Tokens that a rollout is given and that it says, on average.

    An overview takes max_pixels; each turn after the first adds a view as large and half of the instructions; a reply
    is a quarter of max_tokens. In the mode `closed-loop` the second turn is given a prompt of its own.
    """
    view = (settings.max_pixels or 1_200_000) // shape.grid**2
    turns = 1 if settings.mode == Mode.DIRECT else settings.max_turns
    return (TEXT + view) + (turns - 1) * (TEXT // 2 + view), turns * max(settings.max_tokens // 4, 1)


def _seconds(
    shape: ModelShape, settings: TrainSettings, gpu: GPU, gpus: int, serving: tuple[int, int], at_once: int,
    trained: int, *, offload: bool,
) -> dict[str, float]:  # fmt: skip
    """Of the phases of a step. Forward costs 2 P operations a token, the way back 2 P + 2 T, recomputing 2 P."""
    given, said = rollout_tokens(shape, settings)
    rollouts = settings.prompts_per_step * settings.algorithm.group_size
    whole = shape.parameters
    waves = -(-rollouts // max(at_once, 1))
    engines, split = serving
    reading = 2 * whole * rollouts * given / (gpu.flops * engines * split)
    writing = waves * said * 2 * whole / split / gpu.bandwidth
    passes = 2 * whole * (2 if settings.algorithm.beta else 1) + 6 * whole + 2 * trained
    return {
        "rollouts": reading + writing,
        "training": passes * rollouts * (given + said) / (gpu.flops * gpus)
        + (28 * trained / gpus / HOST_BANDWIDTH if offload else 0),
    }


def model_shape(model: str) -> ModelShape:
    """What counts of a model, from its configuration alone; weights are neither read nor downloaded.

    Args:
        model: a folder, or an id on Hugging Face's hub.

    Raises:
        ConfigError: there is no such model, or it is none that sees.
        InstallError: torch or transformers is missing.
        PolicyError: the hub can't be reached.
    """
    try:
        import torch
        from transformers import AutoConfig, AutoModelForImageTextToText
    except ImportError as error:
        raise InstallError(f"--plan needs {error.name}. Run: pip install 'hart-agent[train]'") from error
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = from_hub(model, patterns=["config.json"], complete=lambda found: (found / "config.json").is_file())
    try:
        config = AutoConfig.from_pretrained(folder)
        text, vision = config.get_text_config(), config.vision_config
        with torch.device("meta"):  # sizes without memory
            module = AutoModelForImageTextToText.from_config(config)
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{model} is no vision-language model that transformers knows ({error})") from error
    sizes = {name: weight.numel() for name, weight in module.named_parameters()}
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return ModelShape(
        parameters=sum(sizes.values()),
        vision=sum(size for name, size in sizes.items() if "language_model" not in name and "lm_head" not in name),
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        inner=text.intermediate_size,
        words=text.vocab_size,
        cache=2 * text.num_hidden_layers * text.num_key_value_heads * head * 2,
        grid=vision.patch_size * getattr(vision, "spatial_merge_size", 2),
    )
