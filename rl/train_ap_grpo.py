"""Train a policy with AP-GRPO (arXiv 2602.23615), MGPO (arXiv 2507.05920) or GRPO: python -m rl.train_ap_grpo --help"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Literal

import typer

from hart_agent.agent.modes import Mode, find_mode
from hart_agent.backends.options import option
from rl.command_line import RunOptions, check_engine, run_command, train_with_progress
from rl.config import AGENT_TURNS, TrainSettings
from rl.openrlhf.flags import flags_of
from rl.openrlhf.launch import check_versions, installed_version, train_on_openrlhf
from rl.rewards import reward_of
from rl.training.planning import GPUS, estimate
from rl.training.sizes import model_shape

_log = logging.getLogger("rl.train_ap_grpo")  # also when it is run as __main__

_Engine = Literal["auto", "local", "openrlhf"]
_Algorithm = Literal["ap-grpo", "mgpo", "grpo", "medvr"]
_MODES = {"ap-grpo": Mode.CLOSED_LOOP.name, "mgpo": Mode.MGPO.name, "grpo": Mode.DIRECT.name, "medvr": Mode.AGENT.name}


def train(
    context: typer.Context,
    run: RunOptions,
    settings: TrainSettings,
    algorithm: _Algorithm = option("Sets the mode and k.", default="ap-grpo"),
    mode: str | None = option("Mode of the episodes. Default: the algorithm's."),
    max_turns: int | None = option("Turns per episode. Default: 2, in mode agent 6."),
    engine: _Engine = option("auto: openrlhf if it and CUDA are available, else local.", default="auto"),
    dry_run: bool = option("Show three rollouts and which of their tokens carry loss, then stop.", default=False),
    plan: bool = option("Estimate memory and time, then stop: of OpenRLHF, unless --engine local.", default=False),
    plan_gpu: Literal["h100", "h200", "a100"] = option("Of 80, 141 and 80 GB.", default="h100"),
) -> None:
    """Train a policy on questions with answers; no boxes are needed.

    Algorithms: ap-grpo answers from its crops alone; mgpo with crops and overview in sight, k = 0; grpo from the
    overview, k = 0; medvr as an agent, k = 0, with its reward and its branching. Flags with a dot, after all others,
    are passed on to OpenRLHF (see docs/openrlhf.md).

    Each checkpoint opens with: hart-agent ask IMAGE QUESTION --backend transformers --model RUN/step-000200
    """
    chosen = mode or _MODES[algorithm]
    turns = (AGENT_TURNS if find_mode(chosen).can_look_again else 2) if max_turns is None else max_turns
    formula = settings.algorithm if algorithm == "ap-grpo" else replace(settings.algorithm, k=0.0)
    settings = replace(settings, mode=chosen, max_turns=turns, algorithm=formula)
    if algorithm == "medvr":
        settings = replace(settings, reward=settings.reward or "rl.rewards.medvr:reward", branching=True)
    reward_of(settings)  # a mistake shows before anything starts
    settings.episode()
    validated = run.validation is not None
    if plan:
        check_engine(engine, settings, context.obj)
        flags = None if engine == "local" else flags_of(run.out, settings, context.obj, validated=validated)
        print("\n".join(estimate(model_shape(settings.model), settings, flags, GPUS[plan_gpu]).lines()))
        return
    if engine == "auto":
        engine = "openrlhf" if installed_version("openrlhf") and _finds_gpu() else "local"
        _log.info("engine: %s", engine if engine == "openrlhf" else "local (one machine)")
    manifest, samples, held_out = run.prepare(settings, engine, context.obj)
    from rl.local.dry_run import show_rollouts
    from rl.local.initial import InitialPolicy, filter_blind
    from rl.local.trainer import Trainer

    if engine == "local":
        settings = replace(settings, tracker=None) if dry_run else settings
        trainer = Trainer(settings, samples, None, run.out, held_out)
        if dry_run:
            show_rollouts(trainer, run.out)
        else:
            print(train_with_progress(trainer))
        return
    flags = flags_of(manifest.out, manifest.settings, context.obj, validated=validated)
    if dry_run:  # what OpenRLHF would roll out, on one GPU
        show_rollouts(InitialPolicy(settings, samples), run.out)
        return
    check_versions()
    if settings.drop_blind:
        samples = filter_blind(settings, samples, run.out)
    print(train_on_openrlhf(manifest, samples, flags, held_out, run.validation))


def _finds_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


if __name__ == "__main__":
    run_command(train)
