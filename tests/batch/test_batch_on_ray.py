"""`hart-agent batch --on ray` as a real process with a real Ray of two workers, against a loopback server.

Not part of the default run. Its one command is `tests/on_ray/run`, which says what it needs.
"""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from batch_processes import finish, interrupted, lines_in, start, wait_for
from batch_runs import behave, by_id, number_of, read, right_answer, slowly, write_questions
from conftest import tool_call
from loopback import Behaviour, Handler, refuse, say, serve

from hart_agent.agent.items import BatchItem
from hart_agent.batch.on_ray import Cluster, ask_on_ray
from hart_agent.errors import PolicyError

pytestmark = pytest.mark.ray

START_SECONDS = 300
"""Ray starts in a few seconds, and on two busy cores in more than a minute."""
ON_RAY = ("--on", "ray", "--workers", "2")
TRAP = '''
import os, signal
from hart_agent import ToolContext
from hart_agent import tool

@tool
def trap(context: ToolContext) -> str:
    """Kill the process that it is called in."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "not reached"
'''


def slow(body: dict[str, Any], number: int) -> Behaviour:
    return slowly(behave(body, number), 0.2)


def workers_of(driver: int) -> list[int]:
    """The processes of Ray's actors among the descendants of a process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    family = {driver}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sorted(pid for pid in family if b"ray::MapWorker" in Path(f"/proc/{pid}/cmdline").read_bytes())


def test_the_same_lines_as_without_ray(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 40)
    (tmp_path / "3.png").write_bytes(b"no image")
    with serve(behave) as server:
        plain, on_ray = tmp_path / "plain.jsonl", tmp_path / "ray.jsonl"
        assert finish(start(server, questions, plain))[0] == 3
        asked = len(server.bodies)
        code, said = finish(start(server, questions, on_ray, *ON_RAY), 240)
        assert code == 3, said
        assert len(server.bodies) == 2 * asked
        assert "30 answered, 0 without an answer, 10 failed" in said
        assert by_id(read(on_ray)) == by_id(read(plain))
        (tmp_path / "2.png").rename(tmp_path / "3.png")
        code, said = finish(start(server, questions, on_ray, *ON_RAY, "--retry-errors"), 240)
        assert code == 0, said
    lines = by_id(read(on_ray))
    assert {name: line["answer"] for name, line in lines.items()} == {f"q{n}": right_answer(n) for n in range(40)}


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 60)
    out = tmp_path / "out.jsonl"
    with serve(slow) as server:
        process = start(server, questions, out, *ON_RAY, "--concurrency", "4")
        wait_for(lambda: lines_in(out) >= 10, process, START_SECONDS)
        before = workers_of(process.pid)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: lines_in(out) >= 40, process, START_SECONDS)
        assert lines_in(out) < 60
        os.kill(next(pid for pid in workers_of(process.pid) if pid in before), signal.SIGKILL)
        code, said = finish(process, 240)
        assert code == 0, said
        asked = len(server.bodies)
    lines = by_id(read(out))
    assert {name: line["answer"] for name, line in lines.items()} == {f"q{n}": right_answer(n) for n in range(60)}
    # 40 questions of 1 request, 20 of 3; asked again were at most the 4 that each killed worker had under way.
    assert asked <= 40 + 20 * 3 + 2 * 4 * 3


def test_a_killed_driver_goes_on(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 40)
    out = tmp_path / "out.jsonl"
    with serve(slow) as server:
        process = start(server, questions, out, *ON_RAY)
        wait_for(lambda: lines_in(out) >= 10, process, START_SECONDS)
        process.kill()
        assert finish(process)[0] == -signal.SIGKILL
        known = by_id(read(out))
        assert 0 < len(known) < 40
        asked = len(server.bodies)
        code, said = finish(start(server, questions, out, *ON_RAY), 240)
        assert code == 0, said
        assert len(server.bodies) - asked <= (40 - len(known)) * 3
    lines = by_id(read(out))
    assert known.items() <= lines.items()
    assert {name: line["answer"] for name, line in lines.items()} == {f"q{n}": right_answer(n) for n in range(40)}


def test_a_question_that_kills_every_worker_is_a_line_with_an_error(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 12)
    (tmp_path / "trap.py").write_text(TRAP)
    out = tmp_path / "out.jsonl"

    def trapped(body: dict[str, Any], number: int) -> Behaviour:
        return say(tool_call("trap")) if number_of(body) == 7 else behave(body, number)

    with serve(trapped) as server:
        options = (*ON_RAY, "--concurrency", "1", "--tool", "trap.py:trap")
        code, said = finish(start(server, questions, out, *options), 240)
    assert code == 3, said
    lines = by_id(read(out))
    assert {name for name, line in lines.items() if "error" in line} == {"q7"}
    assert lines["q7"]["error"]["type"] == "PolicyError"
    assert "was lost 4 times" in lines["q7"]["error"]["message"]
    assert len(lines) == 12


def test_an_outage_and_a_broken_worker_stop_the_run(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 30)
    out = tmp_path / "out.jsonl"
    with serve([refuse(401, "who are you?")]) as server:
        code, said = finish(start(server, questions, out, *ON_RAY), 240)
        assert code == 4, said
        assert "10 questions in a row" in said
        code, said = finish(start(server, questions, out, *ON_RAY, "--tool", "missing.py:nothing"), 240)
        assert code == 2, said
        assert "missing.py" in said
        code, said = finish(start(server, questions, out, "--on", "ray", "--ray-address", "127.0.0.1:1"), 240)
        assert code == 2, said
        assert "127.0.0.1:1" in said
    assert lines_in(out) == 0


def test_an_interrupt_gives_up_what_is_under_way(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 40)
    out = tmp_path / "out.jsonl"

    def never(handler: Handler) -> None:
        handler.loopback.closing.wait(120)

    with serve(lambda body, number: never if number_of(body) >= 10 else behave(body, number)) as server:
        interrupted(start(server, questions, out, *ON_RAY), out, 10, START_SECONDS)
    assert len(by_id(read(out))) == 10


async def test_a_worker_that_breaks_down_as_it_starts_is_told(tmp_path: Path) -> None:
    broken: Any = functools.partial(int, "no agent")
    results = ask_on_ray(
        broken, [BatchItem("a", tmp_path / "a.png", "what?")], cluster=Cluster(workers=1), concurrency=1
    )
    with pytest.raises(PolicyError, match=r"Ray gave up: ValueError.*'no agent'"):
        _ = [result async for result in results]
