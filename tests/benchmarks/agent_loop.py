"""The agent loop's own time, beside smolagents' and verifiers' on the same scripted task, in one run.

    python tests/benchmarks/agent_loop.py [--turns 100] [--runs 7]

The model is a script: so many calls of one trivial tool, which adds two numbers, then the answer. What a question and
what a turn costs is told apart by a run with many turns and one with a single turn. Seconds are those of the processor,
which a busy machine lengthens less than those of the clock; runs take turns. The peers call the tool in the loop's own
thread, where one that hangs holds up everything; we call a plain function in another thread, and an async one (the row
"async tool") in the loop's. "A bare hop" is the cheapest way to another thread and back, by two locks. A peer that is
not installed is left out, and named. They pin versions of much, so that they are best installed apart:

    python3 -m venv peers && peers/bin/pip install -e . smolagents verifiers==0.1.9
    peers/bin/python tests/benchmarks/agent_loop.py
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from PIL import Image

from hart_agent import Agent, CoordinateProfile, CoordinateSpace, EpisodeConfig, Reply, ViewBudget, tool
from hart_agent.tooling.decorator import FunctionTool

ANSWER = "the sum is 3"


@tool
def add(a: int, b: int) -> str:
    """Add two numbers.

    Args:
        a: the first.
        b: the second.
    """
    return str(a + b)


@dataclass
class Script:
    """A policy that calls the tool so many times, and answers."""

    turns: int
    tool: str
    name = "script"
    profile = CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=200_000))

    async def reply(self, messages: Any, tools: Any) -> Reply:
        if (len(messages) - 2) // 2 < self.turns:  # the prompts; then a reply and a result each turn
            return Reply("", native_calls=((self.tool, '{"a": 1, "b": 2}'),))
        return Reply(f"<answer>{ANSWER}</answer>")


@tool
async def add_in_loop(a: int, b: int) -> str:
    """Add two numbers.

    Args:
        a: the first.
        b: the second.
    """
    return str(a + b)


def ours(turns: int, function: FunctionTool = add) -> Callable[[], Coroutine[Any, Any, object]]:
    agent = Agent(
        Script(turns, function.name), tools=[function], config=EpisodeConfig(max_turns=turns + 1), verify=False
    )
    image = Image.new("RGB", (64, 64))

    async def ask() -> object:
        run = await agent.aask(image, "What is the sum?")
        assert (run.answer, len(run.turns)) == (ANSWER, turns + 1), run
        return run

    return ask


def of_smolagents(turns: int) -> Callable[[], Coroutine[Any, Any, object]]:
    from smolagents import ChatMessage, LogLevel, MessageRole, Model, ToolCallingAgent
    from smolagents import tool as smol_tool
    from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction

    @smol_tool
    def add(a: int, b: int) -> str:
        """Add two numbers.

        Args:
            a: the first.
            b: the second.
        """
        return str(a + b)

    class Scripted(Model):
        asked = 0

        def generate(self, *arguments: Any, **options: Any) -> ChatMessage:
            self.asked += 1
            name, given = ("add", {"a": 1, "b": 2}) if self.asked <= turns else ("final_answer", {"answer": ANSWER})
            function = ChatMessageToolCallFunction(name=name, arguments=given)
            call = ChatMessageToolCall(id=f"call{self.asked}", type="function", function=function)
            return ChatMessage(role=MessageRole.ASSISTANT, content="", tool_calls=[call])

    async def ask() -> object:
        agent = ToolCallingAgent(tools=[add], model=Scripted(), max_steps=turns + 1, verbosity_level=LogLevel.OFF)
        assert agent.run("What is the sum?") == ANSWER
        return agent

    return ask


def of_verifiers(turns: int) -> Callable[[], Coroutine[Any, Any, object]]:
    import verifiers
    from datasets import Dataset
    from openai.types.chat import ChatCompletion

    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    def completion(number: int) -> ChatCompletion:
        message: dict[str, Any] = {"role": "assistant", "content": ANSWER}
        if number <= turns:
            function = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
            calls = [{"id": f"call{number}", "type": "function", "function": function}]
            message = {"role": "assistant", "content": "", "tool_calls": calls}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return ChatCompletion.model_validate(
            {"id": str(number), "object": "chat.completion", "created": 0, "model": "script", "choices": [choice]}
        )

    class Scripted:
        def __init__(self) -> None:
            self.chat = self.completions = self
            self.asked = 0

        async def create(self, **options: Any) -> ChatCompletion:
            self.asked += 1
            return replies[self.asked - 1]

    replies = [completion(number) for number in range(1, turns + 2)]
    prompt = [{"role": "user", "content": "What is the sum?"}]
    rows = Dataset.from_list([{"prompt": prompt, "answer": "3"}])
    environment = verifiers.ToolEnv(tools=[add], max_turns=turns + 1, dataset=rows)

    async def ask() -> object:
        row = {"prompt": prompt, "answer": "3", "example_id": 0, "task": "sum"}
        state = await environment.rollout(row, Scripted(), "script")
        assert len(state["trajectory"]) == turns + 1
        assert state["completion"][-1]["content"] == ANSWER
        return state

    return ask


OURS = "hart-agent"
ASYNC = "async tool"
PEERS = {OURS: ours, ASYNC: partial(ours, function=add_in_loop), "smolagents": of_smolagents, "verifiers": of_verifiers}


async def seconds(ask: Callable[[], Coroutine[Any, Any, object]]) -> float:
    started = time.process_time()
    await ask()
    return time.process_time() - started


def hop(times: int = 1000) -> float:
    """Processor seconds that it takes to wake another thread and to be woken by it."""
    there, back = threading.Lock(), threading.Lock()
    there.acquire(), back.acquire()

    def answer() -> None:
        for _ in range(times):
            there.acquire()
            back.release()

    threading.Thread(target=answer, daemon=True).start()
    started = time.process_time()
    for _ in range(times):
        there.release()
        back.acquire()
    return (time.process_time() - started) / times


def spread(values: list[float]) -> str:
    """Median and range, in milliseconds."""
    return f"{statistics.median(values) * 1e3:.3f} ({min(values) * 1e3:.3f}-{max(values) * 1e3:.3f})"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    here = [name for name in PEERS if name in (OURS, ASYNC) or find_spec(name)]
    asks = {name: (PEERS[name](1), PEERS[name](arguments.turns)) for name in here}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in here}
    for ask, _ in asks.values():
        await ask()
    for _ in range(arguments.runs):
        for name, (short, long) in asks.items():
            found[name].append((await seconds(short), await seconds(long)))
    print(f"{'':12} {'ms a question of one call':>28} {'ms a further turn':>24} {'times ours':>10}")
    own = None
    for name, runs in found.items():
        per_turn = [(long - short) / (arguments.turns - 1) for short, long in runs]
        own = own or statistics.median(per_turn)
        ratio = statistics.median(per_turn) / own
        print(f"{name:12} {spread([short for short, _ in runs]):>28} {spread(per_turn):>24} {ratio:>10.1f}")
    print(f"{'a bare hop':12} {'':>28} {spread([hop() for _ in range(arguments.runs)]):>24}")
    for name in PEERS.keys() - set(here):
        print(f"{name}: not installed")


if __name__ == "__main__":
    asyncio.run(main())
