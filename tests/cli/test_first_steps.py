"""What a person sees who takes a first step, right or wrong: one line, an exit code, and what to do next."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from first_steps import ASK, WRONG, Step, lay_out
from in_process import Done, hart_agent
from loopback import Handler, page, refuse, say, send, serve
from PIL import Image

from hart_agent import __version__
from hart_agent.backends.openai.retries import RetryPolicy


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an image, files that are none, and no settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HART_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("COLUMNS", "80")
    lay_out(tmp_path)
    return tmp_path


@pytest.fixture
def run(here: Path) -> Callable[..., Done]:
    return hart_agent


def assert_one_line(ran: Done, code: int, wrong: str, hint: str) -> None:
    assert ran[:2] == (code, ""), ran
    (line,) = ran[2].splitlines()
    assert line.startswith("hart-agent: ")
    assert wrong in line
    assert hint in line


def test_the_table_is_long() -> None:
    assert len({step.arguments for step in WRONG}) == len(WRONG) > 60


@pytest.mark.parametrize("step", WRONG, ids=lambda step: step.arguments)
def test_a_wrong_step_is_one_line_with_the_next_step(step: Step, run: Callable[..., Done]) -> None:
    assert_one_line(run(*shlex.split(step.arguments)), step.code, step.wrong, step.next)


MISSING = [
    ("aiohttp", f"{ASK} --base-url http://127.0.0.1:9/v1 --model qwen2.5vl:7b", "[openai]"),
    ("mcp", "mcp --root folder", "[mcp]"),
    ("scipy.stats", "eval jsonl questions.jsonl --out run --backend shy.py:Shy", "[eval]"),
    ("pyarrow.parquet", "batch questions.parquet out.jsonl", "[eval]"),
    ("ray", "batch questions.jsonl out.jsonl --on ray", "[ray]"),
    ("vllm", f"{ASK} --backend vllm --model folder", "[vllm]"),
]


@pytest.mark.parametrize(("package", "arguments", "extra"), MISSING, ids=[row[0] for row in MISSING])
def test_a_missing_part_is_named_with_the_command_that_installs_it(
    package: str, arguments: str, extra: str, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("questions.parquet").write_bytes(b"PAR1")
    Path("questions.jsonl").write_text('{"image": "photo.png", "question": "what?", "answer": "a fence"}\n')
    monkeypatch.setitem(sys.modules, package, None)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == package else find_spec(name))
    code, out, err = run(*shlex.split(arguments))
    assert (code, out) == (2, "")
    line = err.splitlines()[-1]
    assert f"un: {sys.executable} -m pip install" in line
    assert extra in line


def redirect(handler: Handler) -> None:
    send(handler, 302, {}, location="http://127.0.0.1:1/")


SERVERS: list[tuple[str, Any, str, str]] = [
    ("the wrong path", refuse(404, "Not Found"), "HTTP 404", "ends in /v1"),
    ("a web page", page(200, "<html>nginx</html>"), "nginx", "ends in /v1"),
    (
        "no such model",
        refuse(404, "model 'm' not found, try pulling it first"),
        "try pulling it",
        "Choose another --model",
    ),
    ("the wrong key", refuse(401, "Incorrect API key provided"), "Incorrect API key", "HART_AGENT_API_KEY"),
    ("a text model", refuse(400, "At most 0 image(s) may be provided"), "0 image", "serve a vision-language model"),
    (
        "a short context",
        refuse(400, "the prompt exceeds the context size of 512 tokens"),
        "only 384 are left",
        "longer context",
    ),
    (
        "a llama.cpp without its projector",
        refuse(500, "image input is not supported - hint: mmproj"),
        "500",
        "--mmproj",
    ),
    (
        "a text model of Ollama",
        refuse(400, "this model is missing data required for image input"),
        "400",
        "serve a vision-",
    ),
    (
        "a text model of LM Studio",
        refuse(400, "Model does not support images."),
        "images",
        "serve a vision-language model",
    ),
    ("a spent account", refuse(429, "You exceeded your current quota"), "quota", "see its plan and limits"),
    (
        "no parser of calls",
        refuse(400, '"auto" tool choice requires --x'),
        "tool choice",
        "--tool-format text",
    ),
    ("another address", redirect, "it redirects to http://127.0.0.1:1/", "ends in /v1"),
    ("an overloaded one", refuse(503, "overloaded"), "overloaded", "try again"),
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are asked again at once."""
    monkeypatch.setattr(RetryPolicy, "delay", lambda *arguments, **options: 0.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("name", "behaviour", "wrong", "hint"), SERVERS, ids=[row[0] for row in SERVERS])
