"""`view` and `replay`: the same views, changed images and pixels, missing images, hostile traces."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image

from hart_agent import Agent, CoordinateProfile, CoordinateSpace, ScriptedPolicy, SourceImage, ViewBudget
from hart_agent.cli import main
from hart_agent.errors import ConfigError, ImageError
from hart_agent.tooling.discovery import discover_tools
from hart_agent.trace import find_image, load_trace, replay, trace_json, write_trace

SCRIPT = (
    tool_call("zoom", bbox_2d=[100, 100, 300, 200]) + tool_call("crop", bbox_2d=[0, 0, 99.5, 50], label="a", text="S"),
    tool_call("crop", bbox_2d=[5, 5, 60, 40], image="view1", label="b"),
    tool_call("zoom", bbox_2d=[9, 9, 1, 1]),
    tool_call("verify", answer="STOP"),
    "<answer>stop</answer>",
    tool_call("zoom", bbox_2d=[10, 10, 30, 25], image="view3"),
    answer("STOP"),
)  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, coded_path: Path) -> tuple[Path, Path]:
    """A trace and its image, in one folder."""
    folder = tmp_path_factory.mktemp("recorded")
    image = folder / "coded.png"
    image.write_bytes(coded_path.read_bytes())
    write_trace(Agent(ScriptedPolicy(SCRIPT)).ask(image, "what?"), folder / "trace.json")
    return folder / "trace.json", image


def changed(trace: Path, target: Path, change: Any) -> Path:
    """A copy of the trace after a change."""
    value = json.loads(trace.read_text(encoding="utf-8"))
    change(value)
    target.write_text(json.dumps(value), encoding="utf-8")
    return target


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit code of a command."""
    monkeypatch.setattr(sys, "argv", ["hart-agent", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_a_replay_shows_the_same_views_and_skips_what_asks_the_policy(recorded: tuple[Path, Path]) -> None:
    trace, image = recorded
    outcome = replay(load_trace(trace), SourceImage(image))
    assert outcome.same
    assert [(call.turn, call.name, [view.id for view in call.views], bool(call.skipped)) for call in outcome.calls] == [
        (0, "overview", ["overview"], False),
        (1, "zoom", ["view1"], False),
        (1, "crop", ["view2"], False),
        (2, "crop", ["view3"], False),
        (3, "zoom", [], False),
        (4, "verify", [], True),
        (5, "zoom", ["view4"], False),
    ]


@pytest.mark.parametrize("space", list(CoordinateSpace))
def test_a_replay_reads_boxes_in_the_space_of_the_trace(
    tmp_path: Path, coded_path: Path, space: CoordinateSpace
) -> None:
    budget = ViewBudget(max_pixels=400_000, grid=28, min_side=56, max_aspect=20)
    extent = {"pixel": 400, "thousand": 700, "unit": 0.6}[space.value]
    box = [extent / 4, extent / 4, extent / 2, extent / 3]
    script = [tool_call("zoom", bbox_2d=box), tool_call("crop", bbox_2d=box, image="view1", label="x"), answer("x")]
    policy = ScriptedPolicy([*script, answer("x")], CoordinateProfile(space, budget))
    write_trace(Agent(policy).ask(coded_path, "what?"), tmp_path / "t.json")
    assert replay(load_trace(tmp_path / "t.json"), SourceImage(coded_path)).same


def test_one_changed_pixel_shows_in_the_views_that_hold_it_and_no_others(
    recorded: tuple[Path, Path], tmp_path: Path
) -> None:
    trace, image = recorded
    with Image.open(image) as original:
        pixels = original.copy()
    pixels.putpixel((20, 20), (255, 0, 255))  # in the first crop
    pixels.save(tmp_path / "other.png", compress_level=1)
    found = find_image(load_trace(trace), trace, tmp_path / "other.png")
    assert not found.same
    outcome = replay(load_trace(trace), found.source)
    assert not outcome.same
    assert {view.id: view.same for call in outcome.calls for view in call.views} == {
        "overview": False, "view1": True, "view2": False, "view3": True, "view4": True
    }  # fmt: skip


def test_the_same_pixels_in_another_file_are_the_same_views(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    trace, image = recorded
    with Image.open(image) as original:
        original.save(tmp_path / "again.png", compress_level=3)
    found = find_image(load_trace(trace), trace, tmp_path / "again.png")
    assert (found.same, replay(load_trace(trace), found.source).same) == (False, True)


def test_an_image_in_memory_is_known_by_its_pixels(tmp_path: Path, small: Image.Image) -> None:
    write_trace(Agent(ScriptedPolicy([answer("x")])).ask(small, "what?"), tmp_path / "t.json")
    small.save(tmp_path / "small.png")
    trace = load_trace(tmp_path / "t.json")
    assert find_image(trace, tmp_path / "t.json", tmp_path / "small.png").same
    with pytest.raises(ImageError, match="--image"):
        find_image(trace, tmp_path / "t.json")


def test_a_call_that_differs_spoils_none_behind_it(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    trace, image = recorded

    def break_first(value: Any) -> None:
        value["turns"][0]["calls"][0]["arguments"] = {"bbox_2d": [9, 9, 1, 1]}

    outcome = replay(load_trace(changed(trace, tmp_path / "t.json", break_first)), SourceImage(image))
    assert [call.id for call in outcome.calls if not call.same] == ["call1"]
    assert "tool_arguments" in (outcome.calls[1].difference or "")
    assert outcome.calls[1].views[0].replayed is None


def test_a_tool_that_is_not_installed_is_a_difference(recorded: tuple[Path, Path]) -> None:
    trace, image = recorded
    without = [tool for tool in discover_tools() if tool.name != "zoom"]
    outcome = replay(load_trace(trace), SourceImage(image), without)
    assert not outcome.same
    assert "no tool 'zoom'" in (outcome.calls[1].difference or "")
    assert [call.same for call in outcome.calls if call.name == "crop"] == [True, True]


def test_the_image_is_found_beside_a_trace_that_moved(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    trace, image = recorded
    (tmp_path / "t.json").write_bytes(trace.read_bytes())
    (tmp_path / "coded.png").write_bytes(image.read_bytes())
    value = load_trace(tmp_path / "t.json")
    value["image"]["path"] = "/no/such/folder/coded.png"
    found = find_image(value, tmp_path / "t.json")
    assert (found.same, found.source.path) == (True, tmp_path / "coded.png")
    Image.new("RGB", (3200, 2400)).save(tmp_path / "coded.png")
    assert not find_image(value, tmp_path / "t.json").same


def test_replay_exits_0_1_or_2(
    recorded: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, _ = recorded
    assert command(monkeypatch, "replay", trace) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "5 of 5 views are the same; 1 calls were skipped"
    assert "skipped    turn 4: verify (call5): it asks the policy" in printed.out
    assert printed.err == ""

    Image.new("RGB", (3200, 2400)).save(tmp_path / "black.png")
    assert command(monkeypatch, "replay", trace, "--image", tmp_path / "black.png", "--json") == 1
    printed = capsys.readouterr()
    outcome = json.loads(printed.out)
    assert (outcome["same"], outcome["same_image"]) == (False, False)
    assert [call["same"] for call in outcome["calls"]] == [False, False, False, False, True, None, False]
    assert "not the very image" in printed.err

    Image.new("RGB", (320, 240)).save(tmp_path / "small.png")
    (tmp_path / "text.png").write_text("no image")
    for path in (tmp_path / "small.png", tmp_path / "missing.png", tmp_path / "text.png"):
        assert command(monkeypatch, "replay", trace, "--image", path) == 2
        printed = capsys.readouterr()
        assert (printed.out, len(printed.err.splitlines())) == ("", 1)
        assert path.name in printed.err
    assert command(monkeypatch, "replay", tmp_path / "none.json") == 2


def test_view_writes_the_page_beside_the_trace_and_prints_its_path(
    recorded: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, image = recorded
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert command(monkeypatch, "view", trace, "--open") == 0
    assert capsys.readouterr().out.splitlines() == [str(trace.with_suffix(".html"))]
    assert opened == [trace.with_suffix(".html").as_uri()]
    assert trace.with_suffix(".html").read_text(encoding="utf-8").startswith("<!doctype html>")

    Image.new("RGB", (3200, 2400)).save(tmp_path / "black.png")
    assert command(monkeypatch, "view", trace, "--image", tmp_path / "black.png", "--out", tmp_path / "p.html") == 0
    assert "not the very image" in capsys.readouterr().err
    assert 'role="alert"' in (tmp_path / "p.html").read_text(encoding="utf-8")

    for out in (trace, tmp_path / "no" / "page.html", tmp_path):
        assert command(monkeypatch, "view", trace, "--image", image, "--out", out) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    load_trace(trace)  # it was not overwritten


def test_ask_writes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (400, 300), "white").save(tmp_path / "blank.png")
    target = tmp_path / "page.html"
    command(monkeypatch, "ask", tmp_path / "blank.png", "what does the sign say?", "-q", "--html", target)
    assert "what does the sign say?" in target.read_text(encoding="utf-8")
    assert command(monkeypatch, "ask", tmp_path / "blank.png", "what?", "--html", tmp_path / "no" / "page.html") == 2


def put(*path: str | int, value: Any) -> Any:
    def change(trace: Any) -> None:
        for key in path[:-1]:
            trace = trace[key]
        trace[path[-1]] = value

    return change


VIEW = ("turns", 0, "calls", 0, "views", 0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("schema", value="other"), "schema"),
        (put("version", value=2), "version 2"),
        (put("version", value="1"), "version"),
        (lambda trace: trace.pop("profile"), "'profile' is a required property"),
        (put("profile", "space", value="furlong"), r"profile\.space"),
        (put("profile", "budget", "max_pixels", value=10**12), r"budget\.max_pixels"),
        (put("profile", "budget", "grid", value=10**9), r"budget\.grid"),
        (put("profile", "budget", "surprise", value=1), "surprise"),
        (put("image", "sha256", value="../../x"), r"image\.sha256"),
        (put("image", "path", value=7), r"image\.path"),
        (put("turns", value={}), "turns"),
        (put("turns", 0, "text", value=None), r"turns\.0\.text"),
        (put("turns", 0, "calls", 0, "arguments", value=[]), r"turns\.0\.calls\.0\.arguments"),
        (put(*VIEW, "box", value=[0, 0, 10]), r"turns\.0\.calls\.0\.views\.0\.box"),
        (put(*VIEW, "box", value=[10, 0, 10, 9]), r"views\.0\.box: \[10, 0, 10, 9\] is no region"),
        (put(*VIEW, "box", value=[0, 0, 3201, 9]), "is no region of an image of 3200x2400"),
        (put(*VIEW, "width", value=0), r"views\.0\.width"),
        (lambda trace: [put(*VIEW, side, value=10**6)(trace) for side in ("width", "height")], "too large"),
        (put("evidence", 0, "box", value=["a", 0, 1, 1]), r"evidence\.0\.box\.0"),
        (put("evidence", 0, "label", value=["\x1b[2J"]), r"evidence\.0\.label"),
        (put("overview", "id", value="view9"), r"overview\.id: expected 'overview'"),
        (put(*VIEW, "id", value="overview"), "two views are called 'overview'"),
        (put("seconds", value=-1), "seconds"),
        (put("verdict", value="\x1b[2Jtrue"), "verdict"),
    ],
)
def test_an_invalid_trace_is_refused_and_the_message_names_what_is_wrong(
    recorded: tuple[Path, Path], tmp_path: Path, change: Any, named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as refused:
        load_trace(changed(recorded[0], tmp_path / "t.json", change))
    assert "t.json" in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "{", "\xff", "[" * 100_000, '{"schema": NaN}', "1" * 5000,
     '{"schema": "hart-agent/trace", "version": 1, "question": ' + "[" * 900 + "]" * 900 + "}"],
)  # fmt: skip
def test_what_is_no_trace_at_all_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"t\.json"):
        load_trace(tmp_path / "t.json")


@pytest.mark.parametrize(
    "path", ["/dev/zero", "/etc/passwd", "..", "a\x00b", "x" * 5000, "\x1b[2J", "file://[::1", "file://%00"]
)
def test_a_trace_can_only_lead_to_images(recorded: tuple[Path, Path], path: str) -> None:
    trace = load_trace(recorded[0])
    trace["image"]["path"] = path
    with pytest.raises(ImageError) as refused:
        find_image(trace, recorded[0].parent / "elsewhere" / "t.json")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("arguments", [{"bbox_2d": [1e999, 0, 9, 9]}, {"bbox_2d": [10**400, 0, 9, 9]}, {"x": "\ud800"}])
def test_hostile_arguments_are_a_difference_and_no_crash(recorded: tuple[Path, Path], arguments: Any) -> None:
    trace, image = recorded
    loaded = load_trace(trace)
    loaded["turns"][0]["calls"][0]["arguments"] = arguments
    outcome = replay(loaded, SourceImage(image))
    assert [call.same for call in outcome.calls][:3] == [True, False, True]
    json.dumps(outcome.as_json())


@pytest.mark.parametrize("renamed", [False, True])
def test_evidence_whose_view_was_taken_out_or_renamed_breaks_no_tool(
    recorded: tuple[Path, Path], caplog: pytest.LogCaptureFixture, renamed: bool
) -> None:
    """A tool that looks the evidence's views up would seem to have a bug."""
    trace, image = recorded
    loaded = load_trace(trace)
    for turn in loaded["turns"]:
        for call in turn["calls"]:
            call["views"] = [{**view, "id": f"{view['id']} again"} for view in call["views"]] if renamed else []
    replay(loaded, SourceImage(image))
    assert "bug" not in caplog.text


def test_what_was_written_is_what_is_read(recorded: tuple[Path, Path], tmp_path: Path, small: Image.Image) -> None:
    trajectory = Agent(ScriptedPolicy(["<abstain>too dark</abstain>"])).ask(small, "what?")
    write_trace(trajectory, tmp_path / "t.json")
    assert load_trace(tmp_path / "t.json") == trace_json(trajectory)
