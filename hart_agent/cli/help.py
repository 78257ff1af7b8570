"""Help texts that read well in a terminal of any width."""

from __future__ import annotations

import re
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from hart_agent.cli.mistakes import instead_of_command, instead_of_more, instead_of_option, usage_of

UsageError: Any = typer.BadParameter.__mro__[1]
"""Of click, or of the copy of it that newer versions of typer hold."""

_LINE_BREAK = re.compile(r"(?<!\n)\n(?!\n)")
"""Between two lines of one paragraph."""


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

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if isinstance(parameter, TyperOption) and parameter.is_flag:
                parameter.metavar = ""
        return parameters


def _advised(error: Any, ctx: Any) -> Any:
    """The same error, with its command and advice."""
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
            found: Any = error
            found.ctx, found.advice = found.ctx or ctx, instead_of_command(word, sorted(self.commands), sys.argv[1:])
            raise
