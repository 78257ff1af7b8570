"""Batches with scripted policies: the same answers whatever the concurrency, errors of one kind each, outages."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from batch_runs import by_id, number_in, read, right_answer, speak, timeless, write_questions
from conftest import answer
from PIL import Image

from hart_agent import Agent, ConfigError, EpisodeConfig, PolicyError, Reply, ScriptedPolicy
from hart_agent.agent.items import BatchItem, BatchResult
from hart_agent.agent.trajectory import Turn
from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.batch.run import Summary, run_batch
from hart_agent.concurrency import map_concurrently
from hart_agent.dialogue.messages import Message
from hart_agent.dialogue.policy import Policy
from hart_agent.errors import InstallError, OutputError
from hart_agent.vision.cache import ImageCache


class Slow(ScriptedPolicy):
    """Takes its time, which depends on the question, so that results come in another order than questions."""

    def __init__(self, seconds: Any = lambda number: number * 7 % 5 / 500) -> None:
        super().__init__(speak)
        self._seconds = seconds
        self.at_once = self.most_at_once = 0

    async def reply(self, messages: Sequence[Message], tools: Any) -> Reply:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._seconds(number_in("\n".join(message.text for message in messages))))
            return await super().reply(messages, tools)
        finally:
            self.at_once -= 1


def run(policy: Policy, questions: Path, out: Path, *, concurrency: int = 8, **options: Any) -> Summary:
    agent = Agent(policy, config=EpisodeConfig(max_seconds=options.pop("max_seconds", 60.0)))
    with ResultFile(out) as file:
        return asyncio.run(
            run_batch(agent, BatchInput(str(questions)), file, concurrency=concurrency, images=ImageCache(), **options)
        )


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_questions(tmp_path, 60)


def test_the_same_answers_whatever_the_concurrency(questions: Path, tmp_path: Path) -> None:
    found = []
    for concurrency in (1, 7, 64):
        policy = Slow()
        summary = run(policy, questions, tmp_path / f"{concurrency}.jsonl", concurrency=concurrency)
        assert summary == Summary(answered=60)
        assert policy.most_at_once <= concurrency
        found.append(by_id(read(tmp_path / f"{concurrency}.jsonl")))
    assert found[0] == found[1] == found[2]
    assert {name: line["answer"] for name, line in found[0].items()} == {f"q{n}": right_answer(n) for n in range(60)}
    assert all(line["input"] == {"n": int(name[1:])} for name, line in found[0].items())
    assert {name for name, line in found[0].items() if line["evidence"]} == {f"q{n}" for n in range(0, 60, 3)}


def test_a_line_is_what_ask_prints(questions: Path, tmp_path: Path) -> None:
    from hart_agent.trace import result_json

    run(ScriptedPolicy(speak), questions, tmp_path / "out.jsonl")
    line = by_id(read(tmp_path / "out.jsonl"))["q3"]
    asked = Agent(ScriptedPolicy(speak)).ask(tmp_path / "3.png", "what is number 3?")
    assert line == {"id": "q3", **timeless(json.loads(json.dumps(result_json(asked)))), "input": {"n": 3}}


@pytest.mark.parametrize("slow", [0, 59])
def test_one_slow_question_holds_no_other_back(questions: Path, tmp_path: Path, slow: int) -> None:
    """It waits until all the others can be read from the file, so that none may wait for it, in memory or unasked."""
    out = tmp_path / "out.jsonl"

    class Waiting(ScriptedPolicy):
        async def reply(self, messages: Sequence[Message], tools: Any) -> Reply:
            if number_in("\n".join(message.text for message in messages)) == slow:
                async with asyncio.timeout(60):
                    while len(read(out)) < 59:
                        await asyncio.sleep(0.01)
            return await super().reply(messages, tools)

    assert run(Waiting(speak), questions, out, concurrency=2) == Summary(answered=60)
    assert read(out)[-1]["id"] == f"q{slow}"


def test_what_goes_wrong_with_a_question_is_its_line_and_can_be_asked_again(tmp_path: Path) -> None:
    questions = write_questions(tmp_path, 8)
    (tmp_path / "broken.png").write_bytes(b"no image")
    records = [json.loads(line) for line in questions.read_text().splitlines()]
    records[0]["image"], records[1]["image"] = "missing.png", "broken.png"
    questions.write_text("".join(json.dumps(record) + "\n" for record in records))
    asked: list[int] = []
    healthy = False

    def moody(messages: Sequence[Message], tools: Any) -> str:
        number = number_in("\n".join(message.text for message in messages))
        asked.append(number)
        if number == 2 and not healthy:
            raise PolicyError("no, not this one")
        if number == 4 and not healthy:
            raise KeyError("a bug of the policy")
        return "<abstain>it can't be seen</abstain>" if number == 5 else speak(messages, tools)

    out = tmp_path / "out.jsonl"
    assert run(ScriptedPolicy(moody), questions, out) == Summary(answered=3, unanswered=1, failed=4)
    lines = by_id(read(out))
    assert {name: line["error"]["type"] for name, line in lines.items() if "error" in line} == {
        "q0": "NoSuchImageError", "q1": "ImageError", "q2": "PolicyError", "q4": "KeyError"
    }  # fmt: skip
    assert "no such file" in lines["q0"]["error"]["message"]
    error = {"type": "PolicyError", "message": "no, not this one"}
    assert lines["q2"] == {"id": "q2", "error": error, "input": {"n": 2}}
    assert lines["q5"]["reason"] == "it can't be seen"
    before = out.read_bytes()
    asked.clear()
    assert run(ScriptedPolicy(moody), questions, out) == Summary(failed_before=4)
    assert asked == []
    assert out.read_bytes() == before
    healthy = True
    Image.new("RGB", (50, 40)).save(tmp_path / "missing.png")
    assert run(ScriptedPolicy(moody), questions, out, retry_errors=True) == Summary(answered=3, failed=1)
    assert set(asked) == {0, 2, 4}
    lines = by_id(read(out))
    assert [name for name, line in lines.items() if "error" in line] == ["q1"]
    assert len(lines) == 8


def test_retrying_asks_nothing_that_was_not_asked_yet(questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(
        '{"id":"q7","error":{"type":"ImageError","message":"gone"}}\n{"id":"other","answer":"kept","stop_reason":"answered"}\n'
    )
    assert run(ScriptedPolicy(speak), questions, out, retry_errors=True) == Summary(answered=1)
    assert set(by_id(read(out))) == {"q7", "other"}
    assert run(ScriptedPolicy(speak), questions, out) == Summary(answered=59)
    assert len(by_id(read(out))) == 61


@pytest.mark.parametrize("concurrency", [1, 16])
def test_an_outage_stops_the_run_and_loses_nothing(questions: Path, tmp_path: Path, concurrency: int) -> None:
    calls = 0

    def failing(messages: Sequence[Message], tools: Any) -> str:
        nonlocal calls
        calls += 1
        if calls > 30:
            raise PolicyError("the server is down", retryable=True)
        return answer(right_answer(number_in("\n".join(message.text for message in messages))))

    out = tmp_path / "out.jsonl"
    with pytest.raises(PolicyError, match=r"10 questions in a row.*the server is down.*again to resume"):
        run(ScriptedPolicy(failing), questions, out, concurrency=concurrency)
    lines = by_id(read(out))
    failed = sum("error" in line for line in lines.values())  # some answers may have come after the first failure
    assert len(lines) - failed == 30
    assert failed < concurrency
    assert run(ScriptedPolicy(speak), questions, out, concurrency=concurrency) == Summary(answered=30 - failed)
    assert run(ScriptedPolicy(speak), questions, out, retry_errors=True) == Summary(answered=failed)
    assert len(by_id(read(out))) == 60


def test_refusals_in_a_row_are_results_and_stop_nothing(questions: Path, tmp_path: Path) -> None:
    """30 of 60 questions are refused (a content filter, say), all in a row; so is an exception of the policy."""

    def refusing(messages: Sequence[Message], tools: Any) -> str:
        number = number_in("\n".join(message.text for message in messages))
        if 10 <= number < 25:
            raise PolicyError("the content filter refused it")
        if 25 <= number < 40:
            raise ValueError("a bug of the policy")
        return answer(right_answer(number))

    out = tmp_path / "out.jsonl"
    assert run(ScriptedPolicy(refusing), questions, out) == Summary(answered=30, failed=30)
    kinds = Counter(line["error"]["type"] for line in read(out) if "error" in line)
    assert kinds == {"PolicyError": 15, "ValueError": 15}
    assert run(ScriptedPolicy(speak), questions, out, retry_errors=True) == Summary(answered=30)


def test_a_broken_installation_is_no_result(questions: Path, tmp_path: Path) -> None:
    def broken(messages: Sequence[Message], tools: Any) -> str:
        raise InstallError("a package is missing")

    with pytest.raises(InstallError):
        run(ScriptedPolicy(broken), questions, tmp_path / "out.jsonl")
    assert read(tmp_path / "out.jsonl") == []


def test_a_full_disk_stops_the_run(questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk itself is real in `test_batch_process`; here it fills up while the last questions take long."""
    extend = ResultFile.extend

    def full(self: ResultFile, lines: Any) -> None:
        if len(read(self.path)) + len(lines) > 20:
            raise OutputError("no space left")
        extend(self, lines)

    monkeypatch.setattr(ResultFile, "extend", full)
    with pytest.raises(OutputError, match="no space left"):
        run(Slow(), questions, tmp_path / "out.jsonl", concurrency=3)
    monkeypatch.undo()
    done = len(read(tmp_path / "out.jsonl"))
    assert 0 < done <= 20
    assert run(ScriptedPolicy(speak), questions, tmp_path / "out.jsonl") == Summary(answered=60 - done)


