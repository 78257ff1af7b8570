"""What a person sees who takes a first step, right or wrong: one line, an exit code, and what to do next."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from loopback import page, refuse, say, serve
from PIL import Image

import hart_agent
from hart_agent import cli
from hart_agent.backends.openai.retries import RetryPolicy

Ran = tuple[int, str, str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an image, files that are none, and no settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HART_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("COLUMNS", "80")
    Image.new("RGB", (64, 48), "white").save("photo.png")
    Path("text.jpg").write_text("this is text")
    Path("empty.jpg").touch()
    Path("folder").mkdir()
    Path("questions.jsonl").write_text('{"image": "photo.png", "question": "what?"}\n')
    Path("broken.jsonl").write_text('{"image": \n')
    Path("other.jsonl").write_text('{"picture": "photo.png"}\n')
    Path("notes.txt").write_text("notes")
    Path("shy.py").write_text(
        "from hart_agent import ScriptedPolicy\n"
        "class Shy(ScriptedPolicy):\n"
        "    accepts = frozenset()\n"
        "    def __init__(self):\n"
        "        super().__init__(['<answer>a fence</answer>'])\n"
    )
    return tmp_path


@pytest.fixture
def run(here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["hart-agent", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


class Step(NamedTuple):
    """A wrong step: its arguments, the exit code, what is said to be wrong, and what to do next."""

    arguments: str
    wrong: str
    next: str
    code: int = 2


ASK = "ask photo.png what?"
WRONG = [
    # names and arguments
    Step("nonsense", "No such command 'nonsense'", "hart-agent --help"),
    Step("aks photo.png what?", "No such command 'aks'", "Did you mean 'ask'"),
    Step("--verison", "No such option: --verison", "--version"),
    Step("ask", "Missing argument 'image'", "hart-agent ask --help"),
    Step("ask photo.png", "Missing argument 'question'", "hart-agent ask --help"),
    Step("ask photo.png what is this", "unexpected extra argument", "hart-agent ask --help"),
    Step(f"{ASK} --bakend openai", "No such option: --bakend", "--backend"),
    Step("controls photo.png", "Missing argument 'question'", "hart-agent controls --help"),
    Step("batch", "Missing argument 'IN'", "hart-agent batch --help"),
    Step("mcp", "Missing option '--root'", "hart-agent mcp --help"),
    Step("tools run", "Missing argument 'name'", "hart-agent tools run --help"),
    Step("config get model", "No such command 'get'", "Did you mean 'set'"),
    Step("config set model", "Missing argument 'value'", "hart-agent config set --help"),
    Step("config set colour red", "there is no setting 'colour'", "choose one of: backend"),
    Step("config set max_images many", "max_images is a number", "got 'many'"),
    # images
    Step("ask nothing.jpg what?", "nothing.jpg: no such file", "Check the path"),
    Step("ask text.jpg what?", "text.jpg is not an image", "Convert it to JPEG or PNG"),
    Step("ask empty.jpg what?", "empty.jpg is not an image", "Convert it to JPEG or PNG"),
    Step("ask folder what?", "folder is a folder", "Give the path of one image file"),
    Step("ask ~/nothing.jpg what?", "nothing.jpg: no such file", "Check the path"),
    Step("ask http://example.org/a.jpg what?", "downloads are not allowed", "--allow-download"),
    Step("ask https://example.org/a.jpg what?", "https://example.org/a.jpg is a URL", "--allow-download"),
    Step("ask file:///nothing.jpg what?", "no such file", "Check the path"),
    Step("ask file://elsewhere/a.jpg what?", "on another machine (elsewhere)", "Give a file of this one"),
    Step("ask data:image/png;base64,xx what?", "base64 is damaged", "Encode the file again"),
    Step("ask data:image/png what?", "without its comma", "expected data:image/png;base64,..."),
    Step(f"{ASK} --page 9", "there is no such page", "expected 1 to 1"),
    Step(f"{ASK} --page 0", "Invalid value for '--page'", "hart-agent ask --help"),
    Step("ask photo.png ''", "the question is empty", "ask something about the image"),
    # options
    Step(f"{ASK} --mode fast", "there is no mode 'fast'", "choose one of: agent, closed-loop"),
    Step(f"{ASK} --tool hammer", "there is no tool 'hammer'", "choose one of: colour"),
    Step(f"{ASK} --tool hammer.py:hammer", "there is no file 'hammer.py'", "expected path.py:name"),
    Step(f"{ASK} --coordinates inches", "there are no coordinates 'inches'", "pixel | thousand | unit"),
    Step(f"{ASK} --max-turns 0", "Invalid value for '--max-turns'", "hart-agent ask --help"),
    Step(f"{ASK} --max-turns many", "Invalid value for '--max-turns'", "hart-agent ask --help"),
    Step(f"{ASK} --on-unsupported x", "Invalid value for '--on-unsupported'", "'keep', 'retry', 'abstain'"),
    Step(f"{ASK} --on-unsupported abstain --no-verify", "needs verify=True", "leave out --no-verify"),
    Step(f"{ASK} --trace no/t.json", "there is no folder", "Make it first"),
    Step(f"{ASK} --trace folder", "it is a folder", "Give the path of a file"),
    Step(f"{ASK} --html photo.png", "would overwrite 'photo.png'", "Choose another file"),
    Step(f"{ASK} --annotate out.xyz", "no ending of an image format", "such as .png or .jpg"),
    # backends and servers by the wrong name
    Step(f"{ASK} --backend ollama", "Ollama is asked through OpenAI's API", "--base-url http://127.0.0.1:11434/v1"),
    Step(f"{ASK} --backend LM-Studio", "LM Studio is asked through", "--base-url http://127.0.0.1:1234/v1"),
    Step(f"{ASK} --backend llama.cpp", "llama.cpp is asked through", "--base-url http://127.0.0.1:8080/v1"),
    Step(f"{ASK} --backend sglang", "SGLang is asked through", "--base-url http://127.0.0.1:30000/v1"),
    Step(f"{ASK} --backend hf", "there is no backend 'hf'", "--backend transformers"),
    Step(f"{ASK} --backend chatgpt", "there is no backend 'chatgpt'", "HART_AGENT_API_KEY"),
    Step(f"{ASK} --backend http://localhost:8000/v1", "a URL is given as", "--base-url http://localhost:8000/v1"),
    Step(f"{ASK} --backend nonsense", "there is no backend 'nonsense'", "choose one of: embedded, openai"),
    Step("doctor --backend ollama", "Ollama is asked through", "--base-url http://127.0.0.1:11434/v1"),
    Step(f"{ASK} --model qwen2.5vl:7b", "names a model, but no server", "hart-agent doctor"),
    Step(f"{ASK} --backend transformers", "needs --model", "give it, too"),
    Step(f"{ASK} --base-url localhost:8000", "'localhost:8000' is not a URL", "http://localhost:8000/v1"),
    Step("doctor --base-url localhost:8000", "'localhost:8000' is not a URL", "http://localhost:8000/v1"),
    # many questions
    Step("batch nothing.jsonl out.jsonl", "nothing.jsonl can't be read", "Check the path"),
    Step("batch *.jpg out.jsonl", "*.jpg is not a questions file", "--question"),
    Step("batch nothing*.jpg out.jsonl --question what?", "no file fits the pattern", "Check it"),
    Step("batch notes.txt out.jsonl", "notes.txt is not a questions file", ".jsonl"),
    Step("batch broken.jsonl out.jsonl", "broken.jsonl, line 1", "JSON"),
    Step("batch other.jsonl out.jsonl", "other.jsonl, line 1", "image"),
    Step("batch questions.jsonl no/out.jsonl", "there is no folder", "Make it first"),
    Step("batch questions.jsonl questions.jsonl", "would overwrite", "Choose another file"),
    Step("batch questions.jsonl out.jsonl --workers 2", "are of a cluster", "--on ray"),
    # traces, benchmarks, tools
    Step("view nothing.json", "there is no trace 'nothing.json'", "--trace FILE.json"),
    Step("replay notes.txt", "can't be read as JSON", "--trace FILE.json"),
    Step("eval", "name a benchmark", "hart-agent eval vstar DATA --out RUN"),
    Step("eval nonsense data --out run", "there is no benchmark 'nonsense'", "choose one of"),
    Step("eval jsonl --out run", "jsonl needs files", "hart-agent eval jsonl FILE --out RUN"),
    Step("eval vstar --out run", "where are the files of vstar", "--allow-download"),
    Step("eval --compare a b", "a holds no run", "give the folder of its --out"),
    Step("tools run hammer photo.png", "there is no tool 'hammer'", "choose one of"),
    Step("tools run zoom photo.png {", "the arguments are not JSON", "expected such as"),
    Step("tools run zoom photo.png []", "a JSON list", "expected an object"),
    Step("mcp --root nothing", "'nothing' is not a folder", "give one that holds images"),
]


def split(line: str) -> list[str]:
    return [word.strip("'") for word in line.split(" ")]


def assert_one_line(ran: Ran, code: int, wrong: str, hint: str) -> None:
    assert ran[:2] == (code, ""), ran
    (line,) = ran[2].splitlines()
    assert line.startswith("hart-agent: ")
    assert wrong in line
    assert hint in line


def test_the_table_is_long() -> None:
    assert len({step.arguments for step in WRONG}) == len(WRONG) > 60


@pytest.mark.parametrize("step", WRONG, ids=lambda step: step.arguments)
def test_a_wrong_step_is_one_line_with_the_next_step(step: Step, run: Callable[..., Ran]) -> None:
    assert_one_line(run(*split(step.arguments)), step.code, step.wrong, step.next)


MISSING = [
    ("aiohttp", f"{ASK} --base-url http://127.0.0.1:9/v1 --model m", "[openai]"),
    ("mcp", "mcp --root folder", "[mcp]"),
    ("scipy.stats", "eval jsonl questions.jsonl --out run --backend shy.py:Shy", "[eval]"),
    ("pyarrow.parquet", "batch questions.parquet out.jsonl", "[eval]"),
    ("ray", "batch questions.jsonl out.jsonl --on ray", "[ray]"),
    ("vllm", f"{ASK} --backend vllm --model folder", "[vllm]"),
]


@pytest.mark.parametrize(("package", "arguments", "extra"), MISSING, ids=[row[0] for row in MISSING])
def test_a_missing_part_is_named_with_the_command_that_installs_it(
    package: str, arguments: str, extra: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("questions.parquet").write_bytes(b"PAR1")
    Path("questions.jsonl").write_text('{"image": "photo.png", "question": "what?", "answer": "a fence"}\n')
    monkeypatch.setitem(sys.modules, package, None)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == package else find_spec(name))
    code, out, err = run(*split(arguments))
    assert (code, out) == (2, "")
    line = err.splitlines()[-1]
    assert f"un: {sys.executable} -m pip install" in line
    assert extra in line


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
    ("an overloaded one", refuse(503, "overloaded"), "overloaded", "try again"),
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are asked again at once."""
    monkeypatch.setattr(RetryPolicy, "delay", lambda *arguments, **options: 0.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("name", "behaviour", "wrong", "hint"), SERVERS, ids=[row[0] for row in SERVERS])
