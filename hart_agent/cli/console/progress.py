"""How a question goes, turn by turn, on stderr."""

from __future__ import annotations

import functools
import json
import sys
from types import TracebackType
from typing import TYPE_CHECKING

from hart_agent.agent.trajectory import Turn
from hart_agent.cli.console.text import one_line
from hart_agent.tooling.records import ToolResult

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status


class Progress:
    """Shows each turn on stderr as it happens, and on a terminal that work is going on.

    Args:
        enabled: whether anything is shown at all.
        verbose: whether calls are shown as the policy wrote them; by default in words, with boxes in original pixels.
    """

    def __init__(self, *, enabled: bool, verbose: bool = False) -> None:
        self._enabled = enabled
        self._verbose = verbose
        self._status: Status | None = None
        self._turn = 0

    @functools.cached_property
    def _console(self) -> Console:
        from rich.console import Console  # where nobody watches, not before the first request

        return Console(stderr=True, highlight=False, soft_wrap=self._verbose)

    def __enter__(self) -> Progress:
        if self._enabled and sys.stderr is not None and sys.stderr.isatty():
            self._status = self._console.status("working")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, turn: Turn) -> None:
        """Print the turn's calls and their results; an observer for `Agent.ask`."""
        if not self._enabled:
            return
        self._turn += 1
        for result in turn.results:
            self._print((_as_written if self._verbose else _in_words)(result), "red" if result.error else "")
        if turn.feedback:
            self._print(f"to the model: {turn.feedback}", "yellow")
        elif not turn.results:
            from hart_agent.dialogue.parsing import parse_reply

            parsed = parse_reply(turn.reply.text)
            words = parsed.answer if parsed.answer is not None else parsed.abstention
            self._print(turn.reply.text if words is None else f"answer: {words}", "")

    def _print(self, text: str, style: str) -> None:
        from rich.text import Text

        line = one_line(text)
        # One line each, so that a model's words can't pass for a line of ours.
        shown = Text(f"turn {self._turn:2}  {line[:300]}", style)
        self._console.print(shown, no_wrap=True, overflow="ignore" if self._console.soft_wrap else "ellipsis")


def _as_written(result: ToolResult) -> str:
    """A call as the policy wrote it, and what it was shown."""
    return f"{result.call.name} {json.dumps(result.call.arguments, ensure_ascii=False)} -> {result.text}"


def _in_words(result: ToolResult) -> str:
    """A call in words: which tool, where in the original, and what it returned if that is text."""
    if result.error:
        return f"{result.call.name} refused: {result.text}"
    if not result.views:
        return f"{result.call.name}: {result.text}"
    return f"{result.call.name} {', '.join(str(view.frame.box) for view in result.views)} (original pixels)"
