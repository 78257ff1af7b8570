"""Kills at random moments, and that nothing is lost or there twice afterwards: batch, evaluation, training, serve."""

from __future__ import annotations

import http.client
import json
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / name) for name in ("batch", "evals", "support")]

from batch_processes import lines_in
from batch_runs import behave, by_id, read, right_answer, slowly, write_questions
from loopback import serve
from serving import body, user
from started import Started, command

from hart_agent.evals.records import RECORDS
from hart_agent.evals.report import REPORT

SECONDS = 900
"""Within which a process must be done, on a busy machine."""


def attack(folder: Path, seed: int, kills: int) -> tuple[int, list[str], str]:
    """Kill each of `PARTS` so often. How many kills, what failed, and how many kills each had."""
    failures, done = [], {}
    for part in PARTS if kills else ():
        inside = folder / part.__name__
        inside.mkdir()
        try:
            done[part.__name__] = part(inside, random.Random(f"{seed} {part.__name__}"), kills)
        except Exception as error:
            failures.append(f"{part.__name__}: {type(error).__name__}: {error}"[:3000])
    return sum(done.values()), failures, ", ".join(f"{name} {count}" for name, count in done.items())


def steadily(request: dict[str, Any], number: int) -> Any:
    return slowly(behave(request, number), 0.01)


