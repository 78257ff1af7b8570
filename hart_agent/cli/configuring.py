"""`hart-agent config`: settings that hold until they are changed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hart_agent.cli.common import Json
from hart_agent.cli.console.objects import print_json
from hart_agent.cli.console.text import printable
from hart_agent.cli.help import CONTEXT, Command, Group
from hart_agent.cli.settings import NAMES, SECRET, read_settings, settings_path, write_setting

configuration = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Keep the server, the model and other options in a file, so that no command has to name them.",
    context_settings=CONTEXT,
    add_completion=False,
    rich_markup_mode=None,
)


@configuration.command("set", cls=Command)
def set_setting(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(NAMES)}.", show_default=False)],
    value: Annotated[str, typer.Argument(help="Its value; '' removes it, - reads it from standard input.")],
) -> None:
    """Set one option in the file. Flags and HART_AGENT_... variables go before it."""
    path = write_setting(name, sys.stdin.readline().strip() if value == "-" else value)
    print(path)


@configuration.command("show", cls=Command)
def show_settings(json_output: Json = False) -> None:
    """Print what the file says; of the key only that there is one."""
    settings = {name: "(set)" if name == SECRET else value for name, value in read_settings().items()}
    if json_output:
        print_json({"path": str(settings_path()), "settings": settings})
        return
    for name, value in settings.items():
        print(printable(f"{name} = {value}"))
    if not settings:
        print("nothing is set; for instance: hart-agent config set model NAME", file=sys.stderr)


@configuration.command("path", cls=Command)
def show_path() -> None:
    """Print where the file is, or would be."""
    print(settings_path())
