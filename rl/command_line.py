"""The training commands: their flags come from the settings (see `rl.config`), their defaults from a YAML file, if any.

A YAML file holds the options of a command, named as its flags with underscores; the command line overrides it. The
sections data, policy, algorithm, engine and run are for grouping alone. Under `openrlhf` stand flags of OpenRLHF:

    policy: {model: Qwen/Qwen2.5-VL-7B-Instruct}
    algorithm: {k: 0.6, group_size: 8}
    engine: {engine: openrlhf, openrlhf: {vllm.num_engines: 8}}
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from rich.console import Console
from rich.logging import RichHandler

from hart_agent.cli.console.failure import reported_errors
from hart_agent.commands import install_command
from hart_agent.errors import ConfigError, InstallError
from rl.openrlhf.flags import parse_flags, split_flags

SECTIONS = ("data", "policy", "algorithm", "engine", "run")
FLAGS = "openrlhf"

Data = Annotated[Path, typer.Argument(help="Questions: a JSONL or Parquet file, or a folder of Hugging Face datasets.")]
Out = Annotated[Path, typer.Option(help="Folder of the run; a run that is there is resumed.")]
ApartFrom = Annotated[Path | None, typer.Option(help="Other questions, which must share no image with these.")]
Validation = Annotated[
    Path | None, typer.Option(help="Held-out questions, asked before the first step and at each checkpoint.")
]


def run_command(command: Callable[..., None], arguments: Sequence[str] | None = None) -> Any:
    """Run a command; a HartError becomes one line on stderr and an exit code.

    Args:
        command: a function with typer's options. A parameter that is a dataclass stands for the options in its fields.
            Flags of OpenRLHF, which follow all other arguments, are its context's `obj`.
        arguments: of the command line; None for this program's.
    """
    handler = RichHandler(console=Console(stderr=True), show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("rl").setLevel(logging.INFO)
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # its table leaves little room for help at 80 columns
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command()(_with_options(command))
    with reported_errors():
        own, flags = split_flags(sys.argv[1:] if arguments is None else arguments)
        try:
            return app(own, obj=parse_flags(flags))
        except ImportError as error:
            raise InstallError(f"a package is missing ({error}). Run: {install_command(extra='train')}") from error


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of its settings, and `--config`."""
    hints = get_type_hints(command, include_extras=True)
    options: list[inspect.Parameter] = []
    for each in inspect.signature(command).parameters.values():
        kind = hints[each.name]
        options += _options(kind) or [each.replace(annotation=kind, kind=each.KEYWORD_ONLY)]

    def called(config: Path | None, **values: Any) -> None:
        command(**_arguments(hints, values))

    options.append(inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Config))
    called.__doc__ = command.__doc__
    called.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    called.__annotations__ = {option.name: option.annotation for option in options}
    return called


def _options(kind: Any) -> list[inspect.Parameter]:
    """The options in the fields of a dataclass, and of those inside it; none for any other type."""
    if not is_dataclass(kind):
        return []
    hints = get_type_hints(kind, include_extras=True)
    defaults = {
        each.name: inspect.Parameter.empty if each.default is MISSING else each.default for each in fields(kind)
    }
    options = []
    for name, hint in hints.items():
        if any(isinstance(extra, typer.models.OptionInfo) for extra in get_args(hint)):
            options.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=hint)
            )
        options += _options(hint)
    return options


def _arguments(hints: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Arguments for these parameters or fields: the values, and dataclasses made of them; None leaves the default."""
    groups = {name: hint for name, hint in hints.items() if _options(hint)}
    made = {name: hint(**_arguments(get_type_hints(hint), values)) for name, hint in groups.items()}
    return {name: values[name] for name in hints if values.get(name) is not None and name not in made} | made


def _use_config(context: typer.Context, path: Path | None) -> Path | None:
    """Use a file's options as defaults, and its flags of OpenRLHF where the command line has none."""
    if path is not None:
        known = {parameter.name for parameter in context.command.params if parameter.name} - {"config"}
        context.default_map, flags = read_config(path, known)
        context.obj = {**flags, **context.obj}
    return path


_Config = Annotated[Path | None, typer.Option(is_eager=True, callback=_use_config, help="YAML file of these options.")]


def read_config(path: Path, known: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options and flags of OpenRLHF, each by name, from a YAML file; paths in it are as on the command line.

    Args:
        path: of the file.
        known: names of the options.

    Raises:
        ConfigError: the file is missing or damaged, or names an option that doesn't exist, or one twice.
        ImportError: the package PyYAML is missing.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold options by name; see docs/openrlhf.md")
    entries: list[tuple[str, Any]] = []
    for name, value in content.items():
        entries += value.items() if name in SECTIONS and isinstance(value, dict) else [(name, value)]
    options: dict[str, Any] = {}
    flags: dict[str, Any] = {}
    for name, value in entries:
        if name == FLAGS:
            flags |= _flattened(value, path)
        elif name not in known:
            raise ConfigError(f"{path}: there is no option {name!r}; there are: {', '.join(sorted(known))}")
        elif name in options:
            raise ConfigError(f"{path} gives {name} twice")
        elif value is not None:
            options[name] = value
    return options, flags


def _flattened(value: Any, path: Path, prefix: str = "") -> dict[str, Any]:
    """Flags under their full names, whether they are written with dots or as sections."""
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: under {FLAGS} stand flags by name, such as vllm.num_engines: 8")
    flags: dict[str, Any] = {}
    for name, inner in value.items():
        flags |= _flattened(inner, path, f"{prefix}{name}.") if isinstance(inner, dict) else {f"{prefix}{name}": inner}
    return flags
