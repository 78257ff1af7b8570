"""The optional tools, against pictures whose truth is known and against other libraries."""

from __future__ import annotations

import asyncio
import colorsys
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import answer, coded_pixels, tool_call
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor, ImageDraw, ImageFont
from variations import slow_but

from hart_agent import (
    Agent,
    Box,
    CoordinateProfile,
    CoordinateSpace,
    ScriptedPolicy,
    ToolContext,
    ToolRuntime,
    ViewBudget,
)
from hart_agent.dialogue.messages import ToolCall
from hart_agent.tooling.discovery import all_tools, discover_tools, with_extra_tools
from hart_agent.tooling.records import ToolResult
from hart_agent.trace import load_trace, replay, write_trace
from hart_agent.vision.source import ImageInput, SourceImage, View


class Desk:
    """All tools on an image. With the budget of 800 x 600, an overview of 3200 x 2400 is shrunk four times."""

    def __init__(self, image: ImageInput, space: CoordinateSpace = CoordinateSpace.PIXEL, grid: int = 1) -> None:
        policy = ScriptedPolicy([], CoordinateProfile(space, ViewBudget(max_pixels=800 * 600, grid=grid)))
        self.context = ToolContext(SourceImage(image), "what?", policy)
        self.context.render(self.context.image.size.box, "overview")
        self._runtime = ToolRuntime(all_tools())

    def use(self, name: str, **arguments: Any) -> tuple[ToolResult, tuple[View, ...]]:
        return asyncio.run(self._runtime.execute(ToolCall("call1", name, arguments, ""), self.context))

    def say(self, name: str, **arguments: Any) -> str:
        result, _ = self.use(name, **arguments)
        assert result.error is None, result.text
        return result.text


def test_the_tools_that_models_see_by_default_stay_three() -> None:
    assert [tool.name for tool in discover_tools() if type(tool).__module__.startswith("tools.")] == [
        "crop",
        "verify",
        "zoom",
    ]
    assert {tool.name for tool in all_tools()} >= {"colour", "contrast", "ocr", "rotate", "ruler"}


def test_listing_the_tools_loads_nothing_heavy() -> None:
    code = "import sys; from hart_agent.tooling.discovery import all_tools; all_tools(); print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "tools.ocr" in loaded
    assert not loaded & {"cv2", "onnxruntime", "rapidocr", "torch", "mcp", "hypothesis"}


# --- ocr


def written(*lines: tuple[int, int, str], size: tuple[int, int] = (1600, 1200)) -> Image.Image:
    """A grey picture with lines of text, their upper left corners at the given places."""
    image = Image.new("RGB", size, (225, 225, 220))
    draw = ImageDraw.Draw(image)
    for x, y, text in lines:
        draw.text((x, y), text, "black", ImageFont.load_default(size=36))
    return image


def boxes_told(text: str) -> dict[str, list[float]]:
    return {line: json.loads(box) for line, box in re.findall(r"^'(.*)' at (\[.*?\])", text, re.MULTILINE)}


@pytest.mark.parametrize("space", slow_but([CoordinateSpace.THOUSAND], CoordinateSpace))
def test_text_is_read_with_its_place_as_the_policy_writes_boxes(space: CoordinateSpace) -> None:
    """A box that the tool tells, given back to another tool, leads to the text's own pixels."""
    places = {"Opening hours": (100, 150), "Platform 9": (450, 400)}
    image = written(*((x, y, text) for text, (x, y) in places.items()), size=(800, 600))
    desk = Desk(image, space)
    told = boxes_told(desk.say("ocr"))
    assert told.keys() == places.keys()
    for text, (x, y) in places.items():
        ink = ImageDraw.Draw(image).textbbox((x, y), text, ImageFont.load_default(size=36))
        _, (view,) = desk.use("crop", bbox_2d=told[text], label=text)
        assert view.frame.box.iou(Box(*map(round, ink))) > 0.6


