"""The controls: what an answer is worth once its evidence is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from conftest import answer
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from simulated_policies import QUESTION, Guesser, Looker, WholeImageLooker, square_scene

from hart_agent import Agent, Box, EpisodeConfig, Mode, PolicyError, ScriptedPolicy, SourceImage
from hart_agent.evals.controls import Control, ControlOutcome, random_boxes, run_controls
from hart_agent.evals.masking import MaskedImage
from hart_agent.vision.geometry import Size

SCENE, OTHER = square_scene(1), square_scene(3)


def controlled(agent: Agent, *, other: bool = True, seed: int = 0) -> dict[Control, ControlOutcome]:
    async def run() -> list[ControlOutcome]:
        source = SourceImage(SCENE.image)
        tested = await agent.aask(source, QUESTION)
        assert tested.answer == SCENE.colour
        another = SourceImage(OTHER.image) if other else None
        return await run_controls(agent, source, tested, other=another, seed=seed)

    return {outcome.control: outcome for outcome in asyncio.run(run())}


@pytest.mark.parametrize("mode", [Mode.AGENT, Mode.CLOSED_LOOP, Mode.MGPO])
def test_what_was_read_from_the_evidence_is_gone_without_it(mode: Mode) -> None:
    outcomes = controlled(Agent(Looker(), config=EpisodeConfig(mode)))
    assert list(outcomes) == list(Control)
    assert {control: outcome.same for control, outcome in outcomes.items()} == {
        Control.NO_IMAGE: False,
        Control.RANDOM_BOX: False,
        Control.OTHER_IMAGE: False,
        Control.MASKED: False,
        Control.NO_TOOLS: True,  # the square is large enough to be seen on the overview
    }
    (place,) = outcomes[Control.RANDOM_BOX].boxes
    (evidence,) = outcomes[Control.MASKED].boxes
    assert evidence.iou(SCENE.box) > 0.9
    assert place.size == evidence.size
    assert place.overlap(evidence) == 0


@pytest.mark.parametrize("crops", [True, False])
def test_what_was_guessed_stays(crops: bool) -> None:
    outcomes = controlled(Agent(Guesser({QUESTION: SCENE.colour}, crops=crops)))
    assert all(outcome.same for outcome in outcomes.values())
    assert bool(outcomes[Control.MASKED].boxes) is crops  # without evidence there is nothing to take away


def test_a_box_around_everything_leaves_no_place_for_another() -> None:
    outcomes = controlled(Agent(WholeImageLooker()))
    assert outcomes[Control.RANDOM_BOX].boxes == (Box(0, 0, 800, 600),)
    assert outcomes[Control.RANDOM_BOX].same
    assert not outcomes[Control.MASKED].same


def test_without_another_image_that_control_is_left_out() -> None:
    assert Control.OTHER_IMAGE not in controlled(Agent(Looker()), other=False)


def test_a_policy_that_fails_under_a_control_is_an_error() -> None:
    async def run() -> None:
        agent = Agent(ScriptedPolicy([answer("red")]), verify=False)
        source = SourceImage(SCENE.image)
        await run_controls(agent, source, await agent.aask(source, QUESTION), controls=[Control.NO_TOOLS])

    with pytest.raises(PolicyError, match="no more replies"):
        asyncio.run(run())


def test_only_the_seed_decides_where_the_random_boxes_are() -> None:
    boxes, image = [Box(10, 10, 60, 40), Box(300, 100, 310, 500)], Size(900, 700)
    assert random_boxes(boxes, image, 1) == random_boxes(boxes, image, 1)
    assert random_boxes(boxes, image, 1) != random_boxes(boxes, image, 2)


@given(st.data())
@settings(max_examples=60)
def test_random_boxes_have_the_same_sizes_and_lie_in_the_image(data: st.DataObject) -> None:
    image = Size(data.draw(st.integers(1, 500)), data.draw(st.integers(1, 500)))
    boxes = []
    for _ in range(data.draw(st.integers(1, 4))):
        x0, y0 = data.draw(st.integers(0, image.width - 1)), data.draw(st.integers(0, image.height - 1))
        boxes.append(
            Box(x0, y0, data.draw(st.integers(x0 + 1, image.width)), data.draw(st.integers(y0 + 1, image.height)))
        )
    drawn = random_boxes(boxes, image, data.draw(st.integers(0, 99)))
    assert [box.size for box in drawn] == [box.size for box in boxes]
    assert all(box.x1 <= image.width and box.y1 <= image.height for box in drawn)


@pytest.mark.parametrize(("box", "size"), [
    (Box(0, 0, 800, 600), Size(800, 600)),
    (Box(0, 0, 800, 600), Size(260, 195)),
    (Box(0, 0, 800, 600), Size(1600, 1200)),
    (Box(300, 200, 500, 400), Size(200, 200)),
    (Box(300, 200, 500, 400), Size(600, 600)),
    (Box(300, 200, 500, 400), Size(70, 70)),
])  # fmt: skip
def test_nothing_of_what_is_hidden_shows_in_any_view(tmp_path: Path, box: Box, size: Size) -> None:
    """The hidden region is bright on black: any trace of it in a view is a pixel that is neither black nor grey."""
    picture = Image.new("RGB", (800, 600))
    hidden = Box(350, 260, 421, 333)
    picture.paste((255, 255, 255), hidden.as_tuple())
    path = tmp_path / "photo.png"
    picture.save(path)
    for source in (SourceImage(picture), SourceImage(path)):
        view = np.asarray(MaskedImage(source, [hidden]).render(box, size))
        assert set(np.unique(view)) == {0, 127}
        shown = np.asarray(source.render(box, size))
        assert shown.max() == 255  # and the image itself is as it was
        outside = (view == 0).mean()
        assert abs(outside - (1 - hidden.area / box.area)) < 0.12
