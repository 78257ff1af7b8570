"""What version 0.1 wrote still opens and resumes, and its imports still work. `data/` was written by that version.

The scripted policy there looked for a blue and a yellow sign; the question about a green one failed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import re
import shutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import answer, tool_call

import hart_agent
import hart_agent.moved
import rl.moved
from hart_agent import Agent, ConfigError, ScriptedPolicy
from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.batch.run import run_batch
from hart_agent.cli.options import AgentOptions
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.records import load_run
from hart_agent.evals.runner import EvalSettings
from hart_agent.trace import find_image, load_trace, page, replay
from hart_agent.vision.cache import ImageCache

DATA = Path(__file__).parent / "data"
NAMES = """
    Agent Box ConfigError CoordinateProfile CoordinateSpace Episode EpisodeConfig Evidence HartError ImageError
    InstallError Message Mode OnUnsupported PluginError Policy PolicyError Reply ScriptedPolicy SourceImage StopReason
    Tool ToolContext ToolError ToolOutput ToolRuntime Trajectory Turn Verdict View ViewBudget
""".split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the data."""
    return shutil.copytree(DATA, tmp_path / "data")


def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
    """Crops the sign that is asked about, then answers; also to the question that failed then."""
    text = "\n".join(message.text for message in messages)
    word, box = ("Park", [20, 30, 110, 80]) if "green" in text else ("Honey", [140, 90, 220, 140])
    looked = any(message.role == "assistant" for message in messages)
    return answer(word) if looked or not tools else tool_call("crop", bbox_2d=box, label="sign")


@pytest.mark.parametrize(
    ("name", "calls", "verdict"), [("trace.json", 4, "supported"), ("trace_closed_loop.json", 2, "supported")]
)
def test_a_trace_replays_to_the_same_pixels_and_becomes_a_page(name: str, calls: int, verdict: str) -> None:
    trace = load_trace(DATA / name)
    found = find_image(trace, DATA / name)
    assert found.same
    outcome = replay(trace, found.source)
    assert outcome.same
    assert len(outcome.calls) == calls
    views = [view for call in outcome.calls for view in call.views]
    assert views
    assert all(view.replayed == view.recorded for view in views)
    shown = page(trace, found.source)
    assert trace["answer"] in shown
    assert verdict in shown


def test_a_batch_that_is_complete_asks_nothing(folder: Path) -> None:
    out = folder / "results.jsonl"
    before = out.read_bytes()
    with ResultFile(out) as file:
        questions = BatchInput(str(folder / "questions.jsonl"))
        silent = Agent(ScriptedPolicy([]))
        summary = asyncio.run(run_batch(silent, questions, file, concurrency=1, images=ImageCache()))
    assert (summary.answered, summary.unanswered, summary.failed) == (0, 0, 0)
    assert out.read_bytes() == before


def test_a_batch_resumes_and_is_tidied(folder: Path) -> None:
    """Of four questions one was answered, one had failed, and one was half written when the run was killed."""
    out = folder / "results_half.jsonl"
    kept = out.read_text().splitlines()[0]
    for retry, counts in ((False, (2, 0, 0)), (True, (1, 0, 0))):
        with ResultFile(out) as file:
            questions = BatchInput(str(folder / "questions.jsonl"))
            running = run_batch(
                Agent(ScriptedPolicy(speak)), questions, file, concurrency=1, images=ImageCache(), retry_errors=retry
            )
            summary = asyncio.run(running)
        assert (summary.answered, summary.unanswered, summary.failed) == counts
    with ResultFile(out) as file:
        file.tidy()
    lines = out.read_text().splitlines()
    assert kept in lines
    answers = [(line["id"], line["answer"]) for line in map(json.loads, lines)]
    assert sorted(answers) == [("a", "Bakery"), ("b", "Honey"), ("c", "Park"), ("d", "Honey")]


def evaluate(folder: Path, options: AgentOptions) -> dict[str, object]:
    items = load_dataset("jsonl", folder / "benchmark.jsonl")
    agent = Agent(ScriptedPolicy(speak))
    return asyncio.run(evaluate_folder(agent, "jsonl", items, folder / "evaluation", EvalSettings(), options.public()))


