"""Gathering what several episodes ask at about the same time, for work that is cheaper together."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Job(Generic[Item, Result]):
    """One item of a batch.

    Attributes:
        item: what is to be worked on.
        abandoned: whether nobody waits for the result any more; the work may look at it to stop early.
    """

    item: Item
    abandoned: bool = False
    future: concurrent.futures.Future[Result] = field(default_factory=concurrent.futures.Future)


class Batcher(Generic[Item, Result]):
    """Runs work on batches, one batch at a time, in a thread that lives as long as there is something to do.

    Safe to share between event loops and threads.

    Args:
        work: takes the jobs of a batch and returns their results, in order; an exception goes to every job.
        max_size: jobs in a batch.
        wait: seconds in which further jobs may join the first.
    """

    def __init__(
        self, work: Callable[[Sequence[Job[Item, Result]]], Sequence[Result]], *, max_size: int, wait: float = 0.005
    ) -> None:
        self._work = work
        self._max_size = max_size
        self._wait = wait
        self._pending: list[Job[Item, Result]] = []
        self._running = False
        self._lock = threading.Lock()

    async def submit(self, item: Item) -> Result:
        """The result for one item. Cancelling gives it up: it is not begun, or notified that it is abandoned."""
        job: Job[Item, Result] = Job(item)
        with self._lock:
            self._pending.append(job)
            if not self._running:
                self._running = True
                # No daemon, so that Python waits for it at the end of the program: it may be the last to hold a model,
                # and a thread that frees tensors while the interpreter shuts down ends the program with SIGABRT.
                threading.Thread(target=self._run, name="hart-agent batches").start()
        try:
            return await asyncio.wrap_future(job.future)
        except asyncio.CancelledError:
            job.abandoned = True
            raise

    def _run(self) -> None:
        while True:
            time.sleep(self._wait)
            with self._lock:
                batch, self._pending = self._pending[: self._max_size], self._pending[self._max_size :]
                if not batch:
                    self._running = False
                    return
            wanted = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if wanted:
                self._finish(wanted)

    def _finish(self, jobs: Sequence[Job[Item, Result]]) -> None:
        try:
            results = self._work(jobs)
        except BaseException as error:  # whatever it is, those who wait must hear of it
            for job in jobs:
                job.future.set_exception(error)
            return
        for job, result in zip(jobs, results, strict=True):
            job.future.set_result(result)
