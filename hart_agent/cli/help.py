"""Help texts that read well in a terminal of any width."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption

_LINE_BREAK = re.compile(r"(?<!\n)\n(?!\n)")
"""Between two lines of one paragraph."""


class _Readable:
    """Leaves it to the terminal where the lines of a paragraph break, and shows no type next to a switch."""

    help: str | None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.help = _LINE_BREAK.sub(" ", self.help or "")

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if isinstance(parameter, TyperOption) and parameter.is_flag:
                parameter.metavar = ""
        return parameters


class Command(_Readable, TyperCommand):
    """A command."""


class Group(_Readable, TyperGroup):
    """A command with subcommands."""
