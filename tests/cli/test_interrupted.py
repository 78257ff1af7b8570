"""Commands that are interrupted, as real processes: one line says what is kept, and the exit code is 130."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from batch_processes import wait_for
from conftest import tool_call
from loopback import Handler, Loopback, say, serve
from PIL import Image

ZOOM = tool_call("zoom", bbox_2d=[10, 10, 200, 200])


def never(handler: Handler) -> None:
    handler.loopback.closing.wait(60)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (400, 300), "red").save(path)
    return path


def started(server: Loopback, *arguments: str | Path, ignoring: bool = False) -> subprocess.Popen[str]:
    """A command that asks the server; SIGINT is ignored, as it is in what a shell starts in the background, or not."""
    asking = ("--base-url", server.url, "--model", "m")
    at_first = signal.SIG_IGN if ignoring else signal.default_int_handler
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    streams["preexec_fn"] = functools.partial(signal.signal, signal.SIGINT, at_first)
    return subprocess.Popen([sys.executable, "-m", "hart_agent", *map(str, arguments), *asking], **streams)


def ended(process: subprocess.Popen[str], server: Loopback, requests: int, number: signal.Signals) -> tuple[str, str]:
    """What a command that is sent a signal after so many requests prints, and says last."""
    wait_for(lambda: len(server.bodies) >= requests, process)
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.count("interrupted") == 1
    return out, said.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_question_that_is_interrupted_keeps_its_turns(photo: Path, tmp_path: Path, number: signal.Signals) -> None:
    trace, page = tmp_path / "trace.json", tmp_path / "page.html"
    with serve([say(ZOOM), never]) as server:
        asked = started(server, "ask", photo, "colour?", "--trace", trace, "--html", page)
        out, line = ended(asked, server, 2, number)
    assert out == ""
    assert line == f"interrupted; there was 1 turn, kept in {trace}, {page}"
    kept = json.loads(trace.read_text())
    assert (kept["stop_reason"], kept["answer"]) == ("interrupted", None)
    assert [call["name"] for turn in kept["turns"] for call in turn["calls"]] == ["zoom"]
    assert kept["usage"]["requests"] == 1
    assert "zoom" in page.read_text()


def test_the_result_so_far_is_printed_as_json(photo: Path) -> None:
    with serve([say(ZOOM), say(ZOOM), never]) as server:
        out, line = ended(started(server, "ask", photo, "colour?", "--json", "-q"), server, 3, signal.SIGINT)
    assert line == "interrupted; there were 2 turns; --trace FILE keeps them"
    result = json.loads(out)
    assert (result["stop_reason"], len(result["turns"])) == ("interrupted", 2)


def test_an_answer_that_was_being_checked_is_kept(photo: Path, tmp_path: Path) -> None:
    crop = tool_call("crop", bbox_2d=[10, 10, 200, 200], label="red")
    trace = tmp_path / "trace.json"
    with serve([say(crop), say("<answer>red</answer>"), never]) as server:
        asked = started(server, "ask", photo, "colour?", "--trace", trace)
        ended(asked, server, 3, signal.SIGINT)
    kept = json.loads(trace.read_text())
    assert (kept["stop_reason"], kept["answer"], kept["verdict"]) == ("answered", "red", "unchecked")
    assert kept["reason"].startswith("interrupted before the answer was checked")


def test_sigterm_interrupts_also_where_ctrl_c_is_ignored(photo: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"image": photo.name, "question": "colour?", "answer": "red"}) + "\n")
    with serve([never]) as server:
        asked = started(server, "ask", photo, "colour?", "--trace", tmp_path / "trace.json", ignoring=True)
        _, line = ended(asked, server, 1, signal.SIGTERM)
        assert line == f"interrupted; there were 0 turns, kept in {tmp_path / 'trace.json'}"
        batch = started(server, "batch", questions, tmp_path / "out.jsonl", ignoring=True)
        _, line = ended(batch, server, 2, signal.SIGTERM)
        assert line == f"interrupted; {tmp_path / 'out.jsonl'} is whole. Run the same command again to resume."
        run = started(server, "eval", "jsonl", questions, "--out", tmp_path / "run", ignoring=True)
        _, line = ended(run, server, 3, signal.SIGTERM)
        assert line == f"interrupted; {tmp_path / 'run'} keeps what was asked. Run the same command again to resume."
