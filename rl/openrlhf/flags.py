"""The flags of OpenRLHF that train as a run's settings say. Nothing of OpenRLHF is needed to write them."""

from __future__ import annotations

import math
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

from hart_agent.backends.options import flag
from hart_agent.errors import ConfigError
from rl.config import SftSettings, TrainSettings
from rl.training.planning import gpus_of, number

Flag: TypeAlias = "str | int | float | bool | list[str | int | float]"

PROMPTS, VALIDATION, CHECKPOINTS = "prompts.jsonl", "validation.jsonl", "openrlhf"
"""In the run's folder: what OpenRLHF takes for data, and its own checkpoints."""
HELD_OUT = "eval.dataset"
"""The flag of validation questions; of fine-tuning it is ours."""
DTYPES = {"bfloat16": "bf16", "float16": "fp16"}
KNOWN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_REFUSED = {
    **{name: f"use {flag(path.rpartition('.')[2])}" for name, path in KNOWN["settings"].items()},
    **dict.fromkeys(KNOWN["fixed"], "it is always the same"),
    **KNOWN["refused"],
}


def split_flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line in two: our arguments, and the flags of OpenRLHF with their values, which follow all others."""
    flags = (argument.startswith("--") and "." in argument.partition("=")[0] for argument in arguments)
    first = [*flags, True].index(True)
    return list(arguments[:first]), list(arguments[first:])


def parse_flags(arguments: Sequence[str]) -> dict[str, Flag]:
    """Flags of OpenRLHF from a command line: each --section.name, followed by its values; a switch needs none.

    Raises:
        ConfigError: an argument is not such a flag.
    """
    flags: dict[str, list[str]] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name, given, value = argument[2:].partition("=")
            flags[name] = [value] if given else []
        else:
            flags.setdefault(name, []).append(argument)
        if "." not in name:
            raise ConfigError(f"{argument} has no dot: our own options stand before OpenRLHF's flags")
    switched = {"true": True, "false": False}
    return {
        name: switched.get(values[0], values[0]) if len(values) == 1 else [*values] or True
        for name, values in flags.items()
    }


def check_flags(flags: Mapping[str, Flag], *, supervised: bool = False) -> None:
    """Check that flags may be passed on to OpenRLHF, because they don't undo what AP-GRPO, or fine-tuning, needs.

    Raises:
        ConfigError: one may not, or it isn't of its kind.
    """
    known = KNOWN["sft" if supervised else "allowed"]
    for name, value in flags.items():
        if name in known:
            _check_kind(name, value, KNOWN["allowed"][name])
            continue
        reason = next((reason for pattern, reason in _REFUSED.items() if fnmatchcase(name, pattern)), None)
        if reason is not None:
            raise ConfigError(f"--{name} can't be used here: {reason}")
        near = get_close_matches(name, known, n=3) or sorted(known)
        whose = "of fine-tuning" if supervised else "that is passed on to OpenRLHF"
        raise ConfigError(f"--{name} is not a flag {whose}; there are: {', '.join(near)}")


def _check_kind(name: str, value: Flag, kind: str) -> None:
    try:
        if read := {"whole number": int, "number": float}.get(kind):
            fits = -math.inf <= read(str(value)) <= math.inf  # all but NaN
        else:
            fits = isinstance(value, bool) == (kind == "switch") and not (kind == "text" and isinstance(value, list))
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(f"--{name} must be a {kind}, got {value!r}")
    if name in KNOWN["counts"] and int(str(value)) < 1:
        raise ConfigError(f"--{name} must be 1 or more, got {value!r}")
    if name in KNOWN["shares"] and not 0 < float(str(value)) <= 1:
        raise ConfigError(f"--{name} must be over 0 and at most 1, got {value!r}")


def flags_of(
    out: Path, settings: TrainSettings, passed_on: Mapping[str, Flag], *, validated: bool = False
) -> dict[str, Flag]:
    """All flags of OpenRLHF for a run, with or without validation questions, in the folder `out`.

    Those passed on, by name, such as {"vllm.num_engines": 8}, override our defaults.

    Raises:
        ConfigError: one of those passed on can't be used, or the numbers don't go together.
    """
    check_flags(passed_on)
    if number(passed_on, "train.max_epochs") > 1 and settings.algorithm.clip is None:
        raise ConfigError("--train.max_epochs over 1 needs --clip: the ratio would leave 1 without a bound")
    from_settings = {**KNOWN["default_settings"], **KNOWN["settings"]}
    flags: dict[str, Flag] = {
        **KNOWN["defaults"],
        **KNOWN["fixed"],
        **{name: attrgetter(path)(settings) for name, path in from_settings.items()},
        "train.agent_func_path": str(Path(__file__).with_name("executor.py")),
        "data.prompt_dataset": str(out / PROMPTS),
        "algo.kl.use_loss": settings.algorithm.beta > 0,
        "ds.param_dtype": precision(settings.dtype),
        "ckpt.path": str(out / CHECKPOINTS),
        "ckpt.output_dir": str(out),
        **passed_on,
    }
    if validated:
        if flags.get("train.async_enable"):
            raise ConfigError(
                "--validation can't be used with --train.async_enable: measure checkpoints with hart-agent eval"
            )
        flags |= {**KNOWN["validation"], HELD_OUT: str(out / VALIDATION), "eval.steps": settings.checkpoint_every}
    colocated = flags.get("train.colocate_all") and not flags.get("train.async_enable")
    shared = {name: flags[name.replace("ref", "actor")] for name in ("ref.num_nodes", "ref.num_gpus_per_node")}
    flags = {**shared, "vllm.gpu_memory_utilization": 0.5 if colocated else 0.9, **flags}
    noun = "rollouts of a step (prompts_per_step x group_size)"
    _check_shares(settings.rollouts_per_step, noun, gpus_of(flags), number(flags, "train.micro_batch_size"))
    return flags


def sft_flags(
    settings: SftSettings, processes: int, passed_on: Mapping[str, Flag], validation: Path | None
) -> dict[str, Flag]:
    """All flags of fine-tuning by as many processes, with or without a file of validation questions.

    Raises:
        ConfigError: as for `flags_of`.
    """
    precision(settings.dtype)
    _check_shares(settings.prompts_per_step, "questions of a step", processes, settings.micro_batch)
    check_flags(passed_on, supervised=True)
    if validation is None:
        return dict(passed_on)
    if number({**KNOWN["sft"], **passed_on}, "ds.zero_stage") == 3:
        raise ConfigError("--validation needs --ds.zero_stage 2: with 3 no process has a whole model to ask")
    return {**passed_on, HELD_OUT: str(validation.absolute())}


def precision(dtype: str | None) -> str:
    """OpenRLHF's name of a type of weights; ConfigError if it has none."""
    if (name := DTYPES.get(dtype or "bfloat16")) is None:
        raise ConfigError(f"the engine openrlhf trains in {' or '.join(DTYPES)}, not in {dtype}")
    return name


def _check_shares(count: int, noun: str, gpus: int, micro_batch: int) -> None:
    if count % (share := gpus * micro_batch):
        raise ConfigError(
            f"{count} {noun} can't be shared by {gpus} GPUs in micro-batches of {micro_batch}: {share} must divide them"
        )


def command_line(out: Path, flags: Mapping[str, Flag], module: Sequence[str] = ("rl.openrlhf",)) -> list[str]:
    """The command that trains: a module with its own arguments, the run's folder, and flags."""
    command = [sys.executable, "-m", *module, str(out)]
    for name, value in flags.items():
        values = [] if value is True else value if isinstance(value, list | tuple) else [value]
        command += [] if value is False else [f"--{name}", *map(str, values)]
    return command


def shown(command: Sequence[str]) -> str:
    """A command as a shell takes it, one flag a line."""
    words = ((" \\\n  " if word.startswith("--") else " ") + shlex.quote(word) for word in command)
    return "".join(words).lstrip(" ")
