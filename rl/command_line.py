"""The training commands: their flags come from the settings (see `rl.config`), their defaults from a YAML file, if any.

A YAML file holds the options of a command, named as its flags with underscores; the command line overrides it. The
sections data, policy, algorithm, engine and run are for grouping alone. Under `openrlhf` stand flags of OpenRLHF:

    policy: {model: Qwen/Qwen2.5-VL-7B-Instruct}
    algorithm: {k: 0.6, group_size: 8}
    engine: {engine: openrlhf, openrlhf: {vllm.num_engines: 8}}
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler

from hart_agent.backends.options import flag
from hart_agent.cli.console.counting import CountProgress
from hart_agent.cli.console.failure import reported_errors
from hart_agent.cli.ending import end_despite_threads
from hart_agent.cli.help import CONTEXT
from hart_agent.cli.options import with_options
from hart_agent.commands import install_command
from hart_agent.errors import ConfigError, InstallError
from hart_agent.store.files import small_text
from rl.config import RunSettings, SftSettings
from rl.data import Sample, fingerprint, load_questions
from rl.openrlhf.flags import KNOWN, parse_flags, split_flags
from rl.training.loop import TrainingLoop
from rl.training.manifest import Manifest, S
from rl.training.trackers import check_tracker

SECTIONS = ("data", "policy", "algorithm", "engine", "run")
FLAGS = "openrlhf"
SHOWN = ("reward", "accuracy", "iou", "area_fraction", "invalid_calls", "zero_variance_groups", "loss", "kl")
VALIDATION = "validation/"
_DEEPEST = 20
"""Levels of a YAML file; ours have four."""
_log = logging.getLogger(__name__)


Data = Annotated[Path, typer.Argument(help="Questions: a JSONL or Parquet file, or a folder of Hugging Face datasets.")]
Out = Annotated[Path, typer.Option(help="Folder of the run; a run that is there is resumed.")]
ApartFrom = Annotated[Path | None, typer.Option(help="Other questions, which must share no image with these.")]
Validation = Annotated[
    Path | None, typer.Option(help="Held-out questions, asked before the first step and at each checkpoint.")
]


def _use_config(context: typer.Context, path: Path | None) -> Path | None:
    """Use a file's options as defaults, and its flags of OpenRLHF where the command line has none."""
    if path is not None:
        known = {parameter.name for parameter in context.command.params if parameter.name} - {"config"}
        context.default_map, flags = read_config(path, known)
        context.obj = {**flags, **context.obj}
    return path


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of both training commands that are not settings."""

    data: Data
    out: Out
    apart_from: ApartFrom = None
    validation: Validation = None
    config: Annotated[
        Path | None, typer.Option(is_eager=True, callback=_use_config, help="YAML file of these options.")
    ] = None

    def prepare(
        self, settings: S, engine: str, flags: Collection[str]
    ) -> tuple[Manifest[S], list[Sample], list[Sample]]:
        """The run on an engine with flags of OpenRLHF, its questions and its validation questions.

        Raises:
            ConfigError: see `check_engine` and `load_questions`, whose other errors are raised, too.
            InstallError: a tracker is missing.
        """
        check_engine(engine, settings, flags)
        check_tracker(settings.tracker)
        supervised = isinstance(settings, SftSettings)
        samples, held_out = load_questions(
            self.data, self.apart_from, self.validation, settings.rl_share, supervised=supervised
        )
        # Paths are made absolute, for other processes may have other current folders.
        if engine == "openrlhf" and not supervised and (model := Path(settings.model).expanduser()).is_dir():
            settings = replace(settings, model=str(model.absolute()))
        out, data = self.out.absolute(), self.data.absolute()
        return Manifest(out=out, data=data, settings=settings, questions=fingerprint(samples)), samples, held_out


def check_engine(engine: str, settings: RunSettings, flags: Collection[str]) -> None:
    """Check that what was given for a run is not the other engine's; "auto" may still be either.

    Raises:
        ConfigError: an option or a flag of OpenRLHF is.
    """
    if engine == "local" and flags:
        raise ConfigError(f"--{next(iter(flags))} is a flag of OpenRLHF: add --engine openrlhf")
    given = {each.name for each in fields(settings) if getattr(settings, each.name) != each.default}
    if engine == "openrlhf" and (missing := next((name for name in KNOWN["local"] if name in given), None)):
        raise ConfigError(f"the engine openrlhf has no {flag(missing)}: {KNOWN['local'][missing]}")


class StepProgress(CountProgress):
    """Shows how far a run is; `show` is an observer of `TrainingLoop.train`. Validation results stay, line by line."""

    def __init__(self, steps: int) -> None:
        super().__init__("steps")
        self._steps = steps

    def show(self, step: int, metrics: dict[str, float]) -> None:
        measured = {name: value for name, value in metrics.items() if name.startswith(VALIDATION)}
        if measured:
            parts = (f"{name.removeprefix(VALIDATION)} {value:.3g}" for name, value in measured.items())
            _log.info("after %d steps: %s", step, "  ".join(parts))
        if len(measured) < len(metrics):
            self.begin(self._steps, step)
            self.add("  ".join(f"{name} {metrics[name]:.3g}" for name in SHOWN if name in metrics))


def train_with_progress(loop: TrainingLoop[Any]) -> Path:
    """Run to the last step. Returns the folder of the last checkpoint."""
    with StepProgress(loop.settings.steps) as progress:
        return loop.train(progress.show)


def run_command(command: Callable[..., None], arguments: Sequence[str] | None = None) -> None:
    """Run a command; a HartError becomes one line on stderr and an exit code.

    Args:
        command: a function with typer's options. A parameter that is a dataclass stands for the options in its fields.
            Flags of OpenRLHF, which follow all other arguments, are its context's `obj`.
        arguments: of the command line; None for this program's, which ends with the command.

    Raises:
        SystemExit: the command has ended, and the program goes on.
    """
    handler = RichHandler(console=Console(stderr=True), show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("rl").setLevel(logging.INFO)
    # Without rich's markup, whose table leaves little room for help at 80 columns.
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, context_settings=CONTEXT
    )
    app.command()(with_options(command))
    try:
        with reported_errors():
            own, flags = split_flags(sys.argv[1:] if arguments is None else arguments)
            try:
                app(own, obj=parse_flags(flags))
            except ImportError as error:
                raise InstallError(f"a package is missing ({error}). Run: {install_command(extra='train')}") from error
    except SystemExit as ended:
        if arguments is not None:
            raise
        end_despite_threads(ended.code)


def read_config(path: Path, known: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Known options, and flags of OpenRLHF, each by name, from a YAML file; paths in it are as on the command line.

    Raises:
        ConfigError: the file is missing or damaged, or names an option that doesn't exist, or one twice.
        ImportError: the package PyYAML is missing.
    """
    content = _content(path) or {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold options by name; see docs/openrlhf.md")
    sections = [content.pop(name) for name in SECTIONS if isinstance(content.get(name), dict)]
    options: dict[str, Any] = {}
    flags: dict[str, Any] = {}
    for name, value in (pair for section in (*sections, content) for pair in section.items()):
        if name == FLAGS and not isinstance(value, dict):
            raise ConfigError(f"{path}: under {FLAGS} stand flags by name, such as vllm.num_engines: 8")
        if name == FLAGS:
            flags |= _flattened(value)
        elif name not in known:
            raise ConfigError(f"{path}: there is no option {name!r}; there are: {', '.join(sorted(known))}")
        elif name in options:
            raise ConfigError(f"{path} gives {name} twice")
        elif isinstance(value, str | int | float):
            options[name] = value
        elif value is not None:
            raise ConfigError(f"{path}: {name} is a {type(value).__name__}; expected a text, a number, true or false")
    return options, flags


def _content(path: Path) -> Any:
    """What a YAML file holds. Aliases are refused: by them, a few lines stand for billions of values, or for a ring."""
    import yaml

    try:
        text, depth = small_text(path), 0
        for event in yaml.parse(text, yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:  # before the library's time, which grows with the square
                raise ValueError("it is nested too deeply")
            if isinstance(event, yaml.AliasEvent):
                raise ValueError("it holds an alias such as *name; write out what it stands for")
        return yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error


def _flattened(flags: dict[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Flags with their full names, whether they are written with dots or as sections; those of null are left out."""
    for name, value in flags.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{section}{name}.")
        elif value is not None:
            yield f"{section}{name}", value
