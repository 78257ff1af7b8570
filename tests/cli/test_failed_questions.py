"""Commands with many questions, some of which fail: the exit code says so, and no other question suffers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from loopback import Behaviour, say, serve
from PIL import Image
from typer.testing import CliRunner, Result

from hart_agent import Agent, ScriptedPolicy
from hart_agent.cli import app
from hart_agent.errors import ConfigError, ImageError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """One about a picture, and one about a file that is none."""
    Image.new("RGB", (400, 300), "red").save(tmp_path / "good.png")
    (tmp_path / "broken.png").write_text("no picture")
    rows = [{"id": name, "image": f"{name}.png", "question": "colour?", "answer": "red"} for name in ("good", "broken")]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("controls", [(), ("--controls",)], ids=["plain", "controls"])
def test_an_evaluation_says_that_one_failed_and_only_that(
    questions: Path, tmp_path: Path, controls: tuple[str, ...]
) -> None:
    with serve([say(answer("red"))]) as server:
        asking = ("--base-url", server.url, "--model", "m", "--quiet", "--json", *controls)
        done = run("eval", "jsonl", questions, "--out", tmp_path / "run", *asking)
    report = json.loads(done.stdout)
    assert (done.exit_code, report["failed"]) == (3, 1)
    assert len(report["failures"]) == 1
    assert "broken.png" in report["failures"][0]
    assert "; 1 of 2 questions failed; " in report["citation"]


def test_questions_and_times_are_told_apart_and_values_of_an_option_side_by_side(
    questions: Path, tmp_path: Path
) -> None:
    with serve([say(answer("red"))]) as server:
        asking = ("--base-url", server.url, "--model", "m", "--quiet")
        twice = run("eval", "jsonl", questions, "--out", tmp_path / "run", "--repeat", "2", *asking)
        varied = run("eval", "jsonl", questions, "--out", tmp_path / "runs", "--vary", "max_turns=1,2", *asking)
    assert (twice.exit_code, varied.exit_code) == (3, 3)
    assert "1 of 2 questions failed (2 times in all); the same command asks again" in twice.stdout
    (row,) = (line for line in varied.stdout.splitlines() if line.startswith("questions that failed"))
    assert row.split()[3:] == ["1", "1"]
    page = (tmp_path / "runs" / "variants.html").read_text()
    assert "questions that failed" in page


def test_the_crops_of_another_image_are_of_one_that_is_whole(questions: Path, tmp_path: Path) -> None:
    """The other image is broken, so that there is no such control; the third is whole, and is taken."""
    crop = tool_call("crop", bbox_2d=[0, 0, 200, 150], label="red")

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        return say(crop) if "tools" in body and len(body["messages"]) == 2 else say(answer("red"))

    def controls(name: str) -> dict[str, Any]:
        with serve(behave) as server:
            asking = ("--base-url", server.url, "--model", "m", "--quiet", "--controls")
            run("eval", "jsonl", questions, "--out", tmp_path / name, *asking)
        records = map(json.loads, (tmp_path / name / "records.jsonl").read_text().splitlines())
        return next(dict(record["controls"]) for record in records if record["id"] == "good")

    assert list(controls("without")) == ["no_image", "random_box", "masked", "no_tools"]
    Image.new("RGB", (300, 300), "blue").save(questions.with_name("third.png"))
    third = {"id": "third", "image": "third.png", "question": "colour?", "answer": "blue"}
    questions.write_text(questions.read_text() + json.dumps(third) + "\n")
    found = controls("with")
    assert list(found) == ["no_image", "random_box", "other_image", "masked", "no_tools"]
    assert found["other_image"]["boxes"] == [[0, 0, 80, 45]]  # thousandths of 400 x 300, of the same size in 300 x 300


def test_a_batch_that_is_run_again_still_says_that_one_failed(questions: Path, tmp_path: Path) -> None:
    with serve([say(answer("red"))]) as server:
        command = ("batch", questions, tmp_path / "results.jsonl", "--base-url", server.url, "--model", "m")
        first, again = run(*command), run(*command)
    assert (first.exit_code, again.exit_code) == (3, 3)
    assert "1 failed; ask the failed ones again" in first.stderr
    assert "0 failed, 1 failed in an earlier run; ask the failed ones again" in again.stderr


@pytest.mark.parametrize("name", ["-", "results.csv", "results.parquet"])
def test_results_of_another_format_are_refused_before_anything_is_asked(questions: Path, name: str) -> None:
    done = run("batch", questions, name, "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    assert isinstance(done.exception, ConfigError)
    assert ".jsonl" in str(done.exception)


@pytest.mark.parametrize("image", [b"\x89PNG", None, [[0]]])
def test_what_is_no_image_is_told_with_what_to_give(image: object) -> None:
    with pytest.raises(ImageError, match="EncodedImage"):
        Agent(ScriptedPolicy([])).ask(image, "colour?")  # type: ignore[arg-type]
