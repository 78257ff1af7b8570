"""A mixed load on one process, with faults of its server, its tools, its images and its clients, by a seed.

Two hours of use are compressed: time-outs are seconds, and most of what is asked meets something that fails. Every
question is answered or failed, once; and memory, files, threads and tasks stay what they were.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import random
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from batch_runs import right_answer
from PIL import Image
from serving import body, coded, data_url, serving, user

from hart_agent import Agent, EpisodeConfig
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.cli.memory import return_freed_memory
from hart_agent.tooling.decorator import tool
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.protocol import ToolContext

BATCH, CHATS, AT_ONCE = 48, 12, 16
ROUNDS = 12
"""At least so many, for the quarters to be compared."""
TENTHS = 10
GROWTH = {"memory": 0.05, "files": 0.0, "threads": 0.0, "tasks": 0.0}
"""Of the last quarter of the rounds against the second; the first warms up."""
SLACK = {"memory": 20.0, "files": 6.0, "threads": 6.0, "tasks": 1.0}
"""Megabytes, files, threads and tasks that come and go."""


@tool
def raises(context: ToolContext) -> str:
    """Fail."""
    raise RuntimeError("a bug")


@tool
def hangs(context: ToolContext) -> str:
    """Take too long."""
    time.sleep(1.5)
    return "late"


def attack(folder: Path, seed: int, seconds: float) -> tuple[int, list[str], str]:
    return_freed_memory()  # as the commands that run for long do
    with faulty_server(seed) as url:
        return asyncio.run(_Load(folder, seed, url).run(seconds))


@contextmanager
def faulty_server(seed: int) -> Iterator[str]:
    program = Path(__file__).with_name("faulty_server.py")
    process = subprocess.Popen(
        [sys.executable, str(program), str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


class _Load:
    def __init__(self, folder: Path, seed: int, url: str) -> None:
        self._draw = random.Random(seed)
        self._images = pictures(folder)
        self._photo = data_url(coded(160, 120))
        self._url = url
        self._outcomes: Counter[str] = Counter()
        self._failures: list[str] = []
        self._next = 0

    async def run(self, seconds: float) -> tuple[int, list[str], str]:
        ended, samples = time.monotonic() + seconds, list[dict[str, float]]()
        policy = self._policy()
        with serving(agent(self._policy())) as address, ThreadPoolExecutor(CHATS) as clients:
            while time.monotonic() < ended or len(samples) < ROUNDS:
                chats = [clients.submit(self._chat, address, number) for number in self._numbers(CHATS)]
                await self._batch(agent(policy))
                for chat in chats:
                    self._outcomes[await asyncio.wrap_future(chat)] += 1
                samples.append(await measured())
        await policy.aclose()
        self._compare(samples)
        tenths = [samples[round(at * (len(samples) - 1) / TENTHS)] for at in range(TENTHS + 1)]
        shown = "; ".join(f"{name} {' '.join(f'{sample[name]:.0f}' for sample in tenths)}" for name in SLACK)
        counted = ", ".join(f"{count} {name}" for name, count in sorted(self._outcomes.items()))
        return self._next, self._failures, f"{len(samples)} rounds: {counted}. At each tenth: {shown} (MB)."

    def _policy(self) -> OpenAIPolicy:
        return OpenAIPolicy("qwen2.5-vl", base_url=self._url, timeout=2.0, retry=RetryPolicy(retries=2, base=0.01))

    def _numbers(self, count: int) -> list[int]:
        self._next += count
        return list(range(self._next - count, self._next))

    async def _batch(self, agent: Agent) -> None:
        """Some questions at once. Each must come back once, with an answer, an abstention or an error."""
        asked = self._numbers(BATCH)
        items = [(str(number), self._draw.choice(self._images), f"what is number {number}?") for number in asked]
        seen: list[int] = []
        async for result in agent.abatch(items, concurrency=AT_ONCE):
            seen.append(int(result.id))
            answer = result.trajectory.answer if result.trajectory else None
            if result.error is not None:
                self._outcomes[f"of a batch failed ({type(result.error).__name__})"] += 1
            elif answer == right_answer(int(result.id)):
                self._outcomes["of a batch answered"] += 1
            else:  # what a fault made of it
                self._outcomes["of a batch answered otherwise or not"] += 1
        if sorted(seen) != asked:
            self._failures.append(f"asked {asked[0]} to {asked[-1]}, came back {sorted(seen)}")

    def _chat(self, address: str, number: int) -> str:
        """One question to the server; every fourth client goes away before its answer, some send nonsense."""
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=120)
        sent = json.dumps(body(messages=[user(f"what is number {number}?", self._photo)], stream=number % 3 == 0))
        try:
            data = sent[: len(sent) // 2] if number % 7 == 0 else sent
            connection.request("POST", "/v1/chat/completions", data, {"content-type": "application/json"})
            if number % 4 == 0:
                return "chats given up"
            response = connection.getresponse()
            content = response.read()
            return f"chats with HTTP {response.status}" if content else "chats with an empty answer"
        except (OSError, http.client.HTTPException) as error:
            self._failures.append(f"chat {number}: {type(error).__name__}: {error}")
            return "chats failed"
        finally:
            connection.close()

    def _compare(self, samples: list[dict[str, float]]) -> None:
        quarter = len(samples) // 4
        for name, slack in SLACK.items():
            first = statistics.median(sample[name] for sample in samples[quarter : 2 * quarter])
            last = statistics.median(sample[name] for sample in samples[-quarter:])
            if last > first * (1 + GROWTH[name]) + slack:
                self._failures.append(f"{name} grew from {first:.0f} to {last:.0f} in {len(samples)} rounds")


def agent(policy: OpenAIPolicy) -> Agent:
    tools = [*discover_tools(), raises, hangs]
    return Agent(policy, tools=tools, tool_timeout=0.5, config=EpisodeConfig(max_seconds=20))


def pictures(folder: Path) -> list[Path]:
    """Sound images of several sizes and formats, and every fourth one damaged, empty or missing."""
    made = []
    for number, (kind, size) in enumerate(
        [("png", 200), ("jpg", 900), ("webp", 400), ("tif", 300), ("png", 1500), ("gif", 150)]
    ):
        path = folder / f"{number}.{kind}"
        Image.effect_noise((size, size), 60).convert("RGB").save(path)
        made.append(path)
    (folder / "half.png").write_bytes(made[0].read_bytes()[:2000])
    (folder / "empty.jpg").write_bytes(b"")
    return [*made, folder / "half.png", folder / "empty.jpg", folder / "missing.png"]


async def measured() -> dict[str, float]:
    """What the process holds, once what it had begun has come to its end."""
    await asyncio.sleep(0.2)
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory": pages * resource.getpagesize() / 1e6,
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
    }
