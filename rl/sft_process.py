"""One process of fine-tuning on OpenRLHF's stack: torchrun -m rl.sft_process RUN FLAGS. `rl.train_sft` writes this."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from hart_agent.cli.console.failure import reported_errors
from rl.config import SftSettings
from rl.data.rows import Rollout
from rl.local.model import PolicyModel
from rl.local.validation import validate
from rl.openrlhf.flags import KNOWN, parse_flags
from rl.openrlhf.launch import check_versions
from rl.openrlhf.sft import ImageSft
from rl.training.manifest import Manifest


def measure(run: ImageSft) -> dict[str, float]:
    """The metrics of validation on one machine, of questions that the processes share; each asks its own model."""
    settings, runtime, batch = run.settings, run.runtime, run.settings.micro_batch
    model = PolicyModel(settings.model, module=run.module, max_batch=batch, **settings.model_options())
    return asyncio.run(validate(model, runtime, run.episode(), run.held_out, batch, gather=_of_all_processes))


def _of_all_processes(rollouts: Sequence[Rollout]) -> list[Rollout]:
    parts: list[list[Rollout]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(parts, [replace(each, segments=()) for each in rollouts])
    return [rollout for part in parts for rollout in part]


def _print_metrics(step: int, metrics: dict[str, float]) -> None:
    shown = (f"{name} {value:.4g}" for name, value in metrics.items() if name == "loss" or "validation/" in name)
    print(f"step {step}: {'  '.join(shown)}", file=sys.stderr, flush=True)


def main() -> None:
    out, *rest = sys.argv[1:]
    with reported_errors():
        check_versions()
        run = Manifest.load(Path(out), SftSettings)
        ImageSft(run, KNOWN["sft"] | parse_flags(rest), measure).train(_print_metrics)


if __name__ == "__main__":
    main()
