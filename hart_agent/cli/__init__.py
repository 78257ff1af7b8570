"""The command line: arguments in, the library's calls, the console out.

Answers go to stdout, progress and errors to stderr. Exit codes: 0 answered, 2 wrong usage or unusable image, 3 no
answer, 4 the policy failed; of `replay`: 0 all the same, 1 some views differ; of
`tools run`: 0 done, 1 the tool broke down, 3 it refused the call.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

import hart_agent
from hart_agent.cli.ask import ask
from hart_agent.cli.batch import batch
from hart_agent.cli.console.failure import reported_errors
from hart_agent.cli.evaluating import controls, evaluate
from hart_agent.cli.help import Command, Group
from hart_agent.cli.inspecting import doctor
from hart_agent.cli.mcp import mcp
from hart_agent.cli.serving import serve
from hart_agent.cli.toolbox import toolbox
from hart_agent.cli.traces import replay, view

app = typer.Typer(
    name="hart-agent",
    cls=Group,
    help="Answers questions about high-resolution images, and shows the evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (ask, batch, view, replay, doctor, controls, mcp, serve):
    app.command(cls=Command)(command)
app.command(name="eval", cls=Command)(evaluate)
app.add_typer(toolbox, name="tools")


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(hart_agent.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; a HartError becomes one line on stderr and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter is no reason to lose the answer
        sys.stdout.reconfigure(errors="backslashreplace")
    with reported_errors(debug="--debug" in sys.argv):
        app()
