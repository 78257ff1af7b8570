"""`hart-agent doctor` without arguments: the servers of this machine, and nobody else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner

from hart_agent.backends.programs import PROGRAMS, Program
from hart_agent.cli import app
from hart_agent.doctor import discovery
from hart_agent.doctor.discovery import LocalServer, find_servers

USUAL = {program.name: program for program in PROGRAMS}


@dataclass
class Spoken:
    """What a server says to each path.

    Attributes:
        routes: status and body of each path.
        other: of all other paths.
        server: its header of that name.
        asked: the paths so far.
    """

    routes: Mapping[str, tuple[int, Any]]
    other: tuple[int, Any] = (404, {"detail": "Not Found"})
    server: str = "uvicorn"
    asked: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    spoken: Spoken

    def do_GET(self) -> None:
        self.spoken.asked.append(self.path)
        status, body = self.spoken.routes.get(self.path, self.spoken.other)
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("server", self.spoken.server)
        self.send_header("content-type", "text/plain" if isinstance(body, str) else "application/json")
        if 300 <= status < 400:
            self.send_header("location", "http://example.org/v1/models")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


@contextmanager
def speaking(spoken: Spoken) -> Iterator[int]:
    """A server on loopback; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"spoken": spoken}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def listed(*entries: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"object": "list", "data": [{"object": "model", **entry} for entry in entries]}


def lm_studio_error(path: str) -> dict[str, str]:
    return {"error": f"Unexpected endpoint or method. (GET {path})"}


# As each program's documentation and source write them.
OLLAMA = Spoken(
    {
        "/": (200, "Ollama is running"),
        "/v1/models": listed(
            {"id": "llama3.2:latest", "created": 1727287265, "owned_by": "library"},
            {"id": "qwen2.5vl:7b", "created": 1747865000, "owned_by": "library"},
        ),
    },
    (404, "404 page not found"),
    server="",
)
LM_STUDIO = Spoken(
    {
        "/v1/models": listed(
            {"id": "text-embedding-nomic-embed-text-v1.5", "owned_by": "organization_owner"},
            {"id": "qwen2-vl-7b-instruct", "owned_by": "organization_owner"},
        )
    },
    (200, lm_studio_error("/")),
    server="",
)
LLAMA_CPP = Spoken(
    {
        "/v1/models": (
            200,
            {
                "models": [{"name": "gemma-3-4b-it-Q4_K_M.gguf", "capabilities": ["completion", "multimodal"]}],
                "object": "list",
                "data": [
                    {
                        "id": "gemma-3-4b-it-Q4_K_M.gguf", "object": "model", "created": 1735142223,
                        "owned_by": "llamacpp", "meta": {"n_ctx_train": 131072},
                    }
                ],
            },
        )
    },
    (404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}),
    server="llama.cpp",
)  # fmt: skip
VLLM = Spoken(
    {
        "/v1/models": listed(
            {
                "id": "served", "created": 1735142223, "owned_by": "vllm", "root": "Qwen/Qwen2.5-VL-7B-Instruct",
                "parent": None, "max_model_len": 32768, "permission": [],
            }
        )
    }
)  # fmt: skip
SGLANG = Spoken(
    {
        "/v1/models": listed(
            {
                "id": "Qwen/Qwen3-VL-8B-Instruct", "created": 1735142223, "owned_by": "sglang",
                "root": "Qwen/Qwen3-VL-8B-Instruct", "parent": None, "max_model_len": 262144,
            }
        )
    }
)  # fmt: skip
FIVE = {
    "Ollama": (OLLAMA, "qwen2.5vl:7b"),
    "LM Studio": (LM_STUDIO, "qwen2-vl-7b-instruct"),
    "llama.cpp": (LLAMA_CPP, "gemma-3-4b-it-Q4_K_M.gguf"),
    "vLLM": (VLLM, "served"),
    "SGLang": (SGLANG, "Qwen/Qwen3-VL-8B-Instruct"),
}


def found(spoken: Spoken, usual: Program = USUAL["vLLM"]) -> LocalServer | None:
    with speaking(spoken) as port:
        servers = find_servers({port: usual})
    return servers[0] if servers else None


@pytest.mark.parametrize("name", FIVE)
def test_each_program_is_recognised_on_any_port(name: str) -> None:
    spoken, model = FIVE[name]
    other = next(program for program in PROGRAMS if program.name != name)
    server = found(spoken, other)
    assert server is not None
    assert (server.program, server.models[0], server.problem) == (name, model, "")
    assert server.seeing[0] == model
    assert not [each for each in server.models if "embed" in each]
    assert server.command == f"hart-agent ask IMAGE QUESTION --base-url {server.base_url} --model {model}"


