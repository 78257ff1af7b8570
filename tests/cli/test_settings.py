"""Flag, environment, file: which value is used, and what is said of where it comes from."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, say, serve
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner, Result

from hart_agent.cli import app
from hart_agent.cli.options import AgentOptions
from hart_agent.cli.settings import NAMES
from hart_agent.errors import ConfigError

KEY = "secret-of-the-file"


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "config.toml"
    monkeypatch.setenv("HART_AGENT_CONFIG", str(path))
    return path


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.new("RGB", (64, 48), "white").save(path)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def put(**settings: Any) -> None:
    for name, value in settings.items():
        done = run("config", "set", name, str(value))
        assert done.exit_code == 0, done.exception


def settings_of(photo: Path, *flags: str) -> dict[str, Any]:
    done = run("ask", photo, "what?", "--json", "--quiet", "--no-verify", *flags)
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)["settings"]
    return found


def asked(server: Loopback) -> list[tuple[str, str | None]]:
    """Model and key of each request."""
    return list(zip([body["model"] for body in server.bodies], server.keys[-len(server.bodies) :], strict=True))


def test_a_setting_is_written_shown_and_removed(file: Path) -> None:
    assert run("config", "path").stdout.strip() == str(file)
    put(**{"base-url": "http://localhost:1/v1", "model": 'a "quoted" \\ mödel', "max_images": 3, "api_key": KEY})
    assert tomllib.loads(file.read_text()) == {
        "api_key": KEY, "base_url": "http://localhost:1/v1", "max_images": 3, "model": 'a "quoted" \\ mödel',
    }  # fmt: skip
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
    shown = run("config", "show")
    assert "max_images = 3" in shown.stdout
    assert KEY not in shown.output
    assert KEY not in run("config", "show", "--json").output
    put(api_key="")
    assert "api_key" not in tomllib.loads(file.read_text())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("colour", "red", "choose one of: backend"),
        ("max_images", "many", "is a number"),
        ("max_images", "0", "must be positive"),
        ("coordinates", "inches", "choose --coordinates"),
        ("model", "a\nb", "line break"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_it_is_written(
    file: Path, name: str, value: str, words: str
) -> None:
    done = run("config", "set", name, value)
    assert isinstance(done.exception, ConfigError)
    assert words in str(done.exception)
    assert not file.exists()


@pytest.mark.parametrize("text", ["model = ", "colour = 'red'", "model = [1]", "\xff"])
def test_a_file_that_cannot_be_used_is_named(file: Path, text: str, photo: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(text.encode("latin-1"))
    for command in (("ask", photo, "what?"), ("config", "show"), ("config", "set", "model", "x")):
        done = run(*command)
        assert isinstance(done.exception, ConfigError)
        assert str(file) in str(done.exception)


def test_flag_goes_before_environment_goes_before_file(
    file: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve([say("<answer>x</answer>")]) as server:
        put(base_url=server.url, model="of-the-file", api_key=KEY)
        found = settings_of(photo)
        assert found == {
            "base_url": {"value": server.url, "from": str(file)},
            "model": {"value": "of-the-file", "from": str(file)},
            "api_key": {"from": str(file)},
        }
        monkeypatch.setenv("HART_AGENT_MODEL", "of-the-environment")
        monkeypatch.setenv("HART_AGENT_API_KEY", "secret-of-the-environment")
        found = settings_of(photo)
        assert found["model"] == {"value": "of-the-environment", "from": "HART_AGENT_MODEL"}
        assert found["api_key"] == {"from": "HART_AGENT_API_KEY"}
        assert settings_of(photo, "--model", "of-the-flag")["model"] == {"value": "of-the-flag", "from": "--model"}
    assert asked(server) == [
        ("of-the-file", f"Bearer {KEY}"),
        ("of-the-environment", "Bearer secret-of-the-environment"),
        ("of-the-flag", "Bearer secret-of-the-environment"),
    ]


def test_the_files_model_and_key_stay_with_its_server(file: Path, photo: Path) -> None:
    with serve([say("<answer>x</answer>")]) as mine, serve([say("<answer>x</answer>")]) as other:
        put(base_url=mine.url, model="mine", api_key=KEY)
        found = settings_of(photo, "--base-url", other.url)
    assert found == {"base_url": {"value": other.url, "from": "--base-url"}}
    assert asked(other) == [("qwen2.5-vl", "Bearer not-needed")]
    assert not mine.bodies


def test_hart_agents_key_goes_before_openais(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-openai")
    with serve([say("<answer>x</answer>")]) as server:
        settings_of(photo, "--base-url", server.url, "--model", "m")
        monkeypatch.setenv("HART_AGENT_API_KEY", "secret-of-hart-agent")
        settings_of(photo, "--base-url", server.url, "--model", "m")
    assert [key for _, key in asked(server)] == ["Bearer secret-of-openai", "Bearer secret-of-hart-agent"]


def test_the_embedded_reader_is_there_whatever_is_set(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(base_url="http://localhost:1/v1", model="mine", api_key=KEY, seed=7)
    monkeypatch.setenv("HART_AGENT_BASE_URL", "http://localhost:2/v1")
    monkeypatch.setenv("HART_AGENT_API_KEY", "secret-of-the-environment")
    done = run("doctor", "--backend", "embedded", "--json")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["settings"] == {"backend": {"value": "embedded", "from": "--backend"}}


def test_a_model_without_a_server_is_not_ignored(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HART_AGENT_MODEL", "m")
    done = run("ask", photo, "what?")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith("HART_AGENT_MODEL names a model, but no server")


def test_doctor_says_where_values_come_from_and_never_the_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-openai")
    with serve([say("no box")]) as server:
        put(base_url=server.url.replace("//", "//user:hunter2@"))
        plain, program = run("doctor"), json.loads(run("doctor", "--json").stdout)
    assert f"base_url {server.url} (from {file})" in plain.stdout
    assert "api_key (from OPENAI_API_KEY)" in plain.stdout
    assert program["settings"]["api_key"] == {"from": "OPENAI_API_KEY"}
    for secret in ("secret-of-openai", "hunter2"):
        assert secret not in plain.output + json.dumps(program)


def test_every_command_that_asks_a_model_takes_the_files(
    file: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve([say("<answer>x</answer>")]) as server:
        put(base_url=server.url, model="of-the-file")
        made: list[str] = []
        monkeypatch.setattr(AgentOptions, "agent", lambda options: made.append(str(options.model)) or sys.exit(0))
        (photo.parent / "q.jsonl").write_text(json.dumps({"image": photo.name, "question": "what?", "answer": "x"}))
        questions, out = photo.parent / "q.jsonl", photo.parent / "out"
        asking = {
            "ask": (photo, "what?"), "controls": (photo, "what?"), "serve": (),
            "batch": (questions, out.with_suffix(".jsonl")), "eval": ("jsonl", questions, "--out", out),
        }  # fmt: skip
        for name, arguments in asking.items():
            run(name, *arguments)
            assert made == ["of-the-file"], name
            made.clear()
    others = {
        name for name, found in get_command(app).commands.items() if "base_url" in {each.name for each in found.params}
    }
    assert others - asking.keys() == {"doctor", "mcp"}


def test_the_options_of_the_file_are_those_of_a_policy() -> None:
    assert NAMES[0] == "backend"
    assert {"base_url", "model", "api_key", "coordinates", "seed"} <= set(NAMES)


@pytest.mark.parametrize("content", [b"x = " + b"[" * 5000, b"\xff\xfe", b"#" * 1_000_001, b"= 1"])
def test_a_damaged_file_is_named(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    assert "can't be read" in str(run("config", "show").exception)


def test_an_empty_value_is_named_with_its_file(file: Path, photo: Path) -> None:
    file.parent.mkdir()
    file.write_text('model = ""\n')
    assert f"model in {file} is empty" in str(run("ask", photo, "what?").exception)


def test_a_byte_order_mark_before_the_settings_is_passed_over(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b'\xef\xbb\xbfmodel = "m"\n')
    assert "model = m" in run("config", "show").output
