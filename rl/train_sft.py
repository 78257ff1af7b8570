"""Fine-tune a policy with the full image in sight: python -m rl.train_sft DATA --model RUN/step-000200 --out RUN2

The second stage of the method (arXiv 2602.23615); its questions must differ from those of the first.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from hart_agent.errors import ConfigError
from rl.command_line import ApartFrom, Data, Out, Validation, run_command
from rl.config import SftSettings
from rl.data import load_questions
from rl.openrlhf.launch import fine_tune_on_openrlhf
from rl.progress import train_with_progress


def train(
    context: typer.Context,
    data: Data,
    out: Out,
    settings: SftSettings,
    apart_from: ApartFrom = None,
    validation: Validation = None,
    engine: Annotated[Literal["local", "openrlhf"], typer.Option(help="One device, or several GPUs.")] = "local",
    gpus: Annotated[int, typer.Option(min=1, help="GPUs of the engine openrlhf.")] = 1,
) -> None:
    """Fine-tune a policy on questions with answers, the full image in sight.

    Each checkpoint opens with: hart-agent ask IMAGE QUESTION --backend transformers --model RUN/step-000200
    """
    samples, held_out = load_questions(data, apart_from, validation, settings.rl_share, supervised=True)
    if engine == "openrlhf":
        if held_out:
            raise ConfigError("--validation is of the engine local: add --engine local")
        print(fine_tune_on_openrlhf(settings, samples, data.absolute(), out.absolute(), gpus, context.obj))
        return
    if context.obj:
        raise ConfigError(f"--{next(iter(context.obj))} is a flag of the engine openrlhf")
    from rl.local.sft import SftTrainer

    print(train_with_progress(SftTrainer(settings, samples, out, held_out)))


if __name__ == "__main__":
    run_command(train)
