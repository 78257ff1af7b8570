"""The flags of OpenRLHF that train as a run's settings say. Nothing of OpenRLHF is needed to write them."""

from __future__ import annotations

import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

from hart_agent.errors import ConfigError
from rl.config import TrainSettings

Flag: TypeAlias = "str | int | float | bool | list[str | int | float]"

PROMPTS, CHECKPOINTS = "prompts.jsonl", "openrlhf"
"""In the run's folder: what OpenRLHF takes for data, and its own checkpoints."""
DTYPES = {"bfloat16": "bf16", "float16": "fp16"}
KNOWN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def split_flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line in two: our arguments, and the flags of OpenRLHF with their values, which follow all others."""
    for index, argument in enumerate(arguments):
        if argument.startswith("--") and "." in argument.partition("=")[0]:
            return list(arguments[:index]), list(arguments[index:])
    return list(arguments), []


def parse_flags(arguments: Sequence[str]) -> dict[str, Flag]:
    """Flags of OpenRLHF from a command line: each --section.name, followed by its values.

    Raises:
        ConfigError: an argument is not such a flag.
    """
    flags: dict[str, Flag] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name, given, value = argument[2:].partition("=")
            flags[name] = value if given else True
        else:
            values = flags.get(name, True)
            flags[name] = (
                argument if values is True else [*(values if isinstance(values, list) else [values]), argument]
            )
        if "." not in name:
            raise ConfigError(f"{argument} has no dot: our own options stand before OpenRLHF's flags")
    return flags


def check_flags(flags: Mapping[str, Flag]) -> None:
    """Check that flags passed on to OpenRLHF don't undo what AP-GRPO needs.

    Raises:
        ConfigError: one does.
    """
    options = {name: f"--{path.rpartition('.')[2].replace('_', '-')}" for name, path in KNOWN["settings"].items()}
    instead = dict.fromkeys(KNOWN["fixed"], "") | options | KNOWN["computed"]
    for name in flags:
        if name in instead:
            reason = f": use {instead[name]}" if instead[name] else ", and always the same"
            raise ConfigError(f"--{name} is set by this program{reason}")
        if name in KNOWN["refused"]:
            raise ConfigError(f"--{name} can't be used here: {KNOWN['refused'][name]}")


def flags_of(out: Path, settings: TrainSettings, passed_on: Mapping[str, Flag]) -> dict[str, Flag]:
    """All flags of OpenRLHF for a run.

    Args:
        out: the run's folder.
        settings: of the run.
        passed_on: by name, such as {"vllm.num_engines": 8}; they override our defaults.

    Raises:
        ConfigError: one of those passed on can't be used, or the numbers don't go together.
    """
    check_flags(passed_on)
    if (dtype := settings.dtype or "bfloat16") not in DTYPES:
        raise ConfigError(f"the engine openrlhf trains in bfloat16 or float16, not in {dtype}")
    if settings.lora_rank:
        raise ConfigError(
            "OpenRLHF can't hand adapters to vLLM: train all weights, on one GPU with --ds.adam_offload and "
            "--actor.freeze_visual_encoder, or choose --engine local"
        )
    rollouts = settings.prompts_per_step * settings.algorithm.group_size
    from_settings = {**KNOWN["default_settings"], **KNOWN["settings"]}
    flags: dict[str, Flag] = {
        **KNOWN["defaults"],
        **KNOWN["fixed"],
        **{name: attrgetter(path)(settings) for name, path in from_settings.items()},
        "train.agent_func_path": str(Path(__file__).with_name("executor.py")),
        "data.prompt_dataset": str(out / PROMPTS),
        "train.batch_size": rollouts,
        "train.num_episodes": 1,
        "algo.kl.use_loss": settings.algorithm.beta > 0,
        "ds.param_dtype": DTYPES[dtype],
        "ckpt.path": str(out / CHECKPOINTS),
        "ckpt.output_dir": str(out),
        **passed_on,
    }
    flags.setdefault("ref.num_nodes", flags["actor.num_nodes"])
    flags.setdefault("ref.num_gpus_per_node", flags["actor.num_gpus_per_node"])
    colocated = flags.get("train.colocate_all") and not flags.get("train.async_enable")
    flags.setdefault("vllm.gpu_memory_utilization", 0.5 if colocated else 0.9)
    gpus = number(flags, "actor.num_nodes") * number(flags, "actor.num_gpus_per_node")
    share = number(flags, "train.micro_batch_size") * gpus
    if rollouts % share:
        raise ConfigError(
            f"the {rollouts} rollouts of a step (prompts_per_step x group_size) can't be shared by {gpus} GPUs in "
            f"micro-batches of {number(flags, 'train.micro_batch_size')}: {share} must divide them"
        )
    return flags


def number(flags: Mapping[str, Flag], name: str) -> int:
    """A flag that is a whole number.

    Raises:
        ConfigError: it is not.
    """
    try:
        return int(str(flags[name]))
    except ValueError as error:
        raise ConfigError(f"--{name} must be a whole number, got {flags[name]!r}") from error


def command_line(out: Path, flags: Mapping[str, Flag]) -> list[str]:
    """The command that trains, as a list of arguments."""
    return [sys.executable, "-m", "rl.openrlhf", str(out), *flag_arguments(flags)]


def flag_arguments(flags: Mapping[str, Flag]) -> list[str]:
    """Flags as arguments."""
    arguments: list[str] = []
    for name, value in flags.items():
        values = [] if value is True else value if isinstance(value, list | tuple) else [value]
        arguments += [] if value is False else [f"--{name}", *map(str, values)]
    return arguments


def shown(command: Sequence[str]) -> str:
    """A command as a shell takes it, one flag a line."""
    text = ""
    for word in command:
        text += (" \\\n  " if word.startswith("--") else " " if text else "") + shlex.quote(word)
    return text
