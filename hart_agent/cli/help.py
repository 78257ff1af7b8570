"""Help texts that read well in a terminal of any width, and commands whose modules are imported on use."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from hart_agent.cli.console.text import one_line

UsageError: Any = typer.BadParameter.__mro__[1]
"""Of click, or of the copy of it that newer versions of typer hold."""

CONTEXT: Final = {"help_option_names": ["-h", "--help"]}
"""Settings of every command."""

_LINE_BREAK = re.compile(r"(?<!\n)\n(?!\n)")
"""Between two lines of one paragraph."""


_HYPHEN: Final = "\N{NON-BREAKING HYPHEN}"


_Plain: Any = typer.Context.formatter_class


class _Formatter(_Plain):  # type: ignore[misc]
    """Breaks no line inside a word, so that options can be copied."""

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(self, rows: Any, *arguments: Any, **settings: Any) -> None:
        super().write_dl([(name, text.replace("-", _HYPHEN)) for name, text in rows], *arguments, **settings)

    def getvalue(self) -> str:
        return str(super().getvalue()).replace(_HYPHEN, "-")


class _Readable:
    """Leaves it to the terminal where the lines of a paragraph break, and shows no type next to a switch."""

    help: str | None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.help = _LINE_BREAK.sub(" ", self.help or "")

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        with _printable_errors():
            return super().make_context(*arguments, **settings)  # type: ignore[misc]

    def invoke(self, ctx: Any) -> Any:
        with _printable_errors():
            return super().invoke(ctx)  # type: ignore[misc]

    def get_help(self, ctx: Any) -> str:
        ctx.formatter_class = _Formatter
        return str(super().get_help(ctx))  # type: ignore[misc]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments, then the options by their panels."""
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            panel = "Arguments" if isinstance(parameter, TyperArgument) else parameter.rich_help_panel or "Options"
            names, text = parameter.get_help_record(ctx)
            panels.setdefault(panel, []).append((names.replace(", -", " -").rstrip(), text))
        for panel, records in panels.items():
            if records:
                with formatter.section(panel):
                    formatter.write_dl(records)

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if isinstance(parameter, TyperOption) and parameter.is_flag:
                parameter.metavar = ""
        return parameters


@contextmanager
def _printable_errors() -> Iterator[None]:
    """Errors of usage quote arguments, which a pattern of the shell may have filled with names of hostile files."""
    try:
        yield
    except UsageError as error:
        shown: Any = error
        shown.message = one_line(shown.message)
        if name := _dashed_file():
            shown.message += f" Write the name of a file that begins with a dash as {one_line(name)}"
        raise


def _dashed_file() -> str | None:
    """An argument that names a file here, but reads like options; as it should be written."""
    return next((f"./{word}" for word in sys.argv[1:] if word[:1] == "-" and len(word) > 1 and _is_file(word)), None)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


class Command(_Readable, TyperCommand):
    """A command."""


class Group(_Readable, TyperGroup):
    """A command with subcommands."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        super().format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._summary(name)) for name in self.commands])

    def _summary(self, name: str) -> str:
        if isinstance(self.commands, Commands):
            return self.commands.listed[name].summary
        return (self.commands[name].help or "").partition("\n\n")[0]


class Listed(NamedTuple):
    """A command that is listed before its module is imported.

    Attributes:
        place: "module:name" of its function, or of its `Typer` if it has commands itself, below the package.
        summary: the first paragraph of its help.
    """

    place: str
    summary: str


class Commands(Mapping[str, Any]):
    """Commands by name; looking one up imports its module.

    Args:
        package: of their modules.
        listed: the commands.
    """

    def __init__(self, package: str, listed: Mapping[str, Listed]) -> None:
        self._package = package
        self.listed = listed

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = self.listed[name].place.partition(":")
        found = getattr(import_module(f"{self._package}.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            found, function = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT), found
            found.command(name, cls=Command)(function)
        command = typer.main.get_command(found)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)
