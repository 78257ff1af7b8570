"""Train a policy with AP-GRPO, or one of its baselines: python -m rl.train_ap_grpo DATA --model M --out RUN

ap-grpo   answers from its crops alone (arXiv 2602.23615)
mgpo      answers with crops and overview in sight (arXiv 2507.05920); k = 0
grpo      answers from the overview, without crops; k = 0

Flags with a dot, after all others, are passed on to OpenRLHF: --vllm.num_engines 8 (see docs/openrlhf.md).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Annotated, Literal

import typer

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from rl.command_line import ApartFrom, Data, Out, Validation, run_command
from rl.config import TrainSettings
from rl.data import load_questions
from rl.openrlhf.flags import flags_of
from rl.openrlhf.launch import available, train_on_openrlhf
from rl.openrlhf.plan import estimate, model_shape
from rl.progress import train_with_progress
from rl.rewards import reward_of

_log = logging.getLogger("rl.train_ap_grpo")  # also when it is run as __main__

_Engine = Literal["auto", "local", "openrlhf"]
_MODES = {"ap-grpo": Mode.CLOSED_LOOP.name, "mgpo": Mode.MGPO.name, "grpo": Mode.DIRECT.name}


def train(
    context: typer.Context,
    data: Data,
    out: Out,
    settings: TrainSettings,
    algorithm: Annotated[Literal["ap-grpo", "mgpo", "grpo"], typer.Option(help="Sets the mode and k.")] = "ap-grpo",
    mode: Annotated[str | None, typer.Option(help="Mode of the episodes. Default: the algorithm's.")] = None,
    max_turns: Annotated[int | None, typer.Option(help="Turns per episode. Default: 2, in mode agent 6.")] = None,
    apart_from: ApartFrom = None,
    validation: Validation = None,
    engine: Annotated[_Engine, typer.Option(help="auto: openrlhf if it and CUDA are available, else local.")] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show three rollouts and which of their tokens carry loss, then stop.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Estimate memory and time on OpenRLHF with H100s of 80 GB, then stop.")
    ] = False,
) -> None:
    """Train a policy on questions with answers; no boxes are needed.

    Algorithms: ap-grpo answers from its crops alone; mgpo with crops and overview in sight, k = 0; grpo from the
    overview, k = 0.

    Each checkpoint opens with: hart-agent ask IMAGE QUESTION --backend transformers --model RUN/step-000200
    """
    chosen = mode or _MODES[algorithm]
    turns = (6 if chosen == Mode.AGENT.name else 2) if max_turns is None else max_turns
    formula = settings.algorithm if algorithm == "ap-grpo" else replace(settings.algorithm, k=0.0)
    settings = replace(settings, mode=chosen, max_turns=turns, algorithm=formula)
    reward_of(settings)  # a mistake shows before anything starts
    if plan:
        flags = flags_of(out, settings, context.obj)
        print("\n".join(estimate(model_shape(settings.model), settings, flags).lines()))
        return
    samples, held_out = load_questions(data, apart_from, validation, settings.rl_share, supervised=False)
    if engine == "auto":
        engine = "openrlhf" if available() else "local"
        _log.info("engine: %s", engine if engine == "openrlhf" else "local (one machine)")
    if engine == "openrlhf":
        if settings.drop_blind or dry_run or settings.device or held_out:
            raise ConfigError(
                "--drop-blind, --dry-run, --device and --validation are of the engine local: add --engine local"
            )
        print(train_on_openrlhf(settings, samples, data.absolute(), out.absolute(), context.obj))
        return
    if context.obj:
        raise ConfigError(f"--{next(iter(context.obj))} is a flag of OpenRLHF: add --engine openrlhf")
    from rl.local.dry_run import show_rollouts
    from rl.local.trainer import Trainer

    trainer = Trainer(settings, samples, None, out, held_out)
    if dry_run:
        show_rollouts(trainer, out)
    else:
        print(train_with_progress(trainer))


if __name__ == "__main__":
    run_command(train)
