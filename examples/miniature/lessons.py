"""What the cold start is shown: the product's own conversations with the replies that a true box and answer give.

Each lesson is one reply, with the prompt that the policy is sent before it. The conversations are made by the parts
that an episode makes them of, so that the tokens are the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from hart_agent.backends.prompting import Prompt, Prompter
from hart_agent.dialogue import answer_blind, answer_from_crops, answer_with_crops, opening
from hart_agent.geometry import Box, CoordinateSpace, Frame, resolve_box
from hart_agent.imaging import SourceImage, View
from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import ToolContext, discover_tools
from hart_agent.types import Message, Mode, Role, ToolSpec
from tools.crop import Crop

from .model import Onlooker
from .scenes import DOTS, Scene, Sign
from .tokenizer import END, MAX_CALLS, MAX_TURNS, STEPS, Steps, answer_text, call_text, nearest_step

POINTING_NOISE = 10.0
"""Pixels: standard deviation of each edge of the boxes that pointing is learnt from."""
READING_SCALE = (0.7, 1.8)
"""How large the crops are that reading is learnt from, along each side, in sides of the sign."""
READING_SHIFT = 0.3
"""How far they are moved, at most, in sides of the sign."""


class Lesson(StrEnum):
    """A reply that is learnt, and in which conversation."""

    POINT = "point"
    """Mode closed-loop, first turn: the box."""
    POINT_MGPO = "point-mgpo"
    """Mode mgpo, first turn: the box."""
    READ = "read"
    """Mode closed-loop, second turn: the answer from a crop."""
    READ_MGPO = "read-mgpo"
    """Mode mgpo, second turn: the answer from a crop beside the overview."""
    DIRECT = "direct"
    """Mode direct: the answer from the overview."""
    BLIND = "blind"
    """The answer without any image, which can only be guessed."""


@dataclass(frozen=True)
class Example:
    """One reply to learn.

    Attributes:
        prompt: what the policy is sent.
        token_ids: the reply, with the token that ends it, shape (T,). Only these carry loss.
    """

    prompt: Prompt
    token_ids: tuple[int, ...]


class Teacher:
    """Makes lessons for one model.

    Args:
        prompter: writes the model's prompts.
    """

    def __init__(self, prompter: Prompter) -> None:
        self._prompter = prompter
        self._policy = Onlooker(prompter.profile)
        self._tools: list[ToolSpec] = ToolRuntime(discover_tools()).only({"crop"}).specs

    def lessons(self, scene: Scene, rng: random.Random) -> Iterator[dict[Lesson, Example]]:
        """Every lesson, for each sign of a scene, with boxes that are moved at random.

        Where the dots are hidden, `Lesson.DIRECT` can only be guessed.
        """
        with SourceImage(scene.image) as image:
            overview = ToolContext(image, "", self._policy).render(image.size.box, "overview")
            for sign in scene.signs:
                aim = pointed(sign.box, rng, overview.frame)
                crop = readable(sign.box, DOTS[scene.dots], rng, overview.frame)
                context = ToolContext(image, sign.question, self._policy, {overview.id: overview})
                yield self.teach(context, sign, aim, crop)

    def teach(self, context: ToolContext, sign: Sign, aim: Steps, crop: Steps) -> dict[Lesson, Example]:
        """Every lesson of one question.

        Args:
            context: of the question, with the overview as its only view.
            sign: that is asked about.
            aim: the box to point at.
            crop: the box to read from.
        """
        question, answer = context.question, answer_text(sign.dot)
        view, words = self._crop(context, crop)
        beside = [
            *self._opening(Mode.MGPO, context),
            Message(Role.ASSISTANT, (call_text(sign.colour, crop),)),
            Message(Role.TOOL, (view, words)),
            answer_with_crops(question, []),
        ]
        return {
            Lesson.POINT: self._example(self._opening(Mode.CLOSED_LOOP, context), call_text(sign.colour, aim)),
            Lesson.POINT_MGPO: self._example(self._opening(Mode.MGPO, context), call_text(sign.colour, aim)),
            Lesson.READ: self._example(answer_from_crops(question, [view]), answer),
            Lesson.READ_MGPO: self._example(beside, answer),
            Lesson.DIRECT: self._example(self._opening(Mode.DIRECT, context), answer),
            Lesson.BLIND: self._example(answer_blind(question), answer),
        }

    def _example(self, messages: list[Message], reply: str) -> Example:
        """A reply and its prompt; a reply that ends in no answer ends with the end token, as it is generated."""
        tokenizer = self._prompter.tokenizer
        token_ids = tuple(tokenizer(reply, add_special_tokens=False)["input_ids"])
        if not self._prompter.ended(token_ids):
            token_ids += (tokenizer.convert_tokens_to_ids(END),)
        return Example(self._prompter.prompt(messages, []), token_ids)

    def _opening(self, mode: Mode, context: ToolContext) -> list[Message]:
        tools = [] if mode is Mode.DIRECT else self._tools
        return opening(mode, context, context.views["overview"], tools, max_calls=MAX_CALLS, max_turns=MAX_TURNS)

    def _crop(self, context: ToolContext, steps: Steps) -> tuple[View, str]:
        profile = self._policy.profile
        frame = context.views["overview"].frame
        box, _ = resolve_box(steps, profile.space, frame, context.image.size, profile.budget.max_aspect)
        result = Crop().run(context, {"bbox_2d": box, "label": "sign"})
        return result.views[0], result.text


def pointed(box: Box, rng: random.Random, frame: Frame) -> Steps:
    """A true box as pointing is learnt from: each edge moved at random, on the nearest step."""
    return _steps([edge + rng.gauss(0, POINTING_NOISE) for edge in box.as_tuple()], frame)


def readable(box: Box, dot: float, rng: random.Random, frame: Frame) -> Steps:
    """A region around a sign as reading is learnt from: smaller or larger, moved, but never without the dot."""
    while True:
        x = (box.x0 + box.x1) / 2 + box.width * rng.uniform(-READING_SHIFT, READING_SHIFT)
        y = (box.y0 + box.y1) / 2 + box.height * rng.uniform(-READING_SHIFT, READING_SHIFT)
        half_width, half_height = (side * rng.uniform(*READING_SCALE) / 2 for side in (box.width, box.height))
        steps = _steps([x - half_width, y - half_height, x + half_width, y + half_height], frame)
        x0, y0, x1, y1 = frame.to_original(steps, CoordinateSpace.THOUSAND)
        centre_x, centre_y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        if min(centre_x - x0, x1 - centre_x, centre_y - y0, y1 - centre_y) >= dot / 2:
            return steps


def _steps(edges: list[float], frame: Frame) -> Steps:
    """The nearest box on `STEPS`, at least one step wide."""
    x0, y0, x1, y1 = edges
    thousandths = frame.from_original((x0, y0, x1, y1), CoordinateSpace.THOUSAND)
    left, top, right, bottom = (STEPS.index(nearest_step(value)) for value in thousandths)
    left, top = min(left, len(STEPS) - 2), min(top, len(STEPS) - 2)
    return STEPS[left], STEPS[top], STEPS[max(right, left + 1)], STEPS[max(bottom, top + 1)]
