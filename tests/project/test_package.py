"""The package: light imports, the public names, import directions, what is shipped, and intruders in our names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

import hart_agent
from hart_agent.errors import InstallError
from hart_agent.siblings import sibling

ROOT = Path(__file__).parents[2]
SHIPPED = {".py", ".md", ".html", ".css", ".js", ".json"}


def python(*arguments: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


HELP = "import sys; sys.argv = ['hart-agent', '--help']; from hart_agent.cli import main; main()"
SLOW = {"torch", "transformers", "cv2", "onnxruntime", "vllm", "rapidocr", "numpy", "scipy", "pyarrow", "rich", "httpx"}
SLOW |= {"openai", "aiohttp", "pydantic", "jsonschema", "attrs", "filelock", "importlib.metadata", "urllib.request"}
SLOW |= {"tools", "rl", "prompts"}
NOT_LOADED = {
    "import hart_agent": SLOW | {"PIL", "asyncio", "logging", "dataclasses", "pathlib", "importlib.abc", "typer"},
    "from hart_agent import *": SLOW | {"typer", "hart_agent.answers", "hart_agent.dialogue.parsing", "hart_agent.cli"},
    HELP: SLOW | {"PIL", "asyncio", "hart_agent.agent", "hart_agent.backends", "hart_agent.vision"},
}
"""What a statement leaves to those who use it: modules, whatever they import in turn."""


@pytest.mark.parametrize("code", NOT_LOADED, ids=["package", "names", "help"])
def test_what_is_not_needed_is_not_loaded(code: str, tmp_path: Path) -> None:
    before = "import atexit, sys; start = set(sys.modules)"  # with what the environment itself loads
    listing = f"{before}; atexit.register(lambda: print(*set(sys.modules) - start, file=sys.stderr))"
    loaded = set(python("-c", f"{listing}\n{code}", cwd=tmp_path, path=ROOT).stderr.split())
    assert "hart_agent" in loaded
    assert not loaded & NOT_LOADED[code]


def test_the_first_request_waits_for_nothing_that_only_the_answer_needs(tmp_path: Path) -> None:
    """What is compared, drawn, written and reported comes after the reply; a schema is used when a tool is called."""
    (tmp_path / "noting.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from hart_agent import ScriptedPolicy\n"
        "class Noting(ScriptedPolicy):\n"
        "    accepts = frozenset()\n"
        "    def __init__(self):\n"
        "        super().__init__(['<answer>x</answer>'])\n"
        "    async def reply(self, messages, tools):\n"
        "        Path('modules').write_text(' '.join(sys.modules))\n"
        "        return await super().reply(messages, tools)\n"
    )
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.png")
    command = ("-m", "hart_agent", "ask", "photo.png", "what?", "--backend", "noting.py:Noting")
    done = python(*command, cwd=tmp_path, path=ROOT)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "x")
    loaded = set((tmp_path / "modules").read_text().split())
    later = {"rich", "jsonschema", "numpy", "filelock", "aiohttp", "hart_agent.trace", "hart_agent.batch"}
    later |= {"hart_agent.evals", "hart_agent.doctor", "hart_agent.answers", "hart_agent.dialogue.parsing"}
    assert not loaded & later


def test_public_names_are_sorted_and_exist() -> None:
    assert hart_agent.__all__ == sorted(hart_agent.__all__)
    assert all(getattr(hart_agent, name) is not None for name in hart_agent.__all__)
    assert hart_agent.__version__ == version("hart-agent")


def test_imports_go_one_way() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def test_the_page_on_the_architecture_names_what_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([\w/]+\.py)` \((`\w+`(?:, `\w+`)*)\)", page)
    assert len(named) >= 15
    for path, names in named:
        code = (ROOT / path).read_text()
        for name in re.findall(r"\w+", names):
            assert re.search(rf"^ *(?:(?:async )?def |class )?{name}\b", code, re.M), (path, name)
    for path in re.findall(r"`([\w/]+/(?:\w+\.py)?)`", page):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\]\(([^)]+)\)", page):
        assert (ROOT / "docs" / path).exists(), path


def test_the_map_has_every_room_in_the_order_of_the_layers() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    lines = [line[13:] for line in page.split("```")[1].split("\ntools/ ")[0].strip().splitlines()]
    rooms = [re.findall(r"[a-z_]+", line.split("   ")[0]) for line in lines if not line.startswith(" ")]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [
        [name.rpartition(".")[2] for name in layer.split(" | ")]
        for contract in contracts[:2] for layer in contract["layers"] if layer != "hart_agent.__main__"
    ]  # fmt: skip
    assert [sorted(names) for names in rooms] == [sorted(names) for names in layers]
    there = [path for package in ("hart_agent", "rl") for path in (ROOT / package).glob("[a-z]*")]
    there = [path for path in there if path.suffix == ".py" or (path / "__init__.py").is_file()]
    assert sorted(path.stem for path in there) == sorted(name for names in rooms for name in names)
    assert len([path for path in there if path.parent.name == "hart_agent" and path.is_file()]) <= 6


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, built from a copy of what they are made of."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("hart_agent", "tools", "rl", "prompts"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    for name in ("tests", "examples", "shared"):  # what must not be shipped
        (copy / name).mkdir()
        (copy / name / "secret.py").write_text("SECRET = 1\n")
    result = python(
        "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", str(copy / "dist"), str(copy), cwd=copy
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return copy / "dist"


@pytest.mark.long
def test_the_wheel_ships_exactly_our_packages(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    info = f"hart_agent-{hart_agent.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"hart_agent", "tools", "rl", "prompts", info}
    shipped = {name for name in names if not name.startswith(info)}
    packages = ("hart_agent", "tools", "rl", "prompts")
    files = (path for name in packages for path in (ROOT / name).rglob("*"))
    assert {name for name in shipped if Path(name).suffix in SHIPPED} == {
        str(path.relative_to(ROOT)) for path in files if path.suffix in SHIPPED
    }
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(names)


@pytest.mark.long
def test_the_source_distribution_ships_nothing_else(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        names = [name.split("/", 1)[1] for name in sdist.getnames()]
    texts = {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "PKG-INFO", ".gitignore"}
    assert {name.split("/")[0] for name in names} - texts == {"hart_agent", "tools", "rl", "prompts"}
    assert texts - {".gitignore"} <= set(names)


@pytest.fixture(scope="session")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the built wheel is installed."""
    (wheel,) = built.glob("*.whl")
    target = tmp_path_factory.mktemp("installed")
    arguments = ("-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(target), str(wheel))
    result = python(*arguments, cwd=target)
    assert result.returncode == 0, result.stderr
    return target


@pytest.fixture
def installed(unpacked: Path, tmp_path: Path) -> Path:
    """The installed wheel, for a test that changes it."""
    return shutil.copytree(unpacked, tmp_path / "installed")


def assert_intruder_named(result: subprocess.CompletedProcess[str], intruder: Path) -> None:
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("hart-agent: ")
    assert str(intruder) in line


@pytest.mark.long
def test_the_installed_wheel_lists_its_tools(installed: Path, tmp_path: Path) -> None:
    result = python("-m", "hart_agent", "tools", "--json", cwd=tmp_path, path=installed)
    assert (result.returncode, result.stderr) == (0, "")
    assert [tool["name"] for tool in json.loads(result.stdout)["tools"]][:3] == ["crop", "verify", "zoom"]


@pytest.mark.long
@pytest.mark.parametrize("name", ["tools", "prompts"])
@pytest.mark.parametrize("layout", ["package", "module"])
def test_a_foreign_package_in_the_working_directory_is_named_and_not_run(
    tmp_path: Path, name: str, layout: str
) -> None:
    intruder = tmp_path / name / "__init__.py" if layout == "package" else tmp_path / f"{name}.py"
    intruder.parent.mkdir(exist_ok=True)
    intruder.write_text("from pathlib import Path\nPath('it-ran').touch()\nraise SystemExit(9)\n")
    assert_intruder_named(python("-m", "hart_agent", "tools", cwd=tmp_path), intruder)
    assert not (tmp_path / "it-ran").exists()


def test_a_folder_that_is_no_package_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "hammer.txt").touch()
    result = python("-m", "hart_agent", "tools", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.long
@pytest.mark.parametrize("name", ["tools", "prompts"])
def test_a_package_of_ours_that_was_overwritten_is_named(installed: Path, tmp_path: Path, name: str) -> None:
    intruder = installed / name / "__init__.py"
    intruder.write_text('"""Another distribution\'s package."""\n')
    assert_intruder_named(python("-m", "hart_agent", "tools", cwd=tmp_path, path=installed), intruder)


@pytest.mark.long
def test_a_package_of_ours_that_is_missing_or_broken_is_named(installed: Path, tmp_path: Path) -> None:
    (installed / "tools" / "__init__.py").write_text("import nothing_of_that_name\n")
    result = python("-m", "hart_agent", "tools", cwd=tmp_path, path=installed)
    assert_intruder_named(result, installed / "tools")
    assert "nothing_of_that_name" in result.stderr


def test_a_name_that_leads_nowhere_is_an_install_error() -> None:
    with pytest.raises(InstallError, match="missing or broken"):
        sibling("no_such_sibling")
