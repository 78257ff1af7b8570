"""A policy that tells what it saw: it keeps the middle of the image, and answers with a hash of that view's pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from conftest import tool_call
from PIL import Image

from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace

MIDDLE = [250, 250, 750, 750]
"""In thousandths."""


def digest(image: Image.Image) -> str:
    """A hash of the size and the pixels."""
    return hashlib.sha256(repr(image.size).encode() + image.convert("RGB").tobytes()).hexdigest()[:16]


def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
    views = [view for message in messages for view in message.views]
    if len(views) < 2:
        return tool_call("crop", bbox_2d=MIDDLE, label="middle")
    return f"<answer>{digest(views[-1].image)}</answer>"


class Witness(ScriptedPolicy):
    accepts = frozenset[str]()

    def __init__(self) -> None:
        super().__init__(speak, CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=1_000_000)))
