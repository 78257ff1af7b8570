"""`hart-agent eval` and `hart-agent controls` as a user runs them, with the embedded reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner, Result

from hart_agent.cli import app
from hart_agent.errors import ConfigError
from hart_agent.trace import load_trace

UNHURRIED = ("-q", "--max-seconds", "100")
"""The right answer, however busy the machine is."""
BACKGROUND = Path(__file__).resolve().parents[2] / "examples" / "images" / "backgrounds" / "fig.jpg"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos with a sign each, and a question about each."""
    made = tmp_path_factory.mktemp("signs")
    rows = []
    for name, words in (("a", "Marwick Bakery"), ("b", "Fenley Florist")):
        image = Image.open(BACKGROUND).convert("RGB").resize((400, 280))
        draw = ImageDraw.Draw(image)
        draw.rectangle((60, 70, 340, 160), "white", "black", 3)
        draw.text((80, 95), words, "black", ImageFont.load_default(size=28))
        image.save(made / f"{name}.png")
        rows.append({"image": f"{name}.png", "question": "What does the sign say?", "answer": words,
                     "boxes": [[75, 95, 310, 130]], "category": name})  # fmt: skip
    (made / "signs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made


@pytest.mark.long
def test_an_evaluation_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run("eval", "jsonl", folder / "signs.jsonl", "--out", out, "--controls", "--traces", *UNHURRIED, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["summary"]["accuracy"]["value"] == 1
    assert report["summary"]["controls"]["masked"]["value"] == 0
    assert report["summary"]["evidence_gap"]["value"] == 1
    assert json.loads((out / "report.json").read_text()) == report
    assert {load_trace(path)["answer"] for path in (out / "traces").iterdir()} == {"Marwick Bakery", "Fenley Florist"}
    again = run("eval", "jsonl", folder / "signs.jsonl", "--out", out, "--controls", "--traces", *UNHURRIED)
    assert again.exit_code == 0
    assert "evidence gap" in again.stdout
    assert "format kept" in again.stdout
    assert len((out / "records.jsonl").read_text().splitlines()) == 2  # nothing was asked twice
    other = tmp_path / "direct"
    assert run("eval", "jsonl", folder / "signs.jsonl", "--out", other, "--mode", "direct", *UNHURRIED).exit_code == 0
    compared = run("eval", "--compare", out, other, "--json")
    assert json.loads(compared.stdout)["accuracy"]["only_first"] == 0


@pytest.mark.long
def test_one_question_under_control(folder: Path, tmp_path: Path) -> None:
    arguments = ("controls", folder / "a.png", "What does the sign say?", "--other", folder / "b.png", *UNHURRIED)
    done = run(*arguments, "--json", "--trace", tmp_path / "trace.json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["result"]["answer"] == "Marwick Bakery"
    same = {control["control"]: control["same"] for control in told["controls"]}
    assert same == {"no_image": False, "random_box": False, "other_image": False, "masked": False, "no_tools": True}
    assert load_trace(tmp_path / "trace.json")["mode"] == "agent"
    shown = run(*arguments)
    assert "the evidence painted over" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("eval",), "name a benchmark"),
        (("eval", "vstar", "--out", "run"), "--allow-download"),
        (("eval", "imagenet", "--out", "run"), "choose one of"),
        (("eval", "jsonl", "missing.jsonl", "--out", "run"), "no such file"),
        (("eval", "--compare", "here", "there"), "holds no run"),
    ],
)
def test_mistakes_are_named(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, ConfigError)
    assert words in str(done.exception)
