"""Work that is given so much time: its result, its errors, and what happens when the time is over."""

from __future__ import annotations

import asyncio

import pytest

from hart_agent.concurrency import OutOfTimeError, within


async def given_back(value: int, waits: int = 0) -> int:
    for _ in range(waits):
        await asyncio.sleep(0)
    return value


@pytest.mark.parametrize("waits", [0, 1, 3])
async def test_the_result_and_the_errors_are_those_of_the_work(waits: int) -> None:
    assert await within(60, given_back(7, waits)) == 7

    async def fails(error: Exception) -> None:
        await given_back(0, waits)
        raise error

    for error in (KeyError("x"), TimeoutError("its own")):
        with pytest.raises(type(error)) as raised:
            await within(60, fails(error))
        assert raised.value is error


async def test_a_future_is_awaited_as_a_coroutine_is() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    loop.call_soon(future.set_result, 3)
    assert await within(60, future) == 3


@pytest.mark.parametrize("seconds", [0.01, 0.0, -1.0])
async def test_work_that_waits_too_long_is_cancelled(seconds: float) -> None:
    ended = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # it may wait again while it ends
            ended.append(True)

    with pytest.raises(OutOfTimeError):
        await within(seconds, hangs())
    assert ended == [True]


async def test_work_that_never_waits_is_done_even_without_time() -> None:
    assert await within(0, given_back(7)) == 7


async def test_who_is_cancelled_meanwhile_is_cancelled() -> None:
    started = asyncio.Event()

    async def hangs() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(within(60, hangs()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
