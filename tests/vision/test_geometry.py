"""Boxes and coordinate spaces: round trips, clipping, growing, EXIF orientations, overlap."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from hart_agent.errors import ToolArgumentsError
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Rect, Size, oriented_to_stored, resolve_box

SPACES = st.sampled_from(CoordinateSpace)
IMAGES = st.builds(Size, st.integers(1, 30_000), st.integers(1, 20_000))
VIEWS = st.builds(Size, st.integers(1, 4096), st.integers(1, 4096))
ANY_NUMBER = st.floats() | st.integers(-40_000, 40_000).map(float) | st.floats(-2, 1100)
RECTS = st.tuples(*[ANY_NUMBER] * 4) | st.tuples(*[st.floats(-2, 1100)] * 4).map(
    lambda numbers: (*map(min, numbers[:2], numbers[2:]), *map(max, numbers[:2], numbers[2:]))
)
"""Any four numbers; and ordered ones, so that many can be used."""


@st.composite
def boxes(draw: st.DrawFn, image: Size) -> Box:
    x0, y0 = draw(st.integers(0, image.width - 1)), draw(st.integers(0, image.height - 1))
    return Box(x0, y0, draw(st.integers(x0 + 1, image.width)), draw(st.integers(y0 + 1, image.height)))


def unit(space: CoordinateSpace, original_side: int, view_side: int) -> float:
    """The length of the model's smallest step, in original pixels."""
    return original_side / {"pixel": view_side, "thousand": 1000, "unit": 1000}[space.value]


@given(st.data(), IMAGES, VIEWS, SPACES)
def test_round_trip_is_off_by_at_most_half_a_model_unit(
    data: st.DataObject, image: Size, view: Size, space: CoordinateSpace
) -> None:
    region = data.draw(boxes(image))
    target = data.draw(boxes(image))
    frame = Frame(region, view)
    written = frame.from_original(target.as_tuple(), space)
    digits = 3 if space is CoordinateSpace.UNIT else 0
    x0, y0, x1, y1 = frame.to_original(tuple(round(value, digits) for value in written), space)  # type: ignore[arg-type]
    step_x, step_y = unit(space, region.width, view.width), unit(space, region.height, view.height)
    assert max(abs(x0 - target.x0), abs(x1 - target.x1)) <= step_x / 2 + 1e-6
    assert max(abs(y0 - target.y0), abs(y1 - target.y1)) <= step_y / 2 + 1e-6


@given(st.data(), IMAGES, VIEWS, SPACES)
def test_unrounded_round_trip_is_the_box_itself(
    data: st.DataObject, image: Size, view: Size, space: CoordinateSpace
) -> None:
    frame, target = Frame(data.draw(boxes(image)), view), data.draw(boxes(image))
    back = frame.to_original(frame.from_original(target.as_tuple(), space), space)
    assert Box.covering(back, image) == target


@pytest.mark.parametrize(
    ("space", "rect", "original"),
    [  # a view of 400x300 that shows columns 1000 to 1800, rows 500 to 1100: two original pixels to a view pixel
        (CoordinateSpace.PIXEL, (10, 20, 200, 150), (1020, 540, 1400, 800)),
        (CoordinateSpace.THOUSAND, (0, 500, 250, 1000), (1000, 800, 1200, 1100)),
        (CoordinateSpace.UNIT, (0.25, 0.5, 1, 1), (1200, 800, 1800, 1100)),
    ],
)
def test_spaces_worked_by_hand(space: CoordinateSpace, rect: Rect, original: Rect) -> None:
    frame = Frame(Box(1000, 500, 1800, 1100), Size(400, 300))
    assert frame.to_original(rect, space) == original
    assert frame.from_original(original, space) == rect


@given(IMAGES, st.tuples(*[st.floats(-1e9, 1e9)] * 4))
def test_covering_stays_in_the_image_and_covers(image: Size, rect: Rect) -> None:
    x0, x1 = sorted(rect[0::2])
    y0, y1 = sorted(rect[1::2])
    box = Box.covering((x0, y0, x1, y1), image)
    assert 0 <= box.x0 < box.x1 <= image.width
    assert 0 <= box.y0 < box.y1 <= image.height
    assert box.x0 <= min(max(x0, 0), image.width) + 1e-5
    assert box.x1 >= max(min(x1, image.width), 0) - 1e-5


