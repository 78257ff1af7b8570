"""How a command ends when something is wrong."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from hart_agent.cli.codes import EXIT_POLICY, EXIT_USAGE
from hart_agent.cli.console.objects import begin_output, print_error
from hart_agent.cli.console.text import one_line, printable
from hart_agent.errors import HartError, PolicyError


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A `sys.excepthook` for errors that nobody expected; their messages may quote a model."""
    print(printable("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr, end="")


@contextmanager
def reported_errors(*, debug: bool = False, json_output: bool = False) -> Iterator[None]:
    """A HartError becomes one line on stderr, after its traceback with `debug`, and the exit code.

    With `json_output` it is also printed on stdout, as the object that a program reads there.
    """
    begin_output()
    try:
        yield
    except HartError as error:
        if debug:
            print(printable(traceback.format_exc()), file=sys.stderr)
        print(f"hart-agent: {one_line(str(error))}", file=sys.stderr)
        if json_output:
            print_error(error)
        sys.exit(EXIT_POLICY if isinstance(error, PolicyError) else EXIT_USAGE)
