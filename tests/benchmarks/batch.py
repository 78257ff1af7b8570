"""Throughput and memory of `hart-agent batch` against a loopback server with a fixed latency.

    python tests/benchmarks/batch.py                          # 5 runs of 20,000 questions
    python tests/benchmarks/batch.py --items 100000 --runs 1  # memory over a long run

The ideal is the concurrency divided by the latency. Beside a batch stand, each time, requests of the same size without
an agent, images or results around them: `bare` through the backend's client, `wire` as bytes that are ready to be sent,
which shows what server and machine allow. The server has a process of its own and, where there are two or more, a core
of its own, as one on another machine would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from hart_agent import Agent, EpisodeConfig, Mode
from hart_agent.agent.items import BatchResult
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.backends.openai.server import Server
from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.batch.run import run_batch
from hart_agent.concurrency import map_concurrently
from hart_agent.vision.cache import ImageCache

IMAGES = 500
BODY = {"model": "m", "messages": [{"role": "user", "content": "x" * 15_000}]}
"""About as long as a request of the benchmark."""


class Answering(asyncio.Protocol):
    """HTTP, as far as this benchmark speaks it: each request is answered after the latency, in a fixed way."""

    def __init__(self, latency: float) -> None:
        message = {"role": "assistant", "content": "<answer>yes</answer>"}
        usage = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = json.dumps({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._answer = head.encode() + body
        self._latency = latency
        self._missing = 0
        self._data = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._data += data
            head, end, body = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self._missing = int(length.split(b":")[1]) - len(body)
            self._data = b""
        if not self._missing:
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, self._answer)


class Asking(asyncio.Protocol):
    """Sends a request that is ready as soon as the last one was answered, until there are no more to be sent."""

    def __init__(self, request: bytes, numbers: Iterator[int]) -> None:
        self._request = request
        self._numbers = numbers
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        assert data.startswith(b"HTTP/1.1 200")  # answers are short and written at once
        self._ask()

    def _ask(self) -> None:
        if next(self._numbers, None) is not None:
            self._transport.write(self._request)
        else:
            self._transport.close()
            self.done.set_result(None)


async def serve(latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Answering(latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def served(latency: float) -> Iterator[str]:
    command = [sys.executable, __file__, "--serve", "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        *others, last = sorted(os.sched_getaffinity(0))
        if others:
            os.sched_setaffinity(process.pid, {last})
            os.sched_setaffinity(0, others)
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


def megabytes() -> float:
    """What the process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Meter:
    """Watches a batch: memory after each tenth, and the rate of all but the first and the last tenth."""

    def __init__(self) -> None:
        self.memory: list[float] = []
        self.times: list[float] = []
        self._count = 0

    def begin(self, total: int, done: int) -> None:
        self._tenth = (total - done) // 10
        self.times.append(time.perf_counter())

    def advance(self, result: BatchResult) -> None:
        assert result.trajectory is not None
        assert result.trajectory.answer == "yes"
        self._count += 1
        if self._count % self._tenth == 0:
            self.memory.append(megabytes())
            self.times.append(time.perf_counter())

    @property
    def steady_rate(self) -> float:
        return 8 * self._tenth / (self.times[9] - self.times[1])


async def bare(url: str, items: int, concurrency: int) -> float:
    server = Server(url, None, 300.0, RetryPolicy())
    connection = await server._connection()
    connection.limit.value = float(concurrency)
    started = time.perf_counter()
    async for _ in map_concurrently(lambda _: server.complete(BODY), range(items), concurrency):
        pass
    return items / (time.perf_counter() - started)


async def wire(url: str, items: int, concurrency: int) -> float:
    body = json.dumps(BODY).encode()
    request = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    numbers, port = iter(range(items)), urlsplit(url).port
    started = time.perf_counter()
    for _, client in await asyncio.gather(
        *(
            asyncio.get_running_loop().create_connection(lambda: Asking(request, numbers), "127.0.0.1", port)
            for _ in range(concurrency)
        )
    ):
        await client.done
    return items / (time.perf_counter() - started)


def run(folder: Path, questions: Path, url: str, concurrency: int) -> tuple[Meter, float, float]:
    """A whole batch. Returns the meter, its questions a second, and seconds of CPU per 1,000 questions."""
    out = folder / "out.jsonl"
    out.unlink(missing_ok=True)
    agent = Agent(OpenAIPolicy("qwen2.5-vl", base_url=url), config=EpisodeConfig(Mode.DIRECT))
    meter = Meter()
    read = BatchInput(str(questions))
    with ResultFile(out) as file:
        started, cpu = time.perf_counter(), time.process_time()
        work = run_batch(agent, read, file, concurrency=concurrency, images=ImageCache(), watcher=meter)
        summary = asyncio.run(work)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert summary.answered == read.count
    assert len({json.loads(line)["id"] for line in out.open()}) == read.count
    return meter, read.count / seconds, 1000 * cpu / read.count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.latency))
        return
    ideal = options.concurrency / options.latency
    rates, steady, cpus, bares, wires = [], [], [], [], []
    with tempfile.TemporaryDirectory() as name, served(options.latency) as url:
        folder = Path(name)
        for index in range(IMAGES):
            Image.effect_noise((64, 48), 60).convert("RGB").save(folder / f"{index}.png")
        questions = folder / "in.jsonl"
        with questions.open("w") as file:
            for index in range(options.items):
                entry = {"id": str(index), "image": f"{index % IMAGES}.png", "question": f"number {index}?"}
                file.write(json.dumps(entry) + "\n")
        print(f"ideal {ideal:.0f}/s: concurrency {options.concurrency}, latency {options.latency:g} s")
        for _ in range(options.runs):
            fewer = min(options.items, 10_000)
            wires.append(asyncio.run(wire(url, fewer, options.concurrency)))
            bares.append(asyncio.run(bare(url, fewer, options.concurrency)))
            meter, rate, cpu = run(folder, questions, url, options.concurrency)
            rates.append(rate)
            steady.append(meter.steady_rate)
            cpus.append(cpu)
            memory = " ".join(f"{value:.0f}" for value in meter.memory)
            beside = f"bare {bares[-1]:.0f}/s, wire {wires[-1]:.0f}/s"
            print(f"{rate:.0f}/s, steady {steady[-1]:.0f}/s, {beside}, cpu {cpu:.2f} s per 1,000")
            print(f"  MB after each tenth: {memory}", flush=True)
    for label, values in (("whole run", rates), ("steady", steady), ("bare", bares), ("wire", wires)):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{label:9} {middle:.0f}/s ({low:.0f} to {high:.0f}) = {middle / ideal:.1%} of the ideal")
    if options.json:
        found = {"ideal": ideal, "rates": rates, "steady": steady, "bare": bares, "wire": wires, "cpu_s_per_1000": cpus}
        options.json.write_text(json.dumps({**found, "megabytes": meter.memory}))


if __name__ == "__main__":
    main()
