"""What a plan is made of: a GPU, the sizes of a model, the work of a step, and the estimate as text.

All sizes are in bytes, 1 GB = 1e9 bytes; all times in seconds. `rl.openrlhf.plan` and `rl.local.plan` estimate runs;
docs/openrlhf.md explains the formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from hart_agent.store.hub import from_hub
from rl.config import TrainSettings

TEXT = 700
"""Tokens of instructions and question in a prompt."""
PREPROCESSING = 0.064
"""Seconds in which one core scales a megapixel and cuts it into patches; measured."""
CHANNELS = 3 * 2
"""Values for a pixel of a patch: its colours, in two frames, of which an image is both."""


@dataclass(frozen=True)
class GPU:
    """A kind of GPU. Of operations and bandwidth, 40 % and 60 % of the data sheet's are reached."""

    memory: float = 80e9  # bytes
    flops: float = 0.4 * 989e12  # bf16 operations a second in training
    bandwidth: float = 0.6 * 3.35e12  # bytes a second that decoding reads

    def slow(self) -> GPU:
        """The same GPU where little goes well: 15 % of its operations, and 30 % of its bandwidth."""
        return replace(self, flops=self.flops * 15 / 40, bandwidth=self.bandwidth / 2)


H100 = GPU()
GPUS = {"h100": H100, "h200": GPU(141e9, H100.flops, 0.6 * 4.8e12), "a100": GPU(80e9, 0.4 * 312e12, 0.6 * 2.0e12)}
"""By name, with the memory that they are mostly sold with."""


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


@dataclass(frozen=True)
class Plan:
    """An estimate: bytes on each GPU of the policy and of vLLM by purpose, seconds of a step by phase.

    Attributes:
        training: while it is updated.
        rollouts: while rollouts are made; empty where both use the same memory.
        host: bytes of each machine's own memory.
        at_once: complete rollouts that the memory for rollouts holds, on all GPUs.
        seconds: of a step, if all goes well.
        slow: the same, if little does.
        steps: of the run.
        memory: of one GPU.
    """

    training: dict[str, float]
    at_once: int
    seconds: dict[str, float]
    slow: dict[str, float]
    steps: int
    memory: float
    rollouts: dict[str, float] = field(default_factory=dict)
    host: float = 0

    @property
    def hours(self) -> float:
        """Of the run, if all goes well."""
        return sum(self.seconds.values()) * self.steps / 3600

    @property
    def fits(self) -> bool:
        """Whether it should run at all."""
        needed = max(sum(self.training.values()), sum(self.rollouts.values()))
        return needed <= self.memory and self.at_once > 0

    def lines(self) -> list[str]:
        """The estimate as text."""

        def listed(parts: dict[str, float]) -> str:
            named = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in parts.items() if size)
            return f"{sum(parts.values()) / 1e9:.1f} of {self.memory / 1e9:.0f} GB ({named})"

        phases = ", ".join(f"{name} {low:.0f} to {self.slow[name]:.0f}" for name, low in self.seconds.items())
        low, high = sum(self.seconds.values()), sum(self.slow.values())
        apart = f"GPU memory, rollouts: {listed(self.rollouts)}; " if self.rollouts else "GPU memory, rollouts: "
        return [
            f"GPU memory, training: {listed(self.training)}",
            f"{apart}{self.at_once} rollouts at once",
            f"memory of each machine: {self.host / 1e9:.0f} GB",
            f"a step: {low:.0f} to {high:.0f} s ({phases})",
            f"the run: {self.hours:.1f} to {self.hours * high / low:.1f} hours",
            "it should fit" if self.fits else "it does NOT fit: see docs/openrlhf.md for what to change",
        ]


def views_of(settings: TrainSettings) -> int:
    """Views that a rollout is given: the overview, and one more after each turn but the last."""
    return 1 if settings.mode == Mode.DIRECT else settings.max_turns


def view_pixels(settings: TrainSettings) -> int:
    """Pixels of a view, at most."""
    return settings.max_pixels or 1_200_000


def preprocessing(settings: TrainSettings) -> float:
    """Seconds in which one core prepares a step's views, for sampling and for training."""
    views = settings.rollouts_per_step * views_of(settings)
    return 2 * views * view_pixels(settings) / 1e6 * PREPROCESSING


def rollout_tokens(shape: ModelShape, settings: TrainSettings) -> tuple[int, int]:
    """Tokens that a rollout is given and that it writes, on average.

    An overview takes max_pixels; each turn after the first adds a view as large and half of the instructions; a reply
    is a quarter of max_tokens.
    """
    view, turns = view_pixels(settings) // shape.grid**2, views_of(settings)
    return (TEXT + view) + (turns - 1) * (TEXT // 2 + view), turns * max(settings.max_tokens // 4, 1)


def adapter_size(shape: ModelShape, rank: int, *, vision: bool) -> float:
    """Parameters of adapters of all linear layers: their rank times the inputs and outputs of each."""
    keys = shape.cache / (4 * shape.layers)  # width of keys, and of values
    size = shape.layers * (9 * shape.hidden + 2 * keys + 3 * shape.intermediate)
    depth, width, mlp = shape.tower
    return rank * (size + (depth * (9 * width + 2 * width + 3 * mlp) if vision else 0))


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
    merge = getattr(vision, "spatial_merge_size", None) or round(1 / getattr(config, "downsample_ratio", 0.5))
    depth = getattr(vision, "depth", None) or vision.num_hidden_layers
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return ModelShape(
        parameters=sum(sizes.values()),
        weights=len(sizes),
        vision=sum(size for name, size in sizes.items() if in_part(name, "vision")),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        intermediate=text.intermediate_size,
        vocabulary=text.vocab_size,
        cache=2 * text.num_hidden_layers * text.num_key_value_heads * head * 2,
        grid=_side(vision.patch_size) * merge,
        patches=merge**2,
        tower=(depth, vision.hidden_size, vision.intermediate_size),
    )


def _side(patch: int | Sequence[int]) -> int:
    return patch if isinstance(patch, int) else patch[0]
