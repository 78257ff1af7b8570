"""The command line without a process of its own, which would cost a second or two: the same `main`, its exit code and
its two streams. What depends on the process (signals, encodings, its end) is tested with a real one."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import typer.main

from hart_agent import cli

_command = functools.cache(typer.main.get_command)  # which takes longer than most commands


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def hart_agent(*arguments: str | Path, stdin: bytes = b"") -> Done:
    """Run a command in the current folder. Log messages go to its stderr, as they do in a terminal."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2)]
    with (
        mock.patch.object(sys, "argv", ["hart-agent", *map(str, arguments)]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        mock.patch.object(sys, "excepthook", sys.excepthook),
        mock.patch.object(typer.main, "get_command", _command),
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
        _own_logging(),
    ):
        code = _exit_code()
    for stream in streams:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
    return Done(code, out, err)


def _exit_code() -> int:
    """Of `main`, as Python makes it from what leaves it."""
    try:
        cli.main()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
    return 1


@contextlib.contextmanager
def _own_logging() -> Iterator[None]:
    """No handlers but those that the command line sets."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = handlers
