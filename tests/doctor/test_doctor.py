"""`hart-agent doctor` against a real server on loopback that plays models of every habit."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from loopback import Behaviour, Loopback, endless, refuse, say, serve
from PIL import Image
from pointing_model import SPACES, play
from typer.testing import CliRunner

from hart_agent.backends import PolicyOptions
from hart_agent.cli import app
from hart_agent.doctor import Check, Report, Status, examine_embedded, examine_server, server_checks
from hart_agent.doctor import examine as examine_backend
from hart_agent.errors import ConfigError
from hart_agent.ocr import models

KEY = "secret1"


@pytest.fixture(autouse=True, scope="module")
def same_noise() -> Iterator[None]:
    """One image of noise for each size: to draw, encode and decode them took two thirds of an examination's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_checks, "noisy_view", cache(server_checks.noisy_view))
        yield


def examine(server: Loopback, **options: Any) -> Report:
    return asyncio.run(examine_server(server.url, options.pop("model", None), options.pop("api_key", None), **options))


def found(report: Report) -> dict[str, Check]:
    return {check.name: check for check in report.checks}


@pytest.mark.parametrize("space", SPACES)
def test_the_space_in_which_a_model_points_is_found_whatever_its_name(space: str) -> None:
    with serve(play(SPACES[space])) as server:
        report = examine(server)
    assert report.usable
    assert report.flags[:2] == ("--base-url", server.url)
    index = report.flags.index("--coordinates")
    assert report.flags[index + 1] == space
    assert {check.status for check in report.checks} == {Status.OK}, report.to_json()
    assert report.requests == 14
    assert report.seconds < 30


def test_a_model_that_points_at_random_is_not_judged() -> None:
    chance = random.Random(5)
    with serve(play(lambda size, box: [chance.randint(0, 1000) for _ in range(4)])) as server:
        report = examine(server)
    check = found(report)["coordinates"]
    assert check.status is Status.FAIL
    assert check.finding.startswith("cannot tell: its boxes fit no space")
    assert "vision-language model that can point" in check.advice
    assert not report.usable
    assert report.flags == ()


def test_a_model_that_writes_y_first_is_found_out() -> None:
    with serve(play(lambda size, box: [box[1], box[0], box[3], box[2]])) as server:
        report = examine(server)
    assert "y before x, in pixels" in found(report)["coordinates"].finding
    assert not report.usable


def test_a_family_that_writes_y_first_is_expected_to() -> None:
    swapped = play(lambda size, box: [round(1000 * box[i] / size[i % 2]) for i in (1, 0, 3, 2)])
    with serve(swapped, models=[{"id": "gemini-2.5-flash"}]) as server:
        assert found(examine(server))["coordinates"].status is Status.OK
    with serve(play(SPACES["thousand"]), models=[{"id": "gemini-2.5-flash"}]) as server:
        assert "x before y" in found(examine(server))["coordinates"].finding


