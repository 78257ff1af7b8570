"""Processes that are there at once, since they are forked from one that has imported what they need, to be killed."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    "hart_agent.cli hart_agent.cli.asking hart_agent.batch.run hart_agent.evals.runner hart_agent.evals.listing "
    "hart_agent.backends.openai hart_agent.serve.app hart_agent.serve.server aiohttp uvicorn tools.crop tools.zoom "
    "tools.verify rl.local.trainer transformers tiny_vlm".split()
)


class Started:
    """A process of its own that calls a function.

    Args:
        function: of a module; what it raises, or ends the process with, is its exit code.
        arguments: that it takes.
        folder: in which it runs; what it says on stderr lies beside that.
    """

    def __init__(self, function: Callable[..., None], *arguments: Any, folder: Path) -> None:
        self._said = folder.with_suffix(".stderr")
        self._process = _FORKS.Process(target=_call, args=(function, arguments, str(folder), str(self._said)))
        self._process.start()

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def wait(self, seconds: float) -> int:
        """Its exit code.

        Raises:
            AssertionError: it still runs after so many seconds.
        """
        self._process.join(seconds)
        code = self._process.exitcode
        if code is None:
            self.kill()
            raise AssertionError(f"it still runs after {seconds:g} seconds: {self.said}")
        return code

    @property
    def said(self) -> str:
        """The end of what it said on stderr."""
        return self._said.read_text(errors="replace")[-2000:] if self._said.exists() else ""


def command(*arguments: str) -> None:
    """`hart-agent` with these arguments."""
    from hart_agent.cli import main

    sys.argv = ["hart-agent", *arguments]
    main()


def _call(function: Callable[..., None], arguments: tuple[Any, ...], folder: str, said: str) -> None:
    os.chdir(folder)
    for stream, path in enumerate((os.devnull, os.devnull, said)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), stream)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
    function(*arguments)
