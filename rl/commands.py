"""What the training commands share: options, data, what is shown."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hart_agent.errors import HartError, PolicyError
from rl.data import Sample, check_disjoint, load_samples

DataArgument = Annotated[
    Path, typer.Argument(help="Questions: a JSONL or Parquet file, or a folder of the library datasets.")
]
ModelOption = Annotated[str, typer.Option(help="Folder of the model, or its id on Hugging Face's hub.")]
OutOption = Annotated[Path, typer.Option(help="Folder of the run; a run that is there goes on.")]
ApartOption = Annotated[
    Path | None, typer.Option(help="Other questions, of the other stage, say, that must share no image with these.")
]

_SHOWN = ("reward", "accuracy", "iou", "area_fraction", "invalid_calls", "zero_variance_groups", "loss", "kl")
_EXIT_USAGE, _EXIT_POLICY = 2, 4


def load(data: Path, apart: Path | None) -> list[Sample]:
    """The questions of a run.

    Raises:
        DatasetError: they can't be used, or share an image with those that must be apart.
    """
    samples = load_samples(data)
    if apart is not None:
        check_disjoint(samples, load_samples(apart))
    return samples


class StepProgress:
    """Shows on stderr how a run goes; its `show` is an observer of `Run.train`."""

    def __init__(self, steps: int) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._bar = Progress(TextColumn("steps"), *columns, console=Console(stderr=True))
        self._task = self._bar.add_task("", total=steps)

    def __enter__(self) -> StepProgress:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def show(self, step: int, metrics: dict[str, float]) -> None:
        said = "  ".join(f"{name} {metrics[name]:.3g}" for name in _SHOWN if name in metrics)
        self._bar.update(self._task, completed=step + 1, description=said)


def run_command(command: Callable[..., None], arguments: Sequence[str] | None = None) -> Any:
    """Run a command; a HartError becomes one line on stderr and an exit code."""
    handler = RichHandler(console=Console(stderr=True), show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command()(command)
    try:
        return app(arguments)
    except HartError as error:
        print(f"hart-agent: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(_EXIT_POLICY if isinstance(error, PolicyError) else _EXIT_USAGE)
