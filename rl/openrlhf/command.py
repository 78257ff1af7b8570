"""The command of OpenRLHF that trains as a run's settings say. Nothing of OpenRLHF is needed to write it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from hart_agent.errors import ConfigError
from hart_agent.store.files import write_whole
from rl.openrlhf.run import OpenRLHFRun

PROMPTS, COMMAND, CHECKPOINTS = "prompts.jsonl", "command.sh", "openrlhf"
"""In the run's folder: what OpenRLHF takes for data, the command, and its own checkpoints."""

MAX_IMAGES = 16
MAX_LENGTH = 8192
"""Tokens of a rollout, all turns together, unless `--data.max_len` says otherwise."""

Flag: TypeAlias = "str | int | float | bool | list[str | int | float]"

_OURS = {
    "actor.model_name_or_path": "--model", "data.prompt_dataset": "the questions", "train.agent_func_path": "",
    "rollout.n_samples_per_prompt": "--group-size", "rollout.batch_size": "--prompts-per-step",
    "rollout.temperature": "--temperature", "train.batch_size": "--prompts-per-step and --group-size",
    "algo.kl.init_coef": "--beta", "actor.adam.lr": "--learning-rate", "train.seed": "--seed",
    "actor.eps_clip": "--clip", "actor.eps_clip_low_high": "--clip", "ckpt.output_dir": "--out", "ckpt.path": "--out",
    "ckpt.save_steps": "--checkpoint-every", "data.input_key": "", "data.label_key": "", "data.image_key": "",
    "algo.advantage.estimator": "", "algo.kl.use_loss": "", "algo.kl.estimator": "", "train.num_episodes": "--steps",
    "rollout.max_new_tokens": "--max-tokens", "ds.param_dtype": "--dtype", "ds.lora.rank": "--lora-rank",
}  # fmt: skip
"""Flags that our own options set."""

_UNFIT = {
    "algo.advantage.is_correction_level": "the ratio of AP-GRPO is not corrected",
    "algo.kl.target": "mu2 is made of a fixed beta",
    "algo.kl.unbiased_gradient": "the KL term is that of rl.ap_grpo",
    "algo.dynamic_filtering_enable": "groups of equal rewards still carry the KL term",
    "actor.dual_clip": "the loss is that of rl.ap_grpo",
    "actor.policy_loss_type": "the loss is that of rl.ap_grpo",
    "actor.loss_agg_mode": "the loss is that of rl.ap_grpo",
    "reward.overlong_buffer_len": "weights are made of raw rewards",
    "reward.stop_properly_penalty_coef": "weights are made of raw rewards",
    "reward.clip_range": "weights are made of raw rewards",
    "reward.remote_url": "the reward is chosen with --reward",
    "ds.packing_samples": "OpenRLHF can't pack images",
    "train.dynamic_batch_enable": "OpenRLHF can't pack images",
    "ds.ring_attn_size": "OpenRLHF can't pack images",
    "train.enable_ema": "checkpoints are of the policy itself",
    "critic.model_name_or_path": "AP-GRPO has no critic",
    "eval.dataset": "hart-agent eval judges checkpoints",
}


