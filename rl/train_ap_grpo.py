"""Train a policy with AP-GRPO, or one of its baselines: python -m rl.train_ap_grpo DATA --model M --out RUN

ap-grpo   answers from its crops alone (arXiv 2602.23615)
mgpo      answers with crops and overview in sight (arXiv 2507.05920); k = 0
grpo      answers from the overview, without crops; k = 0

Flags with a dot, behind all else, are passed on to OpenRLHF: --vllm.num_engines 8 (see docs/openrlhf.md).
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from rl import options
from rl.commands import StepProgress, load, needs_torch, run_command
from rl.config import AlgorithmConfig
from rl.config_file import read_config
from rl.openrlhf.command import flags_of, parse_flags, split_flags
from rl.openrlhf.launch import available, train_on_openrlhf
from rl.openrlhf.run import OpenRLHFRun
from rl.plan import estimate, model_shape
from rl.rewards import AreaGuard, CustomReward, Reward, TightnessBonus, choose_reward
from rl.settings import TrainSettings

_log = logging.getLogger("rl.train_ap_grpo")  # whatever its __name__ when it is run


class Algorithm(StrEnum):
    AP_GRPO = "ap-grpo"
    MGPO = "mgpo"
    GRPO = "grpo"


class Aggregation(StrEnum):
    SEQUENCE = "sequence"
    TOKEN = "token"


class Engine(StrEnum):
    AUTO = "auto"
    LOCAL = "local"
    OPENRLHF = "openrlhf"


_MODES = {Algorithm.AP_GRPO: Mode.CLOSED_LOOP, Algorithm.MGPO: Mode.MGPO, Algorithm.GRPO: Mode.DIRECT}


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take a file's options for defaults, and its flags of OpenRLHF where the command line has none."""
    if path is not None:
        own = {parameter.name for parameter in context.command.params if parameter.name} - {"config"}
        context.default_map, flags = read_config(path, own)
        context.obj = {**flags, **(context.obj or {})}
    return path


