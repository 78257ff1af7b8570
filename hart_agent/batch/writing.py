"""Writing results while others are still being looked for."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Sequence

from hart_agent.agent.items import BatchResult

_MOST_WAITING = 1024


class Writer:
    """Hands results to the disk without waiting for it. Those that come while it is busy go together, next.

    Args:
        write: puts results on the disk; called in a thread, once at a time.
        written: called with each result afterwards.
    """

    def __init__(self, write: Callable[[Sequence[BatchResult]], None], written: Callable[[BatchResult], None]) -> None:
        self._write = write
        self._written = written
        self._waiting: list[BatchResult] = []
        self._task: asyncio.Task[None] | None = None
        # Of its own: in the loop's pool it would have to queue behind images that are being decoded.
        self._thread = concurrent.futures.ThreadPoolExecutor(1)

    async def put(self, result: BatchResult) -> None:
        """Take a result. Waits only where the disk is far behind.

        Raises:
            Whatever `write` raised since the last call.
        """
        self._waiting.append(result)
        if self._task is not None and not self._task.done():
            if len(self._waiting) >= _MOST_WAITING:
                await asyncio.shield(self._task)
            return
        if self._task is not None:
            self._task.result()
        self._task = asyncio.create_task(self._write_waiting())

    async def finish(self) -> None:
        """See that all results are on the disk; the last call.

        Raises:
            Whatever `write` raises.
        """
        try:
            if self._task is not None:
                await self._task
            await self._write_waiting()
        finally:
            self._thread.shutdown(wait=False)

    async def _write_waiting(self) -> None:
        while self._waiting:
            portion, self._waiting = self._waiting, []
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, portion)
            for result in portion:
                self._written(result)
