"""Policies that really look at the pixels they are sent, or never do: for controls and evaluation.

The scenes are grey with one coloured square; the question is its colour.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from conftest import answer, tool_call
from PIL import Image

from hart_agent import Box, CoordinateProfile, CoordinateSpace, Message, Reply, View, ViewBudget
from hart_agent.dialogue.messages import ToolSpec

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 230), "yellow": (230, 220, 20)}
QUESTION = "What colour is the square?"
PROFILE = CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=200_000))


@dataclass(frozen=True)
class SquareScene:
    """An image and what is true of it; the box is in pixels of the image."""

    image: Image.Image
    colour: str
    box: Box


def square_scene(seed: int, size: tuple[int, int] = (800, 600), side: int = 60) -> SquareScene:
    chance = random.Random(seed)
    colour = chance.choice(list(COLOURS))
    x0, y0 = chance.randint(0, size[0] - side), chance.randint(0, size[1] - side)
    grey = np.random.default_rng(seed).integers(90, 160, (size[1], size[0], 1), dtype=np.uint8)
    image = Image.fromarray(np.repeat(grey, 3, axis=2))
    image.paste(COLOURS[colour], (x0, y0, x0 + side, y0 + side))
    return SquareScene(image, colour, Box(x0, y0, x0 + side, y0 + side))


def see(view: View) -> tuple[str, tuple[int, int, int, int]] | None:
    """The colour of the square on a view, and its bounds in the view's pixels; None if there is none."""
    pixels = np.asarray(view.image).astype(np.int16)
    red, green, blue = np.moveaxis(pixels, 2, 0)
    most, least = (best(best(red, green), blue) for best in (np.maximum, np.minimum))
    coloured = most - least > 120
    rows, columns = np.nonzero(coloured)
    if len(rows) < 30:
        return None
    mean = np.median(pixels[coloured], axis=0)
    name = min(COLOURS, key=lambda colour: float(np.abs(mean - COLOURS[colour]).sum()))
    return name, (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


class Looker:
    """Finds the square on the overview, crops it, and says what it sees on the crop."""

    name = "looker"
    profile = PROFILE

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        views = [view for message in messages for view in message.views]
        crops = [view for view in views if view.kind == "crop"]
        seen = next((found for view in crops or views if (found := see(view))), None)
        if seen is None:
            return Reply("<abstain>I see no square</abstain>")
        if tools and not crops:
            return Reply(tool_call("crop", bbox_2d=self.point(seen[1], views[0]), label="square"))
        return Reply(answer(seen[0]))

    def point(self, bounds: tuple[int, int, int, int], overview: View) -> list[int]:
        return list(bounds)


class WholeImageLooker(Looker):
    """Looks, too, but takes the whole image for evidence."""

    name = "whole image"

    def point(self, bounds: tuple[int, int, int, int], overview: View) -> list[int]:
        return [0, 0, overview.image.width, overview.image.height]


class Guesser:
    """Knows the answers without looking.

    Args:
        known: the answers, by a piece of their question.
        crops: whether it takes the upper left corner for evidence; otherwise it takes none.
    """

    name = "guesser"
    profile = PROFILE

    def __init__(self, known: dict[str, str], *, crops: bool = False) -> None:
        self.known = known
        self._crops = crops

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        text = "\n".join(message.text for message in messages)
        views = [view for message in messages for view in message.views]
        if tools and self._crops and not any(view.kind == "crop" for view in views):
            return Reply(tool_call("crop", bbox_2d=[0, 0, 40, 40], label="corner"))
        return Reply(answer(next(known for question, known in self.known.items() if question in text)))
