"""When to ask a server again, and how long to wait before that."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from hart_agent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter, which never waits less than a server asks for, up to a cap.

    Attributes:
        retries: further attempts after the first.
        base: seconds before the first retry; doubled for each one after it.
        cap: seconds; no wait is longer, whatever the server asks for.
    """

    retries: int = 4
    base: float = 0.5
    cap: float = 60.0

    def __post_init__(self) -> None:
        if self.retries < 0 or self.base < 0 or self.cap < 0:
            raise ConfigError(f"retries and waits can't be negative, got {self}")

    def delay(self, retry: int, asked: float | None = None, *, chance: float | None = None) -> float:
        """Seconds to wait.

        Args:
            retry: 0 before the first retry.
            asked: what the server asked for, in seconds.
            chance: 0 to 1, in the place of a random number. Requests that failed together must not come back together.
        """
        jitter = random.random() if chance is None else chance
        backed_off = self.base * 2**retry * (0.5 + jitter / 2)
        wanted = backed_off if asked is None else max(asked, 0.0) + self.base * jitter
        return min(wanted, self.cap)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait, from `Retry-After` (seconds or a date); None if it names neither."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError, TypeError, IndexError):  # as the date is damaged or beyond the calendar
            return None
    return None if math.isnan(seconds) else seconds
