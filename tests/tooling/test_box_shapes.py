"""The shapes in which models write boxes: each is read as the right pixels of the original, or refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hart_agent import ScriptedPolicy, ToolContext, ToolRuntime
from hart_agent.dialogue.messages import ToolCall
from hart_agent.tooling.box_shapes import BOX_NAMES, read_box, read_boxes
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.records import ToolResult
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace
from hart_agent.vision.source import SourceImage

RED = (200, 10, 10)
SHAPES: dict[str, Any] = {
    "numbers": [100, 50, 300, 250],
    "fractions": [100.0, 50.0, 300.0, 250.0],
    "one list too many": [[100, 50, 300, 250]],
    "two lists too many": [[[100, 50, 300, 250]]],
    "numbers as texts": ["100", "50", "300", "250"],
    "some numbers as texts": [100, " 50 ", 300, "2.5e2"],
    "JSON in a text": "[100, 50, 300, 250]",
    "JSON in a text, twice": json.dumps("[100, 50, 300, 250]"),
    "a nested list in a text": "[[100, 50, 300, 250]]",
    "a bare text": "100, 50, 300, 250",
    "a bare text with spaces only": "100 50 300 250",
    "round brackets": "(100, 50, 300, 250)",
    "corners": [[100, 50], [300, 250]],
    "corners in a text": "(100,50),(300,250)",
    "Qwen2-VL's markers": "<|box_start|>(100,50),(300,250)<|box_end|>",
    "InternVL's markers": "<box>[[100, 50, 300, 250]]</box>",
    "MiniCPM-V's markers": "<box>100 50 300 250</box>",
    "GLM-V's markers": "<|begin_of_box|>[[100,50,300,250]]<|end_of_box|>",
    "x0 to y1": {"x0": 100, "y0": 50, "x1": 300, "y1": 250},
    "x1 to y2": {"x1": 100, "y1": 50, "x2": 300, "y2": 250},
    "left to bottom": {"bottom": 250, "left": "100", "right": 300, "top": 50},
    "xmin to ymax": {"xmin": 100, "ymin": 50, "xmax": 300, "ymax": 250},
    "x_min to y_max": {"x_min": 100, "y_min": 50, "x_max": 300, "y_max": 250},
    "corners by name in a text": '{"x0": 100, "y0": 50, "x1": 300, "y1": 250}',
    "an object with its label": {"bbox_2d": [100, 50, 300, 250], "label": "sign"},
    "an object in a list": [{"box": [100, 50, 300, 250]}],
}
DOUBTFUL: dict[str, Any] = {
    "three numbers": [100, 50, 300],
    "five numbers": [100, 50, 300, 250, 1],
    "two boxes": [[100, 50, 300, 250], [1, 2, 3, 4]],
    "a polygon": [[100, 50], [300, 50], [300, 250], [100, 250]],
    "two systems of names": {"x0": 100, "y0": 50, "x1": 300, "y1": 250, "x2": 9, "y2": 9},
    "two names of the box": {"bbox": [100, 50, 300, 250], "box": [1, 2, 3, 4]},
    "a missing corner": {"x0": 100, "y0": 50, "x1": 300},
    "a width": {"x": 100, "y": 50, "w": 200, "h": 200},
    "decimal commas": "0,28 0,5 0,52 0,7",
    "thousands separators": "1,000, 500, 1,500, 700",
    "names in a text": "x0=100, y0=50, x1=300, y1=250",
    "words": "the sign in the middle",
    "percentages": ["10%", "10%", "30%", "50%"],
    "truth values": [True, False, True, True],
    "nulls": [None, None, None, None],
    "not a number": "[NaN, 0, 1, 1]",
    "infinity": ["Infinity", "0", "1", "1"],
    "an expression": "[10*10, 50, 300, 250]",
    "an empty list": [],
    "an empty text": "",
    "a long text": "[" * 5_000 + "100, 50, 300, 250" + "]" * 5_000,
    "many layers": [[[[[[100, 50, 300, 250]]]]]],
    "a half list": "[100, 50, 300, 25",
}


def crop(arguments: dict[str, Any], space: CoordinateSpace = CoordinateSpace.PIXEL) -> tuple[ToolResult, ToolContext]:
    """Crop from a black image of 2000 x 1000 with a red region, columns 200 to 599, rows 100 to 499.

    The overview is 1000 x 500, so that the region is [100, 50, 300, 250] on it in pixels.
    """
    image = Image.new("RGB", (2000, 1000))
    image.paste(RED, (200, 100, 600, 500))
    policy = ScriptedPolicy([], CoordinateProfile(space, ViewBudget(max_pixels=500_000)))
    context = ToolContext(SourceImage(image), "what?", policy)
    context.render(context.image.size.box, "overview")
    assert context.views["overview"].image.size == (1000, 500)
    call = ToolCall("call1", "crop", {"label": "red"} | arguments, "")
    result, _ = asyncio.run(ToolRuntime(discover_tools()).execute(call, context))
    return result, context


def shows_the_region(context: ToolContext) -> bool:
    """Whether the one piece of evidence is the red region, all of it and nothing else."""
    (view,) = context.evidence_views
    return view.image.size == (400, 400) and bool((np.asarray(view.image) == RED).all())


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_that_leaves_no_doubt_is_read(name: str) -> None:
    result, context = crop({"bbox_2d": SHAPES[name]})
    assert result.error is None, result.text
    assert shows_the_region(context)
    assert result.call.arguments["bbox_2d"] == SHAPES[name]  # the record keeps what the model wrote


@pytest.mark.parametrize(
    ("space", "written"),
    [
        (CoordinateSpace.THOUSAND, ["100", "100", "300", "500"]),
        (CoordinateSpace.UNIT, [[0.1, 0.1], [0.3, 0.5]]),
        (CoordinateSpace.UNIT, "<|box_start|>(0.1,0.1),(0.3,0.5)<|box_end|>"),
    ],
)
def test_shapes_are_read_in_the_policys_space(space: CoordinateSpace, written: Any) -> None:
    result, context = crop({"bbox_2d": written}, space)
    assert result.error is None, result.text
    assert shows_the_region(context)


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_doubtful_shape_is_refused_with_one_that_works_and_commits_nothing(name: str) -> None:
    result, context = crop({"bbox_2d": DOUBTFUL[name]})
    assert result.error == "tool_arguments"
    assert not context.evidence
    assert list(context.views) == ["overview"]
    assert result.text.startswith("Error: crop: bbox_2d")
    assert result.text.endswith("Write a box as [x0, y0, x1, y1], in pixels, such as [120, 125, 480, 300].")
    assert len(result.text) < 600


@pytest.mark.parametrize("space", CoordinateSpace)
def test_the_example_in_an_error_is_a_box_that_works(space: CoordinateSpace) -> None:
    result, _ = crop({"bbox_2d": "here"}, space)
    example = json.loads(result.text.rpartition("such as ")[2].rstrip("."))
    again, context = crop({"bbox_2d": example}, space)
    assert again.error is None
    assert context.evidence[0].box.as_tuple() == (240, 250, 960, 600)  # 12 to 48 % of 2000, 25 to 60 % of 1000


@pytest.mark.parametrize("name", BOX_NAMES)
def test_the_box_that_must_be_there_may_have_another_usual_name(name: str) -> None:
    result, context = crop({name: [100, 50, 300, 250]})
    assert result.error is None, result.text
    assert shows_the_region(context)
    assert "Ignored" not in result.text


def test_corners_may_stand_among_the_arguments() -> None:
    result, context = crop({"x0": 100, "y0": 50, "x1": 300, "y1": 250})
    assert result.error is None, result.text
    assert shows_the_region(context)


def test_a_box_that_is_there_is_not_replaced() -> None:
    result, context = crop({"bbox_2d": [100, 50, 300, 250], "bbox": [0, 0, 9, 9]})
    assert shows_the_region(context)
    assert "Ignored, because the tool does not take it: bbox." in result.text


def test_two_candidates_for_the_missing_box_are_refused() -> None:
    result, context = crop({"bbox": [100, 50, 300, 250], "box": [0, 0, 9, 9]})
    assert result.error == "tool_arguments"
    assert "'bbox_2d' is a required property" in result.text
    assert not context.evidence


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("write", [lambda huge: [0, 0, huge, 10], lambda huge: [[0, 0], [huge, 10]]])
def test_a_huge_number_is_an_error_of_the_call(write: Callable[[int], Any], sign: int, digits: int) -> None:
    result, context = crop({"bbox_2d": write(sign * 10**digits)})
    assert result.error == "tool_arguments"
    assert "bbox_2d" in result.text
    assert "far too large" in result.text
    assert not context.evidence


def test_a_huge_number_in_what_is_not_a_box_is_an_error_of_the_call() -> None:
    result, _ = crop({"bbox_2d": [0, 10**5000]})
    assert (result.error, "far too large" in result.text) == ("tool_arguments", True)


@pytest.mark.parametrize(
    ("written", "boxes"),
    [
        ([1, 2, 3, 4], [[1, 2, 3, 4]]),
        ([[1, 2, 3, 4]], [[1, 2, 3, 4]]),
        ([[1, 2], [3, 4]], [[1, 2, 3, 4]]),
        ([[1, 2, 3, 4], "5, 6, 7, 8"], [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("[[1, 2, 3, 4], [5, 6, 7, 8]]", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ([{"bbox": [1, 2, 3, 4]}, [[5, 6], [7, 8]]], [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ([[1, 2, 3, 4], [5, 6]], [[1, 2, 3, 4], [5, 6]]),
        ([], None),
        ("none", None),
    ],
)
def test_lists_of_boxes(written: Any, boxes: Any) -> None:
    assert read_boxes(written) == boxes


def test_named_corners_are_put_into_the_policys_order() -> None:
    """Numbers in a row are in that order already."""
    assert read_box({"x0": 1, "y0": 2, "x1": 3, "y1": 4}, y_first=True) == [2, 1, 4, 3]
    assert read_box([2, 1, 4, 3], y_first=True) == [2, 1, 4, 3]
    assert read_box({"left": 1, "top": 2, "right": 3, "bottom": 4}) == [1, 2, 3, 4]


NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
WRITERS = (
    lambda box: box,
    lambda box: [box],
    lambda box: [*map(json.dumps, box)],
    json.dumps,
    lambda box: json.dumps(box).strip("[]"),
    lambda box: [box[:2], box[2:]],
    lambda box: dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
    lambda box: {"bbox": json.dumps(box)},
    lambda box: "<|box_start|>({},{}),({},{})<|box_end|>".format(*map(json.dumps, box)),
)


@given(st.lists(NUMBERS, min_size=4, max_size=4), st.sampled_from(WRITERS))
def test_a_box_that_is_written_in_a_shape_is_read_back_as_it_was(box: list[float], write: Any) -> None:
    assert read_box(write(box)) == box


@given(
    st.recursive(
        NUMBERS | st.none() | st.booleans() | st.text("0123456789.,-e [](){}<|>\"'xyNa", max_size=30),
        lambda inner: (
            st.lists(inner, max_size=5)
            | st.dictionaries(st.sampled_from(["x0", "y0", "x1", "y1", "x2", "y2", "bbox", "box"]), inner)
        ),
        max_leaves=12,
    )
)
def test_whatever_is_written_is_four_numbers_or_no_box(written: Any) -> None:
    box = read_box(written)
    assert box is None or (len(box) == 4 and all(type(number) in (int, float) for number in box))
    assert box is None or read_box(box) == box
