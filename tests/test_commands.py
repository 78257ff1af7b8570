"""Commands that messages tell people to run: they are those of the environment at hand, and they run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from hart_agent import commands
from hart_agent.commands import command_line, install_command
from hart_agent.ocr import PACKAGES

ROOT = Path(__file__).parents[1]


class Installed:
    """A distribution with the `direct_url.json` that pip writes (PEP 610)."""

    def __init__(self, origin: dict[str, Any] | None) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.origin is None else json.dumps(self.origin)


def installed_from(monkeypatch: pytest.MonkeyPatch, origin: dict[str, Any] | None) -> None:
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Installed(origin))


def words(command: str) -> list[str]:
    """The command's arguments after those that name the environment's pip."""
    found = shlex.split(command)
    assert found[:4] == [sys.executable, "-m", "pip", "install"]
    return found[4:]


def test_a_folder_is_named_with_the_extra_and_as_it_was_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    installed_from(monkeypatch, {"url": folder.as_uri(), "dir_info": {"editable": True}})
    assert words(install_command(extra="openai")) == ["--editable", f"{folder}[openai]"]
    installed_from(monkeypatch, {"url": folder.as_uri(), "dir_info": {}})
    assert words(install_command(extra="openai")) == [f"{folder}[openai]"]
    assert words(install_command(reinstall=True)) == ["--force-reinstall", "--no-deps", str(folder)]


def test_an_archive_and_a_repository_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "hart_agent-0.1.0-py3-none-any.whl"
    wheel.touch()
    installed_from(monkeypatch, {"url": wheel.as_uri(), "archive_info": {}})
    assert words(install_command(extra="mcp")) == [f"{wheel}[mcp]"]
    installed_from(monkeypatch, {"url": "https://example.org/hart_agent-0.1.0.tar.gz", "archive_info": {}})
    assert words(install_command(extra="mcp")) == ["hart-agent[mcp] @ https://example.org/hart_agent-0.1.0.tar.gz"]
    vcs = {"vcs": "git", "commit_id": "0123abc"}
    installed_from(monkeypatch, {"url": "https://example.org/hart-agent.git", "vcs_info": vcs})
    assert words(install_command()) == ["hart-agent @ git+https://example.org/hart-agent.git@0123abc"]


@pytest.mark.parametrize("gone", [True, False])
def test_without_a_place_it_came_from_the_checkout_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gone: bool
) -> None:
    def missing(name: str) -> Installed:
        raise PackageNotFoundError(name)

    if gone:
        installed_from(monkeypatch, {"url": (tmp_path / "deleted").as_uri(), "dir_info": {}})
    else:
        monkeypatch.setattr("importlib.metadata.distribution", missing)
    assert words(install_command(extra="eval")) == [f"{ROOT}[eval]"]
    monkeypatch.setattr(commands, "_CHECKOUT", tmp_path)
    assert words(install_command(extra="eval")) == ["hart-agent[eval]"]


def test_an_environment_without_pip_gets_a_command_of_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert shlex.split(install_command("datasets")) == ["uv", "pip", "install", "--python", sys.executable, "datasets"]


def test_windows_gets_its_own_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command_line(["a b", "c"]) == "'a b' c"
    monkeypatch.setattr("os.name", "nt")
    assert command_line(["a b", "c"]) == '"a b" c'


def test_the_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip takes it as it stands; nothing is installed, and no index is asked."""
    installed_from(monkeypatch, {"url": ROOT.as_uri(), "dir_info": {}})
    offline = ["--dry-run", "--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    command = [*shlex.split(install_command(extra="openai")), *offline]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_no_message_names_another_pip() -> None:
    sources = [path for folder in ("hart_agent", "rl", "tools") for path in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 100
    for path in sources:
        assert not re.search(r"pip3? install", path.read_text()), path


def test_the_readers_packages_are_those_of_the_project() -> None:
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert PACKAGES[1] in required
    assert any(requirement.startswith(PACKAGES[0]) for requirement in required)
