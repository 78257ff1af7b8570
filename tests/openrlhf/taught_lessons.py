"""The questions of the suite, and the model that is trained on them; a plugin that `tests/openrlhf/run` names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageOps
from taught_vlm import make_taught_vlm, write_lessons


def repaint(folder: Path) -> None:
    """Make the images of a folder others than they were: held-out questions share none."""
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            ImageOps.mirror(image).save(path)


@pytest.fixture(scope="session")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four questions, and a tiny model that points somewhere and answers x or y, at random."""
    folder = tmp_path_factory.mktemp("lessons")
    box = [130, 75, 250, 160]  # in both of the boxes that the model has learnt by heart
    (folder / "other").mkdir()
    write_lessons(folder / "other", {f"what is {number}?": "x" for number in range(4)}, box)
    repaint(folder / "other")
    samples = write_lessons(folder, {f"what is {number}?": "x" for number in range(4)}, box)
    make_taught_vlm(folder, samples, ["x", "y"], steps=160).rename(folder / "tiny")  # until all four are known
    return folder


@pytest.fixture
def folder(lessons: Path, tmp_path: Path) -> Iterator[Path]:
    """Such a folder of the test's own; whatever the test leaves running ends with it."""
    shutil.copytree(lessons, tmp_path / "folder")
    yield tmp_path / "folder"
    for process in psutil.Process().children(recursive=True):
        process.kill()
