"""What a command does when it is interrupted: by ctrl-C, or by SIGTERM, which asks it to end as well."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from hart_agent.cli.codes import EXIT_INTERRUPTED
from hart_agent.cli.console.text import one_line


@contextmanager
def told_if_interrupted(keep: Callable[[], str]) -> Iterator[None]:
    """An interrupt becomes one line on stderr, and the exit code for it.

    Args:
        keep: called then; keeps what is there, and says where it is or how to go on.

    Raises:
        typer.Exit: it was interrupted.
    """
    unhandled = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if unhandled:
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted; {one_line(keep())}", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        if unhandled:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Do what ctrl-C does now: an event loop that runs has a handler of its own, which cancels its work first."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # ignored, as by what a shell starts in the background
        handler = signal.default_int_handler
    handler(number, frame)
