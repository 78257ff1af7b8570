"""Fine-tune a policy with the full image in sight: python -m rl.train_sft DATA --model RUN/step-000200 --out RUN2

The second stage of the method (arXiv 2602.23615); its questions must be others than those of the first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from hart_agent.errors import InstallError
from rl.commands import ApartOption, DataArgument, ModelOption, OutOption, StepProgress, load, run_command
from rl.settings import SftSettings


class Targets(StrEnum):
    GOLD = "gold"
    DISTILLED = "distilled"


def train(
    data: DataArgument,
    model: ModelOption,
    out: OutOption,
    targets: Annotated[
        Targets, typer.Option(help="The right answers, or the model's own verified ways to them.")
    ] = Targets.GOLD,
    attempts: Annotated[int, typer.Option(min=1, help="Rollouts of a question, of which one is kept.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Updates.")] = 200,
    prompts_per_step: Annotated[int, typer.Option(min=1, help="Questions of a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW.")] = 1e-5,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of one reply.")] = 512,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="Of one view.")] = None,
    micro_batch: Annotated[int, typer.Option(min=1, help="Sequences in one pass through the model.")] = 8,
    lora_rank: Annotated[int, typer.Option(min=0, help="Train adapters of this rank; 0 trains all weights.")] = 0,
    dtype: Annotated[str | None, typer.Option(help="Such as bfloat16.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda:0.")] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn by chance.")] = 0,
    apart_from: ApartOption = None,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 50,
) -> None:
    """Fine-tune a policy on questions with answers, the full image in sight.

    Each checkpoint opens with: hart-agent ask IMAGE QUESTION --backend transformers --model RUN/step-000200
    """
    samples = load(data, apart_from)
    settings = SftSettings(
        model=model, steps=steps, prompts_per_step=prompts_per_step, learning_rate=learning_rate,
        max_tokens=max_tokens, max_pixels=max_pixels, micro_batch=micro_batch, lora_rank=lora_rank, dtype=dtype,
        device=device, seed=seed, checkpoint_every=checkpoint_every, targets=targets.value, attempts=attempts,
    )  # fmt: skip
    try:
        from rl.sft import SftTrainer
    except ImportError as error:
        raise InstallError(
            f"training needs torch and transformers ({error}). Run: pip install 'hart-agent[train]'"
        ) from error
    trainer = SftTrainer(settings, samples, out)
    with StepProgress(steps) as progress:
        checkpoint = trainer.train(progress.show)
    print(checkpoint)


if __name__ == "__main__":
    run_command(train)
