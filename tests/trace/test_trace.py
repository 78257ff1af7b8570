"""Results and traces as JSON: the documented keys, no pixels, written whole or not at all, replayable."""

from __future__ import annotations

import hashlib
import json
import math
import resource
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hart_agent import Agent, Box, EpisodeConfig, ScriptedPolicy, SourceImage, Trajectory
from hart_agent.errors import ConfigError, OutputError
from hart_agent.trace import result_json, trace_json, write_trace
from hart_agent.vision.geometry import Size

SCRIPT = (
    tool_call("zoom", bbox_2d=[100, 100, 300, 200]) + tool_call("crop", bbox_2d=[0, 0, 99.5, 50], label="a", text="S"),
    tool_call("crop", bbox_2d=[5, 5, 60, 40], image="view1", label="b"),
    tool_call("zoom", bbox_2d=[9, 9, 1, 1]),
    tool_call("verify", answer="STOP"),
    "<answer>stop</answer>",
    answer("STOP"),
)  # fmt: skip

TRACE_ONLY = {"schema", "version", "profile", "overview"}


@pytest.fixture
def trajectory(coded_path: Path) -> Trajectory:
    return Agent(ScriptedPolicy(SCRIPT)).ask(coded_path, "what does the sign say?")


def test_the_result_has_the_documented_keys_and_values(trajectory: Trajectory, coded_path: Path) -> None:
    result = result_json(trajectory)
    assert list(result) == [
        "question", "answer", "withheld_answer", "reason", "verdict", "crop_only_answer", "evidence", "stop_reason",
        "crops_alone", "untagged", "format_errors", "turns", "image", "policy", "mode", "usage", "seconds",
    ]  # fmt: skip
    assert result["question"] == "what does the sign say?"
    assert (result["answer"], result["verdict"], result["crop_only_answer"]) == ("STOP", "supported", "stop")
    assert (result["reason"], result["stop_reason"], result["policy"]) == (None, "answered", "scripted")
    assert result["image"] == {
        "path": str(coded_path),
        "width": 3200,
        "height": 2400,
        "sha256": hashlib.sha256(coded_path.read_bytes()).hexdigest(),
    }
    assert [list(item) for item in result["evidence"]] == [["box", "label", "text"], ["box", "label"]]
    assert result["evidence"][0]["box"] == list(trajectory.evidence[0].box.as_tuple())
    assert result["usage"] == {"input_tokens": 0, "output_tokens": 0, "requests": 6}
    assert 0 < result["seconds"] < 60


def test_turns_record_every_call_as_it_was_written_and_what_came_of_it(trajectory: Trajectory) -> None:
    turns = result_json(trajectory)["turns"]
    assert [turn["text"] for turn in turns] == [*SCRIPT[:4], SCRIPT[5]]
    assert {tuple(turn) for turn in turns} == {("text", "calls", "feedback", "seconds")}
    calls = [call for turn in turns for call in turn["calls"]]
    assert {tuple(call) for call in calls} == {
        ("id", "name", "arguments", "raw", "result", "error", "views", "seconds")
    }
    assert [(call["name"], call["error"]) for call in calls] == [
        ("zoom", None), ("crop", None), ("crop", None), ("zoom", "tool_arguments"), ("verify", None)
    ]  # fmt: skip
    assert calls[0]["arguments"] == {"bbox_2d": [100, 100, 300, 200]}
    assert json.loads(calls[0]["raw"]) == {"name": "zoom", "arguments": calls[0]["arguments"]}
    assert calls[2]["result"] == trajectory.turns[1].results[0].text


def test_a_result_without_an_answer_says_why(coded_path: Path) -> None:
    result = result_json(Agent(ScriptedPolicy(["<abstain>too dark</abstain>"])).ask(coded_path, "what?"))
    assert (result["answer"], result["reason"], result["verdict"]) == (None, "too dark", "unchecked")
    assert (result["stop_reason"], result["evidence"], result["crop_only_answer"]) == ("abstained", [], None)


def numbers_in_a_row(value: Any) -> int:
    """The longest list of numbers anywhere inside."""
    if isinstance(value, dict):
        return max(map(numbers_in_a_row, value.values()), default=0)
    if isinstance(value, list):
        return max([len(value) if all(isinstance(item, int | float) for item in value) else 0,
                    *map(numbers_in_a_row, value)])  # fmt: skip
    return 0


