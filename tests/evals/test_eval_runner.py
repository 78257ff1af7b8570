"""Whole evaluations with policies that look, guess, or box everything; killed, resumed, and compared."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from batch_runs import Crowd, right_answer, write_questions
from loopback import serve
from simulated_policies import QUESTION, Guesser, Looker, WholeImageLooker, square_scene

from hart_agent import Agent, ConfigError, EpisodeConfig, Mode, PolicyError, ScriptedPolicy
from hart_agent.answers import AnswerType
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Policy, Reply
from hart_agent.evals.attachments import trace_name
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.items import Item
from hart_agent.evals.records import MANIFEST, RECORDS
from hart_agent.evals.report import PAGE, REPORT, compare_runs
from hart_agent.evals.runner import EvalSettings
from hart_agent.trace import load_trace

COUNT = 12


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Questions about squares, each with its own words so that a guesser can know them; half of them with options."""
    folder = tmp_path_factory.mktemp("squares")
    made = []
    for seed in range(COUNT):
        scene = square_scene(seed)
        path = folder / f"{seed}.png"
        scene.image.save(path)
        options = ("red", "green", "blue", "yellow") if seed % 2 else ()
        gold = "ABCD"[options.index(scene.colour)] if options else scene.colour
        kind = AnswerType.OPTION if options else AnswerType.TEXT
        question = f"{QUESTION} (scene {seed})"
        made.append(
            Item(str(seed), path, question, gold, kind, options, (scene.box,), "even" if seed % 2 == 0 else "odd")
        )
    return made


def run(policy: Policy, items: list[Item], out: Path, **settings: Any) -> dict[str, Any]:
    chosen = EvalSettings(**{"controls": True, **settings})
    return asyncio.run(evaluate_folder(Agent(policy), "jsonl", items, out, chosen, {"backend": policy.name}))


def known(items: list[Item]) -> dict[str, str]:
    return {item.question: square_scene(int(item.id)).colour for item in items}


@pytest.mark.long
def test_one_that_looks_loses_its_answers_with_the_evidence(items: list[Item], tmp_path: Path) -> None:
    items = items[:6]
    report = run(Looker(), items, tmp_path / "run", traces=True)
    summary = report["summary"]
    assert summary["accuracy"]["value"] == summary["format_kept"]["value"] == 1
    assert summary["evidence_gap"]["value"] > 0.95
    assert summary["verdicts"]["supported"] == 1
    assert summary["grounding"]["grounded"]["value"] == 1
    assert summary["grounding"]["iou"]["value"] > 0.85
    assert summary["area_fraction"]["value"] < 0.02
    assert {name: share["value"] for name, share in summary["controls"].items()} == {
        "no_image": 0, "random_box": 0, "other_image": 0, "masked": 0, "no_tools": 1,
    }  # fmt: skip
    assert set(summary["by_category"]) == {"even", "odd"}
    assert {name: share["value"] for name, share in report["orders"].items()} == {
        "shuffled": 1, "reversed": 1, "both": 1
    }  # fmt: skip
    assert report["orders"]["both"]["count"] == 3
    folder = tmp_path / "run"
    assert json.loads((folder / REPORT).read_text()) == report
    assert (folder / PAGE).read_text().startswith("<!doctype html>")
    assert len(list((folder / "traces").iterdir())) == 6 + 3
    assert load_trace(folder / "traces" / trace_name("0#0"))["question"] == items[0].question


def test_one_that_guesses_is_found_out(items: list[Item], tmp_path: Path) -> None:
    items = items[:6]
    report = run(Guesser(known(items)), items, tmp_path / "run")
    summary = report["summary"]
    assert summary["accuracy"]["value"] == 1
    assert summary["evidence_gap"]["value"] == 0
    assert summary["verdicts"]["supported"] == 0
    assert summary["grounding"]["wrong_box_given_right_answer"]["value"] == 1
    assert any("may not come from the evidence" in remark for remark in report["remarks"])
    with_crops = run(Guesser(known(items), crops=True), items, tmp_path / "crops")
    assert with_crops["summary"]["evidence_gap"]["value"] == 0