def train(
    context: typer.Context,
    data: options.Data,
    model: options.Model,
    out: options.Out,
    algorithm: Annotated[Algorithm, typer.Option(help="Which one.")] = Algorithm.AP_GRPO,
    engine: Annotated[Engine, typer.Option(help="OpenRLHF where it and CUDA are, else this machine.")] = Engine.AUTO,
    k: Annotated[float, typer.Option(help="Preference for right answers; 0 is GRPO. Only of ap-grpo.")] = 0.6,
    beta: Annotated[float, typer.Option(min=0, help="Weight of the KL to the first model.")] = 0.02,
    group_size: Annotated[int, typer.Option(min=2, help="Rollouts of each question.")] = 8,
    aggregation: Annotated[
        Aggregation, typer.Option(help="Whether each rollout or each token counts the same.")
    ] = Aggregation.SEQUENCE,
    clip: Annotated[float | None, typer.Option(help="Clip the ratio; by default, as in the paper, not.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="Of the episodes, instead of the algorithm's own.")] = None,
    max_turns: Annotated[int | None, typer.Option(min=1, help="Of an episode; by default 2, in mode agent 6.")] = None,
    steps: options.Steps = 200,
    prompts_per_step: options.PromptsPerStep = 8,
    learning_rate: options.LearningRate = 1e-6,
    temperature: Annotated[float, typer.Option(help="Of sampling.")] = 1.0,
    max_tokens: options.MaxTokens = 512,
    max_pixels: options.MaxPixels = None,
    micro_batch: options.MicroBatch = 8,
    lora_rank: options.LoraRank = 0,
    dtype: options.Dtype = None,
    device: options.Device = None,
    seed: options.Seed = 0,
    reward: Annotated[str | None, typer.Option(help="module:function instead of: is the answer right?")] = None,
    max_area: Annotated[float | None, typer.Option(help="No reward for evidence over this share of the image.")] = None,
    tightness: Annotated[float | None, typer.Option(help="Weight of a bonus for little evidence.")] = None,
    drop_blind: Annotated[
        bool, typer.Option("--drop-blind", help="First drop questions that the model answers without the image.")
    ] = False,
    apart_from: options.ApartFrom = None,
    rl_share: options.RlShare = None,
    validation: options.Validation = None,
    checkpoint_every: options.CheckpointEvery = 50,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show three rollouts and which of their tokens carry loss, and stop.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Estimate memory and time on OpenRLHF with H100s of 80 GB, and stop.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(is_eager=True, callback=_read_config, help="YAML file of these options.")
    ] = None,
) -> None:
    """Train a policy on questions with answers; no boxes are needed.

    Each checkpoint opens with: hart-agent ask IMAGE QUESTION --backend transformers --model RUN/step-000200
    """
    passed_on: dict[str, Any] = context.obj or {}
    chosen = mode or _MODES[algorithm]
    rewarded = choose_reward(reward, max_area, tightness)
    settings = TrainSettings(
        model=model, steps=steps, prompts_per_step=prompts_per_step, learning_rate=learning_rate,
        temperature=temperature, max_tokens=max_tokens, max_pixels=max_pixels, micro_batch=micro_batch,
        lora_rank=lora_rank, dtype=dtype, device=device, seed=seed, rl_share=rl_share,
        checkpoint_every=checkpoint_every, mode=chosen, max_turns=max_turns or (6 if chosen == Mode.AGENT else 2),
        reward=_described(rewarded), drop_blind=drop_blind,
        algorithm=AlgorithmConfig(
            k=k if algorithm is Algorithm.AP_GRPO else 0.0, beta=beta, group_size=group_size, clip=clip,
            aggregation=aggregation.value,
        ),
    )  # fmt: skip
    run = OpenRLHFRun(
        out=out, data=data, settings=settings, reward=reward, max_area=max_area, tightness=tightness
    ).everywhere()
    if plan:
        flags = flags_of(run, passed_on)
        print("\n".join(estimate(model_shape(model), settings, flags).lines()))
        return
    samples, held_out = load(data, apart_from, validation, rl_share, supervised=False)
    if _choose_engine(engine) is Engine.OPENRLHF:
        if drop_blind or dry_run or device or held_out:
            raise ConfigError(
                "--drop-blind, --dry-run, --device and --validation are of the engine local: add --engine local"
            )
        print(train_on_openrlhf(run, samples, passed_on))
        return
    if passed_on:
        raise ConfigError(f"--{next(iter(passed_on))} is a flag of OpenRLHF: add --engine openrlhf")
    with needs_torch():
        from rl.dry_run import show_rollouts
        from rl.trainer import Trainer
    trainer = Trainer(settings, samples, rewarded, out, held_out)
    if dry_run:
        show_rollouts(trainer, out)
        return
    with StepProgress(steps) as progress:
        checkpoint = trainer.train(progress.show)
    print(checkpoint)


def _choose_engine(engine: Engine) -> Engine:
    """Which engine trains; said where nobody chose it."""
    if engine is Engine.AUTO:
        engine = Engine.OPENRLHF if available() else Engine.LOCAL
        _log.info("engine: %s", "openrlhf" if engine is Engine.OPENRLHF else "local (one machine)")
    return engine


def _described(reward: Reward) -> str:
    """The reward in words, for the record of the run."""
    if isinstance(reward, AreaGuard):
        return f"{_described(reward.reward)}, 0 over {reward.max_area} of the image"
    if isinstance(reward, TightnessBonus):
        return f"{_described(reward.reward)}, tightness {reward.weight}"
    return reward.name if isinstance(reward, CustomReward) else "answer"


if __name__ == "__main__":
    own, flags = split_flags(sys.argv[1:])
    run_command(train, own, passed_on=lambda: parse_flags(flags))
