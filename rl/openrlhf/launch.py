"""Starts OpenRLHF for a run, and says how it ended."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hart_agent.errors import ConfigError, PolicyError
from rl.data import Sample
from rl.openrlhf.command import Flag, command_line, flags_of, shown, write_run
from rl.openrlhf.run import OpenRLHFRun
from rl.openrlhf.versions import check_versions

_log = logging.getLogger(__name__)


def available() -> bool:
    """Whether OpenRLHF and a CUDA device are here."""
    if importlib.util.find_spec("openrlhf") is None or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def train_on_openrlhf(run: OpenRLHFRun, samples: Sequence[Sample], passed_on: Mapping[str, Flag]) -> Path:
    """Train; a run that was stopped goes on from its last checkpoint.

    Args:
        run: the run.
        samples: its questions.
        passed_on: flags of OpenRLHF.

    Returns:
        The folder of the last checkpoint.

    Raises:
        ConfigError: the settings can't be used, or versions weren't tested.
        InstallError: a package is missing.
        OutputError: the run's folder can't be written.
        PolicyError: OpenRLHF failed; what it printed says why.
    """
    check_versions()
    from rl.checkpoints import checkpoints
    from rl.run import draw

    settings = run.settings
    if len(samples) < settings.prompts_per_step:
        raise ConfigError(
            f"{settings.prompts_per_step} questions are asked in a step, but there are only {len(samples)}: lower "
            "prompts_per_step, or add questions"
        )
    command = command_line(run.out, flags_of(run, passed_on))
    asked = [
        sample
        for step in range(settings.steps)
        for sample in draw(samples, settings.prompts_per_step, step, settings.seed)
    ]
    write_run(run, [(sample.id, sample.question) for sample in asked], command)
    print(shown(command), file=sys.stderr)
    found = checkpoints(run.out)
    if found and found[-1].name == f"step-{settings.steps:06d}":
        _log.warning("the run is at its end")
        return found[-1]
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    found = checkpoints(run.out)
    if code:
        last = f"it goes on from {found[-1].name}" if found else "no checkpoint was written yet, it starts anew"
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise PolicyError(f"OpenRLHF {ended}: the first error above says why. Run the same command again; {last}.")
    return found[-1]
