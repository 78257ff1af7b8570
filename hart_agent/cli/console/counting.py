"""How much of some work is done, on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)


class CountProgress:
    """On a terminal, on stderr: how much of some work is done, and what is left.

    Args:
        what: is counted, such as "questions".
        enabled: whether it is shown at all.
        columns: further ones, after the count.
    """

    def __init__(self, what: str, *columns: ProgressColumn, enabled: bool = True) -> None:
        self._bar = Progress(
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