@pytest.mark.parametrize(
    ("rect", "box"),
    [
        ((1.2, 1.2, 3.8, 3.8), (1, 1, 4, 4)),
        ((2, 2, 2, 2), (2, 2, 3, 3)),
        ((10, 10, 10, 10), (9, 9, 10, 10)),
        ((-5, -5, 99, 99), (0, 0, 10, 10)),
        ((2.0000000001, 3, 4.9999999999, 6.0000000001), (2, 3, 5, 6)),
    ],
)
def test_covering_worked_by_hand(rect: Rect, box: tuple[int, int, int, int]) -> None:
    assert Box.covering(rect, Size(10, 10)).as_tuple() == box


@given(st.data(), IMAGES, VIEWS, SPACES, RECTS, st.floats(2, 200))
def test_resolve_box_gives_a_usable_box_or_a_typed_error(
    data: st.DataObject, image: Size, view: Size, space: CoordinateSpace, rect: Rect, max_aspect: float
) -> None:
    frame = Frame(data.draw(boxes(image)), view)
    extent = {"pixel": (view.width, view.height), "thousand": (1000, 1000), "unit": (1, 1)}[space.value]
    finite = all(map(math.isfinite, rect))
    valid = finite and rect[0] <= rect[2] and rect[1] <= rect[3] and min(rect[2:]) >= 0
    valid = valid and rect[0] <= extent[0] and rect[1] <= extent[1]
    if not valid:
        with pytest.raises(ToolArgumentsError):
            resolve_box(rect, space, frame, image, max_aspect)
        return
    box, notes = resolve_box(rect, space, frame, image, max_aspect)
    assert box.x1 <= image.width
    assert box.y1 <= image.height
    assert box.width >= min(8, image.width)
    assert box.height >= min(8, image.height)
    longest = max(box.width, box.height)
    assert box.width >= min(math.floor(longest / max_aspect), image.width)
    assert box.height >= min(math.floor(longest / max_aspect), image.height)
    for axis, length in enumerate(extent):  # the box covers what the model meant, computed exactly
        origin, side = frame.box.as_tuple()[axis], frame.box.size.width if axis == 0 else frame.box.size.height
        low, high = (
            origin + Fraction(min(max(value, 0.0), float(length))) * side / length
            for value in (rect[axis], rect[axis + 2])
        )
        assert box.as_tuple()[axis] <= low + Fraction(1, 10_000)
        assert box.as_tuple()[axis + 2] >= high - Fraction(1, 10_000)
    assert all(isinstance(note, str) and note for note in notes)


FULL = Frame(Box(0, 0, 1000, 1000), Size(1000, 1000))


@pytest.mark.parametrize(
    ("rect", "word"),
    [
        ((500, 100, 400, 200), "inverted"),
        ((100, 500, 200, 400), "inverted"),
        ((math.nan, 0, 10, 10), "not finite"),
        ((0, 0, math.inf, 10), "not finite"),
        ((1001, 0, 1200, 10), "outside"),
        ((0, -30, 10, -1), "outside"),
        ((0, -30, 10, -0.5), "outside"),
        ((-30, 0, -0.5, 10), "outside"),
        ((0, 1000.5, 10, 1200), "outside"),
    ],
)
def test_impossible_boxes_are_typed_errors(rect: Rect, word: str) -> None:
    with pytest.raises(ToolArgumentsError, match=word):
        resolve_box(rect, CoordinateSpace.PIXEL, FULL, Size(1000, 1000), 100)


@pytest.mark.parametrize(
    ("rect", "box", "words"),
    [
        ((10, 10, 50, 50), (10, 10, 50, 50), []),
        ((-10, 10, 50, 50), (0, 10, 50, 50), ["clipped"]),
        ((-9, 10, 50, 1009), (0, 10, 50, 1000), []),  # less than 1 % of a side beyond the edge
        ((10, 10, 1010, 50), (10, 10, 1000, 50), ["clipped"]),
        ((900, 900, 1100, 1100), (900, 900, 1000, 1000), ["clipped"]),
        ((100, 100, 101, 101), (97, 97, 105, 105), ["grown to 8x8"]),
        ((0, 0, 0, 0), (0, 0, 8, 8), ["grown to 8x8"]),
        ((1000, 1000, 1000, 1000), (992, 992, 1000, 1000), ["grown to 8x8"]),
        ((0, 500, 1000, 502), (0, 491, 1000, 511), ["grown to 1000x20"]),
        ((-5, 0, 1, 40), (0, 0, 8, 40), ["grown to 8x40"]),
        ((-15, 0, 1, 40), (0, 0, 8, 40), ["clipped", "grown to 8x40"]),
    ],
)
def test_clipping_and_growing_worked_by_hand(rect: Rect, box: tuple[int, ...], words: list[str]) -> None:
    resolved, notes = resolve_box(rect, CoordinateSpace.PIXEL, FULL, Size(1000, 1000), 50)
    assert resolved.as_tuple() == box
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))


