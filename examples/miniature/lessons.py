"""What the cold start is shown: the product's own conversations with the replies that a true box and answer give.

Each lesson is one reply, with the prompt that the policy is sent before it. The conversations are made by the parts
that an episode makes them of, so that the tokens are the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from hart_agent.agent.modes import Mode
from hart_agent.agent.stages import stage_messages
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.dialogue.conversations import answer_blind, answer_from_crops, prompt
from hart_agent.dialogue.messages import Message, Role, ToolSpec
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.protocol import ToolContext
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, resolve_box
from hart_agent.vision.source import SourceImage, View
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
    """Mode mgpo, second turn: the answer from a crop next to the overview."""
    OVERLOOK = "overlook"
    """Mode mgpo, second turn: the answer from the overview, next to a crop that doesn't help. Legible dots only."""
    DIRECT = "direct"
    """Mode direct: the answer from the overview. Legible dots only."""
    GUESS = "guess"
    """Mode direct, hidden dots: the answer, which can only be guessed."""
    BLIND = "blind"
    """The answer without any image, which can only be guessed."""


_LEGIBLE_ONLY, _HIDDEN_ONLY = (Lesson.OVERLOOK, Lesson.DIRECT), (Lesson.GUESS,)


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
        """The lessons of each sign of a scene, with boxes that are moved at random."""
        with SourceImage(scene.image) as image:
            overview = ToolContext(image, "", self._policy).render(image.size.box, "overview")
            for sign in scene.signs:
                aim = pointed(sign.box, rng, overview.frame)
                crop = readable(sign.box, DOTS[scene.dots], rng, overview.frame)
                wrong = random_steps(rng)
                context = ToolContext(image, sign.question, self._policy, {overview.id: overview})
                taught = self.teach(context, sign, aim, crop, wrong)
                for lesson in _HIDDEN_ONLY if scene.dots == "legible" else _LEGIBLE_ONLY:
                    del taught[lesson]
                yield taught

    def teach(self, context: ToolContext, sign: Sign, aim: Steps, crop: Steps, wrong: Steps) -> dict[Lesson, Example]:
        """Every lesson of one question.

        Args:
            context: of the question, with the overview as its only view.
            sign: that is asked about.
            aim: the box to point at.
            crop: the box to read from.
            wrong: a box that shows anything.
        """
        question, answer = context.question, answer_text(sign.answer)
        view, _ = self._crop(context, crop)
        direct = self._example(self._opening(Mode.DIRECT, context), answer)
        return {
            Lesson.POINT: self._example(self._opening(Mode.CLOSED_LOOP, context), call_text(sign.colour, aim)),
            Lesson.POINT_MGPO: self._example(self._opening(Mode.MGPO, context), call_text(sign.colour, aim)),
            Lesson.READ: self._example(answer_from_crops(question, [view]), answer),
            Lesson.READ_MGPO: self._example(self._with_crops(context, sign, crop), answer),
            Lesson.OVERLOOK: self._example(self._with_crops(context, sign, wrong), answer),
            Lesson.DIRECT: direct,
            Lesson.GUESS: direct,
            Lesson.BLIND: self._example(answer_blind(question), answer),
        }

    def _with_crops(self, context: ToolContext, sign: Sign, box: Steps) -> list[Message]:
        """The conversation in the mode `mgpo` after the call."""
        view, words = self._crop(context, box)
        return [
            *self._opening(Mode.MGPO, context),
            Message(Role.ASSISTANT, (call_text(sign.colour, box),)),
            Message(Role.TOOL, (view, words)),
            Message(Role.USER, (prompt("answer_with_crops", question=context.question),)),
        ]

    def _example(self, messages: list[Message], reply: str) -> Example:
        """A reply and its prompt; a reply that ends in no answer ends with the end token, as it is generated."""
        tokenizer = self._prompter.tokenizer
        token_ids = tuple(tokenizer(reply, add_special_tokens=False)["input_ids"])
        if not self._prompter.ended(token_ids):
            token_ids += (tokenizer.convert_tokens_to_ids(END),)
        return Example(self._prompter.prompt(messages, []), token_ids)

    def _opening(self, mode: Mode, context: ToolContext) -> list[Message]:
        tools = [] if mode == Mode.DIRECT else self._tools
        return stage_messages(mode.stages[0], context, tools, max_calls=MAX_CALLS, max_turns=MAX_TURNS)

    def _crop(self, context: ToolContext, steps: Steps) -> tuple[View, str]:
        profile = self._policy.profile
        frame = context.views["overview"].frame
        box, _ = resolve_box(steps, profile.space, frame, context.image.size, profile.budget.max_aspect)
        own = replace(context, views=dict(context.views), evidence=[])  # or the view would be named as a second one
        result = Crop().run(own, {"bbox_2d": box, "label": "sign"})
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


def random_steps(rng: random.Random) -> Steps:
    """A box anywhere, as large as signs are."""
    side = rng.randint(3, 5)
    x, y = rng.randint(0, len(STEPS) - 1 - side), rng.randint(0, len(STEPS) - 1 - side)
    return STEPS[x], STEPS[y], STEPS[x + side], STEPS[y + side]


def _steps(edges: list[float], frame: Frame) -> Steps:
    """The nearest box on `STEPS`, at least one step wide."""
    x0, y0, x1, y1 = edges
    thousandths = frame.from_original((x0, y0, x1, y1), CoordinateSpace.THOUSAND)
    left, top, right, bottom = (STEPS.index(nearest_step(value)) for value in thousandths)
    left, top = min(left, len(STEPS) - 2), min(top, len(STEPS) - 2)
    return STEPS[left], STEPS[top], STEPS[max(right, left + 1)], STEPS[max(bottom, top + 1)]
