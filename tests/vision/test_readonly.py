"""What a tool is lent stays as it was: views are read-only, pixels are the tool's own."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import answer, tool_call
from PIL import Image, ImageDraw

from hart_agent import Agent, ScriptedPolicy, SourceImage, ToolContext, ToolOutput, tool
from hart_agent.testing.checking import examine_tool
from hart_agent.vision.cache import ImageCache
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.readonly import freeze

CHANGES: dict[str, Callable[[Image.Image], object]] = {
    "draw": ImageDraw.Draw,
    "paste": lambda image: image.paste(0, (0, 0, 2, 2)),
    "putpixel": lambda image: image.putpixel((0, 0), (1, 2, 3)),
    "putdata": lambda image: image.putdata([(1, 2, 3)] * 12),
    "putalpha": lambda image: image.putalpha(3),
    "thumbnail": lambda image: image.thumbnail((2, 2)),
    "frombytes": lambda image: image.frombytes(bytes(36)),
    "pixel access": lambda image: image.load().__setitem__((0, 0), (1, 2, 3)),  # type: ignore[union-attr]
    "array": lambda image: np.asarray(image).__setitem__((0, 0, 0), 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_read_only_image_refuses_every_change(change: Callable[[Image.Image], object]) -> None:
    plain = Image.new("RGB", (4, 3), (9, 8, 7))
    image = freeze(plain.copy())
    with pytest.raises((TypeError, ValueError), match=r"shared and can't be changed|read-?only"):
        change(image)
    image.close()
    assert image.size == (4, 3)
    assert image.tobytes() == plain.tobytes()
    if change is not CHANGES["array"]:
        change(image.copy())  # a copy is like any other image
    assert pickle.loads(pickle.dumps(image)).tobytes() == plain.tobytes()


def test_an_image_of_the_callers_stays_as_it_is(tmp_path: Path) -> None:
    """Whether it was loaded or not, and whatever was asked of it."""
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.png")
    for given in (Image.new("RGB", (64, 48)), Image.open(tmp_path / "photo.png")):
        context = ToolContext(SourceImage(given), "what?", ScriptedPolicy([]))
        context.render(context.image.size.box, "overview")
        context.add_view("mine", given, context.image.size.box)
        given.putpixel((0, 0), (1, 2, 3))
        assert given.getpixel((0, 0)) == (1, 2, 3)


@tool
def vandal(context: ToolContext) -> ToolOutput:
    """Draw on the pixels of the whole image, which are the tool's own."""
    pixels = context.pixels(context.image.size.box)
    ImageDraw.Draw(pixels).rectangle((0, 0, *pixels.size), "red")
    return ToolOutput("drawn", (context.add_view("vandal", pixels, context.image.size.box),))


@tool
def scribbler(context: ToolContext) -> str:
    """Draw on the overview that the policy saw."""
    ImageDraw.Draw(context.views["overview"].image).rectangle((0, 0, 50, 50), "red")
    return "drawn"


@tool
def forger(context: ToolContext) -> str:
    """Write past every check."""
    context.views["overview"].image.im.putpixel((0, 0), (1, 2, 3))
    return "drawn"


def test_a_tool_that_draws_on_the_whole_image_poisons_no_other_question(tmp_path: Path) -> None:
    Image.effect_noise((640, 480), 60).convert("RGB").save(tmp_path / "photo.png")
    with SourceImage(tmp_path / "photo.png") as source:
        clean = source.render(source.size.box, source.size).tobytes()
    for bad in (vandal, scribbler):
        replies = [tool_call(bad.name), answer("x")] * 2
        agent, cache = Agent(ScriptedPolicy(replies), tools=[bad]), ImageCache()

        async def ask(agent: Agent = agent, cache: ImageCache = cache) -> list[str]:
            runs = []
            for number in range(2):
                async for result in agent.abatch([(number, tmp_path / "photo.png", "what?")], images=cache):
                    assert result.trajectory is not None
                    runs.append(result.trajectory.overview.sha256)
            shared = await cache.open(tmp_path / "photo.png")
            assert shared.render(shared.size.box, Size(640, 480)).tobytes() == clean
            return runs

        first, second = asyncio.run(ask())
        assert first == second


def test_views_hold_copies_of_what_a_tool_made() -> None:
    context = ToolContext(SourceImage(Image.new("RGB", (100, 80))), "what?", ScriptedPolicy([]))
    pixels = context.pixels(Box(0, 0, 64, 64))
    view = context.add_view("mine", pixels, Box(0, 0, 64, 64))
    ImageDraw.Draw(pixels).rectangle((0, 0, 50, 50), "red")
    assert view.image.getpixel((5, 5)) == (0, 0, 0)


def test_check_tool_notices_a_tool_that_changes_what_it_was_lent() -> None:
    assert not examine_tool(vandal)
    assert any("shared and can't be changed" in str(finding) for finding in examine_tool(scribbler))
    assert any("altered what it was lent: overview" in str(finding) for finding in examine_tool(forger))
