"""Boxes of another space than the policy's: they go back, commit nothing, and the user hears of two in a row."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hart_agent import Agent, ScriptedPolicy, Trajectory
from hart_agent.backends.families import detect_profile
from hart_agent.backends.options import ModelOptions
from hart_agent.errors import ConfigError
from hart_agent.trace.json import trace_json, write_trace
from hart_agent.trace.load import load_trace
from hart_agent.trace.replay import replay
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace
from hart_agent.vision.source import SourceImage

IMAGE = Image.effect_noise((2000, 1000), 60).convert("RGB")
"""Its overview is 1000 x 500."""

UNIT_BOX = [0.28, 0.5, 0.52, 0.7]
THOUSAND_BOX = [280, 500, 520, 700]
PIXEL_BOX = [280, 250, 520, 350]
REGION = (560, 500, 1040, 700)
"""In original pixels, as all three of them mean it: 28 to 52 % of 2000, 50 to 70 % of 1000."""


def profile(space: str, *, adaptive: bool = False) -> CoordinateProfile:
    return CoordinateProfile(CoordinateSpace(space), ViewBudget(max_pixels=500_000), adaptive=adaptive)


def crop(box: Any) -> str:
    call = {"name": "crop", "arguments": {"bbox_2d": box, "label": "x"}}
    return f"<tool_call>{json.dumps(call)}</tool_call>"


def ask(spoken: CoordinateProfile, *boxes: Any) -> Trajectory:
    policy = ScriptedPolicy([*map(crop, boxes), "<answer>x</answer>"], spoken)
    return Agent(policy, verify=False).ask(IMAGE, "what?")


def errors(trajectory: Trajectory) -> list[str | None]:
    return [result.error for turn in trajectory.turns for result in turn.results]


def offers(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "--coordinates" in record.getMessage()]


@pytest.mark.parametrize(
    ("spoken", "written", "right"),
    [
        ("thousand", UNIT_BOX, THOUSAND_BOX),
        ("pixel", UNIT_BOX, PIXEL_BOX),
        ("unit", THOUSAND_BOX, UNIT_BOX),
        ("pixel", THOUSAND_BOX, PIXEL_BOX),  # 700 is below the overview's lower edge
    ],
)
def test_a_box_of_another_space_goes_back_with_the_right_form(
    spoken: str, written: Any, right: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    trajectory = ask(profile(spoken), written, right)
    refused, accepted = (turn.results[0] for turn in trajectory.turns[:2])
    assert refused.error == "tool_arguments"
    assert not refused.views
    assert all(word in refused.text for word in ("crop: bbox_2d:", f"it is {right} here", "Write a box as"))
    assert not any(word in refused.text for word in ("thousand", "unit", "profile", "schema", "format"))
    assert accepted.error is None
    assert [item.box.as_tuple() for item in trajectory.evidence] == [REGION]
    assert not offers(caplog)  # one alone may be a slip


def test_numbers_beyond_1000_go_back() -> None:
    trajectory = ask(profile("thousand"), [1100, 500, 1500, 700])
    assert errors(trajectory)[0] == "tool_arguments"
    assert "from 0 to 1000" in trajectory.turns[0].results[0].text
    assert not trajectory.evidence


def test_a_slack_of_one_percent_is_no_misfit() -> None:
    trajectory = ask(profile("thousand"), [280, 500, 1009, 1005])
    assert errors(trajectory)[0] is None
    assert "clipped" not in trajectory.turns[0].results[0].text
    assert trajectory.evidence[0].box.as_tuple() == (560, 500, 2000, 1000)


@pytest.mark.parametrize(
    ("spoken", "written", "offered"),
    [
        ("thousand", UNIT_BOX, "unit"),
        ("thousand", [1100, 500, 1500, 700], "pixel"),
        ("pixel", THOUSAND_BOX, "thousand"),
        ("unit", THOUSAND_BOX, "thousand"),
    ],
)
def test_after_two_in_a_row_the_space_that_fits_is_offered_to_the_user(
    spoken: str, written: Any, offered: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    trajectory = ask(profile(spoken), written, written, written)
    assert errors(trajectory)[:3] == ["tool_arguments"] * 3
    assert not trajectory.evidence
    (offer,) = offers(caplog)
    assert f"Try --coordinates {offered}." in offer


def test_a_box_that_fits_in_between_starts_the_count_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ask(profile("thousand"), UNIT_BOX, THOUSAND_BOX, UNIT_BOX)
    assert not offers(caplog)


def test_an_adaptive_profile_follows_the_second_box_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    policy = ScriptedPolicy([*map(crop, [UNIT_BOX] * 3), "<answer>x</answer>"] * 2, profile("thousand", adaptive=True))
    agent = Agent(policy, verify=False)
    first, second = agent.ask(IMAGE, "what?"), agent.ask(IMAGE, "and this?")
    assert errors(first)[:3] == ["tool_arguments", None, None]
    assert {item.box.as_tuple() for item in (*first.evidence, *second.evidence)} == {REGION}
    assert "Boxes are read from 0 to 1" in first.turns[1].results[0].text
    assert errors(second)[:3] == [None] * 3
    assert policy.profile == replace(profile("unit"), adaptive=True)
    assert len(offers(caplog)) == 1


def test_an_adaptive_profile_does_not_follow_boxes_that_fit_nothing() -> None:
    """The overview has 1000 pixels across; a box up to 1500 can't be in pixels of it."""
    policy = ScriptedPolicy([*map(crop, [[1100, 500, 1500, 700]] * 3), "<answer>x</answer>"], profile("thousand"))
    policy.profile = replace(policy.profile, adaptive=True)
    trajectory = Agent(policy, verify=False).ask(IMAGE, "what?")
    assert errors(trajectory)[:3] == ["tool_arguments"] * 3
    assert policy.profile.space is CoordinateSpace.THOUSAND


