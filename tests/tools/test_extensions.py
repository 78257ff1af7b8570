"""Extensions: found by entry point, module or file; broken ones are named. And one package that brings several."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import hart_agent
from loopback import Behaviour, send, serve
from test_tools_package import EXAMPLE, LINK, installed, package, poster, python  # noqa: F401

from hart_agent.backends import create_policy
from hart_agent.errors import ConfigError, PluginError
from hart_agent.evals.datasets import find_dataset
from hart_agent.extensions import ExtensionPoint
from hart_agent.tooling.discovery import find_tool

MODULES = EXAMPLE / "hart_agent_plugin"
CODE_BOX = [555, 490, 670, 645]
"""Around the code of the poster, from 0 to 1000."""


def ollama(body: dict[str, Any], number: int) -> Behaviour:
    """A model that calls the QR tool once, and answers with what the tool has read."""
    read = re.findall(r"'(https://[^']+)'", json.dumps(body["messages"]))
    call = json.dumps({"name": "qr_code", "arguments": {"bbox_2d": CODE_BOX}})
    text = f"<answer>{read[0]}</answer>" if read else f"<tool_call>{call}</tool_call>"
    return lambda handler: send(
        handler, 200, {"message": {"role": "assistant", "content": text}, "done_reason": "stop"}
    )


@pytest.mark.parametrize("way", ["installed", "files"])
def test_a_tool_a_backend_a_mode_and_a_dataset_from_outside(
    installed: Path,
    tmp_path: Path,
    poster: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    lengths = {file.stem: len(file.read_text().splitlines()) for file in MODULES.glob("*.py")}
    assert lengths.keys() >= {"csv_file", "ollama", "qr", "scan"}
    assert max(lengths.values()) < 40
    with (poster.parent / "questions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "question", "answer"), (poster.name, "where does it lead?", LINK)])
    dataset, backend, mode, tools = {
        "installed": ("csv", "ollama", "scan", ()),
        "files": (
            f"{MODULES / 'csv_file.py'}:read_csv",
            f"{MODULES / 'ollama.py'}:OllamaPolicy",
            f"{MODULES / 'scan.py'}:SCAN",
            ("--tool", f"{MODULES / 'qr.py'}:qr_code"),
        ),
    }[way]
    monkeypatch.chdir(tmp_path)
    with serve(ollama) as server:
        command = [
            "eval", dataset, "questions.csv", "--backend", backend, "--model", "qwen3-vl", "--mode", mode, "--base-url",
            server.url.removesuffix("/v1"), "--temperature", "0.5", *tools, "--out", "run", "--json", "-q",
        ]  # fmt: skip
        if way == "installed":  # for a process of its own
            done: Any = python("-m", "hart_agent", *command, path=installed, cwd=tmp_path)
        else:
            done = hart_agent(*command)
    assert done.returncode == 0, done.stderr
    (record,) = map(json.loads, (tmp_path / "run" / "records.jsonl").read_text().splitlines())
    assert (record["answer"], record["right"]) == (LINK, True)
    assert [body["model"] for body in server.bodies] == ["qwen3-vl"] * len(server.bodies)
    assert server.bodies[0]["options"] == {"temperature": 0.5}
    system, user = server.bodies[0]["messages"]
    assert "images" in user
    assert "by reading the QR codes" in system["content"]
    assert "- qr_code:" in system["content"]
    assert "- zoom:" not in system["content"]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["episode"]["mode"]["name"] == "scan"


def test_the_page_on_backends_shows_the_examples_code() -> None:
    page = (EXAMPLE.parents[1] / "docs" / "backends.md").read_text()
    assert f"```python\n{(MODULES / 'ollama.py').read_text()}```" in page


def _number(found: Any) -> float:
    if not isinstance(found, int | float):
        raise PluginError(f"expected a number, got {found!r}")
    return float(found)


NUMBERS = ExtensionPoint("number", ("acme.numbers",), _number, {"one": 1.0})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules, from which Python imports; the working directory, too."""
    (tmp_path / "numbers_of_acme.py").write_text("import math\nseven = 7\nword = 'seven'\n_hidden = 1\n")
    for name, code in (
        ("broken", "1 / 0"),
        ("leaves", "raise SystemExit(3)"),
        ("typo", "def ("),
        ("needy", "import nothing_x"),
    ):
        (tmp_path / f"{name}_of_acme.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "numbers_of_acme", raising=False)
    return tmp_path


def test_an_extension_is_found_in_three_ways(folder: Path) -> None:
    package(folder, "acme-numbers", "eight = 8", "acme.numbers", "eight")
    for name, value, origin in (
        ("one", 1.0, "hart-agent"),
        ("acme_numbers", 8.0, "acme-numbers (acme_numbers:eight)"),
        ("numbers_of_acme:seven", 7.0, "numbers_of_acme"),
        ("numbers_of_acme.py:seven", 7.0, "numbers_of_acme.py"),
    ):
        found = NUMBERS.find(name)
        assert (found.name, found.value, found.origin) == (name, value, origin)
    assert NUMBERS.names() == ["one", "acme_numbers"]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("two", ConfigError, ["no number 'two'", "choose one of: one;", "package.module:name", "path.py:name"]),
        ("no_such_package.numbers:seven", ConfigError, ["'no_such_package.numbers'", "install"]),
        ("numbers_of_acme.below:seven", ConfigError, ["'numbers_of_acme.below'"]),
        ("two words:seven", ConfigError, ["'two words'", "name of a module"]),
        (":seven", ConfigError, ["''", "name of a module"]),
        ("none.py:seven", ConfigError, ["no file 'none.py'"]),
        ("numbers_of_acme:sevne", PluginError, ["numbers_of_acme has no 'sevne'", "seven"]),
        ("numbers_of_acme.py:zzz", PluginError, ["it has seven, word"]),
        ("numbers_of_acme:word", PluginError, ["'word' of numbers_of_acme", "as a number", "expected a number"]),
        ("broken_of_acme:seven", PluginError, ["broken_of_acme", "ZeroDivisionError"]),
        ("broken_of_acme.py:seven", PluginError, ["broken_of_acme.py", "ZeroDivisionError"]),
        ("leaves_of_acme:seven", PluginError, ["SystemExit"]),
        ("typo_of_acme:seven", PluginError, ["SyntaxError"]),
        ("needy_of_acme:seven", PluginError, ["needy_of_acme", "nothing_x"]),
    ],
)
def test_an_extension_that_is_not_there_or_broken_is_named(
    folder: Path, name: str, error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        NUMBERS.find(name)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_where_nothing_is_registered_the_message_says_how_it_will_be() -> None:
    nothing = ExtensionPoint[float]("number", ("hart_agent.numbers_of_a_later_version",), float)
    with pytest.raises(ConfigError, match=r"no number 'two'.* installed.* Run: .* install .*--force-reinstall"):
        nothing.find("two")


def register(folder: Path, owner: str, name: str) -> None:
    """Lay out a package that registers a number under a name."""
    package(folder, owner, "two = 2", "acme.numbers", "two")
    points = folder / f"{owner}-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text().replace(f"{owner} =", f"{name} ="))


@pytest.mark.parametrize(("name", "owners"), [("both", ("acme", "other")), ("one", ("acme", "hart-agent"))])
def test_two_packages_with_one_name_are_both_named(folder: Path, name: str, owners: tuple[str, ...]) -> None:
    for owner in owners:
        if owner != "hart-agent":
            register(folder, owner, name)
    with pytest.raises(PluginError, match=f"the number name '{name}' is claimed by") as caught:
        NUMBERS.find(name)
    assert all(owner in str(caught.value) for owner in owners)


@pytest.mark.parametrize(
    ("group", "find"), [("hart_agent.backends", create_policy), ("hart_agent.datasets", find_dataset)]
)
def test_a_package_with_a_broken_extension_is_named(folder: Path, group: str, find: Callable[[str], object]) -> None:
    package(folder, "acme-models", "1 / 0", group)
    with pytest.raises(PluginError, match=r"'acme_models' of acme-models \(acme_models:Tool\).*ZeroDivisionError"):
        find("acme_models")


def test_tools_are_found_by_module(folder: Path) -> None:
    assert find_tool("tools.ocr:ocr").name == "ocr"


def test_importing_the_library_reads_no_package_metadata() -> None:
    code = "import sys; from hart_agent import *; print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
