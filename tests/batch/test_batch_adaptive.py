"""The bound on requests under way: it follows what a server takes, and lets nothing through beyond it."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from batch_runs import Crowd, number_of, right_answer, write_questions
from conftest import answer
from hypothesis import given
from hypothesis import strategies as st
from loopback import Behaviour, Handler, say, serve

from hart_agent import Agent, EpisodeConfig, Mode
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.openai.concurrency import AdaptiveLimit
from hart_agent.backends.openai.retries import RetryPolicy


class TooMuchError(Exception):
    """What the simulated server below says."""


class Simulated:
    """A server that takes so many requests at once, and refuses those beyond."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.under_way = self.most = self.refused = self.done = 0
        self.values: list[float] = []
        self.limit = AdaptiveLimit(lambda error: isinstance(error, TooMuchError))

    async def request(self) -> None:
        try:
            async with self.limit.request():
                assert self.under_way < self.limit.value
                self.under_way += 1
                self.most = max(self.most, self.under_way)
                try:
                    await asyncio.sleep(0.001)
                    if self.under_way > self.takes:
                        raise TooMuchError
                finally:
                    self.under_way -= 1
                self.done += 1
                self.values.append(self.limit.value)
        except TooMuchError:
            self.refused += 1

    async def ask(self, count: int) -> None:
        before = self.done

        async def worker() -> None:
            while self.done - before < count:
                await self.request()

        async with asyncio.timeout(30):
            await asyncio.gather(*(worker() for _ in range(200)))


@pytest.mark.parametrize("takes", [1, 3, 20, 90])
async def test_the_bound_settles_near_what_the_server_takes(takes: int) -> None:
    server = Simulated(takes)
    await server.ask(20 * takes + 200)
    server.values.clear()
    refused = server.refused
    await server.ask(20 * takes + 200)
    assert 0.7 * takes <= sum(server.values) / len(server.values) <= takes + 1.5
    assert server.refused - refused <= (0.1 if takes > 10 else 0.6) * len(server.values)


async def test_it_grows_again_when_the_server_takes_more() -> None:
    server = Simulated(10)
    await server.ask(2000)
    assert server.limit.value < 12
    server.takes = 40
    await server.ask(8000)
    assert 28 <= sum(server.values[-2000:]) / 2000 <= 41


async def test_a_capable_server_is_soon_asked_as_much_as_there_is_to_ask() -> None:
    server = Simulated(1000)
    await server.ask(1000)
    assert server.most == 200
    assert server.limit.value < 2 * 200 + 1  # what isn't used doesn't grow