def test_a_trace_knows_the_space_of_each_call_and_is_replayed(tmp_path: Path) -> None:
    """The first box is good in pixels; the last one is good in the space that was adopted."""
    spoken = profile("pixel", adaptive=True)
    trajectory = ask(spoken, PIXEL_BOX, UNIT_BOX, UNIT_BOX, UNIT_BOX)
    assert errors(trajectory)[:4] == [None, "tool_arguments", None, None]
    path = tmp_path / "trace.json"
    write_trace(trajectory, path)
    trace = load_trace(path)
    calls = [call for turn in trace["turns"] for call in turn["calls"]]
    assert [call["space"] for call in calls] == ["pixel", "pixel", "unit", "unit"]
    outcome = replay(trace, SourceImage(IMAGE))
    assert outcome.same


def test_a_fixed_profile_leaves_no_space_with_each_call() -> None:
    (call,) = trace_json(ask(profile("pixel"), PIXEL_BOX))["turns"][0]["calls"]
    assert "space" not in call


def test_auto_starts_with_the_familys_space() -> None:
    for model, space in (("Qwen/Qwen2.5-VL-7B-Instruct", "pixel"), ("Qwen/Qwen3-VL-8B-Instruct", "thousand")):
        detected = detect_profile(model, space="auto")
        assert detected == replace(detect_profile(model), adaptive=True)
        assert detected.space == space
    with pytest.raises(ConfigError, match=r"pixel \| thousand \| unit \| auto"):
        ModelOptions(coordinates="miles")


def test_a_policy_that_writes_y_first_is_answered_in_its_own_order() -> None:
    spoken = replace(profile("pixel"), y_first=True)
    y_first = [UNIT_BOX[1], UNIT_BOX[0], UNIT_BOX[3], UNIT_BOX[2]]
    trajectory = ask(spoken, y_first, [250, 280, 350, 520])
    refused, accepted = (turn.results[0] for turn in trajectory.turns[:2])
    assert "the box [0.5, 0.28, 0.7, 0.52] does not fit" in refused.text
    assert "it is [250, 280, 350, 520] here" in refused.text
    assert "Write a box as [y0, x0, y1, x1], in pixels, such as [125, 120, 300, 480]" in refused.text
    assert accepted.error is None
    assert [item.box.as_tuple() for item in trajectory.evidence] == [REGION]
