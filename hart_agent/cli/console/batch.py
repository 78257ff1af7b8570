"""How a batch goes, on stderr."""

from __future__ import annotations

from rich.progress import ProgressColumn, Task
from rich.text import Text

from hart_agent.agent.items import BatchResult
from hart_agent.cli.console.counting import CountProgress
from hart_agent.dialogue.policy import Usage


class BatchProgress(CountProgress):
    """Shows how many questions were asked, how fast, what is left, how many failed, and the tokens."""

    def __init__(self, *, enabled: bool) -> None:
        self._rate = _Rate()
        super().__init__("questions", self._rate, enabled=enabled)
        self._failed = 0
        self._usage = Usage()

    def advance(self, result: BatchResult) -> None:
        """One more was asked."""
        self._rate.asked += 1
        self._failed += result.error is not None
        if result.trajectory is not None:
            self._usage += result.trajectory.usage
        tokens = f"{_short(self._usage.input_tokens)} + {_short(self._usage.output_tokens)} tokens"
        self.add((f"{self._failed} failed, " if self._failed else "") + tokens)


class _Rate(ProgressColumn):
    """Questions of this run a second, or, of slow ones, a minute; several that end together are no burst."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def render(self, task: Task) -> Text:
        if not (self.asked and task.elapsed):
            return Text("")
        speed = self.asked / task.elapsed
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{60 * speed:.1f}/min")


def _short(count: int) -> str:
    """A number of tokens in few letters."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return str(count)
