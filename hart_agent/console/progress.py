"""How work goes on, on stderr."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from hart_agent.console.text import printable
from hart_agent.types import ToolResult, Turn


class Progress:
    """Shows each turn on stderr as it happens, and on a terminal that work is going on."""

    def __init__(self, *, enabled: bool) -> None:
        self._console = Console(stderr=True, quiet=not enabled, highlight=False, soft_wrap=True)
        self._status = self._console.status("working")
        self._turn = 0

    def __enter__(self) -> Progress:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def show(self, turn: Turn) -> None:
        """Print the turn's calls and what came of them; an observer for `Agent.ask`."""
        self._turn += 1
        for result in turn.results:
            self._print(f"{_call(result)} -> {result.text}", "red" if result.error else "")
        if turn.feedback:
            self._print(turn.feedback, "yellow")
        elif not turn.results:
            self._print(turn.reply.text, "")

    def _print(self, text: str, style: str) -> None:
        line = " ".join(printable(text).split())
        self._console.print(Text(f"turn {self._turn:2}  {line[:300]}", style))


class EvalProgress:
    """Shows on stderr how many of a benchmark's questions were asked, and how many of these were answered rightly."""

    def __init__(self, *, enabled: bool) -> None:
        columns = (
            SpinnerColumn(), TextColumn("questions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )  # fmt: skip
        self._bar = Bar(*columns, console=Console(stderr=True, quiet=not enabled), disable=not enabled)
        self._task = self._bar.add_task("", total=None)
        self._asked = self._right = self._failed = 0

    def __enter__(self) -> EvalProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, total: int, done: int) -> None:
        """So many questions are asked, and so many of these were asked before."""
        self._bar.update(self._task, total=total, completed=done)

    def advance(self, record: dict[str, Any]) -> None:
        """One more was asked."""
        self._asked += 1
        self._right += record["right"]
        self._failed += record["error"] is not None
        said = f"{self._right / self._asked:.1%} right" + (f", {self._failed} failed" if self._failed else "")
        self._bar.update(self._task, advance=1, description=said)


def _call(result: ToolResult) -> str:
    return f"{result.call.name} {json.dumps(result.call.arguments, ensure_ascii=False)}"