def test_a_trace_is_strict_json_without_pixels(trajectory: Trajectory) -> None:
    trace = trace_json(trajectory)
    text = json.dumps(trace, allow_nan=False)
    assert json.loads(text) == trace
    assert len(text) < 20_000
    assert numbers_in_a_row(trace) == 4
    assert (trace["schema"], trace["version"]) == ("hart-agent/trace", 1)
    assert {key: value for key, value in trace.items() if key not in TRACE_ONLY} == result_json(trajectory)
    assert trace["profile"] == {
        "space": "pixel",
        "budget": {"max_pixels": 1_000_000, "grid": 1, "min_side": 32, "max_aspect": 100.0, "max_magnification": 4.0},
    }


def test_every_view_of_a_trace_can_be_rendered_again(trajectory: Trajectory, coded_path: Path, tmp_path: Path) -> None:
    write_trace(trajectory, tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    views = [trace["overview"], *(view for turn in trace["turns"] for call in turn["calls"] for view in call["views"])]
    assert [view["id"] for view in views] == ["overview", "view1", "view2", "view3"]
    for order in (views, reversed(views)):  # whatever is decoded first
        with SourceImage(coded_path) as source:
            for view in order:
                pixels = source.render(Box(*view["box"]), Size(view["width"], view["height"]))
                assert hashlib.sha256(pixels.tobytes()).hexdigest() == view["sha256"]


@pytest.mark.parametrize("first", ["overview", "region"])
def test_an_overview_of_a_jpeg_is_the_same_whatever_was_decoded_before(tmp_path: Path, first: str) -> None:
    x = Image.linear_gradient("L").resize((1600, 1200))
    Image.merge("RGB", [x, x.rotate(180), x]).save(tmp_path / "photo.jpg")
    fresh, used = SourceImage(tmp_path / "photo.jpg"), SourceImage(tmp_path / "photo.jpg")
    used.render(Box(0, 0, 100, 100) if first == "region" else used.size.box, Size(100, 100))
    overviews = [source.render(source.size.box, Size(300, 225)).tobytes() for source in (fresh, used)]
    assert overviews[0] == overviews[1]


def test_a_trace_is_written_whole_or_not_at_all(trajectory: Trajectory, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text("old")
    write_trace(trajectory, path)
    assert json.loads(path.read_text(encoding="utf-8"))["answer"] == "STOP"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.json can't be written: it is a folder"):
        write_trace(trajectory, tmp_path / "folder.json")
    with pytest.raises(ConfigError, match="there is no folder"):
        write_trace(trajectory, tmp_path / "missing" / "trace.json")
    assert {item.name for item in tmp_path.iterdir()} == {"trace.json", "folder.json"}


def test_a_failure_half_way_leaves_the_old_trace(trajectory: Trajectory, tmp_path: Path) -> None:
    """The file may not grow beyond 100 bytes, as on a disk that is full."""
    path = tmp_path / "trace.json"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OutputError, match="File too large"):
            write_trace(trajectory, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@given(st.text(max_size=40) | st.sampled_from(["\ud800", "\x1b[31m", "\x00", "a\u2028b", "🙂"]))
def test_any_text_of_the_model_can_be_traced(tmp_path: Path, text: str) -> None:
    image = Image.new("RGB", (64, 64))
    call = f'<tool_call>{{"name": "crop", "arguments": {{"label": {json.dumps(text)}}}}}</tool_call>'
    config = EpisodeConfig(max_turns=3)
    write_trace(Agent(ScriptedPolicy([text, call, answer(text)]), config=config).ask(image, "q"), tmp_path / "t.json")
    trace = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    assert trace["turns"][0]["text"] == text


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "[" * 2000 + "]" * 2000, "1" + "0" * 400])
def test_hostile_arguments_never_break_a_trace(tmp_path: Path, number: str) -> None:
    call = f'<tool_call>{{"name": "zoom", "arguments": {{"bbox_2d": [{number}, 0, 9, 9]}}}}</tool_call>'
    trajectory = Agent(ScriptedPolicy([call, answer("x")])).ask(Image.new("RGB", (64, 64)), "what?")
    assert trajectory.answer == "x"
    write_trace(trajectory, tmp_path / "t.json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    trace = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert math.isfinite(trace["seconds"])
