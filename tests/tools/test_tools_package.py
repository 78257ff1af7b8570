"""Tools that other packages bring: the example, installed by pip, and packages that are broken in each way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from in_process import Done, hart_agent
from PIL import Image

from hart_agent.errors import PluginError
from hart_agent.tooling.discovery import discover_tools

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugin_package"
LINK = "https://example.org/menu?table=12"
PLACE = (900, 600)

EPISODE = """
import json, sys
from hart_agent import Agent, ScriptedPolicy
call = {"name": "qr_code", "arguments": {"bbox_2d": BOX}}
replies = [f"<tool_call>{json.dumps(call)}</tool_call>", "<answer>done</answer>"]
trajectory = Agent(ScriptedPolicy(replies)).ask(sys.argv[1], "where does it lead?")
(result,) = trajectory.turns[0].results
print(json.dumps({"text": result.text, "error": result.error, "answer": trajectory.answer}))
"""


def python(*arguments: str | Path, path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example, from a copy of its sources."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "installed"))
    shutil.copytree(EXAMPLE, source / "package", ignore=shutil.ignore_patterns("__pycache__"))
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", target)
    done = python("-m", "pip", "install", *options, source / "package", path=source, cwd=source)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def poster(tmp_path: Path) -> Path:
    """A picture of 1600 x 1200 with a QR code; the scripted policy sees it at three fifths or so."""
    code = Image.fromarray(cv2.QRCodeEncoder.create().encode(LINK)).convert("RGB")
    image = Image.new("RGB", (1600, 1200), (190, 170, 150))
    image.paste(code.resize((code.width * 4, code.height * 4), Image.Resampling.NEAREST), PLACE)
    path = tmp_path / "poster.png"
    image.save(path)
    return path


def test_the_tool_is_listed_after_pip_install_and_not_before(installed: Path, tmp_path: Path) -> None:
    for path, listed in ((tmp_path, False), (installed, True)):
        done = python("-m", "hart_agent", "tools", "--json", path=path, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        tools = {tool["name"]: tool["parameters"] for tool in json.loads(done.stdout)["tools"]}
        assert ("qr_code" in tools) == listed
        assert list(tools)[:3] == ["crop", "verify", "zoom"]


def test_the_tool_is_used_in_an_episode(installed: Path, tmp_path: Path, poster: Path) -> None:
    done = python("-c", EPISODE.replace("BOX", str(_on_overview())), poster, path=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["error"], told["answer"]) == (None, "done")
    assert repr(LINK) in told["text"]


def _on_overview() -> list[float]:
    """A box around the code on the scripted policy's overview: at most a megapixel of a 4:3 picture."""
    shrink = 1155 / 1600
    x, y = PLACE
    return [(x - 30) * shrink, (y - 30) * shrink, (x + 170) * shrink, (y + 170) * shrink]


def test_the_tool_is_tried_on_a_picture(installed: Path, tmp_path: Path, poster: Path) -> None:
    arguments = json.dumps({"bbox_2d": [870, 570, 1070, 770]})
    done = python("-m", "hart_agent", "tools", "run", "qr_code", poster, arguments, path=installed, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert repr(LINK) in done.stdout


def test_the_examples_own_test_passes(installed: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "test_hart_agent_plugin.py", tmp_path)
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path, path=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


TOOL = """
class Tool:
    name = {name!r}
    description = "Does something."
    parameters = {parameters!r}
    def run(self, context, arguments):
        return "done"
"""
SCHEMA = {"type": "object", "properties": {}}


def package(folder: Path, name: str, code: str, group: str = "hart_agent.tools", attribute: str = "Tool") -> None:
    """Lay out a package as an installer leaves it."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{module} = {module}:{attribute}\n")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nothing_of_that_name", ["ModuleNotFoundError", "nothing_of_that_name"]),
        ("1 / 0", ["ZeroDivisionError"]),
        ("Hammer = 1", ["AttributeError", "Tool"]),
        ("Tool = 7", ["lacks one of", "parameters"]),
        ("class Tool:\n    name = 'x'", ["lacks one of", "parameters"]),
        ("class Tool:\n    def __init__(self, key):\n        pass", ["TypeError", "key"]),
        (TOOL.format(name="x", parameters={"type": "objekt"}), ["'x'", "not a JSON Schema", "objekt"]),
        (TOOL.format(name="x", parameters={"type": "array"}), ["'x'", "type object"]),
        (TOOL.format(name="x", parameters=[1]), ["'x'"]),
        (TOOL.format(name="two words", parameters=SCHEMA), ["'two words'", "letters"]),
        (TOOL.format(name="x", parameters=SCHEMA) + "\n    timeout = 'soon'", ["'x'", "timeout", "'soon'"]),
        (
            "from hart_agent import tool\n@tool\ndef Tool(n):\n    '''Do.'''",
            ["'n'", "'Tool'", "no type"],
        ),
    ],
)
@pytest.mark.parametrize("group", ["hart_agent.tools", "hart_agent.optional_tools"])
def test_a_broken_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: list[str], group: str
) -> None:
    package(tmp_path, "acme-tools", code, group)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_tools", raising=False)
    with pytest.raises(PluginError) as caught:
        discover_tools(group)
    monkeypatch.delitem(sys.modules, "acme_tools", raising=False)
    assert all(word in str(caught.value) for word in ["acme-tools", "acme_tools:Tool", *words]), str(caught.value)


def command(monkeypatch: pytest.MonkeyPatch, path: Path, *arguments: str) -> Done:
    """A command where the packages of a folder are installed."""
    with monkeypatch.context() as patch:
        patch.syspath_prepend(path)
        for name in ("acme_tools", "other_tools"):
            patch.delitem(sys.modules, name, raising=False)
        done = hart_agent(*arguments)
    for name in ("acme_tools", "other_tools"):
        sys.modules.pop(name, None)
    return done


def test_the_command_line_tells_of_a_broken_package_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "acme-tools", "1 / 0")
    done = command(monkeypatch, tmp_path, "tools")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "acme-tools" in line


@pytest.mark.parametrize("name", ["zoom", "x"])
def test_two_packages_with_one_name_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    package(tmp_path, "acme-tools", TOOL.format(name=name, parameters=SCHEMA))
    if name == "x":
        package(tmp_path, "other-tools", TOOL.format(name=name, parameters=SCHEMA))
    done = command(monkeypatch, tmp_path, "tools")
    assert done.returncode == 2
    assert repr(name) in done.stderr
    assert "acme-tools" in done.stderr
    assert ("other-tools" if name == "x" else "hart-agent (tools.zoom:Zoom)") in done.stderr


def test_an_optional_tool_may_not_take_the_name_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "acme-tools", TOOL.format(name="zoom", parameters=SCHEMA), "hart_agent.optional_tools")
    done = command(monkeypatch, tmp_path, "tools", "run", "zoom", "none.png")
    assert done.returncode == 2
    assert "acme-tools" in done.stderr


def test_an_optional_tool_is_offered_on_demand_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "acme-tools", TOOL.format(name="hammer", parameters=SCHEMA), "hart_agent.optional_tools")
    for options, listed in (((), "optional"), (("--tool", "hammer"), "tools")):
        done = command(monkeypatch, tmp_path, "tools", "--json", *options)
        groups = {kind: [tool["name"] for tool in tools] for kind, tools in json.loads(done.stdout).items()}
        assert [kind for kind, names in groups.items() if "hammer" in names] == [listed]
