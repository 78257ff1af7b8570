"""The region that shows an answer, on panels whose place is known."""

from __future__ import annotations

import pytest

from hart_agent.backends.embedded.evidence import panel
from hart_agent.ocr import Line
from hart_agent.vision.geometry import Rect, Size

PHOTO = Size(1000, 800)


def line(rect: Rect, board: Rect | None) -> Line:
    return Line("Ferry 12", 0.9, rect, rect[3] - rect[1], 0.0, (20, 40, 200), False, board)


def test_lines_have_a_margin_of_a_third_of_the_letter_height() -> None:
    assert panel([line((100, 100, 200, 130), None)], PHOTO, whole=True) == (90, 90, 210, 140)
    assert panel([line((100, 100, 200, 130), (50, 60, 260, 170))], PHOTO, whole=False) == (90, 90, 210, 140)


def test_a_sign_is_its_panel() -> None:
    rows = [line((100, 100, 200, 130), (60, 70, 260, 210)), line((100, 150, 180, 180), (60, 72, 260, 210))]
    assert panel(rows, PHOTO, whole=True) == (60, 70, 260, 210)


def test_a_wall_is_no_panel() -> None:
    wall = line((400, 400, 500, 430), (85, 265, 815, 565))
    assert panel([wall], PHOTO, whole=True) == (390, 390, 510, 440)


@pytest.mark.parametrize("rect", [(0, 0, 50, 30), (950, 770, 1000, 800)])
def test_the_region_stays_in_the_photo(rect: Rect) -> None:
    x0, y0, x1, y1 = panel([line(rect, None)], PHOTO, whole=False)
    assert 0 <= x0 < x1 <= PHOTO.width
    assert 0 <= y0 < y1 <= PHOTO.height
