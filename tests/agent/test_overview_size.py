"""A smaller overview: regions are found at a low resolution and cut out at the full one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image

from hart_agent import (
    Agent,
    ConfigError,
    CoordinateProfile,
    CoordinateSpace,
    EpisodeConfig,
    Mode,
    ScriptedPolicy,
    Trajectory,
    ViewBudget,
)
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.trace import load_trace, replay, write_trace
from hart_agent.vision.opening import open_image

IMAGE = Image.effect_noise((800, 600), 80).convert("RGB")


def ask(image: Image.Image | str, pixels: int | None, mode: Mode = Mode.CLOSED_LOOP, grid: int = 1) -> Trajectory:
    policy = ScriptedPolicy([tool_call("crop", bbox_2d=[250, 500, 500, 750], label="x"), answer("STOP")])
    policy.profile = CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=480_000, grid=grid))
    config = EpisodeConfig(mode, overview_pixels=pixels)
    return Agent(policy, config=config, verify=False).ask(image, "what?")


def test_boxes_on_a_smaller_overview_are_of_the_same_region_and_crops_are_as_sharp() -> None:
    small, usual = ask(IMAGE, 30_000), ask(IMAGE, None)
    assert (small.overview.frame.size.width, small.overview.frame.size.height) == (200, 150)
    assert (usual.overview.frame.size.width, usual.overview.frame.size.height) == (800, 600)
    assert small.evidence == usual.evidence
    assert small.evidence[0].box.as_tuple() == (200, 300, 400, 450)
    crops = [run.turns[0].results[0].views[0] for run in (small, usual)]
    assert crops[0].sha256 == crops[1].sha256  # at the original's resolution


def test_it_stays_on_the_grid_and_within_the_budget() -> None:
    size = ask(IMAGE, 30_000, grid=28).overview.frame.size
    assert size.width % 28 == size.height % 28 == 0
    assert size.area <= 30_000
    assert ask(IMAGE, 10**9).overview == ask(IMAGE, None).overview
    assert ask(IMAGE, 1, grid=28).overview.frame.size.area <= 2 * 28 * 28 * 2
    with pytest.raises(ConfigError, match="overview_pixels must be positive"):
        EpisodeConfig(overview_pixels=0)


def guessed(*script: str, **limits: Any) -> tuple[Trajectory, list[Sequence[Message]]]:
    heard: list[Sequence[Message]] = []

    class Heard(ScriptedPolicy):
        async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
            heard.append(list(messages))
            said = await super().reply(messages, tools)
            return replace(said, usage=Usage(10, 5, 1))

    profile = CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=480_000))
    agent = Agent(Heard(script, profile), config=EpisodeConfig(**limits), verify=False, guess_overview=True)
    return agent.ask(IMAGE, "what?"), heard


@pytest.mark.parametrize(
    ("guess", "area"),
    [
        ([[0, 0, 1000, 1000]], 30_000),  # 64 x 64 pixels would do; it isn't made smaller than the first view
        ([[0, 0, 1000, 1000], [100, 100, 300, 300]], 64 * 64 * 25),  # the smaller one is a 25th of the image
        ([[500, 500, 510, 510]], 480_000),
        ([[500, 500, 400, 600]], 480_000),  # no region
        ([], 480_000),
    ],
)
def test_the_size_that_a_guess_needs(guess: list[list[int]], area: int) -> None:
    calls = "".join(tool_call("crop", bbox_2d=box, label="x") for box in guess) or "I see nothing"
    run, heard = guessed(calls, answer("STOP"))
    assert run.answer == "STOP"
    assert run.glance is not None
    assert [view.frame.size.area for messages in heard for message in messages for view in message.views] == [
        run.glance.frame.size.area, run.overview.frame.size.area,
    ]  # fmt: skip
    assert run.glance.frame.size.area == 30_000
    assert run.overview.frame.size.area == pytest.approx(area, rel=0.01)
    assert run.evidence == ()  # a guess commits nothing
    assert run.usage == Usage(20, 10, 2)
    assert len(run.turns) == 1


def test_a_guess_that_fails_costs_no_answer() -> None:
    run, _ = guessed(answer("STOP"))  # it answers when it is asked for a guess, and then has no more to say
    assert (run.overview.frame.size.area, run.stop_reason) == (480_000, "policy_error")
    assert ask(IMAGE, None).glance is None
    with pytest.raises(ConfigError, match="the tool 'crop'"):
        Agent(ScriptedPolicy([]), tools=[], guess_overview=True).ask(IMAGE, "what?")


def test_a_trace_of_it_can_be_run_again(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    IMAGE.save(path)
    for pixels in (30_000, None):
        write_trace(ask(str(path), pixels), tmp_path / "t.json")
        again = replay(load_trace(tmp_path / "t.json"), open_image(str(path)))
        assert [call.difference for call in again.calls] == [None, None]
