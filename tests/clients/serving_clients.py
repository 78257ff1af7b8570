"""What the tests of real clients share: policies, and a server of the command line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

POLICIES = """
import asyncio
from hart_agent import CoordinateProfile, CoordinateSpace, ScriptedPolicy, ViewBudget
from conftest import answer, tool_call

PROFILE = CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=1_000_000))

def speak(messages, tools):
    if not tools:
        return answer("Marwick Bakery")
    turns = [tool_call("zoom", bbox_2d=[0, 0, 500, 500]), tool_call("crop", bbox_2d=[500, 500, 600, 600], label="sign")]
    turn = sum(message.role == "assistant" for message in messages)
    return turns[turn] if turn < 2 else answer("Marwick Bakery")

def look(messages, tools):
    views = [view for message in messages for view in message.views]
    if tools and len(views) == 1:
        return tool_call("crop", bbox_2d=[100, 100, 200, 200], label="x")
    return answer(views[-1].sha256[:8])

class Speaking(ScriptedPolicy):
    accepts = frozenset()
    def __init__(self, say=speak):
        super().__init__(say, PROFILE)

class Looking(Speaking):
    '''Answers with the hash of the pixels of its evidence.'''
    def __init__(self):
        super().__init__(look)

class Slow(Speaking):
    '''Writes down each time that it is asked and each time that it is cancelled, and takes a minute.'''
    async def reply(self, messages, tools):
        print("asked", flush=True)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("cancelled", flush=True)
            raise
"""
BOX = [600, 450, 720, 540]
"""A tenth of each side of 1200 x 900, from the middle."""


def environment(**values: str) -> dict[str, str]:
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests.parent), str(tests), str(tests / "support"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, **values}


@contextmanager
def running(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`hart-agent serve` as a process: its address, and the process."""
    command = [sys.executable, "-m", "hart_agent", "serve", "--port", "0", *arguments]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
            assert found is not None
            yield found[0], process
        finally:
            process.kill()


def output(*command: str, status: int = 0, **options: Any) -> str:
    """What a program writes; it must end with that status."""
    program = shutil.which(command[0])
    assert program is not None, f"{command[0]} is missing; run tests/clients/run"
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=False, timeout=600,
        stdin=subprocess.DEVNULL, **options,
    )  # fmt: skip
    assert done.returncode == status, done.stderr + done.stdout
    return done.stdout