def test_a_wrong_server_is_one_line_with_the_next_step(
    name: str, behaviour: Any, wrong: str, hint: str, run: Callable[..., Done]
) -> None:
    with serve([behaviour]) as server:
        assert_one_line(run(*shlex.split(f"{ASK} --base-url {server.url} --model qwen2.5vl:7b")), 4, wrong, hint)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("model", ["", " --model qwen2.5vl:7b"])
def test_no_server_is_one_line_with_the_next_step(model: str, run: Callable[..., Done]) -> None:
    with serve([say("x")]) as server:
        url = server.url  # nobody listens there any more
    assert_one_line(
        run(*shlex.split(f"{ASK} --base-url {url}{model}")), 4, "the connection failed", "whether the server is up"
    )


def test_several_models_are_listed(run: Callable[..., Done]) -> None:
    with serve([say("x")], models=[{"id": "a"}, {"id": "b"}]) as server:
        assert_one_line(
            run(*shlex.split(f"{ASK} --base-url {server.url}")), 2, "serves a, b", "Choose one of them with --model"
        )
    with serve([say("x")], models=[]) as server:
        assert_one_line(run(*shlex.split(f"{ASK} --base-url {server.url}")), 2, "lists no models", "Load one there")


def test_the_command_alone_shows_the_three_that_matter(run: Callable[..., Done]) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert [word for word in ("hart-agent ask", "hart-agent doctor", "hart-agent batch") if word in out] == [
        "hart-agent ask", "hart-agent doctor", "hart-agent batch",
    ]  # fmt: skip
    assert max(map(len, out.splitlines())) <= 80


def test_the_version_needs_no_command(run: Callable[..., Done]) -> None:
    assert run("--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(
    shell: str, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_HART_AGENT_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", "hart-agent do")
    monkeypatch.setenv("COMP_CWORD", "1")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "hart-agent do")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    code, out, _ = run()
    assert code == 0
    assert "doctor" in out
    assert "batch" not in out


CALLS = [
    '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": [0, 0, 32, 24]}}</tool_call>',
    '<tool_call>{"name": "crop", "arguments": {"bbox_2d": [0, 0, 32, 24], "label": "sign"}}</tool_call>',
    '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": "there"}}</tool_call>',
    "<answer>a fence</answer>",
]


def test_progress_is_words_and_original_pixels_and_json_on_demand(run: Callable[..., Done]) -> None:
    Path("looks.py").write_text(
        "from hart_agent import ScriptedPolicy\n"
        "class Looks(ScriptedPolicy):\n"
        "    accepts = frozenset()\n"
        "    def __init__(self):\n"
        f"        super().__init__({CALLS!r})\n"
    )
    Image.new("RGB", (3200, 2400), "white").save("large.png")
    ask = shlex.split("ask large.png what? --backend looks.py:Looks --no-verify")
    code, out, err = run(*ask)
    assert code == 0
    first, verdict, evidence = out.splitlines()
    assert (first, verdict) == ("a fence", "verdict: unchecked")
    lines = err.splitlines()
    box = evidence.removeprefix("evidence: ").removesuffix(" (original pixels) sign")
    x0, y0, x1, _ = json.loads(box)
    assert (x0, y0) == (0, 0)
    assert x1 > 64  # more than in the view, which is smaller than the original
    assert lines[0].startswith("turn  1  zoom [0, 0, ")
    assert lines[1] == f"turn  2  crop {box} (original pixels)"
    assert lines[2].startswith("turn  3  zoom refused: ")
    assert lines[-1] == "turn  4  answer: a fence"
    assert max(map(len, lines)) <= 80
    assert 'zoom {"bbox_2d": [0, 0, 32, 24]} -> ' in run(*ask, "-v")[2]


def test_verify_checks_where_it_would_not_be_checked(run: Callable[..., Done]) -> None:
    verdicts = {}
    for flag in ("--verify", "--no-verify"):
        with serve([say("<answer>a fence</answer>")]) as server:
            code, out, _ = run(*shlex.split(f"{ASK} --base-url {server.url} --json -q {flag}"))
        assert code == 0
        verdicts[flag] = json.loads(out)["verdict"]
    assert verdicts == {"--verify": "insufficient", "--no-verify": "unchecked"}
