"""Help texts that read well in a terminal of any width, and commands whose modules are imported on use."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

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
    """Leaves it to the terminal where the lines of a paragraph break, and shows no type next to a switch.

    Errors of usage know their command, and carry `advice`: what to write instead, or an empty text.
    """

    help: str | None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.help = _LINE_BREAK.sub(" ", self.help or "")

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc]
        except UsageError as error:
            raise _advised(error, ctx) from None

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


def _advised(error: Any, ctx: Any) -> Any:
    """The same error, with its command and advice."""
    from hart_agent.cli.mistakes import instead_of_more, instead_of_option, usage_of

    error.ctx = error.ctx or ctx
    words = sys.argv[1:]
    if (option := getattr(error, "option_name", None)) is not None and type(error).__name__ == "NoSuchOption":
        known = [name for parameter in ctx.command.params for name in (*parameter.opts, *parameter.secondary_opts)]
        error.advice = instead_of_option(option, known, words)
    elif type(error) is UsageError:  # there are more words than arguments
        error.advice = instead_of_more(ctx.info_name, usage_of(ctx), words)
    elif getattr(getattr(error, "param", None), "param_type_name", "") == "argument":
        error.advice = f"Expected: {usage_of(ctx)}"
    return error


class Command(_Readable, TyperCommand):
    """A command."""


class Group(_Readable, TyperGroup):
    """A command with subcommands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word = args[0]
        try:
            return super().resolve_command(ctx, args)
        except UsageError as error:
            from hart_agent.cli.mistakes import instead_of_command

            found: Any = error
            found.ctx, found.advice = found.ctx or ctx, instead_of_command(word, sorted(self.commands), sys.argv[1:])
            raise

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
    """Commands by name; looking one up first imports its module and makes it.

    Args:
        package: of their modules.
        listed: the commands.
    """

    def __init__(self, package: str, listed: Mapping[str, Listed]) -> None:
        self._package = package
        self.listed = listed
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Any:
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