def split_flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line in two: what is ours, and flags of OpenRLHF with their values. They stand behind all else."""
    for place, argument in enumerate(arguments):
        if argument.startswith("--") and "." in argument.partition("=")[0]:
            return list(arguments[:place]), list(arguments[place:])
    return list(arguments), []


def parse_flags(arguments: Sequence[str]) -> dict[str, Flag]:
    """Flags of OpenRLHF from a command line: each --section.name, with its values behind it.

    Raises:
        ConfigError: an argument is no such flag.
    """
    flags: dict[str, Flag] = {}
    name = None
    for argument in arguments:
        if argument.startswith("--"):
            name, given, value = argument[2:].partition("=")
            if "." not in name:
                raise ConfigError(f"{argument} has no dot: our own options stand before OpenRLHF's flags")
            flags[name] = value if given else True
        elif name is None:
            raise ConfigError(f"{argument!r} stands before any flag of OpenRLHF")
        else:
            before = flags[name]
            flags[name] = (
                argument if before is True else [*(before if isinstance(before, list) else [before]), argument]
            )
    return flags


def check_flags(flags: Mapping[str, Flag]) -> None:
    """Make sure that flags passed on to OpenRLHF don't undo what AP-GRPO needs.

    Raises:
        ConfigError: one does.
    """
    for name in flags:
        if name in _OURS:
            instead = f": use {_OURS[name]}" if _OURS[name] else ", and always the same"
            raise ConfigError(f"--{name} is set by this program{instead}")
        if name in _UNFIT:
            raise ConfigError(f"--{name} can't be used here: {_UNFIT[name]}")


def flags_of(run: OpenRLHFRun, passed_on: Mapping[str, Flag]) -> dict[str, Flag]:
    """All flags of OpenRLHF for a run.

    Args:
        run: the run.
        passed_on: by name, such as {"vllm.num_engines": 8}; they go before our defaults.

    Raises:
        ConfigError: one of those passed on can't be used, or the numbers don't go together.
    """
    check_flags(passed_on)
    settings, algorithm = run.settings, run.settings.algorithm
    rollouts = settings.prompts_per_step * algorithm.group_size
    chosen: dict[str, Flag] = {
        "actor.model_name_or_path": settings.model,
        "train.agent_func_path": str(Path(__file__).with_name("executor.py")),
        "data.prompt_dataset": str(run.out / PROMPTS),
        "data.input_key": "prompt",
        "data.label_key": "label",
        "rollout.batch_size": settings.prompts_per_step,
        "rollout.n_samples_per_prompt": algorithm.group_size,
        "rollout.temperature": settings.temperature,
        "train.batch_size": rollouts,
        "train.num_episodes": 1,
        "train.seed": settings.seed,
        "algo.advantage.estimator": "group_norm",
        "algo.kl.init_coef": algorithm.beta,
        "algo.kl.use_loss": algorithm.beta > 0,
        "algo.kl.estimator": "k3",
        "actor.adam.lr": settings.learning_rate,
        "actor.adam.betas": list(settings.betas),
        "actor.max_norm": settings.max_grad_norm,
        "ds.param_dtype": DTYPES.get(settings.dtype or "bfloat16", ""),
        "ckpt.path": str(run.out / CHECKPOINTS),
        "ckpt.output_dir": str(run.out),
        "ckpt.save_steps": settings.checkpoint_every,
        "ckpt.max_num": settings.keep_checkpoints,
        "ckpt.load_enable": True,
    }
    if not chosen["ds.param_dtype"]:
        raise ConfigError(f"the engine openrlhf trains in bfloat16 or float16, not in {settings.dtype}")
    if settings.lora_rank:
        raise ConfigError(
            "OpenRLHF can't hand adapters to vLLM: train all weights, on one GPU with --ds.adam_offload and "
            "--actor.freeze_visual_encoder, or choose --engine local"
        )
    flags = {
        **_DEFAULTS,
        "rollout.micro_batch_size": settings.micro_batch,
        "train.micro_batch_size": settings.micro_batch,
    }
    flags |= {**chosen, **passed_on}
    flags.setdefault("ref.num_nodes", flags["actor.num_nodes"])
    flags.setdefault("ref.num_gpus_per_node", flags["actor.num_gpus_per_node"])
    together = flags.get("train.colocate_all") and not flags.get("train.async_enable")
    flags.setdefault("vllm.gpu_memory_utilization", 0.5 if together else 0.9)
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
        ConfigError: it is none.
    """
    try:
        return int(str(flags[name]))
    except ValueError as error:
        raise ConfigError(f"--{name} must be a whole number, got {flags[name]!r}") from error


def command_line(out: Path, flags: Mapping[str, Flag]) -> list[str]:
    """The command, as a list of arguments."""
    return [sys.executable, "-m", "rl.openrlhf", str(out), *flag_words(flags)]


def flag_words(flags: Mapping[str, Flag]) -> list[str]:
    """Flags as arguments."""
    words: list[str] = []
    for name, value in flags.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not False:
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words


def write_run(run: OpenRLHFRun, questions: Sequence[tuple[str, str]], command: Sequence[str]) -> None:
    """Write the settings, the prompts and the command to the run's folder.

    The prompts are as many as the run's steps ask, each question once before any comes again; OpenRLHF shuffles them.

    Args:
        run: the run.
        questions: ids and texts, in the order in which they are asked.
        command: of OpenRLHF.

    Raises:
        ConfigError: the folder holds another run.
        OutputError: it can't be written.
    """
    run.save()
    rows = [json.dumps({"prompt": text, "label": name}, ensure_ascii=False) for name, text in questions]
    write_whole(run.out / PROMPTS, "".join(f"{row}\n" for row in rows))
    write_whole(run.out / COMMAND, "#!/bin/sh\nexec " + shown(command) + "\n")


def shown(command: Sequence[str]) -> str:
    """A command as a shell takes it, one flag a line."""
    text = ""
    for word in command:
        text += (" \\\n  " if word.startswith("--") else " " if text else "") + shlex.quote(word)
    return text


DTYPES = {"bfloat16": "bf16", "float16": "fp16"}

_DEFAULTS: dict[str, Flag] = {
    "data.max_len": MAX_LENGTH,
    "data.max_images_per_prompt": MAX_IMAGES,
    "actor.num_nodes": 1,
    "actor.num_gpus_per_node": 1,
    "actor.lr_scheduler": "constant",
    "actor.lr_warmup_ratio": 0.0,
    "actor.gradient_checkpointing_enable": True,
    "vllm.num_engines": 1,
    "vllm.tensor_parallel_size": 1,
    "vllm.enable_prefix_caching": True,
    "ds.zero_stage": 2,
    "logger.logging_steps": 1,
}
"""Where neither our options nor the user say anything."""
