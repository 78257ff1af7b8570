"""Coordinate profiles: every family maps boxes there and back, and gets only images that it can take."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hart_agent import Agent, Box, ConfigError, CoordinateSpace, ScriptedPolicy
from hart_agent.backends.families import DEFAULT_MAX_PIXELS, FAMILIES, GENERIC, Family, detect_family, detect_profile
from hart_agent.backends.options import ModelOptions
from hart_agent.vision.geometry import Frame, Rect, Size, resolve_box

ALL = tuple(
    {
        (family.space, family.grid, family.max_aspect, family.min_pixels, family.max_pixels): family
        for family in reversed((*FAMILIES, GENERIC))
    }.values()
)
"""One of each kind."""
UNIT = {CoordinateSpace.PIXEL: 1.0, CoordinateSpace.THOUSAND: 1.0, CoordinateSpace.UNIT: 0.001}
"""The step in which models of each space write numbers."""


@st.composite
def boxes_on_images(draw: st.DrawFn, image: Size | None = None) -> tuple[Size, Box]:
    """An image's size, and a box on it."""
    size = image or Size(draw(st.integers(1, 30_000)), draw(st.integers(1, 20_000)))
    x0, y0 = draw(st.integers(0, size.width - 1)), draw(st.integers(0, size.height - 1))
    return size, Box(x0, y0, draw(st.integers(x0 + 1, size.width)), draw(st.integers(y0 + 1, size.height)))


def _as_written(rect: Rect, space: CoordinateSpace) -> Rect:
    """The numbers that a model would write: rounded to its unit."""
    x0, y0, x1, y1 = (round(value / UNIT[space]) * UNIT[space] for value in rect)
    return x0, y0, x1, y1


@pytest.mark.parametrize("space", CoordinateSpace)
@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
@given(case=boxes_on_images(), nested=st.booleans(), data=st.data())
def test_boxes_survive_the_way_to_the_model_and_back(
    family: Family, space: CoordinateSpace, case: tuple[Size, Box], nested: bool, data: st.DataObject
) -> None:
    image, region = case
    budget = family.profile(space).budget
    shown = region if nested else image.box
    frame = Frame(shown, budget.magnify(shown.size) if nested else budget.fit(shown.size))
    inner = data.draw(boxes_on_images(shown.size))[1]
    box = Box(inner.x0 + shown.x0, inner.y0 + shown.y0, inner.x1 + shown.x0, inner.y1 + shown.y0)

    exact = frame.from_original(box.as_tuple(), space)
    assert Box.covering(frame.to_original(exact, space), image) == box

    written = _as_written(exact, space)
    back = frame.to_original(written, space)
    extent = space.extent(frame.size)
    for axis, side in ((0, shown.width), (1, shown.height)):
        half_unit = side / extent[axis] * UNIT[space] / 2 + 1e-6
        assert abs(back[axis] - box.as_tuple()[axis]) <= half_unit
        assert abs(back[axis + 2] - box.as_tuple()[axis + 2]) <= half_unit

    placed, _ = resolve_box(written, space, frame, image, budget.max_aspect)
    assert 0 <= placed.x0 < placed.x1 <= image.width
    assert 0 <= placed.y0 < placed.y1 <= image.height


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
@given(region=st.builds(Size, st.integers(1, 30_000), st.integers(1, 20_000)), area=st.integers(50_000, 2_000_000))
def test_no_server_has_anything_left_to_resize(family: Family, region: Size, area: int) -> None:
    area = min(area, family.max_pixels)
    budget = family.profile(max_pixels=area).budget
    for view in (budget.fit(region), budget.magnify(region)):
        shorter, longer = sorted((view.width, view.height))
        assert view.width % family.grid == view.height % family.grid == 0
        assert shorter >= budget.min_side >= family.grid
        assert longer / shorter <= family.max_aspect
        assert view.area <= area
        if family.space is CoordinateSpace.PIXEL:
            assert family.min_pixels <= view.area <= family.max_pixels
            assert family.view_tokens(view) == view.area // family.grid**2


CASES = [
    ((600, 500), (300, 200, 301, 201)),
    ((3, 2000), (0, 0, 3, 2000)),
    ((3000, 400), (0, 100, 3000, 110)),
    ((1, 1), (0, 0, 1, 1)),
]
TOLD = ["grown to 8x8", "stretched", "grown to 3000x", "times the original's resolution"]


@pytest.mark.parametrize(("case", "told"), list(zip(CASES, TOLD, strict=True)))
@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_tiny_and_oblong_crops_become_images_that_the_family_takes(
    family: Family, case: tuple[tuple[int, int], tuple[int, int, int, int]], told: str, tmp_path: Path
) -> None:
    size, box = case
    Image.new("RGB", size, "red").save(tmp_path / "image.png")
    profile = family.profile()
    frame = Frame(Size(*size).box, profile.budget.fit(Size(*size)))
    bbox = list(frame.from_original(box, profile.space, y_first=profile.y_first))
    script = [tool_call(tool, bbox_2d=bbox, **label) for tool, label in (("crop", {"label": "x"}), ("zoom", {}))]
    run = Agent(ScriptedPolicy([*script, answer("x")], profile), verify=False).ask(tmp_path / "image.png", "what?")
    for turn in run.turns[:2]:
        (result,) = turn.results
        assert result.error is None
        assert told in result.text
        view = result.views[0].frame.size
        shorter, longer = sorted((view.width, view.height))
        assert view.width % family.grid == view.height % family.grid == 0
        assert shorter >= profile.budget.min_side
        assert longer / shorter <= family.max_aspect
        assert view.area <= DEFAULT_MAX_PIXELS


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL"),
        ("qwen2.5vl:7b", "Qwen2.5-VL"),
        ("/models/Qwen2.5-VL-3B-Instruct-Q4_K_M.gguf", "Qwen2.5-VL"),
        ("Qwen/Qwen2.5-Omni-7B", "Qwen2.5-VL"),
        ("Qwen/Qwen2-VL-2B-Instruct", "Qwen2-VL"),
        ("qwen3-vl:8b", "Qwen3-VL"),
        ("Qwen/Qwen3.5-27B", "Qwen3-VL"),
        ("OpenGVLab/InternVL3-8B-hf", "InternVL"),
        ("Qwen/Qwen3-8B", "unknown"),
        ("gpt-4o", "unknown"),
        (None, "unknown"),
    ],
)
def test_families_are_known_by_name(name: str | None, family: str) -> None:
    assert detect_family(name).name == family


