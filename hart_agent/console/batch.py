"""How a batch goes, on stderr."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hart_agent.batch.items import BatchResult
from hart_agent.types import Usage


class BatchProgress:
    """Shows on a terminal how many questions were asked, how fast, what is left, how many failed, and the tokens."""

    def __init__(self, *, enabled: bool) -> None:
        columns = (
            SpinnerColumn(), TextColumn("questions"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )  # fmt: skip
        self._bar = Progress(*columns, console=Console(stderr=True, quiet=not enabled), disable=not enabled)
        self._task = self._bar.add_task("", total=None)
        self._failed = 0
        self._usage = Usage()

    def __enter__(self) -> BatchProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, total: int, done: int) -> None:
        """There are so many questions, of which so many are not asked now."""
        self._bar.update(self._task, total=total, completed=done)

    def advance(self, result: BatchResult) -> None:
        """One more was asked."""
        self._failed += result.error is not None
        if result.trajectory is not None:
            self._usage += result.trajectory.usage
        tokens = f"{_short(self._usage.input_tokens)} + {_short(self._usage.output_tokens)} tokens"
        failed = f"{self._failed} failed, " if self._failed else ""
        self._bar.update(self._task, advance=1, description=failed + tokens)


class _Rate(ProgressColumn):
    """Questions a second, or, of slow ones, a minute."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        if speed is None:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{60 * speed:.1f}/min")


def _short(count: int) -> str:
    """A number of tokens in few letters."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return str(count)
