"""What programs that run the commands rely on: one JSON object on stdout with `--json`, and quiet with `-q`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import answer
from in_process import hart_agent
from loopback import Behaviour, say, serve
from PIL import Image


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (400, 300), "red").save(path)
    return path


@pytest.fixture
def animation(tmp_path: Path) -> Path:
    frames = [Image.new("RGB", (400, 300), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "three.gif", save_all=True, append_images=frames[1:])
    return tmp_path / "three.gif"


@pytest.mark.parametrize("flag", ["-q", "--quiet", "-qv"])
def test_quiet_is_quiet_about_frames(animation: Path, flag: str) -> None:
    with serve([say(answer("red"))]) as server:
        asked = ("ask", animation, "colour?", "--base-url", server.url, "--model", "qwen2.5-vl")
        loud, quiet = hart_agent(*asked), hart_agent(*asked, flag)
        page = hart_agent(*asked)
    assert "holds 3 frames" in loud.stderr
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "holds 3 frames" in page.stderr  # the flag is of one command


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "words"),
    [
        (("ask", "missing.png", "colour?"), 2, "NoSuchImageError", "missing.png"),
        (("ask", "photo.png", "colour?", "--max-turns", "none"), 2, "ConfigError", "--max-turns"),
        (("ask", "photo.png"), 2, "ConfigError", "QUESTION"),
        (("ask", "photo.png", "colour?", "--trace", "photo.png"), 2, "ConfigError", "overwrite"),
        (("tools", "run", "no_such", "photo.png"), 2, "ConfigError", "no_such"),
        (("replay", "photo.png"), 2, "ConfigError", "photo.png"),
        (("eval", "jsonl", "missing.jsonl", "--out", "run"), 2, "DatasetError", "missing.jsonl"),
    ],
)
def test_an_error_is_an_object_for_programs_and_a_line_for_people(
    photo: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, kind: str, words: str
) -> None:
    monkeypatch.chdir(photo.parent)
    plain, program = hart_agent(*arguments), hart_agent(*arguments, "--json")
    assert (plain.returncode, plain.stdout) == (program.returncode, "") == (code, "")
    assert program.stderr == plain.stderr
    (error,) = json.loads(program.stdout).values()
    assert error.keys() == {"type", "message"}
    assert (error["type"], words in error["message"]) == (kind, True)


def test_a_server_that_can_not_be_asked_is_an_object_as_well(photo: Path) -> None:
    with serve([]) as server:
        url = server.url
    done = hart_agent("ask", photo, "colour?", "--base-url", url, "--json")  # for the name of its model
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["type"] == "PolicyError"


def test_a_result_that_was_printed_stays_the_only_object(photo: Path) -> None:
    folder = photo.parent / "results"
    folder.mkdir()

    def vanishing(body: object, number: int) -> Behaviour:
        folder.rmdir()
        return say(answer("red"))

    with serve(vanishing) as server:
        asked = ("ask", photo, "colour?", "--base-url", server.url, "--model", "m", "--no-verify")
        done = hart_agent(*asked, "--json", "--trace", folder / "trace.json")
    assert done.returncode == 2
    assert "no folder" in done.stderr
    assert json.loads(done.stdout)["answer"] == "red"
