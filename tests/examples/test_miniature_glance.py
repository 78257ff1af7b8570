"""The miniature distilled into one glance: what is measured, and how it is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[train]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from miniature import glance
from miniature.glance import Point
from miniature.scenes import Split, draw_scene


def test_ways_are_told_by_their_tokens(tmp_path: Path) -> None:
    points = [
        Point("closed loop", 1024, 32.0, 0.75, 0.7),
        Point("at once", 1024, 16.0, 0.60, 0.4),
        Point("at once", 1024, 16.0, 0.70, 0.2),
        Point("at once", 4096, 64.0, 0.32, 0.0),
    ]
    assert glance.report(points, tmp_path).splitlines()[2:] == [
        "| closed loop | 1,024 | 32.0 | 0.750 (0.750 to 0.750) | 0.700 | 23.4 | 1 |",
        "| at once | 1,024 | 16.0 | 0.650 (0.600 to 0.700) | 0.300 | 40.6 | 2 |",
        "| at once | 4,096 | 64.0 | 0.320 (0.320 to 0.320) | 0.000 | 5.0 | 1 |",
    ]
    assert (tmp_path / "glance.png").stat().st_size > 5_000


@pytest.mark.slow
def test_a_student_is_asked_at_once_and_its_teacher_in_each_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glance, "STEPS", 2)
    monkeypatch.setattr(glance, "SFT_SCENES", range(1600, 1616))
    scenes = [draw_scene(Split.TEST, number) for number in range(1000, 1008)]
    teacher, student = glance.jobs(tmp_path, [0], [0], scenes)
    assert [(point.way, point.pixels, point.tokens) for point in student] == [
        ("at once, distilled", 1024, 16), ("at once, distilled", 4096, 64), ("at once, distilled", 16_384, 256)
    ]  # fmt: skip
    assert [point.way for point in teacher] == ["closed loop", "crop and overview", "at once", "at once", "at once"]
    assert teacher[0].tokens > teacher[2].tokens == 16
