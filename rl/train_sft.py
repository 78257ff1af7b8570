"""Fine-tune a policy with the full image in sight: python -m rl.train_sft DATA --model RUN/step-000200 --out RUN2

The second stage of the method (arXiv 2602.23615); its questions must differ from those of the first.
"""

from __future__ import annotations

from typing import Literal

import typer

from hart_agent.backends.options import option
from rl.command_line import RunOptions, run_command, train_with_progress
from rl.config import SftSettings
from rl.openrlhf.flags import sft_flags
from rl.openrlhf.launch import check_versions, fine_tune_on_openrlhf


def train(
    context: typer.Context,
    run: RunOptions,
    settings: SftSettings,
    engine: Literal["local", "openrlhf"] = option("One device, or several GPUs.", default="local"),
    gpus: int = option("GPUs of the engine openrlhf.", default=1, minimum=1),
) -> None:
    """Fine-tune a policy on questions with answers, the full image in sight.

    Each checkpoint opens with: hart-agent ask IMAGE QUESTION --backend transformers --model RUN/step-000200
    """
    manifest, samples, held_out = run.prepare(settings, engine, context.obj)
    if engine == "openrlhf":
        flags = sft_flags(settings, gpus, context.obj, run.validation)
        check_versions()
        if settings.targets != "gold":
            from rl.local.initial import distil

            distil(settings, samples, manifest.out)
        print(fine_tune_on_openrlhf(manifest, gpus, flags))
        return
    from rl.local.sft import SftTrainer

    print(train_with_progress(SftTrainer(settings, samples, run.out, held_out)))


if __name__ == "__main__":
    run_command(train)
