"""Doing many things at once, but not too many, and never waiting for one that hangs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import os
import queue
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, ParamSpec, TypeVar

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

THREAD_NAME: Final = "hart-agent: a function that may hang"
"""Of threads that nobody waits for; one that is alive when the process ends was given up."""


async def map_concurrently(
    work: Callable[[T], Awaitable[R]], items: Iterable[T], limit: int
) -> AsyncGenerator[R, None]:
    """The results of some work on each item, in the order in which they are done.

    Items are drawn only when there is room for them, so that they may be endless; results wait for whoever takes them,
    as many as there may be items at once. When an item's work raises, or the generator is closed, what is under way is
    cancelled.

    Args:
        work: on one item.
        items: what is worked on.
        limit: how many at once.
    """
    remaining = iter(items)
    found: asyncio.Queue[R | asyncio.Task[None]] = asyncio.Queue()
    untaken = asyncio.Semaphore(limit)

    async def work_on() -> None:
        # One item after the other: going on to the next at once, without a task for each, keeps a server busier.
        for item in remaining:
            result = await work(item)
            await untaken.acquire()
            found.put_nowait(result)

    workers = {asyncio.create_task(work_on()) for _ in range(limit)}
    for worker in workers:
        worker.add_done_callback(found.put_nowait)
    try:
        while workers:
            one = await found.get()
            if isinstance(one, asyncio.Task):
                workers.remove(one)
                one.result()  # raises what the work raised
            else:
                untaken.release()
                yield one
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def in_thread(function: Callable[[], R]) -> R:
    """Run a plain function in a thread of its own: other than for the loop's pool, nobody waits for one that hangs.

    Raises:
        RuntimeError: the function raised what may not leave a thread or a future: SystemExit, StopIteration.
        Exception: any other that the function raised.
    """
    outcome: concurrent.futures.Future[R] = concurrent.futures.Future()
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_fulfil, outcome, function), daemon=True, name=THREAD_NAME).start()
    return await asyncio.wrap_future(outcome)


class DaemonThreads(concurrent.futures.ThreadPoolExecutor):
    """A pool for a loop's `to_thread` whose threads hold up neither the end of the loop nor that of the process.

    Args:
        limit: threads at once; by default as many as Python's own pool has.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__(limit)
        self._limit = limit or min(32, (os.cpu_count() or 1) + 4)
        self._submitted: queue.SimpleQueue[tuple[concurrent.futures.Future[Any], Callable[[], Any]] | None]
        self._submitted = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._free = threading.Semaphore(0)
        self._started = 0

    def submit(
        self, function: Callable[P, R], /, *arguments: P.args, **keywords: P.kwargs
    ) -> concurrent.futures.Future[R]:
        outcome: concurrent.futures.Future[R] = concurrent.futures.Future()
        self._submitted.put((outcome, functools.partial(function, *arguments, **keywords)))
        with self._guard:
            if not self._free.acquire(blocking=False) and self._started < self._limit:
                self._started += 1
                threading.Thread(target=self._work, daemon=True, name=THREAD_NAME).start()
        return outcome

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let idle threads end; nobody waits for the others."""
        for _ in range(self._started):
            self._submitted.put(None)

    def _work(self) -> None:
        while (submitted := self._submitted.get()) is not None:
            _fulfil(*submitted)
            del submitted  # so that what it holds is not kept while this thread waits
            self._free.release()


def run(main: Coroutine[Any, Any, R]) -> R:
    """As `asyncio.run`, but threads that hang hold up neither its end nor that of the process."""
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(main)


def run_within(main: Coroutine[Any, Any, R], seconds: float) -> R:
    """Run a coroutine in a thread of its own, and wait for it so long, even if it blocks its event loop.

    Raises:
        TimeoutError: it did not end. It is cancelled; if it doesn't heed that, it goes on in its thread.
        BaseException: whatever the coroutine raised.
    """
    outcome: concurrent.futures.Future[R] = concurrent.futures.Future()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        try:
            outcome.set_result(await main)
        except BaseException as error:  # it belongs to the caller
            outcome.set_exception(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run, work()), daemon=True, name=THREAD_NAME).start()
    try:
        concurrent.futures.wait([outcome], timeout=seconds)
    finally:
        if not outcome.done():
            for loop, task in running:
                with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                    loop.call_soon_threadsafe(task.cancel)
    if not outcome.done():
        raise TimeoutError(f"not done within {seconds:g} seconds")
    return outcome.result()


def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(DaemonThreads())
    return loop


def _fulfil(outcome: concurrent.futures.Future[R], function: Callable[[], R]) -> None:
    """Call a function, and keep what it returns or raises."""
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        outcome.set_result(function())
    except Exception as error:
        # A future can't carry StopIteration.
        outcome.set_exception(RuntimeError("StopIteration") if isinstance(error, StopIteration) else error)
    except BaseException as error:  # a thread may not end the program
        outcome.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
