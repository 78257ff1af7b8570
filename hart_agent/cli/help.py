"""Help texts that read well in a terminal of any width."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from hart_agent.cli.console.text import one_line

UsageError: Any = typer.BadParameter.__mro__[1]
"""Of click, or of the copy of it that newer versions of typer hold."""

_LINE_BREAK = re.compile(r"(?<!\n)\n(?!\n)")
"""Between two lines of one paragraph."""


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
        if type(error).__name__ == "NoSuchOption" and (name := _dashed_file()):
            shown.message += f" The name of a file that begins with a dash is written so: {one_line(name)}"
            shown.possibilities = []
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
