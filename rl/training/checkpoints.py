"""Checkpoints of a training run: each a model that `hart-agent ask --backend transformers --model FOLDER` opens.

A checkpoint is written to a temporary folder and then renamed, so that a killed run leaves the previous one intact.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hart_agent.errors import ConfigError, OutputError

_NAME = re.compile(r"step-(\d{6})")
_STATE = "trainer.pt"
_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".gguf"}
_REWRITTEN = {"config.json", "model.safetensors.index.json"}


def save_checkpoint(
    run: Path, step: int, write_model: Callable[[Path], None], state: dict[str, Any], keep: int
) -> Path:
    """Write a checkpoint atomically, and remove the oldest ones.

    Args:
        run: the run's folder.
        step: after which it is written; a checkpoint of this step is replaced.
        write_model: writes the model into a folder.
        state: of the trainer, tensors and plain values.
        keep: checkpoints that stay.

    Returns:
        Its folder.

    Raises:
        OutputError: it can't be written; the earlier ones stay.
    """
    import torch

    target = run / f"step-{step:06d}"
    unfinished = run / f".{target.name}.tmp"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        write_model(unfinished)
        torch.save(state, unfinished / _STATE)
        for path in [*unfinished.rglob("*"), unfinished]:
            _sync(path)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
        _sync(run)
    except OSError as error:
        raise OutputError(
            f"the checkpoint {target} can't be written: {error.strerror or error}. Make room and run the same command "
            "again; it is resumed from the last checkpoint."
        ) from error
    for old in checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return target


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, the newest last."""
    return sorted(path for path in run.glob("step-*") if _NAME.fullmatch(path.name))


def copy_without_weights(model: Path, folder: Path) -> None:
    """Copy the files of a model's folder except its weights: tokenizer, processor, chat template.

    Args:
        model: from which a run began.
        folder: into which its weights were written.
    """
    for path in sorted(model.iterdir()):
        if path.is_file() and path.name not in _REWRITTEN and path.suffix not in _WEIGHTS:
            shutil.copy(path, folder)


def load_state(checkpoint: Path) -> dict[str, Any]:
    """The trainer's state in a checkpoint.

    Raises:
        ConfigError: it is damaged.
    """
    import torch

    try:
        state: dict[str, Any] = torch.load(checkpoint / _STATE, map_location="cpu", weights_only=True)
        return state
    except Exception as error:  # a damaged file raises whatever pickle and zip raise
        raise ConfigError(
            f"{checkpoint / _STATE} can't be read ({error}). Delete {checkpoint} to resume from an earlier checkpoint."
        ) from error


def _sync(path: Path) -> None:
    """Make sure that a file, or a folder's listing, is on the disk."""
    if os.name == "nt":  # which synchronises neither folders nor files that are open for reading
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