@pytest.mark.parametrize(
    ("space", "rect", "likelier"),
    [  # on a view of 800 x 600
        ("thousand", (0.28, 0.5, 0.52, 0.7), "unit"),
        ("thousand", (0, 0, 1, 1), "unit"),
        ("thousand", (0, 0.5, 1.005, 1), "unit"),
        ("thousand", (0, 0, 1.5, 2), None),  # a speck, but no share of a side
        ("thousand", (0, 0, 0, 0), None),
        ("thousand", (-5, 0, 1, 1), None),
        ("thousand", (990, 0, 1009, 1000), None),
        ("thousand", (700, 500, 1010, 590), "pixel"),
        ("thousand", (3000, 2000, 4000, 2500), "pixel"),
        ("pixel", (0.28, 0.5, 0.52, 0.7), "unit"),
        ("pixel", (0, 0, 800, 600), None),
        ("pixel", (10, 10, 807, 605), None),
        ("pixel", (10, 10, 863, 663), None),
        ("pixel", (10, 10, 864, 605), "thousand"),
        ("pixel", (10, 10, 100, 990), "thousand"),
        ("pixel", (10, 10, 2000, 990), None),
        ("pixel", (-90, 10, 900, 605), None),
        ("unit", (0.1, 0.2, 0.5, 0.6), None),
        ("unit", (0, 0, 1.5, 1), None),
        ("unit", (0, 0, 2, 1), None),
        ("unit", (0, 0, 2.5, 1), "thousand"),
        ("unit", (100, 200, 500, 600), "thousand"),
        ("unit", (100, 200, 1500, 600), "pixel"),
    ],
)
def test_the_space_in_which_a_box_is_likelier_written(space: str, rect: Rect, likelier: str | None) -> None:
    assert CoordinateSpace(space).likelier(rect, Size(800, 600)) == likelier


@given(st.data(), SPACES, VIEWS)
def test_a_box_in_its_own_space_is_not_taken_for_another(
    data: st.DataObject, space: CoordinateSpace, view: Size
) -> None:
    """But for boxes of less than two units, which hold nothing to read."""
    rect = Frame(view.box, view).from_original(data.draw(boxes(view)).as_tuple(), space)
    assume(space is CoordinateSpace.UNIT or max(rect) > 2)
    assert space.contains(rect, view)
    assert space.likelier(rect, view) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_oriented_to_stored_finds_the_same_pixels_as_pillow(orientation: int) -> None:
    stored = Image.fromarray(np.random.default_rng(1).integers(0, 256, (7, 13, 3), dtype=np.uint8))
    stored.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(stored)
    for box in (Box(0, 0, 1, 1), Box(1, 2, 5, 6), Box(3, 0, 7, 7), Box(0, 4, 6, 5)):
        region = stored.crop(oriented_to_stored(box, orientation, Size(*upright.size)).as_tuple())
        region.getexif()[0x0112] = orientation
        assert np.array_equal(ImageOps.exif_transpose(region), upright.crop(box.as_tuple()))


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0),
        ((0, 0, 10, 10), (5, 0, 15, 10), Fraction(50, 150)),
        ((0, 0, 4, 4), (1, 1, 3, 3), Fraction(4, 16)),
        ((0, 0, 3, 2), (2, 1, 5, 3), Fraction(1, 11)),
        ((0, 0, 10, 10), (0, 20, 10, 30), Fraction(0)),
        ((0, 0, 10, 10), (20, 0, 30, 10), Fraction(0)),
    ],
)
def test_iou_worked_by_hand(first: tuple[int, ...], second: tuple[int, ...], iou: Fraction) -> None:
    assert Box(*first).iou(Box(*second)) == pytest.approx(float(iou))


