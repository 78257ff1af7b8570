"""Using tools without a model: the context for a person, a program, or another assistant that calls them."""

from __future__ import annotations

from collections.abc import Sequence

from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import PolicyError
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace
from hart_agent.vision.source import SourceImage


class Nobody:
    """Stands in for the policy: sees and points as its profile says, and has nothing to say."""

    def __init__(self, profile: CoordinateProfile, name: str = "no policy") -> None:
        self.profile = profile
        self.name = name

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        raise PolicyError("this tool asks the policy, and there is none here; use it with hart-agent ask")


def open_context(source: SourceImage, profile: CoordinateProfile) -> ToolContext:
    """A context with its overview, as an episode has it at its start, without question and policy.

    Raises:
        ImageError: the image can't be decoded.
    """
    context = ToolContext(source, "", Nobody(profile))
    context.render(source.size.box, "overview")
    return context


def original_pixels(source: SourceImage) -> CoordinateProfile:
    """Boxes in original pixels: an overview of the original's own size, and views of at most as many pixels."""
    size = source.size
    longest = float(max(size.width, size.height))
    budget = ViewBudget(max_pixels=max(size.area, 1_000_000), min_side=1, max_aspect=longest)
    return CoordinateProfile(CoordinateSpace.PIXEL, budget)
