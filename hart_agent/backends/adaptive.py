"""How many requests a server is asked at once: more while it keeps up, fewer when it says that it doesn't.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), with TCP's slow start before the first refusal.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_FIRST = 16.0
_AFTER_SLOW_START = 0.5
"""The limit was doubled to what was too much; half of it was not."""
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
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def worthwhile(self) -> int:
        """How many episodes keep the server busy, some of which run tools, while none waits long for its turn."""
        return 2 * math.ceil(self.value)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a place among the requests under way, in the order of coming; how the body ends moves the bound."""
        await self._enter()
        decreases = self._decreases
        try:
            yield
        except Exception as error:
            # Of the requests that were sent together, one refusal is news.
            if self._is_overload(error) and decreases == self._decreases:
                self._decrease()
            raise
        else:
            self.served += 1
            self._increase()
        finally:
            self._leave()

    async def _enter(self) -> None:
        if self._under_way < int(self.value) and not self._waiting:
            self._under_way += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn had come
                self._leave()
            raise

    def _leave(self) -> None:
        self._under_way -= 1
        while self._waiting and self._under_way < int(self.value):
            turn = self._waiting.popleft()
            if not turn.done():
                self._under_way += 1
                turn.set_result(None)

    def _increase(self) -> None:
        if 2 * self._under_way > self.value:  # a bound that isn't reached says nothing of the server
            self.value += 1 if self._slow_start else 1 / self.value

    def _decrease(self) -> None:
        factor = _AFTER_SLOW_START if self._slow_start else _DECREASE
        self.value = max(1.0, min(self.value, self._under_way) * factor)
        self._slow_start = False
        self._decreases += 1
