"""The command line: arguments in, the library's calls, the console out.

Answers go to stdout, progress and errors to stderr. Exit codes: 0 answered, 2 wrong usage or unusable image, 3 no
answer, 4 the policy failed, 130 interrupted; of `replay`: 0 all the same, 1 some views differ; of
`tools run`: 0 done, 1 the tool broke down, 3 it refused the call.

A command's module is imported when the command is run or its options are asked for: help for all takes none of them.
"""

from __future__ import annotations

import io
import logging
import sys
from typing import Annotated, Any, Final

import typer

import hart_agent
from hart_agent.cli.codes import EXIT_INTERRUPTED
from hart_agent.cli.console.failure import print_traceback, reported_errors
from hart_agent.cli.console.streams import open_closed_streams, printed_whole
from hart_agent.cli.console.text import PrintableFormatter
from hart_agent.cli.ending import end_despite_threads
from hart_agent.cli.help import CONTEXT, Commands, Group, Listed, UsageError
from hart_agent.errors import ConfigError

_COMMANDS: Final = {
    "ask": Listed("ask:ask", "Answer a question about an image."),
    "batch": Listed("batch:batch", "Ask many questions, and write each result to a file as soon as it is there."),
    "view": Listed(
        "traces:view", "Write a trace as one page for a browser, with its image, and print the page's path."
    ),
    "replay": Listed(
        "traces:replay",
        "Run a trace's tool calls again, without its policy, and say whether every view is the same, pixel for pixel.",
    ),
    "doctor": Listed(
        "inspecting:doctor",
        "Find the model servers of this machine; or examine one, and print the flags with which it works.",
    ),
    "controls": Listed(
        "evaluating:controls",
        "Ask, then ask again with the evidence taken away: an answer that stays was not read from it.",
    ),
    "mcp": Listed(
        "mcp:mcp", "Offer the agent and its tools to any assistant that speaks the Model Context Protocol (MCP)."
    ),
    "serve": Listed(
        "serving:serve",
        "Serve the agent as a model that any client of chat completions can ask, and a page to ask it from a browser.",
    ),
    "eval": Listed("evaluating:evaluate", "Ask a benchmark's questions, and report accuracy, evidence and intervals."),
    "tools": Listed(
        "toolbox:toolbox", "List the tools that a policy can call, with the JSON Schemas of their arguments."
    ),
    "config": Listed(
        "configuring:configuration",
        "Keep the server, the model and other options in a file, so that no command has to name them.",
    ),
}
"""Where each command is, below this package, and the first sentence of its help."""

_FIRST_STEPS: Final = """\
Answers questions about high-resolution images, and shows the evidence.

  hart-agent ask photo.jpg "what is on the sign?"   ask about an image
  hart-agent doctor                                 find a model server here
  hart-agent batch "photos/*.jpg" out.jsonl --question "what does it say?"

All commands and options: hart-agent --help"""


class _Root(Group):
    """The command that has all others."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.commands: Any = Commands(__name__, _COMMANDS)


app = typer.Typer(
    name="hart-agent",
    cls=_Root,
    help="Answers questions about high-resolution images, and shows the evidence.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=CONTEXT,
)


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
        from hart_agent.cli.settings import read_settings

        settings = read_settings()
        context.default_map = {context.invoked_subcommand: settings}


def main() -> None:
    """Run the command line; a HartError becomes one line on stderr and an exit code."""
    open_closed_streams()
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    sys.excepthook = print_traceback
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter is no reason to lose the answer
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with reported_errors(debug="--debug" in sys.argv, json_output="--json" in sys.argv), printed_whole():
            sys.exit(_run())
    except SystemExit as ended:
        end_despite_threads(ended.code)


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
