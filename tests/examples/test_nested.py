"""Boards of cards: by the pixels of the agent's own views, the code shows only in a zoom within a zoom."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import answer, tool_call

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "puzzles"))

import drawing
import nested

from hart_agent import Agent, Box, CoordinateProfile, CoordinateSpace, EpisodeConfig, Message, Reply, View, ViewBudget
from hart_agent.answers import AnswerType
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.items import Item
from hart_agent.evals.runner import EvalSettings

LEGIBLE = 7
"""Pixels of capitals that can be read."""
BOARD = nested.SIDE // nested.BOARDS


class Reader:
    """Reads what is legible: finds the board by its letter, the card by its name, and then the code."""

    name = "reader"
    profile = CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=nested.VIEW**2, grid=28))

    def __init__(self, puzzles: Sequence[drawing.Puzzle]) -> None:
        self._known = {puzzle.question: (puzzle.answer, Box(*puzzle.boxes[0])) for puzzle in puzzles}
        self.seen: list[View] = []

    async def reply(self, messages: Sequence[Message], tools: Any) -> Reply:
        self.seen = [view for message in messages for view in message.views]
        view, words = self.seen[-1], messages[1].text
        code, box = next(known for question, known in self._known.items() if question in words)
        scale = view.frame.size.width / view.frame.box.width
        if nested.CODE * scale >= LEGIBLE:
            return Reply(answer(code))
        x, y = (box.x0 + box.x1) // 2, (box.y0 + box.y1) // 2
        card = Box(x - 160, y - 160, x + 160, y + 160)
        left, top = x // BOARD * BOARD, y // BOARD * BOARD
        look = card if nested.NAME * scale >= LEGIBLE else Box(left, top, left + BOARD, top + BOARD)
        at = view.frame.from_original(look.as_tuple(), CoordinateSpace.PIXEL)
        return Reply(tool_call("zoom", bbox_2d=[round(value) for value in at], image=view.id))


@pytest.fixture(scope="module")
def puzzles() -> list[drawing.Puzzle]:
    return [nested.nested(random.Random(f"test {seed}")) for seed in range(2)]


def height_of_code(view: View, box: Box) -> float:
    """The height of what is written in a box, in pixels of the view: rows by how dark they are beside the darkest."""
    x0, y0, x1, y1 = view.frame.from_original(box.as_tuple(), CoordinateSpace.PIXEL)
    pixels = np.asarray(view.image.convert("L")).astype(float)
    part = 250 - pixels[max(0, int(y0) - 3) : int(y1) + 4, int(x0) : int(x1) + 1]
    rows = part.max(axis=1).clip(min=0)
    return float(rows.sum() / rows.max())


def test_the_code_is_legible_after_two_zooms_and_not_before(puzzles: list[drawing.Puzzle]) -> None:
    for puzzle in puzzles:
        policy = Reader([puzzle])
        run = Agent(policy, verify=False).ask(puzzle.image, puzzle.question)
        assert [len(turn.results) for turn in run.turns] == [1, 1, 0]
        assert run.answer == puzzle.answer
        heights = [height_of_code(view, Box(*puzzle.boxes[0])) for view in policy.seen]
        assert heights[0] < 2.5
        assert heights[1] < 4.5
        assert heights[2] > LEGIBLE


@pytest.mark.slow
def test_accuracy_rises_with_the_turns_that_are_allowed(puzzles: list[drawing.Puzzle], tmp_path: Path) -> None:
    items = []
    for number, puzzle in enumerate(puzzles):
        path = tmp_path / f"{number}.png"
        puzzle.image.save(path, compress_level=1)
        items.append(Item(str(number), path, puzzle.question, puzzle.answer, AnswerType.TEXT))
    accuracies = []
    for turns in (2, 3):
        agent = Agent(Reader(puzzles), config=EpisodeConfig(max_turns=turns), verify=False)
        out = tmp_path / str(turns)
        report = asyncio.run(evaluate_folder(agent, "jsonl", items, out, EvalSettings(), {}))
        accuracies.append(report["summary"]["accuracy"]["value"])
    assert accuracies == [0, 1]
    tokens = report["per_question"]["image_tokens"]
    assert tokens == pytest.approx(16 * 16 * 3, abs=48)  # three views of 448 pixels, whose grid is 28
    assert report["right_per_1000_image_tokens"] == pytest.approx(1000 / tokens, abs=1e-3)
