"""Real replies through `hart-agent ask`, against a real server on the loopback interface, in every mode."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loopback import Behaviour, Loopback, serve
from openai_asks import photo, words  # noqa: F401
from sent_replies import ANSWERS, BOX, CALL, CALLS, FAILED, HINTED, RIGHT, TAGGED, Failed, Hinted, Sent, sends
from typer.testing import CliRunner

from hart_agent.cli import app
from hart_agent.dialogue.results import HINT_ANSWER, HINT_TOOLS

MODES = ("agent", "closed-loop", "mgpo", "direct")
WORDS_FOR_THE_MODEL = re.compile(r"</?(?:answer|abstain|tool_call|think)>|Reply with|Your |\byour\b")
CROP, ANSWER = sends(CALL), sends(TAGGED)


@dataclass(frozen=True)
class Run:
    """What a command left behind: its exit code, its result, all that the person reads, its trace, and the requests."""

    code: int
    result: dict[str, Any]
    shown: str
    trace: dict[str, Any]
    asked: list[str]

    @property
    def boxes(self) -> list[list[int]]:
        return [item["box"] for item in self.result["evidence"]]


def arguments(server: Loopback, image: Path, mode: str, trace: Path) -> list[str]:
    options = ["--base-url", server.url, "--model", "qwen2.5-vl", "--mode", mode, "--max-tokens", "60", "--quiet"]
    return ["ask", str(image), "what is on the sign?", *options, "--trace", str(trace)]


def ask(script: list[Behaviour], image: Path, mode: str, folder: Path) -> Run:
    with serve(script) as server:
        command = arguments(server, image, mode, folder / "trace.json")
        done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    trace = json.loads((folder / "trace.json").read_text())
    result = json.loads(done.stdout)
    return Run(
        done.exit_code, result, f"{result['reason']}\n{done.stderr}", trace, [words(body) for body in server.bodies]
    )


def thoughts(run: Run) -> str:
    return "".join(turn.get("reasoning", "") for turn in run.trace["turns"])


def ids(table: list[Any]) -> list[str]:
    return [f"{index}-{entry.kind}" for index, entry in enumerate(table)]


def spread(table: list[Any], modes: tuple[str, ...]) -> list[Any]:
    """Each entry in the next mode; the first one of each kind in the other modes, too, in the slow run."""
    pairs, seen = [], set()
    for index, entry in enumerate(table):
        for mode in modes:
            marks = () if mode == modes[index % len(modes)] else pytest.mark.slow
            if not marks or entry.kind not in seen:
                pairs.append(pytest.param(entry, mode, id=f"{index}-{entry.kind}-{mode}", marks=marks))
        seen.add(entry.kind)
    return pairs


@pytest.mark.parametrize(("sent", "mode"), spread(ANSWERS, MODES))
def test_answers(sent: Sent, mode: str, photo: Path, tmp_path: Path) -> None:
    told_first = sent.untagged and mode == "agent"
    script = [] if mode == "direct" else [CROP]
    script += sent.behaviours * (2 if told_first else 1)
    run = ask([*script, ANSWER], photo, mode, tmp_path)
    assert (run.code, run.result["answer"].rstrip("."), run.result["untagged"]) == (0, RIGHT, sent.untagged)
    assert run.boxes == ([] if mode == "direct" else [BOX])
    assert bool(thoughts(run)) is sent.thought
    assert RIGHT not in thoughts(run) or "field" in sent.kind
    assert run.result["format_errors"] == told_first
    assert run.result["verdict"] == {"direct": "insufficient", "closed-loop": "unchecked"}.get(mode, "supported")


@pytest.mark.parametrize("sent", ANSWERS, ids=ids(ANSWERS))
def test_checks(sent: Sent, photo: Path, tmp_path: Path) -> None:
    run = ask([CROP, ANSWER, *sent.behaviours], photo, "agent", tmp_path)
    assert (run.code, run.result["verdict"]) == (0, "supported")
    assert run.result["crop_only_answer"].rstrip(".") == RIGHT


@pytest.mark.parametrize(("sent", "mode"), spread(CALLS, ("agent", "closed-loop")))
def test_calls(sent: Sent, mode: str, photo: Path, tmp_path: Path) -> None:
    run = ask([*sent.behaviours, ANSWER], photo, mode, tmp_path)
    assert (run.code, run.result["answer"], run.boxes) == (0, RIGHT, list(sent.boxes))
    assert bool(thoughts(run)) is sent.thought


@pytest.mark.parametrize("sent", CALLS, ids=ids(CALLS))
def test_calls_where_there_are_no_tools(sent: Sent, photo: Path, tmp_path: Path) -> None:
    run = ask([*sent.behaviours, ANSWER], photo, "direct", tmp_path)
    assert (run.code, run.result["answer"], run.boxes) == (0, RIGHT, [])
    assert HINT_ANSWER in run.asked[-1]
    assert HINT_TOOLS not in run.asked[-1]
    assert not run.result["untagged"]


@pytest.mark.parametrize("sent", CALLS[::4], ids=ids(CALLS[::4]))
def test_a_check_that_calls_a_tool(sent: Sent, photo: Path, tmp_path: Path) -> None:
    run = ask([CROP, ANSWER, *sent.behaviours, CROP], photo, "agent", tmp_path)
    assert (run.result["verdict"], run.result["crop_only_answer"], run.boxes) == ("insufficient", None, [BOX])


@pytest.mark.parametrize("case", HINTED, ids=ids(HINTED))
def test_what_can_not_be_read_gets_a_hint(case: Hinted, photo: Path, tmp_path: Path) -> None:
    run = ask([case.behaviour, CROP, ANSWER], photo, "agent", tmp_path)
    assert (run.code, run.result["answer"], run.boxes) == (0, RIGHT, [BOX])
    assert case.hint not in run.asked[0].rpartition("what is on the sign?")[2]
    assert case.hint in run.asked[1].rpartition("what is on the sign?")[2]


@pytest.mark.parametrize(("case", "mode"), [(case, MODES[index % 4]) for index, case in enumerate(HINTED)])
def test_what_is_never_read_gives_the_person_a_reason(case: Hinted, mode: str, photo: Path, tmp_path: Path) -> None:
    run = ask([case.behaviour], photo, mode, tmp_path)
    assert (run.code, run.result["answer"], run.boxes) == (3, None, [])
    assert run.result["stop_reason"] in ("format_errors", "max_turns")
    assert not WORDS_FOR_THE_MODEL.search(run.shown)


@pytest.mark.parametrize(("case", "mode"), [(case, MODES[index % 4]) for index, case in enumerate(FAILED)])
def test_what_ends_an_episode(case: Failed, mode: str, photo: Path, tmp_path: Path) -> None:
    run = ask(list(case.behaviours), photo, mode, tmp_path)
    assert (run.code, run.result["answer"], len(run.asked)) == (4, None, case.requests)
    assert case.reason in run.shown
    assert not WORDS_FOR_THE_MODEL.search(run.shown)


@pytest.mark.parametrize("case", FAILED, ids=ids(FAILED))
def test_a_check_that_fails(case: Failed, photo: Path, tmp_path: Path) -> None:
    run = ask([CROP, ANSWER, *case.behaviours], photo, "agent", tmp_path)
    assert (run.code, run.result["answer"], run.result["crop_only_answer"]) == (0, RIGHT, None)
    assert run.result["verdict"] in ("unchecked", "insufficient")
    assert not WORDS_FOR_THE_MODEL.search(run.shown)


@pytest.mark.parametrize("mode", MODES)
def test_words_that_decline(mode: str, photo: Path, tmp_path: Path) -> None:
    script = [] if mode == "direct" else [CROP]
    run = ask([*script, sends("<think>Elder?</think>I can't tell from this image.")], photo, mode, tmp_path)
    assert (run.code, run.result["stop_reason"], run.result["reason"]) == (
        3,
        "abstained",
        "I can't tell from this image.",
    )


def test_the_table_is_broad() -> None:
    tables: list[list[Any]] = [ANSWERS, CALLS, HINTED, FAILED]
    assert sum(map(len, tables)) >= 100
    assert len({entry.kind for table in tables for entry in table}) >= 60


SPAWNED = [ANSWERS[4], ANSWERS[18], CALLS[-1]]


@pytest.mark.parametrize("sent", SPAWNED, ids=ids(SPAWNED))
def test_in_a_process_of_its_own(sent: Sent, photo: Path, tmp_path: Path) -> None:
    script = [*sent.behaviours] if sent in CALLS else [CROP, *sent.behaviours]
    with serve([*script, ANSWER]) as server:
        command = [sys.executable, "-m", "hart_agent", *arguments(server, photo, "agent", tmp_path / "trace.json")]
        done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        RIGHT,
        f"verdict: supported (the evidence alone says: {RIGHT})",
        f"evidence: {BOX} (original pixels) sign",
    ]
