"""The command line: arguments in, the library's calls, the console out.

Answers go to stdout, progress and errors to stderr. Exit codes: 0 answered, 2 wrong usage or unusable image, 3 no
answer, 4 the policy failed; of `replay`: 0 all the same, 1 some views differ; of
`tools run`: 0 done, 1 the tool broke down, 3 it refused the call.
"""

from __future__ import annotations

import io
import logging
import sys
from typing import Annotated, Any

import typer

import hart_agent
from hart_agent.cli.ask import ask
from hart_agent.cli.batch import EXIT_INTERRUPTED, batch
from hart_agent.cli.configuring import configuration
from hart_agent.cli.console.failure import print_traceback, reported_errors
from hart_agent.cli.console.text import PrintableFormatter
from hart_agent.cli.ending import end_despite_threads
from hart_agent.cli.evaluating import controls, evaluate
from hart_agent.cli.help import Command, Group, UsageError
from hart_agent.cli.inspecting import doctor
from hart_agent.cli.mcp import mcp
from hart_agent.cli.serving import serve
from hart_agent.cli.settings import read_settings
from hart_agent.cli.toolbox import toolbox
from hart_agent.cli.traces import replay, view
from hart_agent.errors import ConfigError

app = typer.Typer(
    name="hart-agent",
    cls=Group,
    help="Answers questions about high-resolution images, and shows the evidence.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (ask, batch, view, replay, doctor, controls, mcp, serve):
    app.command(cls=Command)(command)
app.command(name="eval", cls=Command)(evaluate)
app.add_typer(toolbox, name="tools")
app.add_typer(configuration, name="config")

_FIRST_STEPS = """\
Answers questions about high-resolution images, and shows the evidence.

  hart-agent ask photo.jpg "what is on the sign?"   ask about an image
  hart-agent doctor                                 find a model server here
  hart-agent batch "photos/*.jpg" out.jsonl --question "what does it say?"

All commands and options: hart-agent --help"""


_WITH_SETTINGS = ("ask", "batch", "eval", "controls", "doctor")


def _print_version(value: bool) -> None:
    if value:
        print(hart_agent.__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(_FIRST_STEPS)
    elif context.invoked_subcommand != "config":
        settings = read_settings()
        context.default_map = dict.fromkeys(_WITH_SETTINGS, settings)


def main() -> None:
    """Run the command line; a HartError becomes one line on stderr and an exit code."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    sys.excepthook = print_traceback
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter is no reason to lose the answer
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with reported_errors(debug="--debug" in sys.argv):
            sys.exit(_run())
    except SystemExit as ended:
        end_despite_threads(ended.code)
        raise


def _run() -> int | None:
    """The exit code of the command.

    Raises:
        ConfigError: the arguments are wrong.
        SystemExit: the command has ended by itself.
    """
    try:
        code: int | None = app(prog_name=app.info.name, standalone_mode=False)
    except UsageError as error:
        if not error.format_message():  # a group without its command has printed its help
            sys.exit(error.exit_code)
        raise ConfigError(_in_one_line(error)) from error
    except typer.Abort:
        return EXIT_INTERRUPTED
    return code


def _in_one_line(error: Any) -> str:
    """A mistake in the arguments, what to write instead, and where to look."""
    command = error.ctx.command_path if error.ctx is not None else "hart-agent"
    message, advice = error.format_message().rstrip("."), getattr(error, "advice", "")
    return f"{message}. {advice}; see: {command} --help" if advice else f"{message}; see: {command} --help"
