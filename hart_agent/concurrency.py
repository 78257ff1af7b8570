"""Doing many things at once, but not too many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def map_concurrently(
    work: Callable[[T], Awaitable[R]], items: Iterable[T], limit: int
) -> AsyncGenerator[R, None]:
    """The results of some work on each item, as they come.

    Items are drawn only when there is room for them, so that they may be endless. When an item's work raises, or the
    generator is closed, what is under way is cancelled.

    Args:
        work: on one item.
        items: what is worked on.
        limit: how many at once.
    """
    remaining = iter(items)
    running: set[asyncio.Task[R]] = set()

    async def run(item: T) -> R:
        return await work(item)

    try:
        while True:
            while len(running) < limit and (item := next(remaining, _END)) is not _END:
                running.add(asyncio.create_task(run(item)))  # type: ignore[arg-type]
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


_END = object()
