"""How large an overview a question needs, from a first guess on a small one: most need less than all that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from hart_agent.agent.modes import Mode, Stage
from hart_agent.agent.stages import stage_messages
from hart_agent.dialogue.messages import ToolSpec
from hart_agent.dialogue.policy import Policy, Usage
from hart_agent.dialogue.reading import read_reply
from hart_agent.dialogue.vocabularies.vocabulary import vocabulary_of
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.tooling.box_shapes import read_box
from hart_agent.tooling.overview import show_overview
from hart_agent.tooling.protocol import ToolContext
from hart_agent.tooling.records import ViewRecord
from hart_agent.vision.source import SourceImage

GLANCE: Final = 1 / 16
"""The share of the policy's pixels that the first, small overview has."""
NEEDED: Final = 64 * 64
"""Pixels that the smallest region of the guess should have on the overview: enough to be found, not to be read."""

_STAGE: Final[Stage] = replace(
    Mode.CLOSED_LOOP.stages[0],
    name="guess",
    afterwards="This view is a small one: name your best guess. You then see the photo as large as that needs.",
)


@dataclass(frozen=True)
class Guess:
    """A first guess.

    Attributes:
        pixels: that the overview needs; None for all that the policy takes, as where nothing was guessed.
        view: the small overview.
        usage: what it cost.
    """

    pixels: int | None
    view: ViewRecord
    usage: Usage


async def guess_overview(image: SourceImage, question: str, policy: Policy, tools: Sequence[ToolSpec]) -> Guess:
    """Ask a policy where the evidence must be, on a small overview. A policy that fails has guessed nothing.

    Args:
        image: the original.
        question: the user's.
        policy: that will be asked.
        tools: those of the episode, `crop` among them.

    Raises:
        ConfigError: there is no tool `crop`, or the policy speaks a published agent's words.
        ImageError: the image can't be decoded.
    """
    crop = [spec for spec in tools if spec.name in (_STAGE.tools or ())]
    if not crop or not vocabulary_of(policy).own:
        raise ConfigError("an overview can be chosen from a guess only with the tool 'crop' and without --vocabulary")
    context = ToolContext(image, question.strip(), policy)
    budget = policy.profile.budget
    view = show_overview(context, max(1, int(GLANCE * budget.max_pixels)))
    try:
        reply = await policy.reply(stage_messages(_STAGE, context, crop, max_calls=8, max_turns=1), crop)
    except PolicyError as error:
        return Guess(None, ViewRecord.of(view), Usage(requests=error.requests))
    boxes = [read_box(call.arguments.get("bbox_2d")) for call in read_reply(reply, crop).calls]
    profile, whole = policy.profile, image.size
    shares = []
    for a, b, c, d in filter(None, boxes):
        x0, y0, x1, y1 = view.frame.to_original((a, b, c, d), profile.space, y_first=profile.y_first)
        width, height = min(x1, whole.width) - max(x0, 0), min(y1, whole.height) - max(y0, 0)
        shares += [width * height / whole.area] if width > 0 and height > 0 else []
    pixels = None if not shares else max(view.frame.size.area, int(min(NEEDED / min(shares), budget.max_pixels)))
    return Guess(pixels, ViewRecord.of(view), reply.usage)
