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
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
from typing import Any, ClassVar, Final, Generic, ParamSpec, TypeVar

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

THREAD_NAME: Final = "hart-agent: a function that may hang"
"""Of threads that nobody waits for; one that is alive when the process ends was given up."""

_IDLE_NAME: Final = "hart-agent: idle"
_MOST_IDLE: Final = 32
"""Threads that are kept for the next function; starting one takes longer than most tools run."""
_CLOSING: Final = 0.2
"""Seconds that an event loop gets to close connections, after its work is done."""


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


class OutOfTimeError(TimeoutError):
    """Work was given up because it took too long; it did not raise a TimeoutError of its own."""


async def within(seconds: float, work: Awaitable[R]) -> R:
    """Await some work for so long. Other than `asyncio.timeout`, it sets a timer only if the work has to wait.

    Raises:
        OutOfTimeError: it was not done in time, and was cancelled.
    """
    due = asyncio.get_running_loop().time() + seconds
    steps = work.__await__()
    try:
        awaited = next(steps)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    try:
        async with asyncio.timeout_at(due) as limit:
            return await _continued(steps, awaited)
    except TimeoutError as error:
        if limit.expired():
            raise OutOfTimeError from error
        raise


@types.coroutine
def _continued(steps: Generator[Any, Any, R], awaited: Any) -> Generator[Any, Any, R]:
    """Go on with work that waits for something."""
    try:
        while True:
            try:
                yield awaited
            except BaseException as error:  # such as that it is cancelled
                awaited = steps.throw(error)
            else:
                awaited = next(steps)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def in_thread(function: Callable[[], R], *, patience: float = 0.0) -> R:
    """Run a plain function in a thread that it has for itself: other than for the loop's pool, nobody waits for one
    that hangs, and it takes no thread from others.

    Args:
        function: may hang.
        patience: seconds for which the event loop stands still, at most, to have the result at once. To go on with
            other work and come back to it takes longer than a quick function.

    Raises:
        RuntimeError: the function raised what may not leave a thread or a future: SystemExit, StopIteration.
        Exception: any other that the function raised.
    """
    call = _Call(function)
    _LoneThread.start(call.run)
    return await call.outcome(patience)


class _Call(Generic[R]):
    """A call of a function by a thread, whose outcome an event loop waits for."""

    def __init__(self, function: Callable[[], R]) -> None:
        self._function = function
        self._context = contextvars.copy_context()
        self._found: queue.SimpleQueue[tuple[R, None] | tuple[None, Exception]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._awaited: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    def run(self) -> Callable[[], None]:
        """Call the function; what comes back tells the loop."""
        found = self._context.run(_outcome_of, self._function)

        def tell() -> None:
            with self._lock:
                self._found.put(found)
                awaited = self._awaited
            if awaited is not None:
                with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                    awaited[0].call_soon_threadsafe(_wake, awaited[1])

        return tell

    async def outcome(self, patience: float) -> R:
        """What the function returns or raises."""
        found = self._found_within(patience)
        if found is None:
            with self._lock:
                loop = asyncio.get_running_loop()
                self._awaited = loop, loop.create_future()
                there = not self._found.empty()
            if not there:
                await self._awaited[1]
            found = self._found.get()
        result, error = found
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def _found_within(self, seconds: float) -> tuple[R, None] | tuple[None, Exception] | None:
        try:
            return self._found.get(timeout=seconds) if seconds else None
        except queue.Empty:
            return None


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():  # nobody waits any more
        waiting.set_result(None)


class _LoneThread:
    """A thread that does one thing, which may hang; only when that is over it is kept for the next.

    Attributes:
        idle: those that wait for work.
    """

    idle: ClassVar[list[_LoneThread]] = []

    def __init__(self) -> None:
        self._given: queue.SimpleQueue[Callable[[], Callable[[], None]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True, name=THREAD_NAME)
        self._thread.start()

    @classmethod
    def start(cls, work: Callable[[], Callable[[], None]]) -> None:
        """Do some work, which raises nothing, in a thread that does nothing else meanwhile.

        Args:
            work: may hang; what it returns is called when the thread is free again, and may not.
        """
        try:
            thread = cls.idle.pop()
        except IndexError:
            thread = cls()
        thread._given.put(work)

    def _run(self) -> None:
        kept = True
        while kept:
            work = self._given.get()
            self._thread.name = THREAD_NAME
            tell = work()
            self._thread.name = _IDLE_NAME
            kept = len(self.idle) < _MOST_IDLE
            if kept:
                self.idle.append(self)
            tell()
            del work, tell  # so that what they hold is not kept while this thread waits


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_LoneThread.idle.clear)  # a fork has none of them


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
            outcome, function = submitted
            if outcome.set_running_or_notify_cancel():
                result, error = _outcome_of(function)
                if error is not None:
                    outcome.set_exception(error)
                else:
                    outcome.set_result(result)
                del result, error
            del submitted, outcome, function  # so that what it holds is not kept while this thread waits
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
    thread = threading.Thread(target=context.run, args=(run, work()), daemon=True, name=THREAD_NAME)
    thread.start()
    try:
        if concurrent.futures.wait([outcome], timeout=seconds).done:
            thread.join(_CLOSING)  # or what its event loop still has to close would be freed open
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


def _outcome_of(function: Callable[[], R]) -> tuple[R, None] | tuple[None, Exception]:
    """What a function returns, or raises."""
    try:
        return function(), None
    except Exception as error:
        # A future can't carry StopIteration.
        return None, RuntimeError("StopIteration") if isinstance(error, StopIteration) else error
    except BaseException as error:  # a thread may not end the program
        return None, RuntimeError(f"{type(error).__name__}: {error}")
