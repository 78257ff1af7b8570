"""`--max-seconds` binds, whatever hangs: the process ends, with its exit code, and keeps what was found.

What hangs here hangs for an hour, so that nothing depends on the machine's speed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import talkers
from conftest import tool_call
from PIL import Image

from hart_agent import Agent, EpisodeConfig
from hart_agent.agent.trajectory import StopReason
from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.concurrency import THREAD_NAME, DaemonThreads, run, run_within
from hart_agent.errors import ImageError
from hart_agent.tooling.decorator import tool
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.source import SourceImage

TOOL = """
import subprocess, sys, threading, time
from hart_agent.tooling.decorator import tool
from hart_agent.tooling.protocol import ToolContext

@tool
def nap(context: ToolContext) -> str:
    \"\"\"Sleeps for an hour, in a program of its own, and leaves a thread behind.\"\"\"
    threading.Thread(target=time.sleep, args=(3600,)).start()
    subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)"])
    return "done"
"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.effect_noise((96, 64), 60).convert("RGB").save(path)
    return path


@pytest.mark.long
def test_the_command_ends_whatever_hangs(photo: Path) -> None:
    def ask(policy: str) -> tuple[int, dict[str, object], dict[str, object]]:
        trace = photo.with_name(f"{policy}.json")
        command = [
            sys.executable, "-m", "hart_agent", "ask", photo, "what?", "--json", "--quiet", "--max-seconds", "2",
            "--backend", f"{talkers.__file__}:{policy}", "--trace", trace,
        ]  # fmt: skip
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, json.loads(done.stdout), json.loads(trace.read_text())

    policies = ("InThread", "InLoop", "Stubborn", "SlowCheck", "LeavesThreads")
    with ThreadPoolExecutor(2) as pool:
        outcomes = dict(zip(policies, pool.map(ask, policies), strict=True))
    for policy, (code, printed, traced) in outcomes.items():
        answered = policy in ("SlowCheck", "LeavesThreads")
        assert code == (0 if answered else 3), policy
        assert printed["stop_reason"] == traced["stop_reason"] == ("answered" if answered else "max_seconds"), policy
        assert printed["answer"] == ("Bakery" if answered else None)
        assert [entry["label"] for entry in printed["evidence"]] == ["sign"], policy  # type: ignore[index, attr-defined]
    assert outcomes["SlowCheck"][1]["verdict"] == "unchecked"
    assert "no time was left to check" in str(outcomes["SlowCheck"][1]["reason"])


def test_a_tool_that_hangs_costs_its_time_out_and_what_it_started_ends(photo: Path) -> None:
    """The program that it started holds our pipes, so that reading them to their end waits for it, too."""
    code = photo.with_name("napping.py")
    code.write_text(TOOL)
    command = [sys.executable, "-m", "hart_agent", "tools", "run", f"{code}:nap", photo, "--tool-timeout", "0.5"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "did not finish within 0.5 seconds" in done.stderr


def test_eight_slow_tools_share_one_deadline(photo: Path) -> None:
    slept: list[str] = []

    @tool
    async def nap(context: ToolContext) -> str:
        """Sleeps for an hour."""
        slept.append("begun")
        await asyncio.sleep(3600)
        return "done"

    policy = ScriptedPolicy(["\n".join([tool_call("nap")] * 8), "<answer>late</answer>"])
    agent = Agent(policy, tools=[nap], config=EpisodeConfig(max_seconds=1.0), verify=False)
    result = agent.ask(photo, "what?")
    assert (result.stop_reason, result.answer) == (StopReason.MAX_SECONDS, None)
    assert [outcome.error for outcome in result.turns[0].results] == ["tool_timeout"] * 8
    assert len(slept) == 1  # it took all the time that there was: the others were not begun


def test_time_between_turns_counts(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that ends after the deadline is the last one, whether or not it asked for more."""
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)

    def speak(messages: object, tools: object) -> str:
        nonlocal now
        now += 0.6
        return tool_call("crop", bbox_2d=[4, 4, 40, 40], label="sign")

    result = Agent(ScriptedPolicy(speak), config=EpisodeConfig(max_seconds=1.0), verify=False).ask(photo, "what?")
    assert result.stop_reason is StopReason.MAX_SECONDS
    assert len(result.turns) == 2
    assert result.reason == "no answer within 1 seconds"
    assert len(result.evidence) == 1


def test_an_image_that_can_not_be_decoded_in_time_is_an_image_error(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SourceImage, "sha256", lambda self: time.sleep(talkers.FOREVER))
    monkeypatch.setattr(SourceImage, "at_hand", lambda self, size: False)
    agent = Agent(talkers.Talker(), config=EpisodeConfig(max_seconds=0.5))
    with pytest.raises(ImageError, match=r"not be decoded within 0\.5 seconds.*--max-seconds"):
        agent.ask(photo, "what?")


def test_threads_that_hang_hold_up_neither_a_loop_nor_a_pool() -> None:
    before = set(threading.enumerate())

    async def hang() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.to_thread(time.sleep, talkers.FOREVER)
        return await asyncio.to_thread(str.upper, "done")

    assert run(hang()) == "DONE"
    # The end of the process must know that one is left: what computes in it would abort the interpreter's own end.
    assert THREAD_NAME in [thread.name for thread in set(threading.enumerate()) - before]
    pool = DaemonThreads(2)
    assert [pool.submit(pow, number, 2).result(60) for number in range(50)] == [number**2 for number in range(50)]
    with pytest.raises(RuntimeError, match="SystemExit"):
        pool.submit(sys.exit, 3).result(60)
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(60)
    pool.shutdown()


def test_what_runs_within_its_time_returns_or_raises_as_it_would_anyway() -> None:
    async def value() -> int:
        return 5

    async def fail() -> None:
        raise TimeoutError("its own")

    assert run_within(value(), 60) == 5
    with pytest.raises(TimeoutError, match="its own"):
        run_within(fail(), 60)


def test_what_an_event_loop_closes_is_closed_when_its_result_is_there() -> None:
    closed = threading.Event()

    async def connection() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await asyncio.sleep(0.02)  # of a server that takes its time
            closed.set()

    kept = connection()

    async def ask() -> int:
        await anext(kept)
        return 5

    assert run_within(ask(), 60) == 5
    assert closed.is_set()
