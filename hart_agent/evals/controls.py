"""Controls: the same question without its evidence. An answer that survives was not read from the evidence.

    no_image      the question alone
    random_box    crops of the same sizes from elsewhere in the image
    other_image   crops of the same sizes from another image
    masked        the same mode of work on the image with its evidence painted over
    no_tools      the overview alone; nothing is taken away, so this one says what tools add

The first four take the evidence away. An answer without any evidence survives its removal by definition.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hart_agent.agent import Agent
from hart_agent.agent.modes import Mode
from hart_agent.agent.trajectory import Trajectory
from hart_agent.answers import agree
from hart_agent.dialogue.conversations import answer_blind, answer_from_crops
from hart_agent.dialogue.messages import Message
from hart_agent.dialogue.policy import Policy, Usage
from hart_agent.dialogue.reading import answer_of
from hart_agent.dialogue.vocabularies.vocabulary import vocabulary_of
from hart_agent.evals.masking import MaskedImage
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import SourceImage, View

_TRIES = 100
"""Places that are drawn for a random box; the one that covers the least of the evidence is taken."""


class Control(StrEnum):
    """A way to ask again; the module's docstring says what each shows."""

    NO_IMAGE = "no_image"
    RANDOM_BOX = "random_box"
    OTHER_IMAGE = "other_image"
    MASKED = "masked"
    NO_TOOLS = "no_tools"


TITLES = {
    Control.NO_IMAGE: "without the image",
    Control.RANDOM_BOX: "crops from elsewhere in the image",
    Control.OTHER_IMAGE: "crops of another image",
    Control.MASKED: "the evidence painted over",
    Control.NO_TOOLS: "without tools",
}
"""What each is called where results are shown."""


@dataclass(frozen=True)
class ControlOutcome:
    """What the policy said under one control.

    Attributes:
        control: which one.
        answer: the answer, or None.
        same: whether it agrees with the answer under test.
        boxes: what was shown (of the other image, where it is one) or painted over, in original pixels.
        usage: what it cost.
    """

    control: Control
    answer: str | None
    same: bool
    boxes: tuple[Box, ...] = ()
    usage: Usage = field(default_factory=Usage)


async def run_controls(
    agent: Agent,
    source: SourceImage,
    tested: Trajectory,
    *,
    other: SourceImage | None = None,
    seed: int = 0,
    controls: Sequence[Control] = tuple(Control),
) -> list[ControlOutcome]:
    """Ask a question again under each control.

    Args:
        agent: that answered the question.
        source: its image.
        tested: the result of the question.
        other: an image that has nothing to do with it; without one, `other_image` is left out.
        seed: of the random boxes.
        controls: which ones, in this order.

    Raises:
        ImageError: an image can't be used.
        PolicyError: the policy could not reply.
    """
    evidence = tuple(item.box for item in tested.evidence)
    outcomes = []
    for control in controls:
        if control is Control.OTHER_IMAGE and other is None:
            continue
        if not evidence and control in (Control.RANDOM_BOX, Control.OTHER_IMAGE, Control.MASKED):
            outcomes.append(ControlOutcome(control, tested.answer, tested.answer is not None))
            continue
        outcomes.append(await _run(control, agent, source, tested, evidence, other, seed))
    return outcomes


async def _run(
    control: Control,
    agent: Agent,
    source: SourceImage,
    tested: Trajectory,
    evidence: tuple[Box, ...],
    other: SourceImage | None,
    seed: int,
) -> ControlOutcome:
    boxes: tuple[Box, ...] = ()
    if control is Control.NO_IMAGE:
        answer, usage = await _ask_once(agent.policy, answer_blind(tested.question))
    elif control is Control.RANDOM_BOX:
        boxes = random_boxes(evidence, source.size, seed)
        answer, usage = await _ask_of_crops(agent.policy, tested.question, source, boxes)
    elif control is Control.OTHER_IMAGE:
        assert other is not None
        boxes = tuple(_transferred(box, source.size, other.size) for box in evidence)
        answer, usage = await _ask_of_crops(agent.policy, tested.question, other, boxes)
    else:
        config, image = replace(agent.config, mode=Mode.DIRECT), source
        if control is Control.MASKED:
            config, image, boxes = agent.config, MaskedImage(source, evidence), evidence
        run = await agent.variant(config, verify=False).aask(image, tested.question)
        if run.failure is not None:
            raise run.failure
        answer, usage = run.answer, run.usage
    same = answer is not None and tested.answer is not None and agree(answer, tested.answer)
    return ControlOutcome(control, answer, same, boxes, usage)


async def _ask_of_crops(
    policy: Policy, question: str, image: SourceImage, boxes: Sequence[Box]
) -> tuple[str | None, Usage]:
    def render() -> list[View]:
        with image:
            context = ToolContext(image, question, policy)
            return [context.render(box, "crop") for box in boxes]

    return await _ask_once(policy, answer_from_crops(question, await asyncio.to_thread(render)))


async def _ask_once(policy: Policy, messages: Sequence[Message]) -> tuple[str | None, Usage]:
    reply = await policy.reply(messages, ())
    return answer_of(reply, vocabulary_of(policy)), reply.usage


def random_boxes(boxes: Sequence[Box], image: Size, seed: int) -> tuple[Box, ...]:
    """Boxes of the same sizes at random places, off the given ones where the image has room; in original pixels."""
    chance = random.Random(seed)
    drawn = []
    for box in boxes:
        best: tuple[int, Box] | None = None
        for _ in range(_TRIES):
            x0, y0 = chance.randint(0, image.width - box.width), chance.randint(0, image.height - box.height)
            place = Box(x0, y0, x0 + box.width, y0 + box.height)
            covered = sum(place.overlap(evidence) for evidence in boxes)
            if best is None or covered < best[0]:
                best = covered, place
            if covered == 0:
                break
        assert best is not None
        drawn.append(best[1])
    return tuple(drawn)


def _transferred(box: Box, image: Size, other: Size) -> Box:
    """A box of the same size at the same relative place in another image, as far as that has room."""
    width, height = min(box.width, other.width), min(box.height, other.height)
    x0 = round((other.width - width) * box.x0 / max(1, image.width - box.width))
    y0 = round((other.height - height) * box.y0 / max(1, image.height - box.height))
    return Box(x0, y0, x0 + width, y0 + height)
