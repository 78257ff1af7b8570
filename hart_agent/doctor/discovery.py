"""Finding the model servers of this machine on their usual ports. Nothing else is asked: no other host, no redirect."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hart_agent.backends.families import GENERIC, detect_family
from hart_agent.backends.programs import PROGRAMS, Program
from hart_agent.commands import command_line

HOST: Final = "127.0.0.1"
PORTS: Final[Mapping[int, Program]] = {program.port: program for program in PROGRAMS}
_SECONDS: Final = 3.0
"""For one answer; a server that is up lists its models at once."""
_MAX_BODY: Final = 8_000_000
_MAX_SHOWN: Final = 20
"""Models of one server."""


@dataclass(frozen=True)
class LocalServer:
    """A model server on this machine.

    Attributes:
        program: what it is, such as "Ollama".
        base_url: for `--base-url`.
        models: the names that it lists, those that can see images first; without embedding models.
        seeing: those of them that are known to see images.
        problem: why it can't be used as it is; empty if it can.
        advice: what to do about that.
    """

    program: str
    base_url: str
    models: tuple[str, ...] = ()
    seeing: tuple[str, ...] = ()
    problem: str = ""
    advice: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of `ask` that use it; none if it has to be changed first."""
        return () if self.problem else ("--base-url", self.base_url, "--model", self.models[0])

    @property
    def command(self) -> str:
        """The command that asks it, or an empty text."""
        return command_line(["hart-agent", "ask", "IMAGE", "QUESTION", *self.flags]) if self.flags else ""

    def asked_for(self, model: str) -> LocalServer:
        """The same server, of which one model is asked."""
        if self.problem:
            return self
        if model not in self.models:
            return replace(self, problem=f"it has no model {model!r}", advice=f"It has: {', '.join(self.models)}")
        return replace(self, models=(model,), seeing=tuple(name for name in self.seeing if name == model))

    def to_json(self) -> dict[str, Any]:
        """The server as a JSON object."""
        return {
            "program": self.program,
            "base_url": self.base_url,
            "models": list(self.models),
            "seeing": list(self.seeing),
            "problem": self.problem,
            "advice": self.advice,
            "command": self.command,
        }


def find_servers(ports: Mapping[int, Program] = PORTS) -> list[LocalServer]:
    """The model servers that answer on this machine, in the order of the ports. All ports are asked at once.

    Args:
        ports: which ones, each with the program that usually has it.
    """
    with concurrent.futures.ThreadPoolExecutor(max(1, len(ports))) as pool:
        found = pool.map(_look, ports, ports.values())
        return [server for server in found if server is not None]


@dataclass(frozen=True)
class _Answer:
    status: int
    server: str
    text: str

    @property
    def value(self) -> Any:
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


def _get(port: int, path: str) -> _Answer | None:
    """An HTTP answer of this machine; None if there is none."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        text = response.read(_MAX_BODY).decode("utf-8", errors="replace")
        return _Answer(response.status, response.getheader("server", ""), text)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _look(port: int, usual: Program) -> LocalServer | None:
    answer = _get(port, "/v1/models")
    if answer is None:
        return None
    base_url = f"http://{HOST}:{port}/v1"
    value = answer.value
    listed = value.get("data") if isinstance(value, dict) else None
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    program = _program(port, answer, entries)
    name = program.name if program else "an OpenAI-compatible server"
    start = (program or usual).start
    if answer.status in (401, 403):
        advice = f"Set HART_AGENT_API_KEY to its key, then: hart-agent doctor --base-url {base_url}"
        return LocalServer(program.name if program else usual.name, base_url, problem="it wants a key", advice=advice)
    if answer.status == 503 and program is not None:
        return LocalServer(name, base_url, problem="it is loading its model", advice="Wait, then: hart-agent doctor")
    if answer.status != 200 or not (isinstance(value, dict) and ("data" in value or program is not None)):
        return None  # another program has this port
    models, seeing = _models(entries, value)
    if not models:
        return LocalServer(name, base_url, problem="it has no model", advice=f"Get one: {' && '.join(start)}")
    return LocalServer(name, base_url, models, seeing)


def _program(port: int, answer: _Answer, entries: Sequence[Mapping[str, Any]]) -> Program | None:
    """Which program answers: by what it writes into its list, its header, or its answer to an empty path."""
    owners = {entry.get("owned_by") for entry in entries}
    for program in PROGRAMS:
        if program.owner in owners or (answer.server and answer.server == program.name):
            return program
    if answer.status == 200 and isinstance(answer.value, dict):
        greeting = _get(port, "/")
        text = greeting.text if greeting is not None else ""
        for words, name in (("Ollama is running", "Ollama"), ("Unexpected endpoint", "LM Studio")):
            if words in text[:1000]:
                return next(program for program in PROGRAMS if program.name == name)
    return None


def _models(entries: Sequence[Mapping[str, Any]], value: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names, those that are known to see first; and only those."""
    details = value.get("models")  # llama.cpp says there what each can do
    extra = [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
    capable = {entry.get("name"): entry.get("capabilities") for entry in extra}
    known: dict[str, bool] = {}
    for entry in entries:
        name = entry.get("id")
        if not isinstance(name, str) or not name or "embed" in name.lower():
            continue
        abilities = capable.get(name)
        if isinstance(abilities, list):
            known[name] = "multimodal" in abilities
        else:
            known[name] = detect_family(f"{name} {entry.get('root') or ''}") is not GENERIC
    seeing = tuple(name for name, sees in known.items() if sees)[:_MAX_SHOWN]
    return (*seeing, *(name for name, sees in known.items() if not sees))[:_MAX_SHOWN], seeing
