"""Words of models, servers and files in a terminal: each field is one line, nothing steers it, nothing is lost."""

from __future__ import annotations

import logging
import unicodedata
from pathlib import Path

import pytest
import talkers
from hypothesis import given
from hypothesis import strategies as st
from in_process import hart_agent
from PIL import Image
from typer.testing import CliRunner, Result

from hart_agent.cli import app
from hart_agent.cli.console.text import PrintableFormatter, one_line, printable

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
KEPT = [
    "می\u200cخواهم", "क्\u200dष", FAMILY, "\u2764\ufe0f", "\u200fשלום\u200e", "5\u00a0€", "\u3000全角",
    "so\u00adft", "e\u0301",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\u061c123",
]  # fmt: skip
NEUTRALISED = {
    "\x1b[31m": r"\x1b[31m", "\x07": r"\x07", "\x9b2J": r"\x9b2J", "\x7f": r"\x7f", "\r": r"\x0d", "\x85": r"\x85",
    "\u202e": r"\u202e", "\u2066": r"\u2066", "\u2069": r"\u2069", "\u2028": r"\u2028", "\u2029": r"\u2029",
    "\ud800": r"\ud800",
}  # fmt: skip


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.effect_noise((96, 64), 60).convert("RGB").save(path)
    return path


def ask(photo: Path, policy: str, *options: str) -> Result:
    backend = f"{talkers.__file__}:{policy}"
    return CliRunner().invoke(app, ["ask", str(photo), "what?", "--backend", backend, *options])


@pytest.mark.parametrize("text", KEPT)
def test_what_writing_needs_is_kept(text: str) -> None:
    assert printable(text) == one_line(text) == text


@pytest.mark.parametrize(("text", "shown"), NEUTRALISED.items(), ids=NEUTRALISED.values())
def test_what_steers_a_terminal_is_shown_instead(text: str, shown: str) -> None:
    assert printable(f"a{text}b") == one_line(f"a{text}b") == f"a{shown}b"


@given(st.text())
def test_a_field_is_one_line_of_harmless_characters(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not [char for char in line if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs")]
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(line)


def test_an_answer_or_a_label_forges_no_line(photo: Path) -> None:
    done = ask(photo, "Forger", "--quiet")
    assert done.exit_code == 0
    answer, verdict, evidence = done.stdout.split("\n")[:3]
    assert answer.startswith("Bakery verdict: supported (forged)")
    assert verdict.startswith("verdict: ")
    assert evidence.startswith("evidence: [4, 4, 40, 40] (original pixels) sign verdict: supported")
    assert done.stdout.count("\n") == 3
    assert not {"\x1b", "\x07", "\u2028", "\u202e"} & set(done.output)


def test_progress_is_one_line_a_turn_without_escapes(photo: Path) -> None:
    done = ask(photo, "Forger")
    lines = done.stderr.splitlines()
    assert [line[:8] for line in lines] == ["turn  1 ", "turn  2 "]
    assert not {"\x1b", "\x07", "\u2028", "\u202e"} & set(done.output)


def test_joiners_marks_and_spaces_reach_the_terminal(photo: Path) -> None:
    assert ask(photo, "Joined", "--quiet").stdout.splitlines()[0] == talkers.Joined.words.strip()


def test_no_error_lets_an_escape_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of usage, of the image, of a path, and of a bug: their messages quote names that anyone may have chosen."""
    hostile = "\x1b]0;owned\x07\x1b[31m\u202e"
    code = tmp_path / "policies.py"
    code.write_text(
        "from hart_agent.backends.scripted import ScriptedPolicy\n"
        "class Broken(ScriptedPolicy):\n"
        "    accepts = frozenset()\n"
        "    def __init__(self):\n"
        f"        super().__init__([])\n"
        "    async def reply(self, messages, tools):\n"
        f"        raise KeyError({hostile!r})\n"
    )
    image = tmp_path / "photo.png"
    Image.new("RGB", (64, 64)).save(image)
    commands = [
        ["ask", f"--{hostile}"],
        ["ask", f"{hostile}.jpg", "what?"],
        ["ask", str(image), "what?", "--trace", f"{hostile}/t.json"],
        ["ask", str(image), "what?", "--backend", hostile],
        ["ask", str(image), "what?", "--backend", f"{code}:Broken"],
        ["ask", f"{hostile}.jpg", "what?", "--debug"],
        [hostile],
    ]
    monkeypatch.chdir(tmp_path)
    for command in commands:
        done = hart_agent(*command)
        assert done.returncode != 0
        assert done.stderr
        assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout + done.stderr), command


def test_log_records_are_printable() -> None:
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "a tool said %r and %s", ("\x1b", "\x1b[2J"), None)
    assert PrintableFormatter().format(record) == r"a tool said '\x1b' and \x1b[2J"
