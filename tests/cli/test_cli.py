"""The command as people and programs run it; in a process of its own where that makes a difference."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import tool_call
from image_files import png_header
from in_process import hart_agent
from loopback import say, serve
from PIL import Image, ImageDraw, ImageFont
from typer.main import get_command
from typer.testing import CliRunner

from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.cli import _COMMANDS, app
from hart_agent.cli.console.objects import print_json

TEXT = "Marwick Bakery"
UNHURRIED = ("--max-seconds", "100")
"""The right answer, however busy the machine is."""


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small picture of one sign."""
    image = Image.new("RGB", (320, 160), (90, 120, 80))
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 30, 300, 120), "white", "black", 3)
    draw.text((50, 55), TEXT, "black", ImageFont.load_default(size=28))
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    image.save(path)
    return path


RESULT = {"question", "answer", "withheld_answer", "reason", "verdict", "crop_only_answer", "evidence", "stop_reason",
          "read", "crops_alone", "untagged", "format_errors",
          "turns", "image", "policy", "mode", "usage", "seconds"}  # fmt: skip


def process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "HART_AGENT_BACKEND")}
    command = [sys.executable, "-m", "hart_agent", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_people_read_the_answer_on_the_first_line(photo: Path) -> None:
    done = process("ask", photo, "what does the sign say?", *UNHURRIED)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == TEXT
    assert lines[1].startswith("verdict: supported")
    assert lines[2].startswith("evidence: [")
    assert "zoom" in done.stderr or "crop" in done.stderr


def test_programs_read_one_json_object(photo: Path, tmp_path: Path) -> None:
    trace, drawn = tmp_path / "trace.json", tmp_path / "drawn.png"
    done = hart_agent(
        "ask", photo, "what does the sign say?", "--json", "--quiet", "--trace", trace, "--annotate", drawn, *UNHURRIED
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["answer"] == TEXT
    assert result["verdict"] == "supported"
    assert result["stop_reason"] == "answered"
    assert result["image"].items() >= {"path": str(photo), "width": 320, "height": 160}.items()
    (evidence,) = result["evidence"]
    assert {"box", "label"} <= evidence.keys() <= {"box", "label", "text"}
    x0, y0, x1, y1 = evidence["box"]
    assert 10 < x0 < 62  # the letters with a margin of a third of their height
    assert 230 < x1 < 315
    assert 30 < y0 < 75
    assert 75 < y1 < 120
    assert result.keys() == RESULT | {"settings"}
    assert result["settings"] == {}
    assert [call["name"] for call in result["turns"][-2]["calls"]] == ["crop", "verify"]
    written = json.loads(trace.read_text())
    assert (written["schema"], written["version"], written["answer"]) == ("hart-agent/trace", 1, TEXT)
    assert written.keys() == RESULT | {"schema", "version", "profile", "overview"}
    with Image.open(drawn) as image:
        assert image.size == (320, 160)


def test_no_answer_is_exit_3(photo: Path) -> None:
    done = hart_agent("ask", photo, "How many people are there?", "-q")
    assert done.returncode == 3
    assert done.stdout.startswith("I can't tell: the embedded reader only reads text; to answer this, ")
    done = hart_agent("ask", photo, "How many people are there?", "-q", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["answer"] is None


def test_a_policy_that_fails_is_one_line_on_stderr_and_exit_4(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(RetryPolicy, "delay", lambda *arguments, **options: 0.0)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        server = ("--base-url", f"http://127.0.0.1:{closed.getsockname()[1]}/v1", "--model", "m")
        asked = ("ask", photo, "what?", *server, "--coordinates", "thousand", "--max-seconds", "60")
        plain, program = (hart_agent(*asked, *options) for options in ([], ["--json", "--quiet"]))
    assert (plain.returncode, plain.stdout) == (4, "")
    (line,) = plain.stderr.strip().splitlines()
    assert line.startswith("hart-agent: ")
    assert "/v1" in line
    assert (program.returncode, program.stderr) == (4, "")
    result = json.loads(program.stdout)
    assert (result["answer"], result["stop_reason"]) == (None, "policy_error")
    assert result["reason"]


UNUSABLE = ("missing", "text", "empty", "truncated", "folder", "bomb")


def _files(folder: Path) -> dict[str, Path]:
    made = {name: folder / f"{name}.jpg" for name in UNUSABLE}
    made["text"].write_text("this is no image")
    made["empty"].touch()
    made["folder"].mkdir()
    whole = folder / "whole.jpg"
    Image.effect_noise((600, 400), 60).save(whole)
    made["truncated"].write_bytes(whole.read_bytes()[:5000])
    made["bomb"].write_bytes(png_header(60_000, 60_000))
    return made


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_image_is_one_line_and_exit_2(tmp_path: Path, name: str) -> None:
    path = _files(tmp_path)[name]
    done = hart_agent("ask", path, "what does the sign say?")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("hart-agent: ")
    assert path.name in line


WRONG_USAGE = {
    "empty question": ("   ",),
    "unknown backend": ("what?", "--backend", "nonsense"),
    "strange setting": ("what?", "--model", "m"),
    "unwritable trace": ("what?", "--trace", "no/such/folder/t.json"),
    "trace into a folder": ("what?", "--trace", "."),
    "name too long": ("what?", "--trace", "long" * 100),
    "bad number": ("what?", "--max-turns", "0"),
    "unknown option": ("what?", "--no-such-option"),
    "no question": (),
}


@pytest.mark.parametrize("arguments", WRONG_USAGE.values(), ids=WRONG_USAGE.keys())
def test_wrong_usage_is_exit_2(photo: Path, arguments: tuple[str, ...]) -> None:
    done = hart_agent("ask", photo, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--trace", "--html", "--annotate"])
def test_nothing_is_written_over_the_photo_or_a_folder(photo: Path, tmp_path: Path, option: str) -> None:
    """It is said before the question is asked."""
    before = photo.read_bytes()
    for target in (photo, tmp_path):
        done = hart_agent("ask", photo, "what does the sign say?", option, target)
        assert (done.returncode, done.stdout) == (2, ""), target
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith(f"hart-agent: {target} ")
    assert photo.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_not_written_over_its_trace_its_photo_or_a_folder(photo: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    assert hart_agent("ask", photo, "How many people are there?", "-q", "--trace", trace).returncode == 3
    before = trace.read_bytes(), photo.read_bytes()
    for target in (trace, photo, tmp_path):
        done = hart_agent("view", trace, "--out", target)
        assert (done.returncode, done.stdout) == (2, ""), target
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith(f"hart-agent: {target} ")
    assert (trace.read_bytes(), photo.read_bytes()) == before
    done = hart_agent("view", tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_a_trace_may_have_the_longest_name_that_a_file_can_have(photo: Path, tmp_path: Path) -> None:
    long = tmp_path / ("n" * 250)  # the temporary file next to it has a shorter one
    done = hart_agent("ask", photo, "what does the sign say?", "-q", "--trace", long)
    assert done.returncode == 0
    assert json.loads(long.read_text())["answer"] == TEXT
    assert done.stdout.splitlines()[0] == TEXT
    assert done.stderr == ""


def test_debug_shows_where_it_went_wrong(tmp_path: Path) -> None:
    done = hart_agent("ask", tmp_path / "none.jpg", "what?", "--debug")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("hart-agent: ")
    assert "Traceback" in done.stderr
    assert "ImageError" in done.stderr


def test_the_tools_are_listed_with_their_schemas() -> None:
    done = hart_agent("tools", "--json")
    listed = {tool["name"]: tool["parameters"] for tool in json.loads(done.stdout)["tools"]}
    assert set(listed) >= {"crop", "verify", "zoom"}
    assert listed["zoom"]["required"] == ["bbox_2d"]
    assert "bbox_2d" in hart_agent("tools").stdout


@pytest.mark.parametrize("command", [(), ("ask",), ("tools",), ("view",), ("replay",), ("doctor",)])
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    done = hart_agent(*command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_a_broken_character_in_an_answer_is_no_reason_to_fail() -> None:
    """JSON on stdout holds a lone surrogate as its escape."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(out):
        print_json({"answer": "a\udc80b"})
    out.flush()
    assert json.loads(out.buffer.getvalue())["answer"] == "a\udc80b"  # type: ignore[attr-defined]


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_answer_survives_a_terminal_that_lacks_its_letters(photo: Path, encoding: str) -> None:
    pytest.importorskip("aiohttp")
    said = "Bäckerei 5 € \N{GRINNING FACE}"
    with serve([say(f"<answer>{said}</answer>")]) as server:
        asked = ("ask", photo, "what?", "--base-url", server.url, "--coordinates", "thousand")
        command = [sys.executable, "-m", "hart_agent", *map(str, asked)]
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        plain, program = (
            subprocess.run([*command, *options], env=environment, capture_output=True, check=False, timeout=60)
            for options in ((), ("--json",))
        )
    assert (plain.returncode, program.returncode) == (0, 0), (plain.stderr, program.stderr)
    assert plain.stdout.splitlines()[0] == said.encode(encoding, "backslashreplace")
    assert json.loads(program.stdout.decode(encoding))["answer"] == said


HOSTILE = "red \x1b[31m, title \x1b]0;owned\x07, back\x08, C1 \x9b2J, turned \u202e"


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize(
    "said",
    [f"<answer>{HOSTILE}</answer>", f"<abstain>{HOSTILE}</abstain>", tool_call("crop", bbox_2d=HOSTILE)],
    ids=["answer", "abstention", "call"],
)
def test_a_model_cannot_steer_the_terminal(photo: Path, options: tuple[str, ...], said: str) -> None:
    pytest.importorskip("aiohttp")
    with serve([say(said)]) as server:
        done = hart_agent("ask", photo, "what?", "--base-url", server.url, "--max-turns", "3", *options)
    assert done.returncode in (0, 3), done.stderr
    assert "red " in done.stdout + done.stderr
    for stream in (done.stdout, done.stderr) if not options else (done.stderr,):
        assert not [char for char in stream if not char.isprintable() and char not in "\n\t"]
    if options:  # JSON escapes the controls below 0x20 itself
        assert json.loads(done.stdout)["turns"][0]["text"] == said
        assert not [char for char in done.stdout if ord(char) < 0x20 and char != "\n"]


ORDINARY_USER = """
import os, sys
from hart_agent import cli

if os.getuid() == 0:  # once as root, for Python's own files may be readable to it alone; then with nothing kept
    end, cli.end_despite_threads = cli.end_despite_threads, sys.exit
    with open(os.devnull, "w") as sys.stdout:
        try:
            cli.main()
        except SystemExit as done:
            assert done.code == 0
    sys.stdout, cli.end_despite_threads = sys.__stdout__, end
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
assert os.getuid() != 0
cli.main()
"""


@pytest.mark.long
def test_it_runs_for_an_ordinary_user_without_a_home_or_a_display(photo: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        picture = Path(shutil.copy(photo, folder))
        picture.chmod(0o444)
        done = subprocess.run(
            [sys.executable, "-c", ORDINARY_USER, "ask", picture, "what does the sign say?", "--quiet"],
            env={"HOME": "/nonexistent", "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == TEXT


@pytest.mark.parametrize("command", [*get_command(app).commands, "tools run"])
def test_help_reads_whole_at_80_columns(command: str) -> None:
    """No word is cut off, no line is longer, and switches have no type."""
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    words = set(result.stdout.split())
    found = get_command(app)
    for name in command.split():
        found = found.commands[name]
    assert set(found.help.split()) <= words
    for parameter in found.params:
        assert {*parameter.opts, *(parameter.help or "").split()} <= words | {parameter.name}
    assert "<bool>" not in words


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    """The list is printed without importing the commands."""
    for name, command in get_command(app).commands.items():
        assert command.name == name
        assert command.help.partition("\n\n")[0] == _COMMANDS[name].summary
