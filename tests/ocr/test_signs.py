"""From readings to lines on the photo, and from lines to signs: built by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from PIL import Image
from signs_by_hand import BLUE, PHOTO, YELLOW, line, sign

from hart_agent.ocr import Line, TextLine, as_one, bounds, group, locate, merge
from hart_agent.vision.geometry import Box, Frame, Size
from hart_agent.vision.source import View


def test_merge_keeps_one_of_two_readings_and_the_uncut_one() -> None:
    whole = line("Sedge Museum", 500, 500)
    part = replace(line("Sedge Mus", 500, 500), cut=True, confidence=0.99)
    again = replace(whole, text="Sedge Museun", confidence=0.8, rect=(501, 501, 645, 520))
    elsewhere = line("Sedge Museum", 500, 530)
    for order in ([whole, part, again, elsewhere], [elsewhere, again, part, whole]):
        assert sorted(merge(order), key=lambda item: item.rect) == [whole, elsewhere]
    assert merge([part]) == [part]
    assert merge([]) == []


def test_merge_keeps_the_longer_of_two_uncut_readings() -> None:
    whole, part = line("Tollgate", 500, 500), line("gate", 548, 500)
    assert merge([part, whole]) == merge([whole, part]) == [whole]


def test_two_boards_stay_apart_and_their_rows_are_in_order() -> None:
    left, right = (
        sign("Orrin Dairy", "27 Tollgate Road", "Tel 0391", at=(500, 500)),
        sign("Ferry", "Pier 4", at=(900, 510)),
    )
    lines = [*right.lines[::-1], left.lines[1], left.lines[2], left.lines[0]]
    assert group(lines) == [left, right]
    assert group([]) == []


def test_boards_side_by_side_are_told_apart_by_their_colours() -> None:
    left, right = line("Ferry", 500, 500, background=BLUE), line("Dairy", 565, 500, background=YELLOW)
    assert [item.text for item in group([left, right])] == ["Ferry", "Dairy"]
    assert [item.text for item in group([left, replace(right, background=BLUE)])] == ["Ferry Dairy"]


@pytest.mark.parametrize(("x", "y"), [(130, 150), (460, 60)], ids=["lines set wide", "a price far from its item"])
@pytest.mark.parametrize("between", [YELLOW, (120, 60, 30)], ids=["one board", "two boards"])
def test_lines_set_wide_belong_together_if_the_boards_colour_reaches_from_one_to_the_other(
    x: int, y: int, between: tuple[int, int, int]
) -> None:
    picture = Image.new("RGB", (800, 300), YELLOW)
    gap = (0, 95, 800, 140) if y > 100 else (330, 0, 430, 300)
    picture.paste(between, gap)
    size = Size(800, 300)
    view = View("view1", "zoom", picture, Frame(size.box, size))
    readings = [
        TextLine("Quinces", 0.95, quad(100, 60, 300, 86)),  # type: ignore[arg-type]
        TextLine("$3.75", 0.95, quad(x, y, x + 120, y + 26)),  # type: ignore[arg-type]
    ]
    found = group(locate(readings, view, view.frame))
    assert len(found) == (1 if between == YELLOW else 2)


def test_words_of_one_row_are_joined_from_left_to_right() -> None:
    row = [line("Quinces", 500, 500), line("$3.75", 610, 503)]
    (found,) = group([row[1], line("Rhubarb", 500, 470), row[0]])
    assert found.texts == ["Rhubarb", "Quinces $3.75"]


@pytest.mark.parametrize("degrees", [-90, -30, -12, 8, 25, 90, 180])
def test_a_tilted_sign_is_one_sign_and_its_rows_are_in_order(degrees: int) -> None:
    texts, angle, height = ("Orrin Dairy", "27 Tollgate Road", "Tel 0391 445 820"), math.radians(degrees), 20.0
    cos, sin = math.cos(angle), math.sin(angle)
    lines = []
    for row, text in enumerate(texts):
        across, down = 0.6 * height * len(text), 30.0 * row  # along and across the reading direction
        corners = [(u * cos - v * sin, u * sin + v * cos) for u in (0, across) for v in (down, down + height)]
        xs, ys = [900 + x for x, _ in corners], [900 + y for _, y in corners]
        lines.append(Line(text, 0.9, (min(xs), min(ys), max(xs), max(ys)), height, angle, BLUE, False))
    assert len(merge(lines)) == 3  # none is taken for another reading of its neighbour
    (found,) = group(lines[::-1])
    assert tuple(found.texts) == texts


def test_a_crop_is_one_sign_however_far_apart_its_rows_are() -> None:
    far = [line("Ferry", 500, 500), line("Pier 4", 500, 640)]
    assert [item.text for item in group(far)] == ["Ferry", "Pier 4"]
    (found,) = as_one(far[::-1])
    assert found.texts == ["Ferry", "Pier 4"]
    assert as_one([]) == []


def quad(x0: float, y0: float, x1: float, y1: float) -> tuple[tuple[float, float], ...]:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


@pytest.mark.parametrize("factor", [0.5, 1, 2])
def test_what_was_read_on_a_view_is_placed_on_the_original(factor: float) -> None:
    box = Box(1000, 600, 1400, 900)
    size = Size(int(400 * factor), int(300 * factor))
    picture = Image.new("RGB", (size.width, size.height), BLUE)
    view = View("view1", "zoom", picture, Frame(box, size))
    reading = TextLine("Ferry 12", 0.9, quad(100 * factor, 60 * factor, 220 * factor, 90 * factor))  # type: ignore[arg-type]
    (found,) = locate([reading], view, Frame(PHOTO.box, Size(1500, 1200)))
    assert replace(found, board=None) == Line("Ferry 12", 0.9, (1100, 660, 1220, 690), 30, 0.0, BLUE, False)
    assert bounds([found]) == (1100, 660, 1220, 690)


@pytest.mark.parametrize(
    ("place", "cut"),
    [((0, 60, 90, 90), True), ((310, 60, 399, 90), True), ((100, 0, 190, 30), True), ((100, 269, 190, 299), True),
     ((100, 60, 190, 90), False)],
)  # fmt: skip
def test_a_line_at_the_border_of_a_view_is_cut_unless_the_photo_ends_there(
    place: tuple[float, float, float, float], cut: bool
) -> None:
    reading = TextLine("Ferry 12", 0.9, quad(*place))  # type: ignore[arg-type]
    size = Size(400, 300)
    for box, expected in ((Box(1000, 600, 1400, 900), cut), (size.box, False)):
        view = View("view1", "zoom", Image.new("RGB", (400, 300)), Frame(box, size))
        whole = Frame(PHOTO.box if box.x0 else size.box, Size(1500, 1200))
        (found,) = locate([reading], view, whole)
        assert found.cut is expected


@pytest.mark.parametrize(
    ("text", "confidence", "kept"),
    [("Ferry 12", 0.65, True), ("Ferry 12", 0.55, False), ("il", 0.8, False), ("il", 0.95, True), ("- .", 1.0, False)],
)
def test_short_and_unsure_readings_are_left_out(text: str, confidence: float, kept: bool) -> None:
    size = Size(400, 300)
    view = View("view1", "zoom", Image.new("RGB", (400, 300)), Frame(size.box, size))
    reading = TextLine(text, confidence, quad(100, 60, 190, 90))  # type: ignore[arg-type]
    assert len(locate([reading], view, view.frame)) == kept
