"""Gathering concurrent work into batches."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from hart_agent.backends.local.batching import Batcher, Job


class Doubler:
    """Doubles numbers, and keeps which it was given together."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self.seconds = seconds
        self.at_once = 0

    def __call__(self, jobs: Sequence[Job[int, int]]) -> list[int]:
        self.at_once += 1
        assert self.at_once == 1
        self.batches.append([job.item for job in jobs])
        time.sleep(self.seconds)
        self.at_once -= 1
        return [2 * job.item for job in jobs]


async def test_what_is_asked_together_is_done_together() -> None:
    work = Doubler()
    batcher = Batcher(work, max_size=3, wait=0.05)
    assert await asyncio.gather(*map(batcher.submit, range(8))) == [2 * number for number in range(8)]
    assert work.batches == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert await batcher.submit(9) == 18
    assert work.batches[-1] == [9]


def test_one_batch_at_a_time_from_many_event_loops() -> None:
    work = Doubler(0.001)
    batcher = Batcher(work, max_size=4, wait=0.001)

    async def several(start: int) -> list[int]:
        return await asyncio.gather(*map(batcher.submit, range(start, start + 10)))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda start: asyncio.run(several(start)), range(0, 80, 10)))
    assert results == [[2 * number for number in range(start, start + 10)] for start in range(0, 80, 10)]
    assert sorted(number for batch in work.batches for number in batch) == list(range(80))


async def test_the_thread_ends_when_there_is_nothing_to_do() -> None:
    def worker() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "hart-agent batches"]

    batcher = Batcher(Doubler(), max_size=4)
    assert await batcher.submit(1) == 2
    for _ in range(100):
        if not worker():
            break
        await asyncio.sleep(0.01)
    assert not worker()


async def test_an_error_reaches_everyone_who_waits() -> None:
    def fail(jobs: Sequence[Job[int, int]]) -> list[int]:
        raise OSError("broken")

    batcher = Batcher(fail, max_size=4, wait=0.02)
    outcomes = await asyncio.gather(*map(batcher.submit, range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["broken"] * 3


async def test_what_nobody_waits_for_is_not_begun_or_told_so() -> None:
    seen: list[Job[int, int]] = []
    begun = threading.Event()
    go_on = threading.Event()

    def work(jobs: Sequence[Job[int, int]]) -> list[int]:
        seen.extend(jobs)
        begun.set()
        go_on.wait(5)
        return [job.item for job in jobs]

    batcher = Batcher(work, max_size=1, wait=0.001)
    first, second = (asyncio.ensure_future(batcher.submit(number)) for number in (1, 2))
    await asyncio.to_thread(begun.wait, 5)
    for task in (first, second):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    go_on.set()
    assert await batcher.submit(3) == 3
    assert [(job.item, job.abandoned) for job in seen] == [(1, True), (3, False)]


ENDS_AT_ONCE = """
import asyncio, time
from hart_agent.backends.batching import Batcher

class Model:
    def work(self, jobs):
        return [job.item for job in jobs]

    def __del__(self):
        time.sleep(0.5)  # other threads go on, as while tensors are freed
        print("freed", flush=True)

batcher = Batcher(Model().work, max_size=1, wait=0.2)
print(asyncio.run(batcher.submit("answer")), flush=True)
"""


def test_a_program_ends_only_when_the_model_is_freed() -> None:
    """The thread outlives the last answer and is then the last to hold the model; torch aborts if it is cut off."""
    done = subprocess.run([sys.executable, "-c", ENDS_AT_ONCE], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["answer", "freed"], "")


INTERRUPTED = """
import asyncio, signal, time
from hart_agent.backends.batching import Batcher

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored

def work(jobs):
    print("begun", flush=True)
    until = time.monotonic() + 60
    while not jobs[0].abandoned and time.monotonic() < until:  # as generation does, between two tokens
        time.sleep(0.01)
    assert jobs[0].abandoned
    print("given up", flush=True)
    return [None]

asyncio.run(Batcher(work, max_size=1).submit("question"))
"""


def test_an_interrupted_program_gives_up_and_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "begun\n"
        program.send_signal(signal.SIGINT)
        assert program.stdout.read() == "given up\n"
        assert program.wait(timeout=30) == -signal.SIGINT
