"""A judge beside the rule: what it is asked, that it is asked once, and what comes of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import eval_files as files
import pytest
from loopback import Behaviour, say, serve
from openai_asks import words
from typer.testing import CliRunner

from hart_agent.cli import app
from hart_agent.errors import ConfigError

SAID = {"0": "a dog", "1": "the small brown dog", "2": "a cat", "3": "no idea, a dog or a cat"}
"""Of four questions, the answer of each; the right one is always "a dog"."""


def answers(body: dict[str, Any], _: int) -> Behaviour:
    number = next(number for number in SAID if f"question {number}?" in words(body))
    return say(f"<answer>{SAID[number]}</answer>")


def verdicts(body: dict[str, Any], _: int) -> Behaviour:
    """A judge that takes any dog for a dog, and says nothing clear of the last answer."""
    given = words(body).split("Given answer: ")[1].split("\n")[0]
    if given == SAID["3"]:
        return say("Hard to say.")
    return say(f"<answer>{'same' if 'dog' in given else 'different'}</answer>")


def test_a_judge_stands_beside_the_rule(tmp_path: Path) -> None:
    files.save_picture(tmp_path / "a.png")
    rows = [{"image": "a.png", "question": f"question {number}?", "answer": "a dog"} for number in SAID]
    options = {"image": "a.png", "question": "question 0?", "options": ["a dog", "a cat"], "answer": "A"}
    data = files.write_jsonl(tmp_path / "q.jsonl", [*rows, options])
    with serve(answers) as server, serve(verdicts, models=[{"id": "judge-1"}]) as judge:
        command = ["eval", "jsonl", data, "--out", tmp_path / "run", "--mode", "direct", "--no-verify", "--quiet",
                   "--base-url", server.url, "--json"]  # fmt: skip
        plain = json.loads(CliRunner().invoke(app, list(map(str, command))).stdout)
        assert judge.bodies == []  # never unless asked for
        judged = [*map(str, command), "--judge-base-url", judge.url]
        report = json.loads(CliRunner().invoke(app, judged).stdout)
        assert len(judge.bodies) == 4  # the question with options needs no judge
        asked = words(judge.bodies[0])
        assert "Question: question" in asked
        assert 'right: ["a dog"]' in asked
        CliRunner().invoke(app, judged)
        assert len(judge.bodies) == 4  # kept
    assert report["summary"] == plain["summary"]
    found = report["judgement"]
    # The rule: right, wrong, wrong; the judge: right, right, wrong; of the fourth it says nothing.
    assert (found["rule"]["value"], found["accuracy"]["value"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert (found["agreement"]["value"], found["agreement"]["count"], found["unread"]) == (pytest.approx(2 / 3), 3, 1)
    assert found["kappa"] == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))  # chance: 1/3 * 2/3 + 2/3 * 1/3
    assert found["judge"] == "openai (judge-1)"
    page = (tmp_path / "run/report.html").read_text()
    assert "Answers in free text, judged" in page
    with (tmp_path / "run/questions.csv").open(newline="") as file:
        rows = {
            row["question"]: (row["right"], row["judged"]) for row in csv.DictReader(file) if row["options"] == "[]"
        }
    assert rows == {
        "question 0?": ("True", "True"), "question 1?": ("False", "True"), "question 2?": ("False", "False"),
        "question 3?": ("False", ""),
    }  # fmt: skip
    assert (tmp_path / "run/questions.html").read_text().count('"judge disagrees"],"trace"') == 1


def test_a_judge_without_a_server_is_refused(tmp_path: Path) -> None:
    files.save_picture(tmp_path / "a.png")
    row = {"image": "a.png", "question": "?", "answer": "a dog"}
    data = files.write_jsonl(tmp_path / "q.jsonl", [row])
    command = ["eval", "jsonl", str(data), "--out", str(tmp_path / "run"), "--judge-model", "m"]
    error = CliRunner().invoke(app, command).exception
    assert isinstance(error, ConfigError)
    assert "add --judge-base-url" in str(error)
