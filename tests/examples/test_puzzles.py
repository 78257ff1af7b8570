"""Drawn puzzles: the same for the same seed, with answers that can be read off their pixels again."""

from __future__ import annotations

import hashlib
import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "puzzles"))

import drawing

FOLDER = Path(drawing.__file__).parent
COLOURS = {"red": (205, 38, 38), "blue": (40, 80, 200), "green": (28, 140, 60), "yellow": (236, 190, 20)}


def test_one_command_writes_a_training_set_and_the_same_again(tmp_path: Path) -> None:
    from rl.data import load_samples

    for name in "ab":
        command = [sys.executable, str(FOLDER / "make_puzzles.py"), str(tmp_path / name), "--count", "3"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    written = [sorted((tmp_path / name).rglob("*.*")) for name in "ab"]
    digests = [[hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] for paths in written]
    assert len(digests[0]) == 4
    assert digests[0] == digests[1]
    samples = load_samples(tmp_path / "a" / "questions.jsonl")
    assert [sample.category for sample in samples] == ["clock", "counting", "maze"]
    for sample in samples:
        size = sample.open().size
        assert sample.boxes
        assert all(0 <= box.x0 < box.x1 <= size.width and 0 <= box.y0 < box.y1 <= size.height for box in sample.boxes)


def puzzle(kind: str, seed: int) -> drawing.Puzzle:
    return drawing.KINDS[kind](random.Random(f"test {seed}"))


@pytest.mark.parametrize("seed", range(8))
def test_the_hands_of_a_clock_point_at_its_answer(seed: int) -> None:
    drawn = puzzle("clock", seed)
    ((x0, y0, x1, y1),) = drawn.boxes
    centre, radius = ((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0) / 2 - 4
    dark = np.asarray(drawn.image.convert("L")) < 120

    def dark_turns(share: float) -> list[float]:
        turns = np.arange(0, 1, 1 / 1440)
        xs = centre[0] + share * radius * np.sin(2 * math.pi * turns)
        ys = centre[1] - share * radius * np.cos(2 * math.pi * turns)
        return [float(turn) for turn, x, y in zip(turns, xs, ys, strict=True) if dark[int(y), int(x)]]

    hour, minute = map(int, drawn.answer.split(":"))
    assert drawn.steps == (str(hour), str(minute))
    for turn, share in ((minute / 60, 0.55), ((hour + minute / 60) / 12, 0.42)):
        nearest = min(min(abs(at - turn) % 1, 1 - abs(at - turn) % 1) for at in dark_turns(share))
        assert nearest < 1 / 240, "no hand where the answer says"
    assert len({round(at * 60) % 60 for at in dark_turns(0.55)}) <= 2, "only the long hand reaches so far"


@pytest.mark.parametrize("seed", range(8))
def test_the_things_to_count_can_be_counted(seed: int) -> None:
    drawn = puzzle("counting", seed)
    pixels = np.asarray(drawn.image).astype(int)
    words = drawn.question.removeprefix("How many ").split(" are there")[0].split(" and ")
    counts = []
    for colour, shape in (name.split() for name in words):
        same = np.abs(pixels - COLOURS[colour]).max(axis=2) < 25
        labels, _ = ndimage.label(same)
        filled = {"circles": math.pi / 4, "squares": 1.0, "triangles": 0.5}
        found = 0
        for index, place in enumerate(ndimage.find_objects(labels), start=1):
            area, inside = (labels[place] == index).sum(), labels[place].size
            if area > 60 and min(filled, key=lambda name: abs(filled[name] - area / inside)) == shape:
                found += 1
        counts.append(found)
    assert drawn.steps == tuple(map(str, counts))
    assert drawn.answer == str(sum(counts))
    assert len(drawn.boxes) == sum(counts)


@pytest.mark.parametrize("seed", range(12))
def test_one_exit_of_a_maze_can_be_reached(seed: int) -> None:
    drawn = puzzle("maze", seed)
    free = np.asarray(drawn.image.convert("L")) > 150
    (box,) = drawn.boxes
    cell = box[2] - box[0]
    count = round(drawing.SIDE / cell) - 1
    last = count - 1
    at = {"A": (0, 0), "B": (0, last), "C": (last, 0), "D": (last, last)}
    start = count // 2, count // 2
    labels, _ = ndimage.label(free)

    def floor(place: tuple[int, int]) -> int:
        unit = drawing.SIDE / (count + 1)
        x, y = ((part + 0.5) * unit + 0.15 * unit for part in place)
        return int(labels[int(y), int(x)])

    assert [name for name, place in at.items() if floor(place) == floor(start)] == [drawn.answer]


def test_another_seed_draws_another_picture() -> None:
    for kind in drawing.KINDS:
        pictures = {puzzle(kind, seed).image.tobytes() for seed in range(4)}
        assert len(pictures) == 4
    assert isinstance(puzzle("clock", 0).image, Image.Image)
