"""Where the metrics of a run are shown: TensorBoard, if it is installed, and Weights & Biases, if a run asks for it."""

from __future__ import annotations

import importlib.util
import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from hart_agent.commands import install_command
from hart_agent.errors import ConfigError, InstallError

_log = logging.getLogger(__name__)

WANDB_ID = "wandb-id.txt"
"""In the run's folder: by which a resumed run is the same one in W&B."""


class Tracker(Protocol):
    """Shows metrics."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show those of a step."""


def check_tracker(wanted: str | None) -> None:
    """Check that a tracker is installed.

    Raises:
        InstallError: it isn't.
    """
    if wanted is not None and importlib.util.find_spec(wanted) is None:
        raise InstallError(f"--tracker {wanted} needs the package {wanted}. Run: {install_command(wanted)}")


def trackers(folder: Path, step: int, wanted: str | None, settings: Mapping[str, Any]) -> list[Tracker]:
    """The trackers of a run.

    Args:
        folder: of the run.
        step: the first that is written.
        wanted: in addition to TensorBoard: "wandb", or None.
        settings: of the run, to be shown with it.

    Raises:
        ConfigError: W&B doesn't take the run.
        InstallError: the tracker's package is missing.
    """
    found: list[Tracker] = []
    try:
        found.append(_TensorBoard(folder, step))
    except ImportError:
        _log.info("no TensorBoard; run: %s", install_command("tensorboard"))
    check_tracker(wanted)
    if wanted == "wandb":
        found.append(_Wandb(folder, settings))
    return found


class _TensorBoard:
    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()


class _Wandb:
    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        import wandb

        name = folder / WANDB_ID
        if not name.exists():
            name.write_text(uuid.uuid4().hex[:12], encoding="utf-8")
        try:
            self._run = wandb.init(
                project="hart-agent",
                id=name.read_text(encoding="utf-8"),
                name=folder.name,
                dir=folder,
                config=dict(settings),
                allow_val_change=True,  # such as the number of steps of a run that goes on
                resume="allow",
            )
        except wandb.Error as error:
            raise ConfigError(
                f"W&B doesn't take the run ({error}). Run: wandb login, set WANDB_MODE=offline, or leave out --tracker."
            ) from error

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log(dict(metrics), step=step)