async def test_refusals_of_requests_that_were_sent_together_count_once() -> None:
    limit = AdaptiveLimit(lambda error: isinstance(error, TooMuchError))
    together = asyncio.Barrier(16)

    async def refused() -> None:
        async with limit.request():
            await together.wait()
            raise TooMuchError

    outcomes = await asyncio.gather(*(refused() for _ in range(16)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [TooMuchError] * 16
    assert limit.value == 8


async def test_other_errors_say_nothing_of_load() -> None:
    limit = AdaptiveLimit(lambda error: isinstance(error, TooMuchError))
    with pytest.raises(ValueError, match="bad"):
        async with limit.request():
            raise ValueError("bad")
    assert limit.value == 16


@given(st.lists(st.sampled_from(["enter", "leave", "cancel", "refuse"]), max_size=120))
def test_no_place_is_lost_or_given_twice(steps: list[str]) -> None:
    """Whatever comes, goes, and is cancelled: as many are inside as there are places, or all who want to be."""

    async def check() -> None:
        limit = AdaptiveLimit(lambda error: isinstance(error, TooMuchError))
        inside: dict[asyncio.Task[None], asyncio.Future[None]] = {}
        tasks: list[asyncio.Task[None]] = []
        every: list[asyncio.Task[None]] = []

        async def hold() -> None:
            async with limit.request():
                task = asyncio.current_task()
                assert task is not None
                inside[task] = asyncio.get_running_loop().create_future()
                try:
                    await inside[task]
                finally:
                    del inside[task]

        for step in ["enter"] * 20 + steps:
            before = len(inside)
            if step == "enter":
                tasks.append(asyncio.create_task(hold()))
                every.append(tasks[-1])
            elif step == "cancel" and tasks:
                tasks.pop(len(tasks) // 2).cancel()
            elif inside:
                future = next(iter(inside.values()))
                if not future.done():
                    future.set_exception(TooMuchError()) if step == "refuse" else future.set_result(None)
            for _ in range(4):
                await asyncio.sleep(0)
            tasks = [task for task in tasks if not task.done()]
            assert len(inside) <= max(before, int(limit.value))
            waiting = len(tasks) - len(inside)
            assert waiting == 0 or len(inside) >= int(limit.value)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*every, return_exceptions=True)
        async with asyncio.timeout(5), limit.request():
            pass

    asyncio.run(check())


@pytest.mark.long
async def test_a_server_that_refuses_beyond_12_at_once_answers_everything(tmp_path: Path) -> None:
    write_questions(tmp_path, 1)
    count = 500
    items = [(number, tmp_path / "0.png", f"what is number {number}?") for number in range(count)]
    crowd = Crowd(12, 0.05)
    with serve(crowd.behave) as server:
        policy = OpenAIPolicy("qwen2.5-vl", base_url=server.url, retry=RetryPolicy(retries=2, base=0.05))
        agent = Agent(policy, config=EpisodeConfig(Mode.DIRECT))
        results = {result.id: result async for result in agent.abatch(items, concurrency=128)}
    assert {number: result.trajectory and result.trajectory.answer for number, result in results.items()} == {
        number: right_answer(number) for number in range(count)
    }
    later = crowd.history[len(crowd.history) // 2 :]
    assert sum(not taken for taken, _ in later) < 0.15 * len(later)
    assert sum(inside for _, inside in later) / len(later) > 0.6 * 12


@pytest.mark.long
async def test_questions_wait_outside_their_time(tmp_path: Path) -> None:
    """A server that takes two at once would keep the last of 60 waiting far longer than a question may take."""
    write_questions(tmp_path, 1)
    items = [(number, tmp_path / "0.png", f"what is number {number}?") for number in range(60)]
    crowd = Crowd(2, 0.15)
    with serve(crowd.behave) as server:
        policy = OpenAIPolicy("qwen2.5-vl", base_url=server.url, retry=RetryPolicy(retries=4, base=0.1))
        agent = Agent(policy, config=EpisodeConfig(Mode.DIRECT, max_seconds=2.0))
        results = [result async for result in agent.abatch(items, concurrency=60)]
    late = [result for result in results if result.trajectory and result.trajectory.stop_reason == "max_seconds"]
    assert len(late) <= 16  # of the 32 that began before the server had said how little it takes
    assert all(result.error is None for result in results)


@pytest.mark.long
async def test_time_outs_lower_the_bound(tmp_path: Path) -> None:
    write_questions(tmp_path, 1)
    items = [(number, tmp_path / "0.png", f"what is number {number}?") for number in range(24)]
    lock, inside = threading.Lock(), 0

    def behave(body: dict[str, Any], _: int) -> Behaviour:
        """The more are served at once, the slower; beyond 8 slower than the time-out."""

        def serve_it(handler: Handler) -> None:
            nonlocal inside
            with lock:
                inside += 1
                seconds = 0.05 if inside <= 8 else 1.0
            time.sleep(seconds)
            with lock:
                inside -= 1
            say(answer(right_answer(number_of(body))))(handler)

        return serve_it

    with serve(behave) as server:
        policy = OpenAIPolicy("qwen2.5-vl", base_url=server.url, timeout=0.5, retry=RetryPolicy(retries=6, base=0.05))
        agent = Agent(policy, config=EpisodeConfig(Mode.DIRECT))
        results = [result async for result in agent.abatch(items, concurrency=40)]
        connection = await policy._server._connection()
    assert all(result.trajectory and result.trajectory.answer for result in results)
    assert connection.limit.value < 16
