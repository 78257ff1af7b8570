"""The settings of training runs: each one declared once, with its default, its limit and its help.

A field that is an `option` is a flag of the training commands and a name in their YAML files (see `rl.command_line`);
the others are set from Python only.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Self

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode, find_mode
from hart_agent.backends.options import POSITIVE, Limit, ModelOptions, check_options, option
from hart_agent.dialogue.vocabularies.vocabulary import OWN
from hart_agent.errors import ConfigError

Part = Literal["both", "language", "vision"]
OptimiserName = Literal["adamw", "adamw-8bit"]
Estimator = Literal["k1", "k2", "k3"]

AGENT_TURNS = 6
"""Replies in the mode `agent`, where a run sets no limit of its own."""

_NOT_NEGATIVE: Limit = (lambda value: 0 <= value < math.inf, "a number of 0 or more")
_PREFERENCE: Limit = (lambda k: 0 <= k <= 1, "0 to 1, or a weight could turn negative")
_GROUP: Limit = (lambda size: size >= 2, "2 or more, because advantages are relative")
_CLIP: Limit = (lambda clip: 0 < clip < 1, "between 0 and 1, or left out")
_SHARE: Limit = (lambda share: 0 < share < 1, "between 0 and 1")
_CAP: Limit = (lambda cap: 1 <= cap < math.inf, "1 or more, or left out")


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

    k: float = option("Preference for right answers, 0 to 1; 0 is GRPO.", 0.6, _PREFERENCE)
    beta: float = option("Weight of the KL to the initial model; 0 needs no reference model.", 0.02, _NOT_NEGATIVE)
    kl: Estimator = option("Schulman's estimator of the KL; none: --beta 0.", "k3")
    entropy_floor: float | None = option(
        "Mean entropy of a token, in nats, below which the policy is pushed up. Default: none.", limit=POSITIVE
    )
    group_size: int = option("Rollouts per question (G).", 8, _GROUP)
    clip: float | None = option("Clip the ratio to 1 - clip ... 1 + clip. Default: no clipping.", limit=_CLIP)
    clip_high: float | None = option("Clip it to 1 + this from above. Default: clip.", limit=POSITIVE)
    ratio_cap: float | None = option(
        "Weigh no token more than this where trainer and sampler differ. Default: no cap.", limit=_CAP
    )
    scale_advantages: bool = option("Divide advantages by the group's standard deviation.", True)
    aggregation: Literal["sequence", "token", "constant"] = option(
        "What weighs the same: each rollout, or token; constant: tokens, by token_budget.", "sequence"
    )
    token_budget: int = option(
        "Tokens that a rollout's sum is divided by, with --aggregation constant.", 1024, POSITIVE
    )
    epsilon: float = field(default=1e-6, metadata={"limit": POSITIVE})

    def __post_init__(self) -> None:
        check_options(self)
        if self.clip_high is not None and self.clip is None:
            raise ConfigError("clip_high needs clip, the bound from below")


def capped(algorithm: AlgorithmConfig) -> AlgorithmConfig:
    """The algorithm where another engine samples, whose probabilities differ: the ratio is capped, by default at 2."""
    return replace(algorithm, ratio_cap=algorithm.ratio_cap or 2.0)


@dataclass(frozen=True, kw_only=True)
class RunSettings(ModelOptions):
    """Settings of every run, `ModelOptions` included; the same settings and data give the same run.

    Attributes:
        betas: of AdamW.

    Raises:
        ConfigError: one is out of range.
    """

    model: str = option("Model folder, or id on the Hugging Face hub.", MISSING)
    max_tokens: int = option("Maximum tokens per reply.", 512, POSITIVE)
    temperature: float = option("Of sampling, and of the log-probabilities.", 1.0, POSITIVE)
    seed: int = option("Seed of sampling and of the order of the questions.", 0)
    steps: int = option("Number of updates.", 200, POSITIVE)
    prompts_per_step: int = option("Questions per update.", 8, POSITIVE)
    learning_rate: float | None = option(
        "Learning rate of AdamW. Default: 1e-6, of adapters 1e-5; in SFT 10 times as high.", limit=POSITIVE
    )
    warmup: int = option("Steps in which the learning rate rises from 0.", 0, _NOT_NEGATIVE)
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt"] = option(
        "How the learning rate goes on, to the last step.", "constant"
    )
    optimiser: OptimiserName = option("AdamW, or with states of 8 bits.", "adamw")
    betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = option("Gradients are scaled down to this norm.", 1.0, POSITIVE)
    micro_batch: int = option("Sequences per forward pass of an update.", 8, POSITIVE)
    generation_batch: int | None = option("Replies generated together. Default: micro_batch.", limit=POSITIVE)
    lora_rank: int = option("Train adapters of this rank; 0 trains all weights.", 0, _NOT_NEGATIVE)
    lora_alpha: int | None = option("Scale of the adapters, times the rank. Default: the rank.", limit=POSITIVE)
    train_part: Part = option("The part that is trained; without vision, each image is looked at once a step.", "both")
    gradient_checkpointing: bool = option("Compute each layer twice to need far less memory.", False)
    attention: Literal["eager", "sdpa", "flash_attention_2"] | None = option("Default: sdpa, where the model has it.")
    dtype: str | None = option("Such as bfloat16. Default: that on a GPU, else float32.")
    device: str | None = option("Such as cuda:0. Default: the first GPU, else the CPU.")
    rl_share: float | None = option("Share of the images for RL; SFT with the same share takes the rest. Default: all.")
    strict_reading: bool = option("Whether rewards require an answer without text around it.", True)
    checkpoint_every: int = option("Steps between checkpoints.", 50, POSITIVE)
    tracker: Literal["wandb"] | None = option("Show metrics there, in addition to TensorBoard.")
    keep_checkpoints: int = option("Checkpoints that stay; older ones are removed.", 2, POSITIVE)

    _rates: ClassVar[tuple[float, float]] = (1e-6, 1e-5)
    """The learning rates of all weights and of adapters, unless another is given. Schulman et al., LoRA Without Regret
    (2025), found one 10 times as high best for adapters, in fine-tuning and reinforcement learning alike."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in self.adapted().items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

    def adapted(self) -> dict[str, Any]:
        """The defaults that depend on what is trained."""
        return {"learning_rate": self._rates[self.lora_rank > 0], "lora_alpha": self.lora_rank or 32}

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
    turn_cost: float | None = option("Weight of a bonus for few turns.")
    mask_cut_off: bool = option("Rollouts that a limit cut off teach nothing, instead of being wrong.", False)
    branching: bool = option("Fork rollouts where the policy is unsure of a box, as MedVR does.", False)
    rollouts: Literal["transformers", "vllm"] = option(
        "What samples: vllm is faster, and its ratio is capped, at 2 unless --ratio-cap says it.", "transformers"
    )
    vllm_memory: float = option("Share of the GPU's memory for --rollouts vllm.", 0.4, _SHARE)
    curriculum: bool = option("Draw questions that are neither always nor never answered right, of late.", False)
    drop_blind: bool = option("First drop questions that the model answers without the image.", False)
    redraws: int = option(
        "Times that questions whose rollouts have equal rewards are replaced by others.", 0, _NOT_NEGATIVE
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mode", str(self.mode))  # a `Mode` will do, too
        if self.rollouts == "vllm" and self.branching:
            raise ConfigError("--rollouts vllm tells no entropies, by which branching forks: leave out one of them")
        if self.rollouts == "vllm":
            object.__setattr__(self, "max_images", self.max_images or 16)  # for which vLLM reserves memory
            object.__setattr__(self, "algorithm", capped(self.algorithm))
        rollout_episode(find_mode(self.mode), self.max_turns)  # a mistake shows now

    @property
    def rollouts_per_step(self) -> int:
        """Of all questions."""
        return self.prompts_per_step * self.algorithm.group_size

    def episode(self) -> EpisodeConfig:
        """The mode and limits of the episodes.

        Raises:
            ConfigError: a vocabulary is not spoken in this mode.
        """
        if self.vocabulary not in (None, OWN) and self.mode not in (Mode.AGENT.name, Mode.DIRECT.name):
            raise ConfigError(f"mode must be agent or direct with a vocabulary; got {self.mode}")
        return rollout_episode(find_mode(self.mode), self.max_turns)

    def record(self) -> dict[str, Any]:
        name = self.reward or "answer"
        name += f", tightness {self.tightness}" if self.tightness is not None else ""
        name += f", 0 over {self.max_area} of the image" if self.max_area is not None else ""
        name += f", turn cost {self.turn_cost}" if self.turn_cost is not None else ""
        record = {**super().record(), "own_reward": self.reward, "reward": name}
        if not self.mask_cut_off:  # as in the manifests of runs from before it existed
            del record["mask_cut_off"]
        return record

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        algorithm = AlgorithmConfig(**record["algorithm"])
        return super().from_record({**record, "algorithm": algorithm, "reward": record["own_reward"]})


@dataclass(frozen=True, kw_only=True)
class SftSettings(RunSettings):
    """Settings of supervised fine-tuning."""

    prompts_per_step: int = option("Questions per update.", 16, POSITIVE)
    targets: Literal["gold", "distilled", "glance"] = option(
        "The right answers; the model's own episodes that led to them; or the answers of these, at a glance.", "gold"
    )
    attempts: int = option("Rollouts per question, of which distilled targets keep one.", 4, POSITIVE)
    _rates: ClassVar[tuple[float, float]] = (1e-5, 1e-4)
