"""The settings of training runs: each one declared once, with its default, its check and its help.

A field that carries a `typer.Option` is a flag of the training commands and a name in their YAML files (see
`rl.command_line`); the others are set from Python only.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal, Self, get_args

from typer import Option

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode, find_mode
from hart_agent.errors import ConfigError

Aggregation = Literal["sequence", "token"]
Targets = Literal["gold", "distilled"]


def rollout_episode(mode: Mode, max_turns: int = 2) -> EpisodeConfig:
    """The limits of a rollout: a malformed reply ends it without a reward; there is no time limit."""
    return EpisodeConfig(mode, max_turns=max_turns, max_format_errors=1, max_seconds=1e9)


@dataclass(frozen=True, kw_only=True)
class AlgorithmConfig:
    """AP-GRPO (arXiv 2602.23615, section on Advantage Preference Group Relative Policy Optimization).

    The paper sets k = 0.6, does not clip the ratio, and weighs each rollout equally; it does not state beta and G.

    Attributes:
        epsilon: added to the standard deviation, so that a group of equal rewards has advantages of 0.
    """

    k: Annotated[float, Option(help="Preference for right answers, 0 to 1; 0 is GRPO.")] = 0.6
    beta: Annotated[float, Option(help="Weight of the KL to the initial model; 0 needs no reference model.")] = 0.02
    group_size: Annotated[int, Option(help="Rollouts per question (G).")] = 8
    clip: Annotated[float | None, Option(help="Clip the ratio to 1 - clip ... 1 + clip. Default: no clipping.")] = None
    aggregation: Annotated[Aggregation, Option(help="What weighs the same: each rollout, or token.")] = "sequence"
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 <= self.k <= 1:
            raise ConfigError(f"k must be 0 to 1, or a weight could turn negative; got {self.k}")
        if not 0 <= self.beta < math.inf:
            raise ConfigError(f"beta must be a number of 0 or more, got {self.beta}")
        if self.group_size < 2:
            raise ConfigError(f"group_size must be 2 or more, because advantages are relative; got {self.group_size}")
        if self.clip is not None and not 0 < self.clip < 1:
            raise ConfigError(f"clip must be between 0 and 1, or left out; got {self.clip}")
        if self.aggregation not in get_args(Aggregation):
            raise ConfigError(
                f"there is no aggregation {self.aggregation!r}; choose one of: {', '.join(get_args(Aggregation))}"
            )
        if not 0 < self.epsilon < math.inf:
            raise ConfigError(f"epsilon must be positive, got {self.epsilon}")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of every run; the same settings and data give the same run.

    Attributes:
        betas: of AdamW.
        max_grad_norm: gradients are scaled down to this norm.
        temperature: of sampling, and of the log-probabilities of rollouts.
        lora_alpha: scale of the adapters.
        keep_checkpoints: older ones are removed.
    """

    model: Annotated[str, Option(help="Model folder, or id on the Hugging Face hub.")]
    steps: Annotated[int, Option(help="Number of updates.")] = 200
    prompts_per_step: Annotated[int, Option(help="Questions per update.")] = 8
    learning_rate: Annotated[float, Option(help="Learning rate of AdamW.")] = 1e-6
    betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = 1.0
    temperature: float = 1.0
    max_tokens: Annotated[int, Option(help="Maximum tokens per reply.")] = 512
    max_pixels: Annotated[int | None, Option(help="Maximum pixels per view. Default: the model family's.")] = None
    micro_batch: Annotated[int, Option(help="Sequences per forward pass.")] = 8
    lora_rank: Annotated[int, Option(help="Train adapters of this rank; 0 trains all weights.")] = 0
    lora_alpha: int = 32
    dtype: Annotated[str | None, Option(help="Such as bfloat16. Default: that on a GPU, else float32.")] = None
    device: Annotated[str | None, Option(help="Such as cuda:0. Default: the first GPU, else the CPU.")] = None
    seed: Annotated[int, Option(help="Seed of sampling and of the order of the questions.")] = 0
    rl_share: Annotated[
        float | None, Option(help="Share of the images for RL; SFT with the same share takes the rest. Default: all.")
    ] = None
    strict_reading: Annotated[bool, Option(help="Whether rewards require an answer without text around it.")] = True
    checkpoint_every: Annotated[int, Option(help="Steps between checkpoints.")] = 50
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        positive = (
            "steps prompts_per_step learning_rate max_grad_norm temperature max_tokens max_pixels micro_batch "
            "checkpoint_every keep_checkpoints"
        )
        for name in positive.split():
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ConfigError(f"{name} must be positive, got {value}")
        if self.lora_rank < 0:
            raise ConfigError(f"lora_rank must be 0 (train all weights) or more, got {self.lora_rank}")

    def record(self) -> dict[str, Any]:
        """The settings as a run's manifest holds them."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """The settings in a manifest. One without `strict_reading` is from when answers were read leniently."""
        values = {each.name: record[each.name] for each in fields(cls) if each.name in record}
        return cls(**{"strict_reading": False, **values, "betas": tuple(record["betas"])})


@dataclass(frozen=True, kw_only=True)
class TrainSettings(RunSettings):
    """Settings of reinforcement learning.

    Attributes:
        algorithm: the loss and the groups; each question is asked `algorithm.group_size` times.
        mode: name of the episodes' mode: `closed-loop` (HART), `mgpo`, `agent` for several turns, or `direct` (GRPO's
            baseline).
        max_turns: of an episode.
    """

    algorithm: AlgorithmConfig = field(default_factory=AlgorithmConfig)
    mode: str = Mode.CLOSED_LOOP.name
    max_turns: int = 2
    temperature: Annotated[float, Option(help="Sampling temperature.")] = 1.0
    reward: Annotated[str | None, Option(help="Custom reward, module:function. Default: is the answer right?")] = None
    max_area: Annotated[float | None, Option(help="No reward for evidence over this share of the image.")] = None
    tightness: Annotated[float | None, Option(help="Weight of a bonus for little evidence.")] = None
    drop_blind: Annotated[
        bool, Option("--drop-blind", help="First drop questions that the model answers without the image.")
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mode", str(self.mode))  # a `Mode` will do, too
        self.episode()

    def episode(self) -> EpisodeConfig:
        """The mode and limits of the episodes."""
        return rollout_episode(find_mode(self.mode), self.max_turns)

    def record(self) -> dict[str, Any]:
        name = self.reward or "answer"
        name += f", tightness {self.tightness}" if self.tightness is not None else ""
        name += f", 0 over {self.max_area} of the image" if self.max_area is not None else ""
        return {**super().record(), "own_reward": self.reward, "reward": name}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        algorithm = AlgorithmConfig(**record["algorithm"])
        return super().from_record({**record, "algorithm": algorithm, "reward": record["own_reward"]})


@dataclass(frozen=True, kw_only=True)
class SftSettings(RunSettings):
    """Settings of supervised fine-tuning."""

    prompts_per_step: Annotated[int, Option(help="Questions per update.")] = 16
    learning_rate: Annotated[float, Option(help="Learning rate of AdamW.")] = 1e-5
    targets: Annotated[Targets, Option(help="The right answers, or the model's own right episodes.")] = "gold"
    attempts: Annotated[int, Option(help="Rollouts per question, of which distilled targets keep one.")] = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets not in get_args(Targets):
            raise ConfigError(f"targets must be one of {get_args(Targets)}, got {self.targets!r}")
        if self.attempts <= 0:
            raise ConfigError(f"attempts must be positive, got {self.attempts}")
