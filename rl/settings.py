"""The settings of training runs on one machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from rl.config import AlgorithmConfig


def rollout_episode(mode: Mode, max_turns: int = 2) -> EpisodeConfig:
    """The limits of a rollout: what is malformed ends it, and is worth nothing; no clock does."""
    return EpisodeConfig(mode, max_turns=max_turns, max_format_errors=1, max_seconds=1e9)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What every run is made with; the same settings and data give the same run.

    Attributes:
        model: a folder, or an id on Hugging Face's hub.
        steps: updates.
        prompts_per_step: questions of a step.
        learning_rate: of AdamW.
        betas: of AdamW.
        max_grad_norm: gradients are scaled down to this norm.
        temperature: of sampling, and of the log-probabilities of rollouts.
        max_tokens: of one reply.
        max_pixels: area of one view, in pixels; None for the family's default.
        micro_batch: sequences in one pass through the model.
        lora_rank: of adapters on all linear layers; 0 trains all weights.
        lora_alpha: scale of the adapters.
        device: such as "cuda:1"; None for the first accelerator, else the CPU.
        dtype: such as "bfloat16"; None for that on accelerators, "float32" on the CPU.
        seed: of sampling, and of the order of the questions.
        rl_share: the share of the images that reinforcement learning gets; see `rl.data.stage_part`.
        checkpoint_every: steps.
        keep_checkpoints: older ones are removed.
    """

    model: str
    steps: int = 200
    prompts_per_step: int = 8
    learning_rate: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = 1.0
    temperature: float = 1.0
    max_tokens: int = 512
    max_pixels: int | None = None
    micro_batch: int = 8
    lora_rank: int = 0
    lora_alpha: int = 32
    device: str | None = None
    dtype: str | None = None
    seed: int = 0
    rl_share: float | None = None
    checkpoint_every: int = 50
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        positive = (
            "steps prompts_per_step learning_rate max_grad_norm temperature max_tokens micro_batch checkpoint_every "
            "keep_checkpoints"
        )
        for name in positive.split():
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if self.lora_rank < 0:
            raise ConfigError(f"lora_rank must be 0 (train all weights) or more, got {self.lora_rank}")


@dataclass(frozen=True, kw_only=True)
class TrainSettings(RunSettings):
    """Of reinforcement learning.

    Attributes:
        algorithm: the loss and the groups; each question is asked `algorithm.group_size` times.
        mode: of the episodes: `closed-loop` (HART), `mgpo`, `agent` for several turns, or `direct` (GRPO's baseline).
        max_turns: of an episode.
        reward: its name, for the record.
        drop_blind: first drop the questions that the model answers without the image (see `rl.blind`).
    """

    algorithm: AlgorithmConfig = field(default_factory=AlgorithmConfig)
    mode: Mode = Mode.CLOSED_LOOP
    max_turns: int = 2
    reward: str = "answer"
    drop_blind: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.episode()

    def episode(self) -> EpisodeConfig:
        """The mode and limits of the episodes."""
        return rollout_episode(self.mode, self.max_turns)


@dataclass(frozen=True, kw_only=True)
class SftSettings(RunSettings):
    """Of supervised fine-tuning.

    Attributes:
        targets: "gold", the right answers; or "distilled", the policy's own verified ways to them.
        attempts: rollouts of each question from which one is kept, where the targets are distilled.
    """

    targets: str = "gold"
    attempts: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets not in ("gold", "distilled"):
            raise ConfigError(f"there are no targets {self.targets!r}; choose gold or distilled")
        if self.attempts <= 0:
            raise ConfigError(f"attempts must be positive, got {self.attempts}")
