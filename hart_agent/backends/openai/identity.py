"""What a server tells of itself: the program, its version, and what it has loaded under a model's name."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from hart_agent.backends.openai.failures import ServerError
from hart_agent.backends.openai.server import Server

_PLACES: Final = (
    ("version", "version", ""),
    ("api/version", "version", "ollama"),
    ("props", "build_info", "llama.cpp"),
)
"""Where programs put their version: the path next to the API, the field, and the program that is known by the path.
vLLM answers at the first; so may others."""
_PROGRAMS: Final = frozenset({"vllm", "sglang", "llamacpp"})
"""Who give their own name as the owner of a model."""
_SECONDS: Final = 10.0
"""For all questions: an evaluation should not wait for what it can do without."""
_LONGEST: Final = 100
"""Characters of a version."""


async def identify(server: Server, model: str) -> dict[str, str]:
    """`model` and `server` as far as the server tells them; see `hart_agent.dialogue.policy.Identified`."""
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(_SECONDS):
            owner = ""
            for entry in await server.models():
                if entry.name == model:
                    owner = entry.owner if entry.owner in _PROGRAMS else ""
                    found |= {"model": entry.root} if entry.root not in ("", model) else {}
            version, program = await _version(server)
            found |= {"server": " ".join(filter(None, (owner or program, version)))} if version or owner else {}
    except (ServerError, TimeoutError):
        pass  # what isn't given is unknown; whether the server works shows when it is asked a question
    return found


async def _version(server: Server) -> tuple[str, str]:
    """The version, and the program if the place gives it; two empty texts where there is none."""
    for path, field, program in _PLACES:
        try:
            reply: Any = await server.get_from_root(path)
        except ServerError:
            continue
        version = reply.get(field) if isinstance(reply, dict) else None
        if isinstance(version, str) and version:
            return server.shown(version)[:_LONGEST], program
    return "", ""
