"""Questions for tests of training, each on a picture of its own."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from hart_agent.answers import AnswerType
from hart_agent.evals.items import Item


def noisy_questions(folder: Path, count: int) -> list[Item]:
    """Questions on noise of 300 x 200, which get the answer "x"."""
    return [_question(folder, number, Image.effect_noise((300, 200), 60 + number)) for number in range(count)]


def plain_questions(folder: Path, count: int) -> list[Item]:
    """The same on 60 x 60 pixels of one colour, quick to encode."""
    return [_question(folder, number, Image.new("RGB", (60, 60), (number, 0, 0))) for number in range(count)]


def _question(folder: Path, number: int, picture: Image.Image) -> Item:
    path = folder / f"{number}.png"
    picture.convert("RGB").save(path)
    return Item(str(number), path, f"what is number {number}?", "x", AnswerType.TEXT)
