"""Fine-tune a policy with the full image in sight: python -m rl.train_sft DATA --model RUN/step-000200 --out RUN2

The second stage of the method (arXiv 2602.23615); its questions must be others than those of the first.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from hart_agent.errors import ConfigError
from rl import options
from rl.commands import StepProgress, load, needs_torch, run_command
from rl.openrlhf.command import parse_flags, split_flags
from rl.openrlhf.launch import fine_tune_on_openrlhf
from rl.settings import SftSettings


class Engine(StrEnum):
    LOCAL = "local"
    OPENRLHF = "openrlhf"


class Targets(StrEnum):
    GOLD = "gold"
    DISTILLED = "distilled"


def train(
    context: typer.Context,
    data: options.Data,
    model: options.Model,
    out: options.Out,
    targets: Annotated[
        Targets, typer.Option(help="The right answers, or the model's own verified ways to them.")
    ] = Targets.GOLD,
    attempts: Annotated[int, typer.Option(min=1, help="Rollouts of a question, of which one is kept.")] = 4,
    steps: options.Steps = 200,
    prompts_per_step: options.PromptsPerStep = 16,
    learning_rate: options.LearningRate = 1e-5,
    max_tokens: options.MaxTokens = 512,
    max_pixels: options.MaxPixels = None,
    micro_batch: options.MicroBatch = 8,
    lora_rank: options.LoraRank = 0,
    dtype: options.Dtype = None,
    device: options.Device = None,
    seed: options.Seed = 0,
    apart_from: options.ApartFrom = None,
    rl_share: options.RlShare = None,
    validation: options.Validation = None,
    checkpoint_every: options.CheckpointEvery = 50,
    engine: Annotated[
        Engine, typer.Option(help="On one device, or with OpenRLHF's stack on several GPUs.")
    ] = Engine.LOCAL,
    gpus: Annotated[int, typer.Option(min=1, help="Of the engine openrlhf.")] = 1,
) -> None:
    """Fine-tune a policy on questions with answers, the full image in sight.

    Each checkpoint opens with: hart-agent ask IMAGE QUESTION --backend transformers --model RUN/step-000200
    """
    samples, held_out = load(data, apart_from, validation, rl_share, supervised=True)
    settings = SftSettings(
        model=model, steps=steps, prompts_per_step=prompts_per_step, learning_rate=learning_rate,
        max_tokens=max_tokens, max_pixels=max_pixels, micro_batch=micro_batch, lora_rank=lora_rank, dtype=dtype,
        device=device, seed=seed, rl_share=rl_share, checkpoint_every=checkpoint_every, targets=targets.value,
        attempts=attempts,
    )  # fmt: skip
    if engine is Engine.OPENRLHF:
        if held_out:
            raise ConfigError("--validation is of the engine local: add --engine local")
        print(fine_tune_on_openrlhf(settings, samples, data.absolute(), out.absolute(), gpus, context.obj))
        return
    if context.obj:
        raise ConfigError(f"--{next(iter(context.obj))} is a flag of the engine openrlhf")
    with needs_torch():
        from rl.sft import SftTrainer
    trainer = SftTrainer(settings, samples, out, held_out)
    with StepProgress(steps) as progress:
        checkpoint = trainer.train(progress.show)
    print(checkpoint)


if __name__ == "__main__":
    own, flags = split_flags(sys.argv[1:])
    run_command(train, own, passed_on=lambda: parse_flags(flags))
