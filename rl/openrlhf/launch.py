"""Starts OpenRLHF for a run, and says how it ended."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from hart_agent.errors import ConfigError, PolicyError
from hart_agent.store.files import renew_settings, write_whole
from rl.data import Sample, check_count, fingerprint
from rl.openrlhf.command import COMMAND, DTYPES, Flag, command_line, flag_words, flags_of, shown, write_run
from rl.openrlhf.run import OpenRLHFRun
from rl.openrlhf.versions import check_versions, installed_version
from rl.settings import SftSettings

_log = logging.getLogger(__name__)

SFT_FLAGS: dict[str, Flag] = {
    "ds.zero_stage": 2,
    "ds.adam_offload": False,
    "ds.attn_implementation": "flash_attention_2",
    "actor.freeze_visual_encoder": False,
    "actor.gradient_checkpointing_enable": False,
}
"""Of fine-tuning, with their defaults."""


def available() -> bool:
    """Whether OpenRLHF and a CUDA device are here."""
    if installed_version("openrlhf") is None:
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
    from rl.run import draw

    settings = run.settings
    check_count(samples, settings.prompts_per_step)
    command = command_line(run.out, flags_of(run, passed_on))
    asked = [
        sample
        for step in range(settings.steps)
        for sample in draw(samples, settings.prompts_per_step, step, settings.seed)
    ]
    write_run(replace(run, questions=fingerprint(samples)), [(sample.id, sample.question) for sample in asked], command)
    return _run(command, run.out, settings.steps)


def fine_tune_on_openrlhf(
    settings: SftSettings,
    samples: Sequence[Sample],
    data: Path,
    out: Path,
    processes: int,
    passed_on: Mapping[str, Flag],
) -> Path:
    """Fine-tune; a run that was stopped goes on from its last checkpoint.

    Args:
        settings: of the run; its targets are "gold".
        samples: its questions.
        data: their file.
        out: the run's folder.
        processes: as many GPUs of this machine.
        passed_on: of `SFT_FLAGS`.

    Returns:
        The folder of the last checkpoint.

    Raises:
        ConfigError: the settings can't be used, or versions weren't tested.
        InstallError: a package is missing.
        OutputError: the run's folder can't be written.
        PolicyError: it failed; what it printed says why.
    """
    check_versions()
    from rl.run import SETTINGS

    if settings.targets != "gold" or settings.lora_rank or settings.device or settings.dtype not in (None, *DTYPES):
        raise ConfigError(
            "on the engine openrlhf all weights are fine-tuned on gold answers in bfloat16 or float16: leave out "
            "--targets, --lora-rank and --device, or choose --engine local"
        )
    if settings.prompts_per_step % (processes * settings.micro_batch):
        raise ConfigError(
            f"the {settings.prompts_per_step} questions of a step can't be shared by {processes} GPUs in micro-batches "
            f"of {settings.micro_batch}"
        )
    if unknown := passed_on.keys() - SFT_FLAGS.keys():
        raise ConfigError(f"--{min(unknown)} is no flag of fine-tuning; there are: {', '.join(SFT_FLAGS)}")
    out.mkdir(parents=True, exist_ok=True)
    told = {"engine": "openrlhf", "data": str(data), "questions": fingerprint(samples), **asdict(settings)}
    renew_settings(out / SETTINGS, told, may_differ={"steps", "checkpoint_every"})
    started = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*started, "-m", "rl.openrlhf.sft", str(out), *flag_words(passed_on)]
    write_whole(out / COMMAND, "#!/bin/sh\nexec " + shown(command) + "\n")
    return _run(command, out, settings.steps)


def _run(command: Sequence[str], out: Path, steps: int) -> Path:
    """Run a command that trains. Returns its last checkpoint.

    Raises:
        PolicyError: it failed.
    """
    from rl.checkpoints import checkpoints

    print(shown(command), file=sys.stderr)
    found = checkpoints(out)
    if found and found[-1].name == f"step-{steps:06d}":
        _log.info("the run is at its end")
        return found[-1]
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    found = checkpoints(out)
    if code:
        last = f"it goes on from {found[-1].name}" if found else "no checkpoint was written yet, it starts anew"
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise PolicyError(f"OpenRLHF {ended}: the first error above says why. Run the same command again; {last}.")
    return found[-1]
