"""`hart-agent batch` as a real process: killed, interrupted, and on a disk without room."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_processes import finish, here, interrupted, lines_in, start, wait_for
from batch_runs import behave, by_id, number_of, read, right_answer, slowly, write_questions
from loopback import Behaviour, Handler, refuse, serve

from hart_agent import Agent
from hart_agent.batch.on_ray import Cluster, ask_on_ray
from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.batch.run import keep_results
from hart_agent.errors import InstallError


def steadily(body: dict[str, Any], number: int) -> Behaviour:
    return slowly(behave(body, number), 0.01)


def test_a_batch_from_the_command_line(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 30)
    with serve(behave) as server:
        code, said = finish(start(server, questions, tmp_path / "out.jsonl", env={**os.environ, "FORCE_COLOR": "1"}))
    assert code == 0, said
    assert {name: line["answer"] for name, line in by_id(read(tmp_path / "out.jsonl")).items()} == {
        f"q{n}": right_answer(n) for n in range(30)
    }
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert "30/30" in plain
    assert re.search(r"\d/(s|min)", plain)
    requests = len(server.bodies)  # each of 100 tokens, with a reply of 7
    assert f"{requests / 10:.1f}k + {7 * requests} tokens" in plain
    assert "30 answered, 0 without an answer, 0 failed" in plain


def test_failures_have_their_own_exit_codes(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 30)
    out = tmp_path / "out.jsonl"
    with serve([refuse(401, "who are you?")]) as server:
        code, said = here(server, questions, out)
    assert code == 4
    assert "who are you?" in said
    assert "10 questions in a row" in said
    (tmp_path / "1.png").unlink()
    with serve(behave) as server:
        code, said = here(server, questions, out)
        assert code == 3
        assert "--retry-errors" in said
        code, said = here(server, questions, questions)
    assert code == 2
    assert "overwrite" in said


def killed(folder: Path, count: int, kills: int, seed: int = 0) -> None:
    """Kill a batch at random moments until it was killed so often, let it finish, and compare."""
    questions = write_questions(folder, count)
    out = folder / "out.jsonl"
    draw = random.Random(f"{count} {seed}")
    share = count * 3 // (4 * kills)
    with serve(steadily) as server:
        for _ in range(kills):
            process = start(server, questions, out)
            known, more = lines_in(out), draw.randrange(share)
            wait_for(lambda known=known, more=more: lines_in(out) >= known + more, process)  # type: ignore[misc]
            time.sleep(draw.random() * (0.05 if more else 2.0))
            assert process.poll() is None, finish(process)
            process.send_signal(signal.SIGKILL)
            assert finish(process)[0] == -signal.SIGKILL
        assert 0 < lines_in(out) < count
        code, said = finish(start(server, questions, out), 600)
        assert code == 0, said
        asked = len(server.bodies)
    with serve(behave) as server:
        code, said = finish(start(server, questions, folder / "undisturbed.jsonl"), 600)
        assert code == 0, said
        # What was under way at a kill is asked again, and nothing else: 16 questions of at most 3 requests.
        assert asked - len(server.bodies) <= kills * 16 * 3
    lines = by_id(read(out))
    assert len(lines) == count
    assert lines == by_id(read(folder / "undisturbed.jsonl"))


@pytest.mark.slow
def test_a_killed_batch_goes_on_and_nothing_is_lost_or_there_twice(tmp_path: Path) -> None:
    killed(tmp_path, 300, 3)


@pytest.mark.slow
def test_20_kills_over_2000_questions(tmp_path: Path) -> None:
    killed(tmp_path, 2000, 20)


def test_an_interrupt_gives_up_what_is_under_way_and_says_how_to_go_on(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 60)
    out = tmp_path / "out.jsonl"

    def never(handler: Handler) -> None:
        handler.loopback.closing.wait(60)

    with serve(lambda body, number: never if number_of(body) >= 25 else behave(body, number)) as server:
        said = interrupted(start(server, questions, out), out, 25)  # the server would say nothing for a minute
    assert "Run the same command again" in said
    assert len(by_id(read(out))) == 25
    with serve(behave) as server:
        assert here(server, questions, out)[0] == 0
    assert len(by_id(read(out))) == 60


@pytest.mark.long
def test_two_batches_can_not_write_the_same_file(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 20)
    out = tmp_path / "out.jsonl"
    with serve(lambda body, number: slowly(behave(body, number), 1.0)) as server:
        first = start(server, questions, out)
        wait_for(out.exists, first)
        code, said = here(server, questions, out)
        assert code == 2
        assert "another run" in said
        assert finish(first)[0] == 0
    assert len(by_id(read(out))) == 20


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """60 questions, and the results of a batch to which nothing happens."""
    questions = write_questions(tmp_path_factory.mktemp("undisturbed"), 60)
    out = questions.with_name("out.jsonl")
    with serve(steadily) as server:
        code, said = here(server, questions, out)
    assert code == 0, said
    return questions, by_id(read(out))


def resumes_after_a_full_disk(
    undisturbed: tuple[Path, dict[str, Any]], out: Path, make_room: Callable[[], None], **small: Any
) -> None:
    questions, whole = undisturbed
    with serve(steadily) as server:
        code, said = finish(start(server, questions, out, **small))
        assert code == 2, said
        assert "make room" in said
        assert str(out) in said
        done = by_id(read(out))
        assert 0 < len(done) < 60
        make_room()
        code, said = here(server, questions, out)
        assert code == 0, said
    lines = by_id(read(out))
    assert lines == whole
    assert done.items() <= lines.items()


@pytest.mark.long
def test_files_that_may_not_grow_further(undisturbed: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Writing beyond a limit on the size of files fails like writing to a full disk."""
    limit = (10_000, resource.RLIM_INFINITY)
    resumes_after_a_full_disk(
        undisturbed, tmp_path / "out.jsonl", lambda: None,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(disk)], capture_output=True, text=True, check=False
    )
    if mounting.returncode != 0:
        pytest.skip(f"may not mount a small disk ({mounting.stderr.strip()}); the test of file sizes stands in")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(undisturbed: tuple[Path, dict[str, Any]], small_disk: Path) -> None:
    def make_room() -> None:
        subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)

    resumes_after_a_full_disk(undisturbed, small_disk / "out.jsonl", make_room)


def test_ray_without_its_packages_names_the_command_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it isn't installed
    questions = BatchInput(str(write_questions(tmp_path, 3)))
    asking = functools.partial(ask_on_ray, Agent, cluster=Cluster(), concurrency=1)
    with ResultFile(tmp_path / "out.jsonl") as file, pytest.raises(InstallError, match=r"pip install .*\[ray\]"):
        asyncio.run(keep_results(asking, questions, file))


def test_what_is_of_a_cluster_alone_is_refused_without_one(tmp_path: Path) -> None:
    with serve(behave) as server:
        code, said = here(server, write_questions(tmp_path, 3), tmp_path / "out.jsonl", "--workers", "2")
    assert code == 2
    assert "--on ray" in said