UNUSABLE = {
    "Ollama without models": (
        Spoken({"/": (200, "Ollama is running"), "/v1/models": (200, {"object": "list", "data": None})}),
        "Ollama", "it has no model", "ollama pull",
    ),
    "LM Studio without models": (
        Spoken({"/v1/models": (200, {"data": [], "object": "list"})}, (200, lm_studio_error("/"))),
        "LM Studio", "it has no model", "lms get",
    ),
    "llama.cpp while it loads": (
        Spoken(
            {}, (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}), "llama.cpp"
        ),
        "llama.cpp", "it is loading its model", "Wait",
    ),
    "llama.cpp with a key": (
        Spoken(
            {}, (401, {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}}),
            "llama.cpp",
        ),
        "llama.cpp", "it wants a key", "HART_AGENT_API_KEY",
    ),
    "vLLM with a key": (Spoken({}, (401, {"error": "Unauthorized"})), "vLLM", "it wants a key", "HART_AGENT_API_KEY"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_server_that_lacks_something_says_what(name: str) -> None:
    spoken, program, problem, advice = UNUSABLE[name]
    server = found(spoken)
    assert server is not None
    assert (server.program, server.problem, server.flags, server.command) == (program, problem, (), "")
    assert advice in server.advice


STRANGE = {
    "a web page": Spoken({}, (200, "<html>Jupyter</html>")),
    "no such path": Spoken({}, (404, {"detail": "Not Found"})),
    "a redirection": Spoken({}, (302, "")),
    "another API": Spoken({}, (200, {"status": "ok"})),
    "a list": Spoken({}, (200, [1, 2])),
    "not HTTP in JSON": Spoken({}, (200, "[" * 100_000)),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_model_server_is_left_out(name: str) -> None:
    assert found(STRANGE[name]) is None


def test_a_server_of_another_make_is_used_too_and_doubted_if_its_model_is_unknown() -> None:
    server = found(Spoken({"/v1/models": listed({"id": "mystery", "owned_by": "me"}, {"id": 7}, {"id": ""})}))
    assert server is not None
    assert (server.program, server.models, server.seeing) == ("an OpenAI-compatible server", ("mystery",), ())


def test_a_text_model_of_llama_cpp_is_not_taken_for_one_that_sees() -> None:
    body = {
        "models": [{"name": "gemma-3-1b", "capabilities": ["completion"]}],
        "data": [{"id": "gemma-3-1b", "owned_by": "llamacpp"}],
    }
    server = found(Spoken({"/v1/models": (200, body)}))
    assert server is not None
    assert (server.models, server.seeing) == (("gemma-3-1b",), ())


@pytest.fixture
def five(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """All five at once, on ports that stand for the usual ones; each program's port."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(speaking(spoken)) for name, (spoken, _) in FIVE.items()}
        monkeypatch.setattr("hart_agent.doctor.discovery.PORTS", {port: USUAL[name] for name, port in ports.items()})
        yield ports


def test_doctor_finds_all_five_and_prints_commands(five: dict[str, int]) -> None:
    done = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    for name, (_, model) in FIVE.items():
        assert f"{name} at http://127.0.0.1:{five[name]}/v1" in done.stdout
        assert (
            f"hart-agent ask IMAGE QUESTION --base-url http://127.0.0.1:{five[name]}/v1 --model {model}" in done.stdout
        )
    report = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert [server["program"] for server in report["servers"]] == list(FIVE)


def test_doctor_looks_for_a_model(five: dict[str, int]) -> None:
    done = CliRunner().invoke(app, ["doctor", "--model", "llama3.2:latest"])
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if "hart-agent ask" in line] == [
        f"  hart-agent ask IMAGE QUESTION --base-url http://127.0.0.1:{five['Ollama']}/v1 --model llama3.2:latest"
    ]
    assert "none of them is known to see images" in done.stdout
    assert CliRunner().invoke(app, ["doctor", "--model", "nobody-has-this"]).exit_code == 4


def test_doctor_asks_no_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a server that other variables name is asked, and no key is sent."""
    spoken = Spoken({}, (302, ""))
    with speaking(spoken) as stranger, speaking(Spoken({}, (302, ""))) as port:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "OPENAI_BASE_URL"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{stranger}")
        monkeypatch.setenv("OPENAI_API_KEY", "secret1")
        monkeypatch.setattr("hart_agent.doctor.discovery.PORTS", {port: USUAL["vLLM"]})
        done = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "80"})
    assert done.exit_code == 4
    assert spoken.asked == []
    assert "hart-agent ask IMAGE QUESTION" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_the_usual_ports_are_those_of_the_five() -> None:
    assert set(discovery.PORTS) == {11434, 1234, 8080, 8000, 30000}
    assert {program.name for program in discovery.PORTS.values()} == set(FIVE)