def test_text_is_read_from_the_original_in_the_region_alone() -> None:
    """At a quarter of its size, as on the overview, the letters are 6 pixels tall."""
    image = written((100, 100, "nowhere near"), (2500, 1800, "Lot 4711"), size=(3200, 2400))
    desk = Desk(image)
    told = boxes_told(desk.say("ocr", bbox_2d=[600, 430, 750, 480]))
    assert list(told) == ["Lot 4711"]
    zoomed, _ = desk.use("zoom", bbox_2d=[600, 430, 750, 480])
    told = boxes_told(desk.say("ocr", image=zoomed.views[0].id))
    assert list(told) == ["Lot 4711"]
    _, (view,) = desk.use("crop", bbox_2d=told["Lot 4711"], image=zoomed.views[0].id, label="lot")
    assert view.frame.box.iou(Box(2500, 1808, 2652, 1836)) > 0.5


def test_a_region_without_text_is_said_to_have_none() -> None:
    assert "No text" in Desk(Image.new("RGB", (400, 300), "navy")).say("ocr")


@pytest.mark.slow
def test_a_large_region_is_read_shrunk_and_the_model_is_told(coded_path: Path) -> None:
    text = Desk(coded_path).say("ocr")
    assert "shrunk 1.4 times" in text  # 7.68 megapixels to 4: the root of 1.92


# --- rotate


def test_quarter_turns_are_exact(coded_path: Path) -> None:
    desk = Desk(coded_path)
    region = coded_pixels(400, 400, 400 + 200, 400 + 100)
    shown = np.asarray(Image.fromarray(region).resize((800, 400), Image.Resampling.LANCZOS))
    for angle, turns in ((90, -1), (-90, 1), (180, 2), (-180, 2), (0, 0)):  # np.rot90 turns counter-clockwise
        _, (view,) = desk.use("rotate", bbox_2d=[100, 100, 150, 125], angle=angle)
        assert np.array_equal(view.image, np.rot90(shown, turns)), angle
        assert view.frame.box == Box(400, 400, 600, 500)


def test_the_region_is_turned_clockwise_about_its_centre() -> None:
    """A spot right of the centre, turned by 30 degrees, lies 30 degrees below: y grows downwards."""
    image = Image.new("RGB", (600, 600), "white")
    ImageDraw.Draw(image).ellipse((490, 290, 510, 310), "black")
    _, (view,) = Desk(image).use("rotate", bbox_2d=[0, 0, 600, 600], angle=30)
    dark = np.argwhere(np.asarray(view.image.convert("L")) < 60)
    y, x = dark.mean(axis=0) - (np.array(view.image.size[::-1]) - 1) / 2
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(30, abs=1)


def lined(angle: float, *texts: str) -> Image.Image:
    """Lines of text that are turned counter-clockwise by an angle."""
    sheet = Image.new("RGB", (1100, 700), (205, 215, 190))
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(texts):
        draw.text((180, 220 + 70 * number), text, (30, 30, 60), ImageFont.load_default(size=44))
    return sheet.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(205, 215, 190))


@settings(max_examples=5)
@given(st.floats(-28, 28))
def test_lines_are_set_level(angle: float) -> None:
    """Text that was turned one way by a known angle is turned back by it."""
    image = lined(angle, "Departures every ten minutes", "from platform seven and eight")
    text = Desk(image).say("rotate", bbox_2d=[0, 0, *Desk(image).context.views["overview"].image.size])
    turned = float(re.search(r"clockwise by (-?[\d.]+) degrees", text)[1])  # type: ignore[index]
    assert turned == pytest.approx(angle, abs=0.6)


def test_a_levelled_sign_can_be_read(tmp_path: Path) -> None:
    image = lined(24, "Marwick Bakery")
    desk = Desk(image)
    _, (view,) = desk.use("rotate", bbox_2d=[0, 0, *desk.context.views["overview"].image.size])
    assert "'Marwick Bakery'" in Desk(view.image).say("ocr")


