"""When the current question must be answered: for policies that can stop early and say what they have by then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("hart_agent_deadline", default=None)


@contextmanager
def seconds_to_answer(seconds: float) -> Iterator[None]:
    """Within this context, and in the tasks and threads that it starts, `current_deadline` is so many seconds away."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def current_deadline() -> float | None:
    """On the clock `time.monotonic`; None if nobody set one."""
    return _deadline.get()
