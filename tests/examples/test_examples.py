"""The examples that users copy, each run as its docstring says."""

from __future__ import annotations

import csv
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import answer
from loopback import Behaviour, refuse, say, serve
from PIL import Image, ImageDraw, ImageFont

from hart_agent.backends.embedded import EmbeddedPolicy
from hart_agent.evals.records import load_run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with three images, each of one colour; the grid of the served model divides their sides."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, colour in (("black.png", 0), ("grey.jpg", 128), ("white.png", 255)):
        Image.new("RGB", (336, 252), (colour,) * 3).save(folder / name)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: object) -> None:
    """Run an example as a program."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def text_of(body: dict[str, Any]) -> str:
    """All words of a request."""
    return json.dumps(body["messages"])


def test_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = Image.new("RGB", (400, 200), (150, 160, 140))
    pen = ImageDraw.Draw(image)
    pen.rectangle((60, 50, 339, 149), fill=(20, 40, 120))
    pen.text((200, 100), "BAKERY", fill="white", anchor="mm", font=ImageFont.load_default(48))
    image.save(tmp_path / "sign.png")
    monkeypatch.setattr(EmbeddedPolicy, "max_seconds", 600.0)  # near the limit it says what it has read by then
    run(monkeypatch, "ask.py", tmp_path / "sign.png", "what is on the sign?")
    first, verdict, *evidence = capsys.readouterr().out.splitlines()
    assert first == "BAKERY"
    assert verdict == "verdict: supported"
    assert evidence[0].startswith("evidence: [")


def test_async_batch(
    monkeypatch: pytest.MonkeyPatch, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One image is asked about; another's request is refused; the third is cropped first."""

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        if number == 0:
            return refuse(400, "the content filter refused this image")
        if number == 1:
            return say(None, [("crop", '{"bbox_2d": [4, 4, 100, 100], "label": "middle"}')])
        return say(answer("STOP"))

    with serve(behave) as server:
        run(monkeypatch, "async_batch.py", images, "What does it say?", tmp_path / "answers.csv", server.url)
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"black.png", "grey.jpg", "white.png"}
    assert sorted(row["answer"] for row in rows.values()) == ["", "STOP", "STOP"]
    assert sorted((row["boxes"], row["supported"]) for row in rows.values()) == [
        ("[(4, 4, 100, 100)]", "True"), ("[]", "False"), ("[]", "False")
    ]  # fmt: skip
    (error,) = [row["error"] for row in rows.values() if row["error"]]
    assert "content filter" in error
    assert capsys.readouterr().err.splitlines()[-1] == "3 of 3 images, 1 tool calls"


def test_custom_tool(monkeypatch: pytest.MonkeyPatch, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = say(None, [("brightness", '{"bbox_2d": [10, 10, 90, 90]}')])
    with serve([call, say(answer("grey"))]) as server:
        run(monkeypatch, "custom_tool.py", images / "grey.jpg", "how bright is it?", server.url)
    assert "Measure how bright a region" in json.dumps(server.bodies[0])
    assert "mean brightness 128" in text_of(server.bodies[1])
    assert capsys.readouterr().out.splitlines()[:2] == ["brightness: mean brightness 128", "grey"]


def test_evaluate(
    monkeypatch: pytest.MonkeyPatch, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that is right about black, and about the others only where it has tools."""
    questions = images / "questions.jsonl"
    rows = [{"image": path.name, "question": f"is it {path.stem}?", "answer": "yes"} for path in images.iterdir()]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        return say(answer("yes" if "black?" in text_of(body) or "bbox_2d" in json.dumps(body) else "no"))

    with serve(behave) as server:
        run(monkeypatch, "evaluate.py", questions, tmp_path / "runs", server.url)
    direct, agent, compared = capsys.readouterr().out.splitlines()
    assert direct.startswith("direct: 0.33 right")
    assert agent.startswith("agent: 1.00 right")
    assert compared == "only direct right: 0, only agent right: 2, p = 0.500"
    assert [len(load_run(tmp_path / "runs" / mode)[0]) for mode in ("direct", "agent")] == [3, 3]


def test_train_on_20_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command of its README, with a tiny model and one short step in place of the whole run."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[train]'")
    from tiny_vlm import make_tiny_vlm

    from rl.command_line import run_command
    from rl.train_ap_grpo import train

    folder = EXAMPLES / "train_on_20_lines"
    assert len((folder / "questions.jsonl").read_text().splitlines()) == 20
    (command,) = re.findall(r"^python -m rl\.train_ap_grpo (.*)$", (folder / "README.md").read_text(), re.M)
    smaller = ["--model", make_tiny_vlm(tmp_path / "model", "qwen3-vl"), "--out", tmp_path / "run", "--steps", 1]
    smaller += ["--prompts-per-step", 1, "--group-size", 2, "--max-tokens", 4, "--max-pixels", 16_384]
    monkeypatch.chdir(EXAMPLES.parent)
    monkeypatch.setattr("hart_agent.backends.cut_off.MORE", 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.raises(SystemExit) as ended:
            run_command(train, [*command.split(), *map(str, smaller), "--lora-rank", "2", "--engine", "local"])
    finally:
        torch.set_num_threads(threads)
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "run" / "step-000001")


@pytest.mark.slow
def test_from_data_to_table(tmp_path: Path) -> None:
    """The whole chain with a tiny model: eight published questions, one of whose images is in the benchmark, too."""
    pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[train]'")
    from tiny_vlm import make_tiny_vlm

    published = []
    for number in range(8):
        Image.new("RGB", (300, 200), (30 * number, 60, 200 - 20 * number)).save(tmp_path / f"{number}.png")
        talk = [{"value": f"<image>\nwhat is {number}?"}, {"value": "x"}]
        published.append({"image": f"{number}.png", "conversations": talk, "target_instances": []})
    (tmp_path / "published.json").write_text(json.dumps(published))
    benchmark = tmp_path / "benchmark.jsonl"
    benchmark.write_text(json.dumps({"image": "7.png", "question": "what is 7?", "answer": "x"}) + "\n")
    small = "--steps 1 --prompts-per-step 2 --max-tokens 8 --max-pixels 16384"
    command = [
        sys.executable, "examples/from_data_to_table.py", "vstar-train", tmp_path / "published.json",
        "--out", tmp_path / "out", "--model", make_tiny_vlm(tmp_path / "model", "qwen3-vl"), "--rl-share", "0.5",
        "--benchmark", f"jsonl={benchmark}", "--rl", f"{small} --group-size 2 --engine local", "--sft", small,
        "--eval", "--max-tokens 8 --max-pixels 16384",
    ]  # fmt: skip
    for _ in range(2):  # the second time, all is there
        done = subprocess.run(
            list(map(str, command)), cwd=EXAMPLES.parent, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, done.stderr[-3000:]
        header, _, row = done.stdout.splitlines()
        assert header == "| benchmark | this run | HART-7B | Qwen2.5-VL-7B |"
        assert re.fullmatch(r"\| jsonl \| \d+\.\d \|  \|  \|", row)
    assert (tmp_path / "out" / "table.md").read_text() == done.stdout
    asked = [json.loads(line) for line in (tmp_path / "out" / "questions.jsonl").read_text().splitlines()]
    assert [row["question"] for row in asked] == [f"what is {number}?" for number in range(7)]
    used = {
        stage: json.loads((tmp_path / "out" / stage / "settings.json").read_text())["questions"]
        for stage in ("rl", "sft")
    }
    assert used["rl"] != used["sft"]