@given(boxes(Size(60, 40)), boxes(Size(60, 40)))
@example(Box(0, 0, 1, 1), Box(59, 39, 60, 40))
def test_iou_is_symmetric_counts_pixels_and_is_one_on_itself(first: Box, second: Box) -> None:
    masks = np.zeros((2, 40, 60), dtype=bool)
    for mask, box in zip(masks, (first, second), strict=True):
        mask[box.y0 : box.y1, box.x0 : box.x1] = True
    assert first.iou(second) == second.iou(first) == pytest.approx((masks[0] & masks[1]).sum() / masks.any(0).sum())
    assert first.iou(first) == 1


@pytest.mark.parametrize("corners", [(5, 0, 5, 9), (5, 0, 4, 9), (0, 9, 5, 9), (-1, 0, 5, 5), (0, -1, 5, 5)])
def test_empty_or_inverted_boxes_can_not_be_made(corners: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="a box needs"):
        Box(*corners)


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (-1, 5)])
def test_sizes_without_pixels_can_not_be_made(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="at least 1x1 pixels"):
        Size(width, height)


def test_boxes_and_sizes_in_words() -> None:
    assert (str(Box(1, 2, 30, 40)), str(Size(7, 9)), Size(7, 9).area) == ("[1, 2, 30, 40]", "7x9", 63)
    assert CoordinateSpace.THOUSAND.words == "from 0 to 1000 along each side"


def test_a_clipped_box_is_told_in_the_order_in_which_it_was_written() -> None:
    frame, image = Frame(Box(0, 0, 1000, 500), Size(1000, 500)), Size(1000, 500)
    _, (note,) = resolve_box((-100, 10, 300, 60), CoordinateSpace.PIXEL, frame, image, 100)
    assert "[0, 10, 300, 60]" in note
    box, (note,) = resolve_box((10, -100, 60, 300), CoordinateSpace.PIXEL, frame, image, 100, y_first=True)
    assert box == Box(0, 10, 300, 60)
    assert "[10, 0, 60, 300]" in note
    box, (note,) = resolve_box((10, -100, 60, 300), CoordinateSpace.PIXEL, frame, image, 100)
    assert box == Box(10, 0, 60, 300)
    assert "[10, 0, 60, 300]" in note


@pytest.mark.parametrize(("written", "rect", "likelier"), [
    (CoordinateSpace.UNIT, (0, 0, 5, 1009), CoordinateSpace.THOUSAND),
    (CoordinateSpace.UNIT, (0, 0, 5, 1010), CoordinateSpace.PIXEL),  # 1 % beyond the edge and more isn't on it
    (CoordinateSpace.PIXEL, (0, 0, 50, 163), None),
    (CoordinateSpace.PIXEL, (0, 0, 50, 164), CoordinateSpace.THOUSAND),  # 64 pixels beyond a view of 100
    (CoordinateSpace.PIXEL, (0, 0, 164, 50), CoordinateSpace.THOUSAND),
])  # fmt: skip
def test_where_another_space_becomes_likelier(
    written: CoordinateSpace, rect: Rect, likelier: CoordinateSpace | None
) -> None:
    assert written.likelier(rect, Size(100, 100)) == likelier


@pytest.mark.parametrize(("region", "view", "stretch"), [
    (Box(0, 0, 400, 200), Size(200, 100), 1.0),
    (Box(0, 0, 400, 200), Size(200, 50), 2.0),  # x by a half, y by a quarter
    (Box(0, 0, 400, 200), Size(100, 150), 3.0),  # x by a quarter, y by three quarters
])  # fmt: skip
def test_how_much_a_view_is_stretched(region: Box, view: Size, stretch: float) -> None:
    assert Frame(region, view).stretch == stretch


@pytest.mark.parametrize(("first", "second", "union"), [
    (Box(0, 0, 10, 10), Box(5, 20, 8, 30), Box(0, 0, 10, 30)),
    (Box(4, 4, 5, 5), Box(4, 4, 5, 5), Box(4, 4, 5, 5)),
    (Box(7, 1, 9, 3), Box(2, 6, 3, 8), Box(2, 1, 9, 8)),
])  # fmt: skip
def test_the_union_is_the_smallest_box_that_covers_both(first: Box, second: Box, union: Box) -> None:
    assert first.union(second) == second.union(first) == union
