"""The settings of training runs: each one declared once, with its default, its limit and its help.

A field that is an `option` is a flag of the training commands and a name in their YAML files (see `rl.command_line`);
the others are set from Python only.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode, find_mode
from hart_agent.backends.options import Limit, ModelOptions, check_options, option
from hart_agent.dialogue.vocabulary import OWN
from hart_agent.errors import ConfigError

Aggregation = Literal["sequence", "token"]
Targets = Literal["gold", "distilled", "glance"]

AGENT_TURNS = 6
"""Replies in the mode `agent`, where a run sets no limit of its own."""

_POSITIVE: Limit = (lambda value: 0 < value < math.inf, "positive")
_NOT_NEGATIVE: Limit = (lambda value: 0 <= value < math.inf, "a number of 0 or more")
_PREFERENCE: Limit = (lambda k: 0 <= k <= 1, "0 to 1, or a weight could turn negative")
_GROUP: Limit = (lambda size: size >= 2, "2 or more, because advantages are relative")
_CLIP: Limit = (lambda clip: 0 < clip < 1, "between 0 and 1, or left out")


def rollout_episode(mode: Mode, max_turns: int = 2) -> EpisodeConfig:
    """The limits of a rollout: a malformed reply ends it without a reward; there is no time limit."""
    return EpisodeConfig(mode, max_turns=max_turns, max_format_errors=1, max_seconds=1e9)


@dataclass(frozen=True, kw_only=True)
class AlgorithmConfig:
    """AP-GRPO (arXiv 2602.23615, section on Advantage Preference Group Relative Policy Optimization).

    The paper sets k = 0.6, does not clip the ratio, and weighs each rollout equally; it does not state beta and G.

    Attributes:
        epsilon: added to the standard deviation, so that a group of equal rewards has advantages of 0.

    Raises:
        ConfigError: a number is out of range.
    """

    k: float = option("Preference for right answers, 0 to 1; 0 is GRPO.", default=0.6, limit=_PREFERENCE)
    beta: float = option(
        "Weight of the KL to the initial model; 0 needs no reference model.", default=0.02, limit=_NOT_NEGATIVE
    )
    group_size: int = option("Rollouts per question (G).", default=8, limit=_GROUP)
    clip: float | None = option("Clip the ratio to 1 - clip ... 1 + clip. Default: no clipping.", limit=_CLIP)
    aggregation: Aggregation = option(
        "What weighs the same: each rollout, or token.", default="sequence", choices=get_args(Aggregation)
    )
    epsilon: float = field(default=1e-6, metadata={"limit": _POSITIVE})

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, kw_only=True)
class RunSettings(ModelOptions):
    """Settings of every run, `ModelOptions` included; the same settings and data give the same run.

    Attributes:
        betas: of AdamW.

    Raises:
        ConfigError: one is out of range.
    """

    model: str = option("Model folder, or id on the Hugging Face hub.", default=MISSING)
    max_tokens: int = option("Maximum tokens per reply.", default=512, limit=_POSITIVE)
    temperature: float = option("Of sampling, and of the log-probabilities.", default=1.0, limit=_POSITIVE)
    seed: int = option("Seed of sampling and of the order of the questions.", default=0)
    steps: int = option("Number of updates.", default=200, limit=_POSITIVE)
    prompts_per_step: int = option("Questions per update.", default=8, limit=_POSITIVE)
    learning_rate: float = option("Learning rate of AdamW.", default=1e-6, limit=_POSITIVE)
    betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = option("Gradients are scaled down to this norm.", default=1.0, limit=_POSITIVE)
    micro_batch: int = option("Sequences per forward pass.", default=8, limit=_POSITIVE)
    lora_rank: int = option("Train adapters of this rank; 0 trains all weights.", default=0, limit=_NOT_NEGATIVE)
    lora_alpha: int = option("Scale of the adapters.", default=32)
    dtype: str | None = option("Such as bfloat16. Default: that on a GPU, else float32.")
    device: str | None = option("Such as cuda:0. Default: the first GPU, else the CPU.")
    rl_share: float | None = option("Share of the images for RL; SFT with the same share takes the rest. Default: all.")
    strict_reading: bool = option("Whether rewards require an answer without text around it.", default=True)
    checkpoint_every: int = option("Steps between checkpoints.", default=50, limit=_POSITIVE)
    keep_checkpoints: int = option("Checkpoints that stay; older ones are removed.", default=2, limit=_POSITIVE)

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
    reward: str | None = option("Custom reward, module:function. Default: is the answer right?")
    max_area: float | None = option("No reward for evidence over this share of the image.")
    tightness: float | None = option("Weight of a bonus for little evidence.")
    branching: bool = option("Fork rollouts where the policy is unsure of a box, as MedVR does.", default=False)
    drop_blind: bool = option("First drop questions that the model answers without the image.", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mode", str(self.mode))  # a `Mode` will do, too
        self._limits()

    @property
    def rollouts(self) -> int:
        """Of a step."""
        return self.prompts_per_step * self.algorithm.group_size

    def episode(self) -> EpisodeConfig:
        """The mode and limits of the episodes.

        Raises:
            ConfigError: a vocabulary is not spoken in this mode.
        """
        if self.vocabulary not in (None, OWN) and self.mode not in (Mode.AGENT.name, Mode.DIRECT.name):
            raise ConfigError(f"mode must be agent or direct with a vocabulary; got {self.mode}")
        return self._limits()

    def _limits(self) -> EpisodeConfig:
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

    prompts_per_step: int = option("Questions per update.", default=16, limit=_POSITIVE)
    learning_rate: float = option("Learning rate of AdamW.", default=1e-5, limit=_POSITIVE)
    targets: Targets = option(
        "The right answers; the model's own episodes that led to them; or the answers of these, at a glance.",
        default="gold",
        choices=get_args(Targets),
    )
    attempts: int = option("Rollouts per question, of which distilled targets keep one.", default=4, limit=_POSITIVE)
