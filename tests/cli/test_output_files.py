"""What the commands write, and over what they never write."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import talkers
from in_process import hart_agent
from PIL import Image
from typer.testing import CliRunner, Result

from hart_agent.cli import app
from hart_agent.errors import ConfigError

POLICY = ("--backend", f"{talkers.__file__}:Talker")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.effect_noise((96, 64), 60).convert("RGB").save(path)
    return path


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def ask(photo: Path, *options: str | Path) -> Result:
    return invoke("ask", photo, "what?", "--quiet", *POLICY, *options)


def refused(result: Result) -> str:
    assert isinstance(result.exception, ConfigError), (result.output, result.exception)
    return str(result.exception)


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if not entry.name.endswith(".lock")}


@pytest.mark.parametrize(("option", "name"), [
    ("--trace", "t.json"), ("--html", "t.html"), ("--annotate", "t.png"), ("--annotate", "t.jpg"),
    ("--annotate", "t.webp"),
    ("--annotate", "t.tif"),
])  # fmt: skip
def test_a_command_can_be_run_again_but_not_over_files_of_others(photo: Path, option: str, name: str) -> None:
    target = photo.with_name(name)
    for _ in range(2):
        assert ask(photo, option, target).exit_code == 0
    stranger = b"<!doctype html>\n{}" if name != "t.png" else photo.read_bytes()
    target.write_bytes(stranger)
    before = contents(photo.parent)
    assert "left untouched" in refused(ask(photo, option, target))
    assert contents(photo.parent) == before
    assert ask(photo, option, target, "--force").exit_code == 0
    assert ask(photo, option, target).exit_code == 0


def test_two_outputs_on_one_path_are_refused_before_the_work(photo: Path) -> None:
    target = photo.with_name("x")
    assert "two outputs" in refused(ask(photo, "--trace", target, "--html", target))
    assert not target.exists()


def test_an_ending_without_a_format_is_refused_before_the_work(photo: Path) -> None:
    assert "no ending of an image format" in refused(ask(photo, "--annotate", photo.with_name("x.docx")))
    assert "no ending of an image format" in refused(ask(photo, "--annotate", photo.with_name("x")))


def test_a_trace_through_a_link_replaces_what_it_points_to(photo: Path) -> None:
    link, target = photo.with_name("link"), photo.with_name("far.json")
    link.symlink_to(target)
    assert ask(photo, "--trace", link).exit_code == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["answer"] == "Bakery"


def test_view_never_replaces_a_page_of_someone_else(photo: Path) -> None:
    trace, page = photo.with_name("t.json"), photo.with_name("t.html")
    ask(photo, "--trace", trace)
    page.write_text("<!doctype html><title>my diary</title>")
    assert "left untouched" in refused(invoke("view", trace))
    assert "diary" in page.read_text()
    assert invoke("view", trace, "--force").exit_code == 0
    assert invoke("view", trace).exit_code == 0
    page.write_text("<!doctype html>\n<html><title>what? - hart-agent</title>")  # as version 0.1 wrote them
    assert invoke("view", trace).exit_code == 0


def test_a_tool_is_tried_without_replacing_pictures_of_others(photo: Path) -> None:
    out = photo.with_name("view.png")
    command = ("tools", "run", "zoom", photo, '{"bbox_2d": [0, 0, 40, 40]}', "--out", out)
    for _ in range(2):
        assert invoke(*command).exit_code == 0
    shutil.copy(photo, out)
    assert "left untouched" in refused(invoke(*command))
    assert out.read_bytes() == photo.read_bytes()


STRANGERS = {
    "config.json": '{"theme": "dark"}',
    "notes.txt": "milk\neggs\n",
    "half.txt": "milk\neggs",
    "dataset.jsonl": '{"id": "1", "question": "what?", "answer": "a shop"}\n',
    "ids.json": '{"id":"alice","age":3}',
    "later.jsonl": '{"id":"q","error":{"type":"E","message":"m"}}\nnotes\n',
    "half-later.jsonl": '{"id":"q","error":{"type":"E","message":"m"}}\nnotes',
    "binary": "\0\1\2",
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_batch_over_a_file_of_someone_else_leaves_it_untouched(photo: Path, name: str) -> None:
    questions, out = photo.with_name("in.jsonl"), photo.with_name(name)
    questions.write_text(json.dumps({"image": photo.name, "question": "what?"}))
    out.write_text(STRANGERS[name])
    before = contents(photo.parent)
    assert "untouched" in refused(invoke("batch", questions, out, "--quiet", *POLICY))
    assert contents(photo.parent) == before


def batch(folder: Path, *options: str | Path, policy: tuple[str, ...] = POLICY) -> Result:
    return invoke("batch", folder / "in.jsonl", folder / "out.jsonl", "--quiet", *policy, *options)


def write_rows(folder: Path, *rows: dict[str, Any]) -> None:
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


ROW = {"id": "1", "image": "photo.png", "question": "what?"}


def test_force_starts_a_batch_anew_over_a_file_of_someone_else(photo: Path) -> None:
    write_rows(photo.parent, ROW)
    (photo.parent / "out.jsonl").write_text("notes\n")
    assert batch(photo.parent, "--force").exit_code == 0
    assert [line["id"] for line in lines(photo.parent)] == ["1"]


def test_the_same_id_with_anything_else_is_refused_or_asked_again(photo: Path) -> None:
    folder = photo.parent
    write_rows(folder, ROW, {**ROW, "id": "2"})
    assert batch(folder).exit_code == 0
    before = (folder / "out.jsonl").read_bytes()
    assert batch(folder).exit_code == 0  # nothing has changed
    other_policy = ("--backend", f"{talkers.__file__}:Joined")
    assert "another model" in refused(batch(folder, policy=other_policy))
    assert "another model" in refused(batch(folder, "--model", "m2"))
    assert "another mode" in refused(batch(folder, "--mode", "direct"))
    assert "with other settings, the first" in refused(batch(folder, "--max-turns", "3"))
    write_rows(folder, {**ROW, "question": "which?"}, {**ROW, "id": "2"})
    message = refused(batch(folder))
    assert "1 of these questions were asked before with another question" in message
    assert "'1'" in message
    assert "--changed" in message
    assert (folder / "out.jsonl").read_bytes() == before
    assert batch(folder, "--changed").exit_code == 0
    after = {line["id"]: line for line in lines(folder)}
    assert {name: line["question"] for name, line in after.items()} == {"1": "which?", "2": "what?"}
    assert len(lines(folder)) == 2
    asked_before = {line["id"]: line for line in map(json.loads, before.splitlines())}  # in the order of their ends
    assert asked_before["2"] == after["2"]  # was not asked again


def test_an_image_that_was_replaced_is_noticed(photo: Path) -> None:
    write_rows(photo.parent, ROW)
    batch(photo.parent)
    Image.effect_noise((96, 64), 90).convert("RGB").save(photo)
    assert "another image" in refused(batch(photo.parent))
    assert batch(photo.parent, "--changed").exit_code == 0
    (line,) = lines(photo.parent)
    assert batch(photo.parent).exit_code == 0
    assert lines(photo.parent) == [line]


def test_failed_questions_are_asked_again_with_other_settings(photo: Path) -> None:
    write_rows(photo.parent, ROW, {**ROW, "id": "2", "image": "later.png"})
    assert batch(photo.parent).exit_code == 3
    shutil.copy(photo, photo.with_name("later.png"))
    assert batch(photo.parent).exit_code == 3  # it failed before: that is not another image
    assert batch(photo.parent, "--retry-errors", "--max-turns", "5").exit_code == 0
    assert ["error" in line for line in lines(photo.parent)] == [False, False]
    assert "another model" in refused(batch(photo.parent, "--retry-errors", "--model", "m2"))


def test_results_of_version_0_1_are_resumed(photo: Path) -> None:
    """They don't say what was asked; and someone has put a blank line between them."""
    write_rows(photo.parent, ROW, {**ROW, "id": "2"})
    batch(photo.parent)
    (asked,) = (line for line in lines(photo.parent) if line["id"] == "1")
    first = {name: value for name, value in asked.items() if name != "asked"}
    (photo.parent / "out.jsonl").write_text(json.dumps(first, separators=(",", ":")) + "\n\n")
    assert batch(photo.parent, "--model", "m2").exit_code == 0
    found = [json.loads(line) for line in (photo.parent / "out.jsonl").read_text().splitlines() if line]
    assert found[0] == first
    assert [line["id"] for line in found] == ["1", "2"]


def test_a_pipe_is_never_replaced(photo: Path) -> None:
    pipe = photo.with_name("pipe")
    os.mkfifo(pipe)
    write_rows(photo.parent, ROW)
    for command in (("ask", photo, "what?", "--trace", pipe), ("batch", photo.with_name("in.jsonl"), pipe)):
        assert "it is a pipe" in refused(invoke(*command, "--force", *POLICY))
    assert pipe.is_fifo()


def test_names_with_a_leading_dash_or_brackets_are_inputs(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)
    for name in ("-photo.png", "photo[1].png"):
        shutil.copy(photo, name)
        assert invoke("ask", "--quiet", *POLICY, "--", name, "what?").exit_code == 0
        Path("out.jsonl").unlink(missing_ok=True)
        options = ("--question", "what?", "--quiet", *POLICY)
        assert invoke("batch", *options, "--", name, "out.jsonl").exit_code == 0
        assert len(lines(photo.parent)) == 1
    assert "./-photo.png" in hart_agent("ask", "-photo.png", "what?").stderr
