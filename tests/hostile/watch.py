"""A deadline for each of very many short cases, and a count, at about a microsecond a case."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SECONDS = 1.0
"""Of processor time that a case may take."""
ENDLESS = 15
"""Seconds of processor time, at most twice as many, after which a case is interrupted."""


class Watch:
    """Runs cases, and ends the program at the first that raises or takes too long.

    The time that passes is looked at, which asks nothing of the system. What took long is done again, and its processor
    time measured, since the machine may have been busy with something else; so a case must do the same again.

    Attributes:
        outcomes: what the cases came to; the caller counts them.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self._count, self._seen, self._slowest = 0, -1, 0.0
        signal.signal(signal.SIGVTALRM, self._look)
        signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS, ENDLESS)

    def __call__(self, case: Callable[[], T], name: str) -> T:
        """What a case returns.

        Raises:
            SystemExit: it raised, or took too long; with its name.
        """
        self._count += 1
        began = time.perf_counter()
        try:
            result = case()
            seconds = time.perf_counter() - began
            if seconds > SECONDS / 2:
                began = time.process_time()
                case()
                seconds = time.process_time() - began
                assert seconds < SECONDS, f"it took {seconds:.1f} s of processor time"
        except Exception as error:
            raise SystemExit(f"{name}: {type(error).__name__}: {error}") from error
        self._slowest = max(self._slowest, seconds)
        return result

    def _look(self, *_: object) -> None:
        is_same, self._seen = self._seen == self._count, self._count
        if is_same:
            raise TimeoutError("it has no end")

    def __str__(self) -> str:
        counted = ", ".join(f"{name} {number}" for name, number in self.outcomes.most_common())
        return f"{self._count} replies, the slowest {self._slowest * 1000:.0f} ms: {counted}"