def test_an_answer_in_plain_words_is_right_and_marked(items: list[Item], tmp_path: Path) -> None:
    policy = ScriptedPolicy(lambda messages, tools: known(items)[items[0].question])
    report = run(policy, items[:1], tmp_path / "run", controls=False)
    summary = report["summary"]
    assert (summary["accuracy"]["value"], summary["format_kept"]["value"], report["untagged"]) == (1, 0, 1)
    (record,) = map(json.loads, (tmp_path / "run" / RECORDS).read_text(encoding="utf-8").splitlines())
    assert record["untagged"] is True


def test_one_that_boxes_everything_passes_iogt_and_is_named(items: list[Item], tmp_path: Path) -> None:
    report = run(WholeImageLooker(), items, tmp_path / "run", controls=False)
    grounding = report["summary"]["grounding"]
    assert grounding["grounded"]["value"] == 1
    assert grounding["precision"]["value"] == pytest.approx(60 * 60 / (800 * 600))
    assert report["summary"]["area_fraction"]["value"] == 1
    assert any("covers 100% of the image" in remark and "precision" in remark for remark in report["remarks"])


def test_two_runs_are_compared_question_by_question(items: list[Item], tmp_path: Path) -> None:
    run(Looker(), items, tmp_path / "a", controls=False)
    wrong = {**known(items), items[0].question: "pink", items[1].question: "pink"}
    run(Guesser(wrong), items, tmp_path / "b", controls=False)
    comparison = compare_runs(tmp_path / "a", tmp_path / "b")
    assert (comparison.accuracy.only_first, comparison.accuracy.only_second) == (2, 0)
    assert comparison.accuracy.p_value == pytest.approx(0.5)  # two coins on one side: 2 * (1 / 2) ** 2
    assert comparison.grounded
    assert (comparison.grounded.first.value, comparison.grounded.second.value) == (1, 0)
    with pytest.raises(ConfigError, match="holds no run"):
        compare_runs(tmp_path / "a", tmp_path)


def test_a_run_is_not_gone_on_with_other_settings(items: list[Item], tmp_path: Path) -> None:
    run(Looker(), items[:3], tmp_path / "run", controls=False)
    before = (tmp_path / "run" / RECORDS).read_bytes()
    for changed in ({"seed": 1}, {"controls": True}, {"limit": 2}):
        with pytest.raises(ConfigError, match="started with other settings: "):
            run(Looker(), items[:3], tmp_path / "run", **{"controls": False, **changed})
    with pytest.raises(ConfigError, match="policy"):
        run(WholeImageLooker(), items[:3], tmp_path / "run", controls=False)
    with pytest.raises(ConfigError, match="dataset"):
        run(Looker(), items[:2], tmp_path / "run", controls=False)
    run(Looker(), items[:3], tmp_path / "run", controls=False, concurrency=3)  # has no part in what comes out
    assert (tmp_path / "run" / RECORDS).read_bytes() == before