def test_a_wrong_server_is_one_line_with_the_next_step(
    name: str, behaviour: Any, wrong: str, hint: str, run: Callable[..., Ran]
) -> None:
    with serve([behaviour]) as server:
        assert_one_line(run(*split(f"{ASK} --base-url {server.url} --model m")), 4, wrong, hint)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("model", ["", " --model m"])
def test_no_server_is_one_line_with_the_next_step(model: str, run: Callable[..., Ran]) -> None:
    with serve([say("x")]) as server:
        url = server.url  # nobody listens there any more
    assert_one_line(
        run(*split(f"{ASK} --base-url {url}{model}")), 4, "the connection failed", "whether the server is up"
    )


def test_several_models_are_listed(run: Callable[..., Ran]) -> None:
    with serve([say("x")], models=[{"id": "a"}, {"id": "b"}]) as server:
        assert_one_line(
            run(*split(f"{ASK} --base-url {server.url}")), 2, "serves a, b", "Choose one of them with --model"
        )
    with serve([say("x")], models=[]) as server:
        assert_one_line(run(*split(f"{ASK} --base-url {server.url}")), 2, "lists no models", "Load one there")


def test_the_command_alone_shows_the_three_that_matter(run: Callable[..., Ran]) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert [word for word in ("hart-agent ask", "hart-agent doctor", "hart-agent batch") if word in out] == [
        "hart-agent ask", "hart-agent doctor", "hart-agent batch",
    ]  # fmt: skip
    assert max(map(len, out.splitlines())) <= 80


def test_the_version_needs_no_command(run: Callable[..., Ran]) -> None:
    assert run("--version") == (0, f"{hart_agent.__version__}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(
    shell: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
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


def test_progress_is_words_and_original_pixels_and_json_on_demand(run: Callable[..., Ran]) -> None:
    Path("looks.py").write_text(
        "from hart_agent import ScriptedPolicy\n"
        "class Looks(ScriptedPolicy):\n"
        "    accepts = frozenset()\n"
        "    def __init__(self):\n"
        f"        super().__init__({CALLS!r})\n"
    )
    Image.new("RGB", (3200, 2400), "white").save("large.png")
    ask = split("ask large.png what? --backend looks.py:Looks --no-verify")
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


def test_verify_checks_where_it_would_not_be_checked(run: Callable[..., Ran]) -> None:
    verdicts = {}
    for flag in ("--verify", "--no-verify"):
        with serve([say("<answer>a fence</answer>")]) as server:
            code, out, _ = run(*split(f"{ASK} --base-url {server.url} --json -q {flag}"))
        assert code == 0
        verdicts[flag] = json.loads(out)["verdict"]
    assert verdicts == {"--verify": "insufficient", "--no-verify": "unchecked"}
