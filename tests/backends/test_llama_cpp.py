"""llama.cpp's server on a model that has learnt to think. Part of `tests/server/run`, not of the default run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from server_process import free_port, running
from test_thinking_model import ANSWERS, MAX_PIXELS, check, lessons  # noqa: F401 (a fixture)

from hart_agent import Agent
from hart_agent.backends.openai import OpenAIPolicy

pytestmark = pytest.mark.server

SERVE = Path(__file__).parent.parent / "server" / "serve_gguf.py"


@pytest.mark.parametrize("name", ["thinking", "opened"])
def test_a_model_that_thinks_behind_llama_cpp(lessons: Path, tmp_path: Path, name: str) -> None:
    from gguf_vlm import write_gguf

    write_gguf(lessons / name, tmp_path)
    port = free_port()
    command = [sys.executable, str(SERVE), str(tmp_path), str(port), "qwen2.5-vl"]
    with running(command, port, tmp_path / "server.txt") as url:
        policy = OpenAIPolicy("qwen2.5-vl", base_url=url, max_pixels=MAX_PIXELS, max_tokens=150)
        for number, said in enumerate(ANSWERS):
            run = Agent(policy, mode="closed-loop").ask(lessons / f"{number}.png", f"what is {number}?")
            check(run, said, ANSWERS[1 - number])
