"""Choosing a policy by name, in Python and on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import answer, tool_call
from loopback import say, serve
from typer.testing import CliRunner

from hart_agent import ConfigError
from hart_agent.backends import BACKENDS, PolicyOptions, create_policy
from hart_agent.cli import app

KEY = "sk-another-secret-key-9876543210"


def test_a_base_url_means_the_openai_backend() -> None:
    options = PolicyOptions(model="qwen3-vl", base_url="http://localhost:1/v1", max_pixels=500_000)
    policy = create_policy(None, options)
    assert policy.name == "openai (qwen3-vl)"
    assert policy.profile.budget.max_pixels == 500_000


def test_settings_that_a_backend_does_not_take_are_refused_with_their_flags() -> None:
    with pytest.raises(ConfigError, match=r"takes no --max-images, --model; .* --backend openai"):
        create_policy("embedded", PolicyOptions(model="x", max_images=3))
    with pytest.raises(ConfigError, match=f"choose one of: {', '.join(BACKENDS)}"):
        create_policy("oracle")


def test_the_key_is_not_in_the_options_repr() -> None:
    assert KEY not in repr(PolicyOptions(api_key=KEY))


def test_ask_on_the_command_line(coded_path: Path, tmp_path: Path) -> None:
    script = [tool_call("crop", bbox_2d=[10, 10, 200, 100], label="x"), answer("red"), answer("red")]
    trace = tmp_path / "trace.json"
    arguments = ["ask", str(coded_path), "what colour?", "--trace", str(trace), "--api-key", KEY, "--max-seconds", "60"]
    with serve([say(text) for text in script]) as server:
        result = CliRunner().invoke(app, [*arguments, "--base-url", server.url, "--max-tokens", "50"])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        "red",
        "verdict: supported (the evidence alone says: red)",
    ]
    assert json.loads(trace.read_text())["policy"] == "openai (qwen2.5-vl)"
    assert server.bodies[0]["max_tokens"] == 50
    assert server.keys[-1] == f"Bearer {KEY}"
    assert KEY not in result.output + trace.read_text()


def test_the_embedded_reader_refuses_a_servers_settings_on_the_command_line(coded_path: Path) -> None:
    result = CliRunner().invoke(app, ["ask", str(coded_path), "what?", "--max-images", "3"])
    assert isinstance(result.exception, ConfigError)
    assert "--max-images" in str(result.exception)


def test_importing_the_library_loads_no_client() -> None:
    heavy = "{'openai', 'httpx', 'httpx2', 'torch', 'transformers', 'vllm'}"
    code = f"import sys, hart_agent.cli; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