def test_limits_of_the_server_become_flags_that_work(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.effect_noise((1600, 1200), 80).convert("RGB").save(photo)
    model = {"id": "served", "root": "Qwen/Qwen2.5-VL-7B-Instruct", "max_model_len": 16384}
    behave = play(SPACES["thousand"], most_images=1, most_bytes=600_000, tools=False)
    with serve(behave, models=[model]) as server:
        report = examine(server)
        asked = len(server.bodies)
        done = CliRunner().invoke(app, ["ask", str(photo), "what is there?", *report.flags])
    assert report.usable
    for flag in ("--coordinates thousand", "--max-images 1", "--tool-format text", "--max-context-tokens 16384"):
        assert f" {flag} " in f"{report.command} "
    assert int(report.flags[report.flags.index("--max-pixels") + 1]) < 1_200_000
    checks = found(report)
    assert "--limit-mm-per-prompt" in checks["images"].advice
    assert "client_max_body_size" in checks["image size"].advice
    assert "--enable-auto-tool-choice" in checks["native calls"].advice
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "x"
    assert not any("tools" in body for body in server.bodies[asked:])


@pytest.mark.parametrize(
    ("most", "too_many", "requests"),
    [
        (5, "At most {} images may be provided.", 3),
        (1, "I do not like it", 1),
        (3, "I do not like it", 3),
        (7, "I do not like it", 5),
        (8, "I do not like it", 3),
    ],
)
def test_the_number_of_images_is_exact_and_what_the_server_says_is_heeded(
    most: int, too_many: str, requests: int
) -> None:
    with serve(play(SPACES["unit"], most_images=most, too_many=too_many)) as server:
        report = examine(server)
    check = found(report)["images"]
    assert check.data["images"] == most
    assert check.status is (Status.OK if most == 8 else Status.WARN)
    assert sum(json.dumps(body).count('"image_url":') > 1 for body in server.bodies) == requests


BAD: dict[str, tuple[Behaviour, str]] = {
    "wrong key": (refuse(401, f"Incorrect API key: {KEY}"), "OPENAI_API_KEY"),
    "wrong path": (refuse(404, "Not Found"), "/v1"),
    "no images": (refuse(400, "At most 0 image(s) may be provided in one prompt."), "serve a vision-language model"),
    "broken": (refuse(500, "oops"), "its log"),
    "never done": (endless, "--max-seconds"),
    "words only": (say(f"I see {KEY}"), "vision-language model that can point"),
    "no content": (say(None), "vision-language model that can point"),
}


@pytest.mark.parametrize("name", BAD)
def test_every_failing_check_says_what_to_change(name: str) -> None:
    behaviour, said = BAD[name]
    with serve([behaviour]) as server:
        report = examine(server, api_key=KEY, max_seconds=1.5 if behaviour is endless else 30.0)
    assert not report.usable
    assert said in found(report)["coordinates"].advice
    assert all(check.advice for check in report.checks if check.status is not Status.OK)
    assert KEY not in repr(report) + json.dumps(report.to_json())
    assert report.seconds < (4 if behaviour is endless else 30)


@pytest.mark.long
@pytest.mark.parametrize(("hangs_after", "usable"), [(2, False), (6, True)])
def test_a_server_that_is_too_slow_is_called_slow_and_nothing_else(hangs_after: int, usable: bool) -> None:
    quick = play(SPACES["pixel"])
    with serve(lambda body, number: endless if number >= hangs_after else quick(body, number)) as server:
        report = examine(server, max_seconds=2.5 if usable else 1.0)
    checks = found(report)
    assert report.seconds < 4
    assert report.usable is usable, report.to_json()
    assert ("no time was left" in checks["coordinates"].finding) is not usable
    assert {checks[name].status for name in ("images", "native calls", "text calls")} == {Status.SKIP}
    assert all("--max-seconds" in check.advice for check in report.checks if check.status is not Status.OK)


def test_a_parameter_that_is_refused_does_not_stop_the_examination() -> None:
    usual = play(SPACES["thousand"])

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model."
        return refuse(400, message) if "max_tokens" in body else usual(body, number)

    with serve(behave) as server:
        assert examine(server).usable


def test_several_models_have_to_be_named() -> None:
    with serve(play(SPACES["pixel"]), models=({"id": "a"}, {"id": "b"})) as server:
        report = examine(server)
        assert not report.usable
        assert "a, b" in report.checks[0].advice
        assert examine(server, model="b").usable


def test_the_command_says_what_is_wrong_and_never_the_key() -> None:
    with serve(play(SPACES["thousand"])) as server:
        command = [sys.executable, "-m", "hart_agent", "doctor", "--base-url", server.url, "--api-key", KEY]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"hart-agent ask IMAGE QUESTION --base-url {server.url} --model qwen2.5-vl" in done.stdout
        assert set(server.keys) == {f"Bearer {KEY}"}
    assert KEY not in done.stdout + done.stderr
    down = CliRunner().invoke(app, [*command[3:], "--json"])
    assert down.exit_code == 4
    report = json.loads(down.stdout)
    assert (report["usable"], report["command"], report["checks"][0]["status"]) == (False, "", "fail")
    assert server.url in report["checks"][0]["finding"]
    assert "Start the server" in report["checks"][0]["advice"]
    assert KEY not in down.output


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve([refuse(401, f"Incorrect API key: {KEY}")]) as server:
        done = CliRunner().invoke(app, ["doctor", "--base-url", server.url])
    assert done.exit_code == 4
    assert server.keys[-1] == f"Bearer {KEY}"
    assert "***" in done.output
    assert KEY not in done.output


def test_what_the_server_writes_can_not_steer_the_terminal() -> None:
    with serve([refuse(400, "\x1b[31m[bold]")]) as server:
        done = CliRunner().invoke(app, ["doctor", "--base-url", server.url])
    assert done.exit_code == 4
    assert "\x1b" not in done.output
    assert "[bold]" in done.output


def test_the_embedded_reader_only_has_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    done = CliRunner().invoke(app, ["doctor", "--backend", "embedded", "--json"])
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert [check["name"] for check in report["checks"]] == ["models"]
    assert report["flags"] == ["--backend", "embedded"]

    def missing(name: str) -> Path:
        raise FileNotFoundError(f"{name} not found")

    monkeypatch.setattr(models, "_path", missing)
    broken = asyncio.run(examine_embedded())
    assert not broken.usable
    assert "pip install" in broken.checks[0].advice
    with pytest.raises(ConfigError, match="takes no --model"):
        asyncio.run(examine_embedded(PolicyOptions(model="x")))


def test_a_backend_that_does_not_exist_is_named() -> None:
    done = CliRunner().invoke(app, ["doctor", "--backend", "vlm"])
    assert isinstance(done.exception, ConfigError)
    assert "choose one of: embedded, openai, transformers, vllm" in str(done.exception)


def test_a_backend_of_a_file_is_examined(tmp_path: Path) -> None:
    """One that takes no limit of tokens, and never points."""
    (tmp_path / "shy.py").write_text(
        "from hart_agent import ScriptedPolicy\n"
        "class Shy(ScriptedPolicy):\n"
        "    accepts = frozenset({'model', 'base_url'})\n"
        "    def __init__(self, model, base_url):\n"
        "        super().__init__(lambda messages, tools: 'I would rather not.')\n"
    )
    backend = f"{tmp_path / 'shy.py'}:Shy"
    report = asyncio.run(examine_backend(backend, PolicyOptions(model="m", base_url="http://localhost:1")))
    assert not report.usable
    assert report.model == "scripted"
    assert report.base_flags == ("--backend", backend, "--base-url", "http://localhost:1", "--model", "m")


def test_a_model_in_this_process_needs_a_name() -> None:
    done = CliRunner().invoke(app, ["doctor", "--backend", "transformers"])
    assert isinstance(done.exception, ConfigError)
    assert "--model" in str(done.exception)


@pytest.mark.parametrize("most_bytes", [2_500_000, 10**9])
def test_larger_views_than_the_default_are_tried(most_bytes: int) -> None:
    """Noise of 1.2 megapixels is under 2.5 MB as a data URL, of 4.8 over it."""
    with serve(play(SPACES["thousand"], most_bytes=most_bytes)) as server:
        report = examine(server)
    check = found(report)["larger images"]
    assert check.status is Status.OK
    assert "--max-pixels" not in report.flags
    if most_bytes == 10**9:
        assert check.data["pixels"] > 3_500_000
        assert "--max-pixels may be up to" in check.finding
    else:
        assert check.data["pixels"] is None
        assert "not accepted" in check.finding


def test_a_password_in_the_address_is_not_shown() -> None:
    with serve(play(SPACES["pixel"])) as server:
        report = asyncio.run(examine_server(server.url.replace("//", "//user:hunter2@"), None, None))
    assert report.usable
    assert "hunter2" not in json.dumps(report.to_json())