def test_a_broken_image_and_a_failing_policy_are_records_and_are_asked_again(items: list[Item], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    some = [items[0], Item("broken", broken, QUESTION, "red", AnswerType.TEXT)]
    report = run(Looker(), some, tmp_path / "run", controls=False)
    assert (report["questions"], report["failed"], report["summary"]["accuracy"]["value"]) == (2, 1, 0.5)
    assert "broken.png" in report["failures"][0]
    square_scene(5).image.save(broken)
    assert run(Looker(), some, tmp_path / "run", controls=False)["failed"] == 0
    assert len((tmp_path / "run" / RECORDS).read_text().splitlines()) == 3


def test_a_policy_that_is_down_stops_the_run(items: list[Item], tmp_path: Path) -> None:
    def down(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        raise PolicyError("the server is down", retryable=True)

    with pytest.raises(PolicyError, match=r"10 questions in a row.*again to resume"):
        run(ScriptedPolicy(down), items, tmp_path / "run")
    assert (tmp_path / "run" / RECORDS).read_text() == ""  # what failed in the outage is asked again


def test_a_policy_that_refuses_or_raises_fails_at_those_questions_alone(items: list[Item], tmp_path: Path) -> None:
    def refusing(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        raise PolicyError("refused") if len(messages) % 2 else ValueError("a bug")

    report = run(ScriptedPolicy(refusing), items, tmp_path / "run")
    assert report["failed"] == len((tmp_path / "run" / RECORDS).read_text().splitlines()) > len(items)


class Counting(OpenAIPolicy):
    """Notes how many questions are under way whenever one begins."""

    under_way = 0
    history: list[int]

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        self.under_way += 1
        self.history.append(self.under_way)
        try:
            return await super().reply(messages, tools)
        finally:
            self.under_way -= 1


@pytest.mark.long
def test_questions_begin_when_the_server_has_room_for_them(tmp_path: Path) -> None:
    image = write_questions(tmp_path, 1).with_name("0.png")
    asked = [
        Item(str(number), image, f"what is number {number}?", right_answer(number), AnswerType.TEXT)
        for number in range(60)
    ]
    crowd = Crowd(2, 0.15)  # long enough for all that it refuses to be told before it answers any
    with serve(crowd.behave) as server:
        policy = Counting("qwen2.5-vl", base_url=server.url, retry=RetryPolicy(retries=4, base=0.05))
        policy.history = []
        agent = Agent(policy, config=EpisodeConfig(Mode.DIRECT))
        settings = EvalSettings(concurrency=60)
        report = asyncio.run(evaluate_folder(agent, "jsonl", asked, tmp_path / "run", settings, {}))
    assert (report["failed"], report["summary"]["accuracy"]["value"]) == (0, 1)
    assert not all(taken for taken, _ in crowd.history)
    assert max(policy.history) <= 32  # the server had said nothing yet
    assert max(policy.history[40:]) <= 12


def test_a_limit_draws_the_same_questions_whenever_asked(items: list[Item]) -> None:
    chosen = [item.id for item in EvalSettings(seed=3, limit=5).select(items)]
    assert chosen == [item.id for item in EvalSettings(seed=3, limit=5).select(items)]
    assert len(set(chosen)) == 5
    assert chosen != [item.id for item in EvalSettings(seed=4, limit=5).select(items)]


SLOW_RUN = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {path!r}
import test_eval_runner as tests
from hart_agent import Agent
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.runner import EvalSettings
from simulated_policies import Looker

class Slow(Looker):
    async def reply(self, messages, tools):
        await asyncio.sleep(0.01)
        return await super().reply(messages, tools)

items = tests.load(Path({data!r}))
settings = EvalSettings(controls=True, concurrency=3)
asyncio.run(evaluate_folder(Agent(Slow()), "jsonl", items, Path({out!r}), settings, {{}}))
"""


def load(path: Path) -> list[Item]:
    from hart_agent.evals.datasets import load_dataset

    return list(load_dataset("jsonl", path))


@pytest.mark.slow
def test_a_run_killed_half_way_gives_the_same_report_as_one_that_was_not(items: list[Item], tmp_path: Path) -> None:
    data = tmp_path / "items.jsonl"
    rows = []
    for item in items:
        row = {"id": item.id, "image": str(item.image), "question": item.question, "answer": item.answer,
               "type": item.type.value, "boxes": [list(box.as_tuple()) for box in item.boxes],
               "category": item.category}  # fmt: skip
        rows.append(row | ({"options": list(item.options)} if item.options else {}))
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    killed, whole = tmp_path / "killed", tmp_path / "whole"

    def command(out: Path) -> list[str]:
        code = SLOW_RUN.format(path=sys.path, data=str(data), out=str(out))
        return [sys.executable, "-c", code]

    subprocess.run(command(whole), check=True)
    kills = 0
    for least in (2, 6, 11):
        process = subprocess.Popen(command(killed))
        records = killed / RECORDS
        while process.poll() is None and (not records.exists() or records.read_bytes().count(b"\n") < least):
            time.sleep(0.005)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills
    subprocess.run(command(killed), check=True)
    keys = [json.loads(line)["key"] for line in (killed / RECORDS).read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 6 + 3
    reports = [json.loads((folder / REPORT).read_text()) for folder in (killed, whole)]
    for report in reports:
        report.pop("median_seconds")
        report["per_question"].pop("seconds")
    assert reports[0] == reports[1]
    assert json.loads((killed / MANIFEST).read_text()) == json.loads((whole / MANIFEST).read_text())
