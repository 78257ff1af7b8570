"""Choosing a policy by name, in Python and on the command line."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from loopback import say, serve
from typer.main import get_command
from typer.testing import CliRunner

from hart_agent import ConfigError, PluginError
from hart_agent.backends import BACKENDS, PolicyOptions, create_policy
from hart_agent.backends.openai import OpenAIPolicy
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


SHOUTING = """
from hart_agent import ScriptedPolicy

class Shouting(ScriptedPolicy):
    accepts = frozenset({"model", "temperature", "seed"})

    def __init__(self, model, temperature=0.5, seed=7):
        super().__init__(["<answer>HEY</answer>"])
        self.name = f"shouting ({model}, {temperature}, {seed})"

class Careless(Shouting):
    def __init__(self, **options):
        raise ZeroDivisionError("oops")

class Mute:
    accepts = frozenset()

class Careful(Shouting):
    def __init__(self, **options):
        raise ConfigError("the moon is full")

class Undeclared(ScriptedPolicy):
    pass

class Greedy(Shouting):
    accepts = frozenset({"model", "beams"})
"""


@pytest.fixture
def shouting(tmp_path: Path) -> str:
    path = tmp_path / "shouting.py"
    path.write_text(SHOUTING.replace("import Scripted", "import ConfigError, Scripted"))
    return str(path)


def test_a_backend_of_a_file_gets_the_options_that_were_given(shouting: str) -> None:
    made = create_policy(f"{shouting}:Shouting", PolicyOptions(model="m"))
    assert made.name == "shouting (m, 0.5, 7)"
    made = create_policy(f"{shouting}:Shouting", PolicyOptions(model="m", temperature=0, seed=3))
    assert made.name == "shouting (m, 0, 3)"


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("Shouting", {}, ConfigError, ["needs --model"]),
        ("Shouting", {"model": "m", "max_tokens": 3}, ConfigError, ["takes no --max-tokens", "openai | transformers"]),
        ("Careless", {}, PluginError, ["can't make a policy", "ZeroDivisionError: oops", "shouting.py"]),
        ("Careful", {}, ConfigError, ["the moon is full"]),
        ("Mute", {}, PluginError, ["made a Mute", "name and profile", "shouting.py"]),
        ("Undeclared", {}, PluginError, ["`accepts`", "shouting.py"]),
        ("Greedy", {}, PluginError, ["beams", "temperature", "shouting.py"]),
    ],
)
def test_a_backend_that_can_not_be_used_is_named(
    shouting: str, name: str, options: dict[str, Any], error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        create_policy(f"{shouting}:{name}", PolicyOptions(**options))
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_tokens": 0}, "max_tokens must be positive, got 0; give at least 1"),
        ({"max_images": -1}, "max_images must be positive"),
        ({"max_pixels": 0}, "max_pixels must be positive"),
        ({"max_context_tokens": 0}, "max_context_tokens must be positive"),
        ({"temperature": -0.1}, "temperature must be 0 or more"),
        ({"temperature": math.nan}, "temperature must be 0 or more, got nan"),
        ({"coordinates": "feet"}, r"there are no coordinates 'feet'; choose --coordinates pixel \| thousand \| unit"),
        ({"tool_format": "xml"}, r"there is no tool format 'xml'; choose --tool-format auto \| native \| text"),
    ],
)
def test_options_are_checked_wherever_they_are_given(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PolicyOptions(**options)
    with pytest.raises(ConfigError, match=words):
        OpenAIPolicy("m", base_url="http://localhost:1/v1", **options)


def test_an_option_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(TypeError, match=r"no option 'max_token'; the options are coordinates, .*max_pixels, .*api_key"):
        OpenAIPolicy("m", base_url="http://localhost:1/v1", max_token=5)


def test_each_option_is_on_the_command_line_with_its_limit() -> None:
    options = {parameter.name: parameter for parameter in get_command(app).commands["ask"].params}
    for option in fields(PolicyOptions):
        assert options[option.name].opts == ["--" + option.name.replace("_", "-")]
        assert options[option.name].help == option.metadata["help"]
        if option.metadata["minimum"] is not None:
            too_small = str(option.metadata["minimum"] - 1)
            arguments = ["ask", "none.png", "what?", *options[option.name].opts, too_small]
            assert CliRunner().invoke(app, arguments).exit_code == 2


def test_the_backends_that_ship_are_registered() -> None:
    points = entry_points(group="hart_agent.backends")
    assert sorted(point.name for point in points if point.module.startswith("hart_agent.")) == sorted(BACKENDS)


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
