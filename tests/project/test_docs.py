"""README and docs: links lead somewhere, commands exist, blocks marked as such run, and the site builds strictly."""

from __future__ import annotations

import ast
import html
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
import typer
from in_process import Done, hart_agent
from typer.main import get_command

from hart_agent.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, ROOT / "SECURITY.md", *sorted((ROOT / "examples").rglob("*.md"))]
SOURCES = [*(ROOT / "hart_agent").rglob("*.py"), *Path(typer.__file__).parent.rglob("*.py")]
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
RUN = [
    pytest.param(block, marks=pytest.mark.slow if "hart-agent ask" in block.text else ())  # the README asks
    for block in BLOCKS
    if block.runs
]


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


LINKS = re.compile(r"\]\(([^)\s]{1,300})\)|<img[^>]* src=\"([^\"]+)\"")


def anchors(page: Path) -> set[str]:
    """What GitHub and MyST make of a page's headings: in lower case, without marks, hyphens for spaces."""
    text = re.sub(r"^(`{3,}).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#{1,6} +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for found in LINKS.findall(page.read_text(encoding="utf-8")):
        target, _, anchor = (found[0] or found[1]).partition("#")
        if target.startswith(("https://", "http://")):
            continue
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_the_messages_explained_are_those_of_the_code() -> None:
    """Each part of them stands in a text of the sources, or in one of typer's."""
    texts = " ".join(" ".join(found) for path in SOURCES if (found := strings(path)))
    table = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = [re.findall(r"`([^`]+)`", line.split(" | ")[0]) for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    for message in (message for row in rows for message in row):
        for part in re.split(r"\s*\.\.\.\s*|'ollama'|\d+", message):
            assert part.strip() in texts, f"{message}: {part!r}"


def strings(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_every_page_has_its_place_in_the_site() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    trees = re.findall(r"^```\{toctree\}$(.*?)^```$", index, re.DOTALL | re.MULTILINE)
    named = [line for tree in trees for line in tree.split() if not line.startswith(":")]
    named = [word for word in named if (ROOT / "docs" / f"{word}.md").exists()]
    assert sorted(named) == sorted(page.stem for page in (ROOT / "docs").glob("*.md") if page.stem != "index")


def test_each_promise_about_security_names_tests_that_exist() -> None:
    lines = (ROOT / "docs/security.md").read_text(encoding="utf-8").splitlines()
    cells = [line.rsplit(" | ", 1)[1] for line in lines if line.startswith("|") and "`tests/" in line]
    assert len(cells) > 15
    for part in (part for cell in cells for part in cell.split(";")):
        names = re.findall(r"`(\w+)`", part)
        source = "".join((ROOT / path).read_text(encoding="utf-8") for path in re.findall(r"tests/[\w/]+\.py", part))
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


def run(words: list[str]) -> Done:
    """A command of the documentation, which is given more time, for the machine may be busy."""
    return hart_agent(*words, *(("--max-seconds", "300") if words[0] == "ask" else ()))


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("block", RUN, ids=str)
def test_marked_blocks_run(block: Block) -> None:
    done = [(words, run(words)) for words in commands(block)]
    assert not [(words, ended.stderr) for words, ended in done if ended.returncode]
    assert any(ended.stdout for _, ended in done)


@pytest.mark.slow
@pytest.mark.usefixtures("checkout")
def test_the_first_block_answers_as_the_readme_shows() -> None:
    first, shown = [block for block in BLOCKS if block.page.name == "README.md"][:2]
    (words,) = commands(first)
    done = run(words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == shown.text


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", ROOT / "docs", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    pages = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.glob("*.html")}
    assert 'id="hart_agent.Agent"' in pages["reference.html"]
    for name, text in pages.items():
        for target, anchor in re.findall(r'(?:href|src)="([^"#?]{0,300})[^"#]{0,300}#?([^"]{0,300})"', text):
            if "://" in target or target.startswith(("data:", "mailto:")):
                continue
            file = tmp_path / (target or name)
            assert file.exists(), f"{name}: {target}"
            if anchor and file.suffix == ".html":
                assert f'id="{html.unescape(anchor)}"' in pages[file.name], f"{name}: {target}#{anchor}"
