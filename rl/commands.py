"""What the training commands share: data, what is shown, how they end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.logging import RichHandler

from hart_agent.cli.console.failure import reported_errors
from hart_agent.cli.console.progress import CountProgress
from hart_agent.errors import InstallError
from rl.data import Sample, check_disjoint, load_samples, stage_part

_log = logging.getLogger(__name__)

_SHOWN = ("reward", "accuracy", "iou", "area_fraction", "invalid_calls", "zero_variance_groups", "loss", "kl")
_VALIDATION = "validation/"


def load(
    data: Path, apart: Path | None, validation: Path | None, rl_share: float | None, *, supervised: bool
) -> tuple[list[Sample], list[Sample]]:
    """The questions of a run, and those that it is measured by, if any.

    Args:
        data: where the questions are.
        apart: where others are, which must share no image with them.
        validation: where those of the measurement are.
        rl_share: see `stage_part`.
        supervised: whether this is the supervised stage.

    Raises:
        ConfigError: the share can't be used.
        DatasetError: questions can't be used, or share an image with those that must be apart.
        ImageError: an image can't be used.
    """
    samples = stage_part(load_samples(data), rl_share, supervised=supervised)
    others, held_out = (load_samples(path) if path is not None else [] for path in (apart, validation))
    if others or held_out:  # reads all images
        check_disjoint(samples, [*others, *held_out])
    return samples, held_out


@contextmanager
def needs_torch() -> Iterator[None]:
    """Around the imports of a trainer.

    Raises:
        InstallError: a package is missing.
    """
    try:
        yield
    except ImportError as error:
        raise InstallError(
            f"training needs torch and transformers ({error}). Run: pip install 'hart-agent[train]'"
        ) from error


class StepProgress(CountProgress):
    """Shows on stderr how a run goes; its `show` is an observer of `Run.train`. Measurements stay, line by line."""

    def __init__(self, steps: int) -> None:
        super().__init__("steps")
        self._steps = steps

    def show(self, step: int, metrics: dict[str, float]) -> None:
        if measured := {name: value for name, value in metrics.items() if name.startswith(_VALIDATION)}:
            words = (f"{name.removeprefix(_VALIDATION)} {value:.3g}" for name, value in measured.items())
            _log.info("after %d steps: %s", step, "  ".join(words))
        if len(measured) < len(metrics):
            self.begin(self._steps, step)
            self.add("  ".join(f"{name} {metrics[name]:.3g}" for name in _SHOWN if name in metrics))


def run_command(
    command: Callable[..., None],
    arguments: Sequence[str] | None = None,
    passed_on: Callable[[], dict[str, Any]] = dict,
) -> Any:
    """Run a command; a HartError becomes one line on stderr and an exit code.

    Args:
        command: a function with typer's options.
        arguments: of the command line; None for this program's.
        passed_on: makes what the command finds as its context's `obj`.
    """
    handler = RichHandler(console=Console(stderr=True), show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("rl").setLevel(logging.INFO)
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command()(command)
    with reported_errors():
        return app(arguments, obj=passed_on())
