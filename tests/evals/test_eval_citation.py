"""What a run's citation says of the model and its server: what they tell, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import eval_files as files
import pytest
from loopback import Behaviour, Loopback, completion, refuse, send, serve
from typer.testing import CliRunner

from hart_agent.backends.local.checkpoint import weights_sha256
from hart_agent.backends.openai.policy import OpenAIPolicy
from hart_agent.cli import app

VLLM = {"id": "m", "owned_by": "vllm", "root": "Qwen/Qwen2.5-VL-7B-Instruct"}


def fingerprinted(body: dict[str, Any], number: int) -> Behaviour:
    """Answers; the state that it names changes after two requests."""
    state = {"system_fingerprint": f"fp_{number // 2}"}
    return lambda handler: send(handler, 200, completion("<answer>A</answer>") | state)


def report(server: Loopback, *arguments: str | Path) -> dict[str, Any]:
    command = ["eval", *map(str, arguments), "--base-url", server.url, "--quiet", "--json", "--mode", "direct"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_line_names_what_the_server_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = files.write_vstar_questions(tmp_path / "data")
    run = "vstar", data, "--out", tmp_path / "run"
    with serve(fingerprinted, models=[VLLM], other_paths={"/version": {"version": "0.8.5"}}) as server:
        found = report(server, *run)
        assert caplog.messages == []
        asked = len(server.bodies)
        server.other_paths = {"/version": {"version": "0.9.0"}}
        again = report(server, *run)
        assert len(server.bodies) == asked  # nothing was asked again
    model = "model openai (m) (Qwen/Qwen2.5-VL-7B-Instruct, system fingerprint fp_0 and fp_1) on vllm 0.8.5"
    assert model in found["citation"]
    assert model in again["citation"]
    assert found["manifest"]["served"] == {"model": "Qwen/Qwen2.5-VL-7B-Instruct", "server": "vllm 0.8.5"}
    assert caplog.messages == [f"the model or its server has changed since the run in {tmp_path / 'run'} was started"]


@pytest.mark.parametrize(
    ("other_paths", "owner", "told"),
    [
        ({"/api/version": {"version": "0.6.2"}}, "library", {"server": "ollama 0.6.2"}),
        ({"/props": {"build_info": "b5000-abc"}}, "llamacpp", {"server": "llamacpp b5000-abc"}),
        ({"/version": {"version": "1.2"}}, "somebody", {"server": "1.2"}),
        ({}, "sglang", {"server": "sglang"}),
        ({"/version": {"version": 7}, "/props": []}, "test", {}),
    ],
)
def test_programs_tell_their_version_in_different_places(
    other_paths: dict[str, Any], owner: str, told: dict[str, str]
) -> None:
    async def identity(url: str) -> dict[str, str]:
        async with OpenAIPolicy("m", base_url=url) as policy:
            return await policy.identity()

    with serve([refuse(500, "")], models=[{"id": "m", "owned_by": owner}], other_paths=other_paths) as server:
        assert asyncio.run(identity(server.url)) == told


def test_a_server_that_is_down_tells_nothing() -> None:
    with serve([refuse(500, "")]) as server:
        url = server.url
    assert asyncio.run(OpenAIPolicy("m", base_url=url).identity()) == {}


def test_the_hash_of_a_models_weights(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    whole = hashlib.sha256(b"weights").hexdigest()
    assert weights_sha256(tmp_path) == whole
    blob = tmp_path / "blobs" / ("ab" * 32)  # the hub's cache: named by a hash that is taken as it is
    blob.parent.mkdir()
    blob.write_bytes(b"others")
    (tmp_path / "other.safetensors").symlink_to(blob)
    listed = f"{whole}  model.safetensors\n{blob.name}  other.safetensors\n"
    assert weights_sha256(tmp_path) == hashlib.sha256(listed.encode()).hexdigest()
