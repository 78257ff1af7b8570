"""README and docs: links lead somewhere, commands exist, blocks marked as such run, and the site builds strictly."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from hart_agent import cli
from hart_agent.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RUNS = "<!-- runs -->"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    runs: bool

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    before = ""
    for number, line in lines:
        stripped = line.strip()
        if stripped.startswith("```"):
            inside = []
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                inside.append(inner)
            yield Block(page, number, stripped[3:], "\n".join(inside), before == RUNS)
        before = stripped


BLOCKS = [block for page in PAGES for block in blocks(page)]


def commands(block: Block) -> list[list[str]]:
    """The lines of a shell block that call hart-agent, as words."""
    text = block.text.replace("\\\n", " ")
    parts = [part for line in text.splitlines() for part in re.split(r"&&|;", line)]
    words = [shlex.split(part, comments=True) for part in parts if "hart-agent " in part]
    return [found[1:] for found in words if found and Path(found[0]).name == "hart-agent"]


COMMANDS = [(str(block), words) for block in BLOCKS if block.language == "bash" for words in commands(block)]


def test_there_is_something_to_check() -> None:
    assert len(COMMANDS) > 40
    assert sum(block.runs for block in BLOCKS) >= 2


@pytest.mark.parametrize(("where", "words"), COMMANDS, ids=[f"{where} {words[0]}" for where, words in COMMANDS])
def test_commands_and_options_exist(where: str, words: list[str]) -> None:
    found: Any = get_command(app)
    rest = list(words)
    while hasattr(found, "commands") and rest and not rest[0].startswith("-"):
        found = found.commands[rest.pop(0)]
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h", "--install-completion"}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, where


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]{1,300})\)", text)]
    for target in targets:
        assert target.startswith("https://") or not target or (page.parent / target).exists(), target


def test_each_promise_about_security_names_tests_that_exist() -> None:
    lines = (ROOT / "docs/security.md").read_text(encoding="utf-8").splitlines()
    cells = [line.rsplit(" | ", 1)[1] for line in lines if line.startswith("|") and "`tests/" in line]
    assert len(cells) > 15
    for part in (part for cell in cells for part in cell.split(";")):
        names = re.findall(r"`(\w+)`", part)
        source = "".join((ROOT / path).read_text(encoding="utf-8") for path in re.findall(r"tests/\w+/?\w+\.py", part))
        assert names or "tests/hostile/run" in part, part
        assert not [name for name in names if f"def test_{name}(" not in source], part


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=str)
def test_python_is_python(block: Block) -> None:
    compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the project's, as far as the blocks use it."""
    shutil.copytree(ROOT / "examples" / "images", tmp_path / "examples" / "images")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HART_AGENT_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("block", [block for block in BLOCKS if block.runs], ids=str)
def test_marked_blocks_run(block: Block, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(block):
        monkeypatch.setattr(sys, "argv", ["hart-agent", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code, (words, capsys.readouterr().err)
    assert capsys.readouterr().out


@pytest.mark.usefixtures("checkout")
def test_the_first_block_answers_as_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, shown = [block for block in BLOCKS if block.page.name == "README.md"][:2]
    (words,) = commands(first)
    monkeypatch.setattr(sys, "argv", ["hart-agent", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert capsys.readouterr().out.strip() == shown.text


@pytest.mark.docs
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", ROOT / "docs", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert 'id="hart_agent.Agent"' in (tmp_path / "reference.html").read_text(encoding="utf-8")
    for page in tmp_path.glob("*.html"):
        targets = re.findall(r'(?:href|src)="([^"#?]{1,300})', page.read_text(encoding="utf-8"))
        missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
        assert not [target for target in missing if not target.startswith(("data:", "mailto:"))], page