@pytest.mark.parametrize(
    "image", [Image.new("RGB", (300, 200), "teal"), Image.effect_noise((300, 200), 80).convert("RGB")]
)
def test_what_has_no_lines_is_left_as_it_is(image: Image.Image) -> None:
    desk = Desk(image)
    _, (view,) = desk.use("rotate", bbox_2d=[0, 0, 300, 200])
    zoomed = desk.use("zoom", bbox_2d=[0, 0, 300, 200])[1][0]
    assert "No tilt" in desk.say("rotate", bbox_2d=[0, 0, 300, 200])
    assert np.array_equal(view.image, zoomed.image)


def test_no_box_can_be_given_on_a_turned_view_and_the_model_is_told(coded_path: Path) -> None:
    desk = Desk(coded_path)
    result, (view,) = desk.use("rotate", bbox_2d=[100, 100, 200, 200], angle=20)
    assert f"No box can be given on {view.id}" in result.text
    for name, more in (("zoom", {}), ("crop", {"label": "x"}), ("rotate", {"angle": 5})):
        refused, views = desk.use(name, bbox_2d=[0, 0, 50, 50], image=view.id, **more)
        assert (refused.error, views) == ("tool_arguments", ())
        assert view.id in refused.text
        assert "overview" in refused.text
    assert desk.context.evidence == []


def test_text_on_a_turned_view_is_told_with_places_on_the_overview() -> None:
    desk = Desk(written((500, 500, "Gate 12")))
    _, (view,) = desk.use("rotate", bbox_2d=[200, 200, 500, 350], angle=10)
    text = desk.say("ocr", image=view.id)
    assert "on the overview" in text
    _, (crop,) = desk.use("crop", bbox_2d=boxes_told(text)["Gate 12"], label="gate")
    assert crop.frame.box.iou(Box(500, 508, 637, 536)) > 0.5


def test_a_trace_with_turned_views_replays(tmp_path: Path, coded_path: Path) -> None:
    replies = [
        tool_call("rotate", bbox_2d=[100, 100, 200, 200], angle=33) + tool_call("contrast", bbox_2d=[0, 0, 90, 90]),
        tool_call("zoom", bbox_2d=[0, 0, 50, 50], image="view1"),
        answer("x"),
    ]
    agent = Agent(ScriptedPolicy(replies), tools=with_extra_tools(["rotate", "contrast"]), verify=False)
    trajectory = agent.ask(coded_path, "what?")
    assert [result.error for turn in trajectory.turns for result in turn.results] == [None, None, "tool_arguments"]
    write_trace(trajectory, tmp_path / "trace.json")
    outcome = replay(load_trace(tmp_path / "trace.json"), SourceImage(coded_path))
    assert outcome.same, str(outcome)
    assert len(outcome.calls) == 4


# --- contrast