@pytest.mark.long
def test_a_question_has_its_own_time(questions: Path, tmp_path: Path) -> None:
    summary = run(Slow(lambda number: 30 if number == 7 else 0), questions, tmp_path / "out.jsonl", max_seconds=2.0)
    assert summary == Summary(answered=59, unanswered=1)
    assert by_id(read(tmp_path / "out.jsonl"))["q7"]["stop_reason"] == "max_seconds"


async def test_abatch_takes_items_of_any_form(tmp_path: Path, small: Image.Image) -> None:
    write_questions(tmp_path, 1)
    agent = Agent(ScriptedPolicy(speak))
    items = [
        ("a", tmp_path / "0.png", "what is number 1?"),
        {"id": "b", "image": str(tmp_path / "0.png"), "question": "what is number 2?", "more": 1},
        BatchItem("c", small, "what is number 4?"),
        ("d", tmp_path / "0.png", " "),
        ("e", "http://localhost:1/a.png", "what is number 5?"),
    ]
    results = {result.id: result async for result in agent.abatch(items, concurrency=2)}
    answers = {name: result.trajectory.answer for name, result in results.items() if result.trajectory is not None}
    assert answers == {"a": right_answer(1), "b": right_answer(2), "c": right_answer(4)}
    assert isinstance(results["d"].error, ConfigError)
    assert "downloads are not allowed" in str(results["e"].error)
    with pytest.raises(ConfigError, match="concurrency"):
        _ = [result async for result in agent.abatch(items, concurrency=0)]


