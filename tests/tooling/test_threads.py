"""The threads of plain tools: one that hangs is left alone, the others are used again."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable

import pytest

from hart_agent.concurrency import THREAD_NAME, in_thread

PATIENCE = (0.0, 0.5)


@pytest.mark.parametrize("patience", PATIENCE)
async def test_what_the_function_returns_and_raises(patience: float) -> None:
    variable = contextvars.ContextVar("variable", default=1)
    variable.set(7)
    assert await in_thread(variable.get, patience=patience) == 7

    def fails(error: BaseException) -> Callable[[], None]:
        def fail() -> None:
            raise error

        return fail

    with pytest.raises(KeyError, match="x"):
        await in_thread(fails(KeyError("x")), patience=patience)
    for error in (SystemExit(3), StopIteration()):
        with pytest.raises(RuntimeError, match=type(error).__name__):
            await in_thread(fails(error), patience=patience)


@pytest.mark.parametrize("patience", PATIENCE)
async def test_a_thread_is_used_again_unless_it_hangs(patience: float) -> None:
    released = threading.Event()
    hanging: list[threading.Thread] = []

    def hang() -> None:
        hanging.append(threading.current_thread())
        released.wait()

    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await in_thread(hang, patience=patience / 50)
    assert len(set(hanging)) == 2
    assert {thread.name for thread in hanging} == {THREAD_NAME}  # the process's end does not wait for these
    used = [await in_thread(threading.current_thread, patience=patience) for _ in range(20)]
    assert len(set(used)) == 1
    assert not set(used) & set(hanging)
    assert used[0].name != THREAD_NAME
    released.set()


async def test_functions_run_at_the_same_time() -> None:
    together = threading.Barrier(40)
    await asyncio.gather(*(in_thread(lambda: together.wait(30)) for _ in range(40)))


async def test_what_a_function_held_is_let_go() -> None:
    import gc
    import weakref

    class Large:
        pass

    large = Large()
    seen = weakref.ref(large)
    await in_thread(lambda held=large: None)
    del large
    await in_thread(lambda: None)
    gc.collect()
    assert seen() is None
