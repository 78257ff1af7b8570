"""Progress, on stderr."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from hart_agent.agent.trajectory import Turn
from hart_agent.cli.console.text import one_line
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.tooling.records import ToolResult


class Progress:
    """Shows each turn on stderr as it happens, and on a terminal that work is going on.

    Args:
        enabled: whether anything is shown at all.
        verbose: whether calls are shown as the policy wrote them; by default in words, with boxes in original pixels.
    """

    def __init__(self, *, enabled: bool, verbose: bool = False) -> None:
        self._console = Console(stderr=True, quiet=not enabled, highlight=False, soft_wrap=verbose)
        self._describe = _as_written if verbose else _in_words
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
        """Print the turn's calls and their results; an observer for `Agent.ask`."""
        self._turn += 1
        for result in turn.results:
            self._print(self._describe(result), "red" if result.error else "")
        if turn.feedback:
            self._print(f"to the model: {turn.feedback}", "yellow")
        elif not turn.results:
            parsed = parse_reply(turn.reply.text)
            words = parsed.answer if parsed.answer is not None else parsed.abstention
            self._print(turn.reply.text if words is None else f"answer: {words}", "")

    def _print(self, text: str, style: str) -> None:
        line = one_line(text)
        # One line each, so that a model's words can't pass for a line of ours.
        shown = Text(f"turn {self._turn:2}  {line[:300]}", style)
        self._console.print(shown, no_wrap=True, overflow="ignore" if self._console.soft_wrap else "ellipsis")


class CountProgress:
    """On a terminal, on stderr: how much of some work is done, and what is left.

    Args:
        what: is counted, such as "questions".
        enabled: whether it is shown at all.
        columns: further ones, after the count.
    """

    def __init__(self, what: str, *columns: ProgressColumn, enabled: bool = True) -> None:
        self._bar = Bar(
            SpinnerColumn(), TextColumn(what), BarColumn(), MofNCompleteColumn(), *columns, TimeRemainingColumn(),
            TextColumn("{task.description}"), console=Console(stderr=True, quiet=not enabled), disable=not enabled,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, total: int | None, done: int) -> None:
        """So many are to be done in all, and so many of these were done before."""
        self._bar.update(self._task, total=total, completed=done)

    def add(self, said: str) -> None:
        """One more is done; what is said of all stands at the end of the line."""
        self._bar.update(self._task, advance=1, description=said)


class EvalProgress(CountProgress):
    """Shows how many of a benchmark's questions were asked, and how many of these were answered rightly."""

    def __init__(self, *, enabled: bool) -> None:
        super().__init__("questions", enabled=enabled)
        self._asked = self._right = self._failed = 0

    def advance(self, record: dict[str, Any]) -> None:
        """One more was asked."""
        self._asked += 1
        self._right += record["right"]
        self._failed += record["error"] is not None
        self.add(f"{self._right / self._asked:.1%} right" + (f", {self._failed} failed" if self._failed else ""))


def _as_written(result: ToolResult) -> str:
    """A call as the policy wrote it, and what it was told."""
    return f"{result.call.name} {json.dumps(result.call.arguments, ensure_ascii=False)} -> {result.text}"


def _in_words(result: ToolResult) -> str:
    """A call in words: which tool, where in the original, and what it returned if that is text."""
    if result.error:
        return f"{result.call.name} refused: {result.text}"
    if not result.views:
        return f"{result.call.name}: {result.text}"
    return f"{result.call.name} {', '.join(str(view.frame.box) for view in result.views)} (original pixels)"