async def test_abatch_makes_an_id_where_there_is_none_as_a_file_of_questions_does(
    tmp_path: Path, small: Image.Image
) -> None:
    write_questions(tmp_path, 1)
    named = {"image": str(tmp_path / "0.png"), "question": "what is number 1?"}
    questions = tmp_path / "one.jsonl"
    questions.write_text(json.dumps(named) + "\n")
    (row,) = BatchInput(str(questions))
    items = [{"id": "", "image": small, "question": "what is number 4?"}, named, named | {"image": tmp_path / "0.png"}]
    results = [result async for result in Agent(ScriptedPolicy(speak)).abatch(items)]
    answers = sorted((result.id, result.trajectory.answer) for result in results if result.trajectory is not None)
    assert answers == sorted([("item 1", right_answer(4)), *[(row.item.id, right_answer(1))] * 2])


async def test_abatch_answers_the_good_items_among_bad_ones(tmp_path: Path) -> None:
    write_questions(tmp_path, 1)
    good = ("good", tmp_path / "0.png", "what is number 1?")
    unasked = {"id": "c", "image": "0.png", "question": None}
    bad: list[Any] = [("a", "b"), {"id": "b"}, 3, unasked, "abc", ("n", None, "x"), ("t", "0.png", 7)]
    found = {result.id: result async for result in Agent(ScriptedPolicy(speak)).abatch([*bad, good])}
    assert found["good"].trajectory is not None
    assert found["good"].trajectory.answer == right_answer(1)
    said = {name: str(result.error) for name, result in found.items() if isinstance(result.error, ConfigError)}
    form = "expected (id, image, question) or a mapping with these keys, got"
    assert said == {
        "item 1": f"item 1: {form} ('a', 'b')",
        "b": f"item 2: {form} {{'id': 'b'}}",
        "item 3": f"item 3: {form} 3",
        "c": "item 4: question: expected a text, got None",
        "item 5": f"item 5: {form} abc",
        "t": "item 7: question: expected a text, got 7",
    }
    assert "not a NoneType" in str(found["n"].error)