def test_an_evaluation_resumes_and_reports(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two questions were answered, one had failed; one was left. The records there have no `format_kept`."""
    before, manifest = load_run(folder / "evaluation")
    assert [record["key"] for record in before] == ["a#0", "b#0", "c#0"]
    assert not any("format_kept" in record for record in before)
    with caplog.at_level(logging.WARNING):
        report = evaluate(folder, AgentOptions())
    assert "prompts have changed" in caplog.text
    after, kept = load_run(folder / "evaluation")
    assert kept == manifest
    assert after[:3] == before
    assert sorted(record["key"] for record in after[3:]) == ["c#0", "d#0"]
    assert (report["questions"], report["failed"]) == (4, 0)
    accuracy = json.loads((folder / "evaluation" / "report.json").read_text())["summary"]["accuracy"]
    assert accuracy["value"] == 1.0
    assert (folder / "evaluation" / "report.html").stat().st_size > 1000


def test_an_evaluation_is_not_resumed_with_other_settings(folder: Path) -> None:
    with pytest.raises(ConfigError, match="started with other settings: options"):
        evaluate(folder, AgentOptions(temperature=0.5))


@pytest.mark.parametrize(
    ("file", "more", "words"),
    [
        ("run.yaml", (), "no folder 'nowhere'"),
        ("run.yaml", ("--learning-rate", "1e-4"), "started with other settings: learning_rate"),
        ("recipe.yaml", ("--plan", "--model", str(DATA)), "is not a vision-language model"),
    ],
)
def test_a_training_file_makes_the_settings_of_its_run(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, more: tuple[str, ...], words: str
) -> None:
    """The run's settings are those that version 0.1 recorded; then its model is opened, which isn't there."""
    pytest.importorskip("torch", reason="torch and transformers are not installed: pip install 'hart-agent[train]'")
    from rl.command_line import run_command
    from rl.train_ap_grpo import train

    run = folder / "training"
    arguments = ["--out", str(run), "--model", "nowhere", "--config", str(run / file)]
    with pytest.raises(SystemExit):
        run_command(train, [str(folder / "benchmark.jsonl"), *arguments, *more])
    assert words in capsys.readouterr().err
    recorded = json.loads((run / "settings.json").read_text())
    assert recorded == json.loads((DATA / "training" / "settings.json").read_text())


def test_the_public_names_are_there() -> None:
    assert set(NAMES) <= set(hart_agent.__all__)
    assert all(getattr(hart_agent, name) is not None for name in NAMES)


def test_old_modules_warn_and_give_the_same_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """`modules.json`: the modules that have moved, with the public names that each defined in version 0.1."""
    pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[train]'")
    modules = json.loads((DATA / "modules.json").read_text())
    homes = {f"hart_agent.{old}": [f"hart_agent.{home}" for home in new] for old, new in hart_agent.moved.MOVED.items()}
    homes |= rl.moved.MOVED
    packages = {
        f"hart_agent.{old}": [f"hart_agent.{home}" for home in new] for old, new in hart_agent.moved.PACKAGES.items()
    }
    assert modules.keys() == homes.keys() | packages.keys()
    for old, names in modules.items():
        now = [vars(importlib.import_module(home)) for home in (homes | packages)[old]]
        if old in homes:
            monkeypatch.delitem(sys.modules, old, raising=False)
            with pytest.warns(DeprecationWarning, match=re.escape(f"{old} has moved")):
                module = importlib.import_module(old)
            found = {name: getattr(module, name) for name in names}
        else:
            found = {}
            for name in names:
                with pytest.warns(DeprecationWarning, match=rf"{name} has moved; import it from {old}|hart_agent\."):
                    found[name] = getattr(importlib.import_module(old), name)
        for name, value in found.items():
            assert any(value is home.get(name) for home in now), (old, name)


def below(table: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """The table with full names."""
    return {f"hart_agent.{old}": [f"hart_agent.{home}" for home in homes] for old, homes in table.items()}


@pytest.mark.parametrize("package", hart_agent.moved.PACKAGES)
def test_a_package_has_no_other_old_names(package: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AttributeError, match="no_such_name"):
            vars(importlib.import_module(f"hart_agent.{package}"))["__getattr__"]("no_such_name")
