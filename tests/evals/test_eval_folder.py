"""The folder of a run: what is in it that is not ours stays as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PIL import Image

from hart_agent import Agent, ScriptedPolicy
from hart_agent.errors import ConfigError
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.items import AnswerType, Item
from hart_agent.evals.runner import EvalSettings


def evaluate(out: Path) -> None:
    photo = out.parent / "photo.png"
    Image.new("RGB", (64, 64)).save(photo)
    item = Item("1", photo, "what?", "a sign", AnswerType.TEXT, (), (), "")
    agent = Agent(ScriptedPolicy(lambda messages, tools: "<answer>a sign</answer>"))
    asyncio.run(evaluate_folder(agent, "jsonl", [item], out, EvalSettings(), {}))


@pytest.mark.parametrize("name", [
    "records.jsonl", "report.json", "report.html", "treebench.xlsx", "questions.html", "questions.csv",
    "questions.parquet", "protocol.toml", "judge.jsonl",
])  # fmt: skip
def test_a_folder_with_files_of_our_names_but_without_a_run_is_left_alone(tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(ConfigError, match=rf"a file {name}, but no manifest\.json.*left untouched"):
        evaluate(out)
    assert {entry.name: entry.read_text() for entry in out.iterdir()} == {name: "mine"}


def test_records_of_something_else_are_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    evaluate(out)
    (out / "records.jsonl").write_text('{"theme": "dark"}\n')
    with pytest.raises(ConfigError, match="line 1 is not a record"):
        evaluate(out)
    assert (out / "records.jsonl").read_text() == '{"theme": "dark"}\n'