async def test_abatch_tells_of_each_turn_whose_question_it_is(tmp_path: Path) -> None:
    write_questions(tmp_path, 6)
    items = [(f"q{number}", tmp_path / "0.png", f"what is number {number}?") for number in range(6)]
    seen: list[tuple[str, Turn]] = []
    agent = Agent(ScriptedPolicy(speak))
    results = [
        r async for r in agent.abatch(items, concurrency=3, observer=lambda name, turn: seen.append((name, turn)))
    ]
    turns = {result.id: result.trajectory.turns for result in results if result.trajectory is not None}
    assert sorted(turns) == [f"q{number}" for number in range(6)]
    assert {name: tuple(turn for other, turn in seen if other == name) for name in turns} == turns


async def test_abatch_draws_items_as_there_is_room_and_gives_up_what_is_left(tmp_path: Path) -> None:
    write_questions(tmp_path, 1)
    drawn = 0

    def endless() -> Any:
        nonlocal drawn
        while True:
            drawn += 1
            yield drawn, tmp_path / "0.png", f"what is number {drawn}?"

    policy = Slow()
    found: list[BatchResult] = []
    async with aclosing(Agent(policy).abatch(endless(), concurrency=5)) as results:
        async for result in results:
            found.append(result)
            if len(found) == 20:
                break
    assert len(found) == 20
    assert drawn <= 20 + 5 + 5  # those that were done together were drawn together
    assert policy.at_once == 0


async def test_results_come_in_the_order_in_which_they_are_done() -> None:
    """Also those that are done at the same moment, and while the one who takes them is busy."""
    together = asyncio.Event()
    done: list[int] = []

    async def work(number: int) -> int:
        await together.wait()
        if number % 3 == 0:
            await asyncio.sleep(0)
        done.append(number)
        return number

    results = map_concurrently(work, range(80), 40)
    first = asyncio.create_task(anext(results))
    await asyncio.sleep(0.01)
    together.set()
    assert [await first] + [number async for number in results] == done
    assert sorted(done) == list(range(80))
