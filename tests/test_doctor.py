"""`hart-agent doctor` against a real server on loopback that plays models of every habit."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Behaviour, Loopback, refuse, say, serve
from PIL import Image

from hart_agent.backends.profiles import detect_profile
from hart_agent.doctor import Report, Status, examine_server
from hart_agent.doctor.drawings import scenes
from hart_agent.doctor.fit import Sample, fit_space
from hart_agent.geometry import CoordinateSpace

Box = Callable[[tuple[int, int], tuple[int, int, int, int]], list[float]]
SPACES: dict[str, Box] = {
    "pixel": lambda size, box: list(box),
    "thousand": lambda size, box: [round(1000 * v / size[i % 2]) for i, v in enumerate(box)],
    "unit": lambda size, box: [round(v / size[i % 2], 3) for i, v in enumerate(box)],
}


def find_red(url: str) -> tuple[tuple[int, int], tuple[int, int, int, int]] | None:
    """The size of the image that was sent, and the bounds of what is red in it."""
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    pixels = np.asarray(image).astype(int)
    rows, columns = np.nonzero((pixels[..., 0] > 150) & (pixels[..., 1] < 90) & (pixels[..., 2] < 90))
    if not len(rows):
        return None
    return image.size, (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def play(box: Box, *, most_images: int = 99, tools: bool = True) -> Callable[[dict[str, Any], int], Behaviour]:
    """A model that points in one way, behind a server with limits."""

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        content = body["messages"][-1]["content"]
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        text = " ".join(part["text"] for part in parts if part["type"] == "text")
        if len(urls) > most_images:
            return refuse(400, f"At most {most_images} image(s) may be provided in one prompt.")
        if body.get("tools"):
            if not tools:
                return refuse(
                    400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
                )
            return say("", calls=[("press", '{"number": 7}')])
        if "button 7" in text:
            return say('<tool_call>{"name": "press", "arguments": {"number": 7}}</tool_call>')
        if "four five six" in text:
            return say("one two three <answer>STOP")
        found = find_red(urls[0]) if len(urls) == 1 else None
        return say(json.dumps({"bbox_2d": box(*found)}) if found else "OK")

    return behave


def examine(server: Loopback, **options: Any) -> Report:
    return asyncio.run(examine_server(server.url, options.pop("model", None), options.pop("api_key", None), **options))


def status(report: Report) -> dict[str, Status]:
    return {check.name: check.status for check in report.checks}


@pytest.mark.parametrize("space", SPACES)
def test_the_space_in_which_a_model_points_is_found_whatever_its_name(space: str) -> None:
    with serve(play(SPACES[space])) as server:
        report = examine(server)
    assert report.usable
    assert report.flags[:2] == ("--base-url", server.url)
    index = report.flags.index("--coordinates")
    assert report.flags[index + 1] == space
    assert set(status(report).values()) == {Status.OK}, report.to_json()
    assert report.requests <= 25
    assert report.seconds < 30


def test_a_model_that_points_at_random_is_not_judged() -> None:
    chance = random.Random(5)
    with serve(play(lambda size, box: [chance.randint(0, 1000) for _ in range(4)])) as server:
        report = examine(server)
    (check,) = [check for check in report.checks if check.name == "coordinates"]
    assert check.status is Status.FAIL
    assert check.finding.startswith("cannot tell")
    assert not report.usable
    assert report.flags == ()


def test_limits_of_the_server_become_flags() -> None:
    with serve(play(SPACES["pixel"], most_images=1, tools=False)) as server:
        report = examine(server)
    assert report.usable
    assert " --max-images 1 " in f"{report.command} "
    assert "--tool-format text" in report.command
    (images,) = [check for check in report.checks if check.name == "images"]
    assert "--limit-mm-per-prompt" in images.advice


def test_several_models_have_to_be_named() -> None:
    with serve(play(SPACES["pixel"]), models=({"id": "a"}, {"id": "b"})) as server:
        report = examine(server)
        assert not report.usable
        assert "a, b" in report.checks[0].advice
        assert examine(server, model="b").usable


def test_the_command_says_what_is_wrong_and_never_the_key() -> None:
    command = [
        sys.executable,
        "-m",
        "hart_agent",
        "doctor",
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--api-key",
        "secret1",
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 4, done.stderr
    report = json.loads(done.stdout)
    assert (report["usable"], report["command"], report["checks"][0]["status"]) == (False, "", "fail")
    assert report["checks"][0]["advice"]
    with serve(play(SPACES["thousand"])) as server:
        command[5] = server.url
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hart-agent ask IMAGE QUESTION --base-url" in done.stdout
    assert "secret1" not in done.stdout + done.stderr


def samples(answer: Callable[[Any], tuple[float, ...]]) -> list[Sample]:
    drawn = scenes(detect_profile("qwen2.5-vl").budget)
    return [Sample(scene.view.frame.size, scene.target, answer(scene)) for scene in drawn]  # type: ignore[arg-type]


@given(st.sampled_from(CoordinateSpace), st.floats(0, 0.03), st.integers(0, 2**32))
def test_a_noisy_model_of_any_space_is_recognised(space: CoordinateSpace, noise: float, seed: int) -> None:
    chance = random.Random(seed)

    def answer(scene: Any) -> tuple[float, ...]:
        exact = scene.view.frame.from_original(scene.target, space)
        sides = space.extent(scene.view.frame.size) * 2
        return tuple(v + chance.uniform(-noise, noise) * side for v, side in zip(exact, sides, strict=True))

    fit = fit_space(samples(answer))
    assert (fit.space, fit.swapped) == (space, False)


def test_random_answers_are_hardly_ever_believed() -> None:
    chance = random.Random(1)
    tops = (1.0, 1000.0, 1500.0)
    fits = [
        fit_space(samples(lambda _: tuple(chance.uniform(0, chance.choice(tops)) for _ in range(4))))
        for _ in range(400)
    ]
    assert sum(fit.space is not None for fit in fits) <= 0.05 * len(fits)
