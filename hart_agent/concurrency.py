"""Doing many things at once, but not too many."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


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

    def work() -> None:
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            outcome.set_result(function())
        except Exception as error:
            # A future can't carry StopIteration.
            outcome.set_exception(RuntimeError("StopIteration") if isinstance(error, StopIteration) else error)
        except BaseException as error:  # a thread may not end the program
            outcome.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))

    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()
    return await asyncio.wrap_future(outcome)
