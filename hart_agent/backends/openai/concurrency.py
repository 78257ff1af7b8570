"""How many requests a server is asked at once: more while it keeps up, fewer when it says that it doesn't.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), with TCP's slow start before the first refusal.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

_FIRST = 16.0
_AFTER_SLOW_START = 0.5
"""The bound was doubled to what was too much; half of it was not."""
_DECREASE = 0.8


class AdaptiveLimit:
    """A bound on the requests under way on one event loop, which follows what the server can take.

    Args:
        is_overload: whether an exception of a request means that the server had too much to do.

    Attributes:
        value: the bound; its whole part counts, and it is 1 or more.
        served: how many requests were answered.
    """

    def __init__(self, is_overload: Callable[[Exception], bool]) -> None:
        self.value = _FIRST
        self.served = 0
        self._is_overload = is_overload
        self._slow_start = True
        self._decreases = 0
        self._requests = _Room(lambda: int(self.value))
        # Some episodes run tools while others ask. With many more than that, each would wait long between its turns.
        self._episodes = _Room(lambda: 2 * math.ceil(self.value))

    def episode(self) -> AbstractAsyncContextManager[None]:
        """Hold a place among the episodes under way: about as many as keep the server busy."""
        return self._episodes

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Hold a place among the requests under way; how the body ends moves the bound."""
        async with self._requests:
            # What was sent before the last decrease says nothing of the bound that holds now.
            decreases = self._decreases
            try:
                yield
            except Exception as error:
                if self._is_overload(error) and decreases == self._decreases:
                    self._decrease()
                raise
            self.served += 1
            if decreases == self._decreases:
                self._increase()

    def _increase(self) -> None:
        if 2 * self._requests.taken > self.value:  # a bound that isn't reached says nothing of the server
            self.value += 1 if self._slow_start else 1 / self.value
            self._requests.fill()
            self._episodes.fill()

    def _decrease(self) -> None:
        factor = _AFTER_SLOW_START if self._slow_start else _DECREASE
        self.value = max(1.0, min(self.value, self._requests.taken) * factor)
        self._slow_start = False
        self._decreases += 1


class _Room(AbstractAsyncContextManager[None]):
    """Places that are given away in the order of coming, one to each `async with`; how many there are may change."""

    def __init__(self, size: Callable[[], int]) -> None:
        self.taken = 0
        self._size = size
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self.fill()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had its turn already
                await self.__aexit__()
            raise

    async def __aexit__(self, *error: object) -> None:
        self.taken -= 1
        self.fill()

    def fill(self) -> None:
        """Give away what is free."""
        while self._waiting and self.taken < self._size():
            turn = self._waiting.popleft()
            if turn.cancelled():
                continue
            self.taken += 1
            turn.set_result(None)
