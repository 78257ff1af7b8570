"""What people already use, as they use it, against a real `hart-agent serve` or `mcp`; run by tests/clients/run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

pytestmark = pytest.mark.clients

POLICY = """
from hart_agent import CoordinateProfile, CoordinateSpace, ScriptedPolicy, ViewBudget
from conftest import answer, tool_call

def speak(messages, tools):
    if not tools:
        return answer("Marwick Bakery")
    turns = [tool_call("zoom", bbox_2d=[0, 0, 500, 500]), tool_call("crop", bbox_2d=[500, 500, 600, 600], label="sign")]
    turn = sum(message.role == "assistant" for message in messages)
    return turns[turn] if turn < 2 else answer("Marwick Bakery")

class Policy(ScriptedPolicy):
    accepts = frozenset()
    def __init__(self):
        super().__init__(speak, CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=1_000_000)))
"""
BOX = [600, 450, 720, 540]
"""A tenth of each side of 1200 x 900, from the middle."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("clients")
    (home / "policy.py").write_text(POLICY)
    (home / "photos").mkdir()
    Image.effect_noise((1200, 900), 80).convert("RGB").save(home / "photos" / "photo.png")
    return home


def environment(**values: str) -> dict[str, str]:
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests.parent), str(tests), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, **values}


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "hart_agent", "serve", "--port", "0", "--backend", f"{folder}/policy.py:Policy"]
    with subprocess.Popen(
        [*command, "--root", str(folder / "photos")], env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()


def output(*command: str, **options: Any) -> str:
    program = shutil.which(command[0])
    assert program is not None, f"{command[0]} is missing; run tests/clients/run"
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=False, timeout=180,
        stdin=subprocess.DEVNULL, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_openai(url: str, folder: Path) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    image = {"type": "image_url", "image_url": {"url": (folder / "photos" / "photo.png").as_uri()}}
    messages: Any = [{"role": "user", "content": [image, {"type": "text", "text": "what is on the sign?"}]}]
    found = client.chat.completions.create(model="hart-agent", messages=messages, max_tokens=16)
    assert found.choices[0].message.content == "Marwick Bakery"
    assert found.hart["evidence"][0]["box"] == BOX  # type: ignore[attr-defined]
    chunks = list(client.chat.completions.create(model="hart-agent", messages=messages, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Marwick Bakery"


@pytest.mark.parametrize("more", [(), ("--no-stream",)])
def test_llm(url: str, folder: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: hart\n  model_name: hart-agent\n  api_base: {url}/v1\n  vision: true\n"
    )
    photo = str(folder / "photos" / "photo.png")
    said = output(
        "llm", "-m", "hart", "--key", "none", *more, "what is on the sign?", "-a", photo,
        env=environment(LLM_USER_PATH=str(tmp_path)),
    )  # fmt: skip
    assert said.strip() == "Marwick Bakery"


def test_curl(url: str, folder: Path, tmp_path: Path) -> None:
    assert json.loads(output("curl", "-sf", f"{url}/v1/models"))["data"][0]["id"] == "hart-agent"
    image = {"type": "image_url", "image_url": {"url": f"file://{folder}/photos/photo.png"}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": "what is on the sign?"}]}]
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"model": "hart-agent", "messages": messages, "stream": True}))
    said = output(
        "curl", "-sfN", f"{url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", f"@{request}"
    )
    events = [line.removeprefix("data: ") for line in said.split("\n") if line]
    assert events[-1] == "[DONE]"
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]
    assert "Zoomed into the upper left" in deltas[1]["reasoning_content"]
    assert "Marwick Bakery" in [delta.get("content") for delta in deltas]


def test_the_mcp_inspector(folder: Path) -> None:
    server = [
        sys.executable, "-m", "hart_agent", "mcp", "--root", str(folder / "photos"),
        "--backend", f"{folder}/policy.py:Policy",
    ]  # fmt: skip

    def inspect(*arguments: str) -> Any:
        return json.loads(output("mcp-inspector", "--cli", *server, *arguments, env=environment()))

    names = {tool["name"] for tool in inspect("--method", "tools/list")["tools"]}
    assert {"ask", "list_images", "overview", "zoom", "crop"} <= names
    call = ("--method", "tools/call", "--tool-name")
    assert inspect(*call, "list_images")["content"][0]["text"] == "photo.png"
    found = inspect(*call, "ask", "--tool-arg", "image_path=photo.png", "--tool-arg", "question=what is on the sign?")
    assert found["content"][0]["text"].split("\n")[:3] == [
        "Marwick Bakery", "verdict: supported", f"evidence: {BOX} sign",
    ]  # fmt: skip
    assert found["content"][1]["type"] == "image"
