"""Runs of an evaluation that someone edited, and what a comparison is never written over."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from hart_agent import Agent, ScriptedPolicy
from hart_agent.cli import app
from hart_agent.errors import ConfigError
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.items import AnswerType, Item
from hart_agent.evals.records import MANIFEST, RECORDS, load_run, wrong_in
from hart_agent.evals.runner import EvalSettings

NAN = float("nan")


def evaluate(out: Path) -> Path:
    photo = out.parent / "photo.png"
    Image.new("RGB", (64, 64)).save(photo)
    item = Item("1", photo, "what?", "a sign", AnswerType.TEXT, (), (), "")
    agent = Agent(ScriptedPolicy(lambda messages, tools: "<answer>a sign</answer>"))
    asyncio.run(evaluate_folder(agent, "jsonl", [item], out, EvalSettings(controls=True), {}))
    return out


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    records, _ = load_run(evaluate(tmp_path_factory.mktemp("whole") / "run"))
    return records[0]


def compare(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["eval", "--compare", *map(str, arguments)])


def refused(result: Result) -> str:
    assert isinstance(result.exception, ConfigError), (result.output, result.exception)
    return str(result.exception)


def test_a_record_as_it_is_written_is_sound(record: dict[str, Any]) -> None:
    assert wrong_in(record) is None
    assert wrong_in({**record, "of a later version": [{}]}) is None


@pytest.mark.parametrize(("name", "value"), [
    ("key", 5), ("key", "1"), ("key", "1#x"), ("key", "1#" + "9" * 5000), ("id", None), ("category", [1]),
    ("boxes", [[1, 2]]), ("boxes", [[0, 0, 1e308, NAN]]), ("boxes", [[5, 5, 1, 1]]), ("boxes", [[0, 0, 1, 10**400]]),
    ("boxes", [[-1, 0, 1, 1]]), ("gold_boxes", {"a": 1}), ("image", [0, 0]), ("image", "ab"), ("verdict", "nope"),
    ("verdict", []), ("controls", []), ("controls", {"masked": None}), ("usage", None), ("usage", {"requests": True}),
    ("error", "x"), ("error", {}), ("right", "yes"), ("seconds", "x"), ("seconds", NAN), ("seconds", -1),
    ("labels", [1]), ("labels", [["a"]]), ("repeat", -1), ("order", {"a": 1}), ("gold", 5), ("options", "abc"),
    ("image_sha256", "../../etc/passwd"), ("page", "/../x"), ("sections", [1]), ("anls", "x"), ("reply", 1),
    ("first_finding", {"share": "x"}), ("steps_found", 1), ("findings_right", [None]), ("image_tokens", "x"),
])  # fmt: skip
def test_a_value_of_another_form_is_named(record: dict[str, Any], name: str, value: Any) -> None:
    wrong = wrong_in({**record, name: value})
    assert wrong is not None
    assert wrong.startswith(f"{name}: expected ")
    assert len(wrong) < 300


@pytest.mark.parametrize("value", [None, [], "x", 5, {}])
def test_what_is_no_record_is_none(value: Any) -> None:
    assert wrong_in(value) is not None


def test_a_field_that_every_version_wrote_is_missed(record: dict[str, Any]) -> None:
    assert wrong_in({name: value for name, value in record.items() if name != "usage"}) == "usage is missing"


def test_an_edited_run_is_neither_compared_nor_resumed_and_stays(tmp_path: Path, record: dict[str, Any]) -> None:
    out, other = evaluate(tmp_path / "run"), evaluate(tmp_path / "other")
    edited = json.dumps({**record, "boxes": [[1, 2]]}) + "\n"
    (out / RECORDS).write_text(edited)
    assert "record 1: boxes: expected boxes" in refused(compare(out, other))
    with pytest.raises(ConfigError, match="line 1 is not a record of an evaluation: it is left untouched"):
        evaluate(out)
    assert (out / RECORDS).read_text() == edited


@pytest.mark.parametrize("manifest", ["[]", "{}", "5", '{"settings": [], "options": [], "dataset": [], "profile": []}'])
def test_an_edited_manifest_is_named(tmp_path: Path, manifest: str) -> None:
    out, other = evaluate(tmp_path / "run"), evaluate(tmp_path / "other")
    (out / MANIFEST).write_text(manifest)
    assert f"{MANIFEST} is not the manifest of a run" in refused(compare(out, other))


def test_a_comparison_is_not_written_over_a_file_of_someone_else(tmp_path: Path) -> None:
    out, other, notes, page = (tmp_path / name for name in ("run", "other", "notes.txt", "both.html"))
    evaluate(out), evaluate(other)
    notes.write_text("mine")
    assert "left untouched" in refused(compare(out, other, "--out", notes))
    assert "left untouched" in refused(compare(out, other, "--out", out / RECORDS))
    assert notes.read_text() == "mine"
    for _ in range(2):  # its own page may be written again
        assert compare(out, other, "--out", page).exit_code == 0
    assert compare(out, other, "--out", notes, "--force").exit_code == 0


@pytest.mark.parametrize("name", ["variants.html", "variants.svg"])
def test_the_page_of_variants_is_not_written_over_a_file_of_someone_else(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    (tmp_path / "signs.jsonl").write_text('{"image": "photo.png", "question": "what?", "answer": "a sign"}\n')
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    command = ["eval", "jsonl", tmp_path / "signs.jsonl", "--out", tmp_path, "--vary", "max_turns=1,2", "-q"]
    assert "left untouched" in refused(CliRunner().invoke(app, list(map(str, command))))
    assert (tmp_path / name).read_text() == "mine"