def killed_until(start: Callable[[], Started], done: Callable[[], int], draw: random.Random, kills: int, count: int,
                 wait: float) -> int:  # fmt: skip
    """Kill a command so often, each time after a random share of what it has to do in all and a random wait; then let
    it end. How many kills came before its end.

    Args:
        start: it, anew.
        done: how much of it is done.
        draw: of the moments.
        kills: how often at most.
        count: of what it has to do.
        wait: seconds at most.

    Raises:
        AssertionError: it fails, or is not done in time.
    """
    killed = 0
    for _ in range(kills):
        process = start()
        goal, ended = done() + draw.randrange(count // kills + 1), time.monotonic() + SECONDS
        while process.poll() is None and done() < goal:
            assert time.monotonic() < ended, "it does nothing"
            time.sleep(0.002)
        time.sleep(draw.random() * wait)
        is_killed = process.poll() is None
        process.kill()
        assert is_killed or process.poll() == 0, f"exit code {process.poll()}: {process.said}"
        killed += is_killed
    finished(start())
    return killed


def finished(process: Started) -> None:
    code = process.wait(SECONDS)
    assert code == 0, f"exit code {code}: {process.said}"


def batch(folder: Path, draw: random.Random, kills: int) -> int:
    """The results, each once, are those of a batch that nobody killed; what was under way is asked again, no more."""
    count = 10 * kills
    questions = write_questions(folder, count)

    def run(url: str, out: Path) -> Started:
        return Started(
            command, "batch", str(questions), str(out), "--base-url", url, "--model", "qwen2.5-vl",
            "--concurrency", "8", folder=folder,
        )  # fmt: skip

    out, whole = folder / "killed.jsonl", folder / "whole.jsonl"
    with serve(steadily) as server:
        killed = killed_until(lambda: run(server.url, out), lambda: lines_in(out), draw, kills, count, 0.2)
        asked = len(server.bodies)
        finished(run(server.url, whole))
        undisturbed = len(server.bodies) - asked
    lines = by_id(read(out))
    assert len(lines) == count
    assert lines == by_id(read(whole))
    assert asked - undisturbed <= killed * 8 * 3, f"{asked} requests, {undisturbed} of an undisturbed run"
    return killed


def evaluation(folder: Path, draw: random.Random, kills: int) -> int:
    """The records, each once, and the report are those of an evaluation that nobody killed."""
    count = 10 * kills
    rows = [json.loads(line) for line in write_questions(folder, count).read_text().splitlines()]
    data = folder / "items.jsonl"
    data.write_text(
        "".join(
            json.dumps({key: row[key] for key in ("id", "image", "question")} | {"answer": right_answer(row["n"])})
            + "\n"
            for row in rows
        )
    )

    def run(url: str, out: Path) -> Started:
        return Started(
            command, "eval", "jsonl", str(data), "--out", str(out), "--quiet", "--concurrency", "8", "--base-url", url,
            "--model", "qwen2.5-vl", folder=folder,
        )  # fmt: skip

    out, whole = folder / "killed", folder / "whole"
    with serve(steadily) as server:
        killed = killed_until(lambda: run(server.url, out), lambda: lines_in(out / RECORDS), draw, kills, count, 0.2)
        finished(run(server.url, whole))
    keys = [json.loads(line)["key"] for line in (out / RECORDS).read_text().splitlines()]
    assert len(keys) == len(set(keys)) == count, f"{len(keys)} records, {len(set(keys))} keys, {count} questions"
    reports = [json.loads((path / REPORT).read_text()) for path in (out, whole)]
    for report in reports:
        del report["median_seconds"], report["per_question"]["seconds"]
    differing = {name for name in reports[0] | reports[1] if reports[0].get(name) != reports[1].get(name)}
    assert not differing, {name: [report.get(name) for report in reports] for name in differing}
    return killed


def train(steps: int, model: Path, out: Path, photos: list[str]) -> None:
    sys.path.insert(0, str(TESTS / "rl" / "local"))
    import test_trainer as tests

    from rl.local.trainer import Trainer

    tests.torch.set_num_threads(1)  # sums depend on how they are divided
    Trainer(tests.settings(model, steps=steps), tests.items(photos), tests.says_u, out).train()


def training(folder: Path, draw: random.Random, kills: int) -> int:
    """The weights, and the figures of each step, are those of a training that nobody killed."""
    from PIL import Image
    from safetensors.torch import load_file
    from tiny_vlm import make_tiny_vlm

    model, steps = make_tiny_vlm(folder / "model", "qwen3-vl"), 2 * kills
    photos = [folder / f"{number}.png" for number in range(6)]
    for number, path in enumerate(photos):
        Image.effect_noise((300, 200), 60 + number).convert("RGB").save(path)

    def run(out: Path) -> Started:
        return Started(train, steps, model, out, [str(path) for path in photos], folder=folder)

    out, whole = folder / "killed", folder / "whole"
    figures = out / "metrics.jsonl"
    killed = killed_until(lambda: run(out), lambda: lines_in(figures), draw, kills, steps, 0.5)
    finished(run(whole))
    numbers = [json.loads(line)["step"] for line in figures.read_text().splitlines()]
    assert numbers == list(range(steps)), numbers
    first, second = (load_file(path / f"step-{steps:06}" / "model.safetensors") for path in (out, whole))
    assert all(first[name].equal(second[name]) for name in second)
    return killed


def serving(folder: Path, draw: random.Random, kills: int) -> int:
    """Whoever asks a server that is killed has a whole answer or an error at once, and it starts again on its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    count = 5 * kills
    left, answers, wrong = list(range(count)), dict[int, str](), list[str]()
    lock, is_over = threading.Lock(), threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            with lock:
                if not left:
                    return
                number = left.pop()
            try:
                answer = asked(port, number)
            except (OSError, http.client.HTTPException):
                with lock:
                    left.append(number)
                time.sleep(0.02)
                continue
            with lock:
                if number in answers or answer != right_answer(number):
                    wrong.append(f"number {number}: {answer!r}")
                answers[number] = answer

    with serve(steadily) as model:
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        killed = 0
        ended = time.monotonic() + SECONDS
        while len(answers) < count:
            process = Started(
                command, "serve", "--port", str(port), "--base-url", model.url, "--model", "qwen2.5-vl", folder=folder
            )
            goal = min(count, len(answers) + draw.randrange(1, 5)) if killed < kills else count
            while len(answers) < goal:
                assert process.poll() is None, process.said
                assert time.monotonic() < ended, f"{len(answers)} answers"
                time.sleep(0.002)
            time.sleep(draw.random() * 0.05)
            killed += len(answers) < count
            process.kill()
        is_over.set()
        for thread in threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "a client hangs"
    assert not wrong, wrong
    return killed


PHOTO: list[str] = []


def asked(port: int, number: int) -> str:
    """A server's answer to one question.

    Raises:
        OSError, HTTPException: the server is not there, or goes away.
    """
    from serving import coded, data_url

    if not PHOTO:
        PHOTO.append(data_url(coded(160, 120)))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS / 2)
    try:
        sent = body(messages=[user(f"what is number {number}?", PHOTO[0])])
        connection.request("POST", "/v1/chat/completions", json.dumps(sent), {"content-type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200, content[:500]
        answer = json.loads(content)["choices"][0]["message"]["content"]
        assert isinstance(answer, str)
        return answer
    finally:
        connection.close()


PARTS = (batch, evaluation, training, serving)