@pytest.mark.parametrize(
    ("model_type", "family"),
    [
        ("qwen2_5_vl", "Qwen2.5-VL"), ("qwen2_vl", "Qwen2-VL"), ("qwen3_vl", "Qwen3-VL"), ("qwen3_vl_moe", "Qwen3-VL"),
        ("qwen3_5", "Qwen3-VL"), ("internvl", "InternVL"), ("internvl_chat", "InternVL"),
    ],
)  # fmt: skip
def test_the_configuration_goes_before_the_name(model_type: str, family: str) -> None:
    assert detect_family("my-qwen3-vl-tuned", {"model_type": model_type}).name == family


def test_spaces_and_grids() -> None:
    found = {family.name: (family.space.value, family.grid, family.max_aspect) for family in FAMILIES}
    assert found["Qwen2.5-VL"] == ("pixel", 28, 200)
    assert found["Qwen3-VL"] == ("thousand", 32, 200)
    assert found["InternVL"] == ("thousand", 28, 12)


def test_unknown_models_are_warned_of_unless_told(caplog: pytest.LogCaptureFixture) -> None:
    assert detect_profile("gpt-4o").space is CoordinateSpace.THOUSAND
    assert "--coordinates pixel | thousand | unit" in caplog.text
    caplog.clear()
    assert detect_profile("gpt-4o", space="unit").space is CoordinateSpace.UNIT
    assert detect_profile("qwen3-vl", max_pixels=500_000).budget.max_pixels == 500_000
    assert not caplog.records


def test_impossible_overrides_are_refused() -> None:
    for options in ({"max_pixels": 100}, {"max_pixels": 10**9}):
        with pytest.raises(ConfigError, match="--"):
            detect_profile("qwen2.5-vl", **options)
    with pytest.raises(ConfigError, match=r"--coordinates pixel \| thousand \| unit \| auto"):
        ModelOptions(coordinates="miles")


def test_tokens_of_a_view() -> None:
    by_name = {family.name: family for family in FAMILIES}
    assert by_name["Qwen2.5-VL"].view_tokens(Size(280, 560)) == 200
    assert by_name["Qwen3-VL"].view_tokens(Size(320, 640)) == 200
    assert by_name["Qwen3-VL"].view_tokens(Size(64, 64)) == 64  # enlarged by its processor to 256 x 256
    assert by_name["InternVL"].view_tokens(Size(448, 448)) == 13 * 256


@pytest.mark.parametrize(
    ("space", "box", "likelier"),
    [
        (CoordinateSpace.THOUSAND, [200, 300, 1400, 900], "pixel"),
        (CoordinateSpace.THOUSAND, [0.1, 0.2, 0.5, 0.6], "unit"),
        (CoordinateSpace.UNIT, [120, 80, 400, 300], "thousand"),
        (CoordinateSpace.UNIT, [120, 80, 1400, 300], "pixel"),
        (CoordinateSpace.PIXEL, [0.1, 0.2, 0.5, 0.6], "unit"),
        (CoordinateSpace.THOUSAND, [0, 0, 1000, 1000], None),
        (CoordinateSpace.PIXEL, [0, 0, 640, 480], "thousand"),  # the view has 64 x 48 pixels, or a little more
        (CoordinateSpace.PIXEL, [0, 0, 60, 40], None),
        (CoordinateSpace.UNIT, [0, 0, 1.02, 1], None),
    ],
)
def test_the_user_is_offered_another_space_after_two_boxes_that_do_not_fit(
    space: CoordinateSpace, box: list[float], likelier: str | None, small: Image.Image, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    script = [tool_call("zoom", bbox_2d=box), tool_call("zoom", bbox_2d=box), answer("x")]
    policy = ScriptedPolicy(script, FAMILIES[0].profile(space))
    Agent(policy, verify=False).ask(small, "what?")
    warnings = [record.message for record in caplog.records if "--coordinates" in record.message]
    assert len(warnings) == (likelier is not None)
    assert all(f"--coordinates {likelier}" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("vision", "grid"),
    [
        ({"patch_size": 4, "spatial_merge_size": 2}, 8),
        ({"patch_size": 16, "spatial_merge_size": 2}, 32),
        ({"patch_size": 14}, 32),
        ({"patch_size": "14", "spatial_merge_size": 2}, 32),
        (None, 32),
    ],
)
def test_a_models_own_grid_is_heeded(vision: dict[str, Any] | None, grid: int) -> None:
    family = detect_family(None, {"model_type": "qwen3_vl", "vision_config": vision})
    assert family.grid == grid
    assert family.max_pixels // family.grid**2 == 128 * 128  # as many tokens as the family takes
    assert family.profile().budget.fit(Size(100, 100)).width % grid == 0
    assert family.view_tokens(Size(grid * 8, grid * 8)) == 64