def test_faint_detail_comes_out_and_places_stay() -> None:
    """Stripes that differ by 2 of 255 in lightness."""
    pixels = np.full((400, 600, 3), 100, dtype=np.uint8)
    pixels[:, 100:500:40] += 2
    desk = Desk(Image.fromarray(pixels))
    _, (view,) = desk.use("contrast", bbox_2d=[100, 100, 400, 300], strength=10)
    _, (plain,) = desk.use("zoom", bbox_2d=[100, 100, 400, 300])
    assert view.frame == plain.frame
    assert np.asarray(view.image).std() > 3 * np.asarray(plain.image).std()
    _, (nested,) = desk.use("zoom", bbox_2d=[0, 0, *(side // 2 for side in view.image.size)], image=view.id)
    assert nested.frame.box == Box(100, 100, 250, 200)


def test_more_strength_means_more_contrast(coded_path: Path) -> None:
    image = Image.open(coded_path).crop((0, 0, 600, 400)).point(lambda value: 90 + value // 16)
    spread = []
    for strength in (1, 3, 15):
        _, (view,) = Desk(image).use("contrast", bbox_2d=[0, 0, 600, 400], strength=strength)
        spread.append(np.asarray(view.image.convert("L")).std())
    assert spread == sorted(spread)
    assert spread[2] > 1.5 * spread[0]


# --- ruler


def numbers(text: str, name: str) -> list[float]:
    (line,) = (line for line in text.splitlines() if line.startswith(name))
    return [float(number) for number in re.findall(r"[-+]?\d+\.?\d*(?:e[-+]\d+)?", line)]


def test_lengths_are_of_the_original(coded_path: Path) -> None:
    """The overview is shrunk four times: 30 x 40 of its pixels are 120 x 160, whose diagonal is 200."""
    text = Desk(coded_path).say("ruler", bbox_2d=[100, 100, 130, 140])
    assert (numbers(text, "width"), numbers(text, "height"), numbers(text, "diagonal")) == ([120], [160], [200])
    assert "=" not in text


def test_distances_and_real_lengths(coded_path: Path) -> None:
    """Centres 300 and 400 original pixels apart; a reference of 200 pixels is half a metre long."""
    text = Desk(coded_path).say(
        "ruler", bbox_2d=[100, 100, 125, 125], other=[175, 200, 200, 225],
        reference=[10, 10, 60, 20], reference_length=50, unit="cm",
    )  # fmt: skip
    assert numbers(text, "width") == [100, 25]
    assert numbers(text, "centre to centre")[:2] == [500, 125]
    assert numbers(text, "gap")[:1] == [pytest.approx(np.hypot(200, 300), abs=0.1)]
    assert "cm" in text
    assert "distance from the camera" in text


def test_a_reference_needs_its_length(coded_path: Path) -> None:
    for half in ({"reference": [0, 0, 50, 50]}, {"reference_length": 3}):
        result, _ = Desk(coded_path).use("ruler", bbox_2d=[0, 0, 20, 20], **half)
        assert result.error == "tool_error"
        assert "reference_length" in result.text


# --- colour


@pytest.mark.parametrize("name", ["red", "gold", "navy", "white", "black", "forestgreen", "hotpink", "chocolate"])
def test_a_named_colour_is_named(name: str) -> None:
    image = Image.new("RGB", (300, 200), name)
    text = Desk(image).say("colour", bbox_2d=[20, 20, 200, 150])
    red, green, blue = ImageColor.getrgb(name)[:3]
    assert text.startswith(f"mean #{red:02x}{green:02x}{blue:02x} rgb({red}, {green}, {blue}), nearest to {name}")
    assert f"100% #{red:02x}{green:02x}{blue:02x}" in text


def test_shares_are_those_of_the_region_alone() -> None:
    """Of the region, three quarters are blue and one is yellow; the red around it does not count."""
    image = Image.new("RGB", (400, 400), "red")
    image.paste("blue", (100, 100, 300, 300))
    image.paste("yellow", (250, 100, 300, 300))
    text = Desk(image).say("colour", bbox_2d=[100, 100, 300, 300])
    assert "75% #0000ff" in text
    assert "25% #ffff00" in text
    assert "red" not in text.replace("measured", "")


def test_a_slightly_different_shade_keeps_its_name() -> None:
    hue, lightness, saturation = colorsys.rgb_to_hls(1, 215 / 255, 0)  # gold
    nearby = tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness * 0.97, saturation))
    assert "nearest to gold" in Desk(Image.new("RGB", (50, 50), nearby)).say("colour", bbox_2d=[0, 0, 50, 50])


# --- what holds for all of them


@pytest.mark.parametrize("grid", [1, 28])
def test_views_are_such_as_the_policy_takes(coded_path: Path, grid: int) -> None:
    desk = Desk(coded_path, grid=grid)
    for name, more in (("rotate", {"angle": 17}), ("rotate", {"angle": 45}), ("contrast", {})):
        for box in ([0, 0, 400, 300], [10, 10, 30, 20], [0, 100, 780, 110]):
            _, (view,) = desk.use(name, bbox_2d=box, **more)
            assert view.frame.size.area <= 800 * 600
            assert view.image.width % grid == view.image.height % grid == 0


def test_a_model_may_leave_out_what_is_optional_or_say_null() -> None:
    desk = Desk(written((50, 50, "Room 7"), size=(400, 200)))
    assert desk.say("ocr") == desk.say("ocr", bbox_2d=None, image=None)
