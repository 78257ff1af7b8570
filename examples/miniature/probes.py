"""What a miniature can do, measured through the product: where it points, what it reads, and what it can guess."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hart_agent.agent import Agent
from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.agent.trajectory import Trajectory
from hart_agent.dialogue.conversations import answer_blind, answer_from_crops
from hart_agent.dialogue.messages import Message
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.policy import Policy
from hart_agent.evals.controls import Control, ControlOutcome, run_controls
from hart_agent.evals.metrics import IOGT_THRESHOLD, Prediction, measure
from hart_agent.evals.statistics import evidence_gap
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import SourceImage

from .scenes import Scene
from .tokenizer import MAX_CALLS, MAX_TURNS

T = TypeVar("T")

_LOOSE = 1.6
"""Times the sign's sides: a loose crop."""
_AT_ONCE = 64


@dataclass(frozen=True)
class Grounding:
    """How questions were answered in one mode, as fractions of all questions unless it says otherwise.

    Where there is nothing to count, it is None.

    Attributes:
        accuracy: right answers.
        hidden_accuracy: of those whose dots the overview doesn't show, right answers.
        iou: mean, with the sign that is asked about.
        grounded: IoGT above 0.3.
        area: mean part of the image that the box covers, where there is one.
        wrong_box_given_right: of the right answers, those that are not grounded.
        unanswered: without an answer.
        evidence_gap: how much of the accuracy goes when the evidence is taken away: see
            `hart_agent.evals.statistics.evidence_gap`.
    """

    accuracy: float
    hidden_accuracy: float | None
    iou: float
    grounded: float
    area: float | None
    wrong_box_given_right: float | None
    unanswered: float
    evidence_gap: float | None = None


@dataclass(frozen=True)
class Reading:
    """Right answers, as fractions of all questions, from what is given instead of the policy's own crop.

    Attributes:
        tight: the sign as it is.
        loose: a region 1.6 times as wide and high.
        wrong_sign: another sign, with a dot of any colour: a quarter can be right by chance.
        blind: no image at all.
    """

    tight: float
    loose: float
    wrong_sign: float
    blind: float


async def probe_mode(policy: Policy, scenes: Sequence[Scene], mode: Mode) -> Grounding:
    """Ask each scene's question.

    Args:
        policy: greedy, for the same result each time.
        scenes: held out.
        mode: of the episodes; boxes are found in `closed-loop` and `mgpo` only.
    """
    return summarise(await predict(policy, scenes, mode))


async def predict(
    policy: Policy, scenes: Sequence[Scene], mode: Mode, controls: Sequence[Control] = (), *, verify: bool = False
) -> list[Prediction]:
    """What is answered to each scene's question, and found; see `probe_mode`.

    Args:
        controls: with which each is asked again, for the evidence gap.
        verify: whether each answer is checked against its evidence.
    """
    config = EpisodeConfig(mode, max_turns=MAX_TURNS, max_calls_per_turn=MAX_CALLS)
    agent = Agent(policy, config=config, verify=verify)

    async def ask(scene: Scene) -> Prediction:
        found = await agent.aask(scene.image, scene.asked.question)
        with SourceImage(scene.image) as source:
            outcomes = await run_controls(agent, source, found, controls=controls)
        return prediction_of(scene, found, outcomes)

    return await _gather([ask(scene) for scene in scenes])


def summarise(predictions: Sequence[Prediction]) -> Grounding:
    """The figures of a mode."""
    overlaps = measure(predictions)
    gap = evidence_gap(predictions)
    right = np.array([each.right for each in predictions])
    hidden = np.array([each.category == "hidden" for each in predictions])
    grounded = overlaps.best_iogt > IOGT_THRESHOLD
    boxed = np.array([bool(each.boxes) for each in predictions])
    return Grounding(
        accuracy=_mean(right),
        hidden_accuracy=_mean(right[hidden]) if hidden.any() else None,
        iou=_mean(overlaps.iou),
        grounded=_mean(grounded),
        area=_mean(overlaps.area_fraction[boxed]) if boxed.any() else None,
        wrong_box_given_right=_mean(~grounded[right]) if boxed.any() and right.any() else None,
        unanswered=_mean(np.array([not each.answered for each in predictions])),
        evidence_gap=None if gap is None else gap.value,
    )


async def probe_reading(policy: Policy, scenes: Sequence[Scene]) -> Reading:
    """Ask each scene's question of given crops."""

    def crop(scene: Scene, box: Box) -> list[Message]:
        with SourceImage(scene.image) as image:
            view = ToolContext(image, scene.asked.question, policy).render(box, "crop")
        return answer_from_crops(scene.asked.question, [view])

    def loose(scene: Scene) -> Box:
        box = scene.asked.box
        return box.grown(round(box.width * _LOOSE), round(box.height * _LOOSE), SourceImage(scene.image).size)

    def other(scene: Scene) -> Box:
        return next(sign.box for sign in scene.signs if sign is not scene.asked)

    return Reading(
        tight=await _rightly_answered(policy, scenes, [crop(scene, scene.asked.box) for scene in scenes]),
        loose=await _rightly_answered(policy, scenes, [crop(scene, loose(scene)) for scene in scenes]),
        wrong_sign=await _rightly_answered(policy, scenes, [crop(scene, other(scene)) for scene in scenes]),
        blind=await probe_blind(policy, scenes),
    )


async def probe_blind(policy: Policy, scenes: Sequence[Scene]) -> float:
    """Right answers without any image, as a fraction."""
    return await _rightly_answered(policy, scenes, [answer_blind(scene.asked.question) for scene in scenes])


async def _rightly_answered(
    policy: Policy, scenes: Sequence[Scene], conversations: Sequence[Sequence[Message]]
) -> float:
    replies = await _gather([policy.reply(messages, []) for messages in conversations])
    answers = [parse_reply(reply.text).answer for reply in replies]
    return _mean(np.array([said == scene.asked.answer for said, scene in zip(answers, scenes, strict=True)]))


def prediction_of(scene: Scene, found: Trajectory, outcomes: Sequence[ControlOutcome] = ()) -> Prediction:
    """What an episode about a scene answered and found, with what was answered under controls."""
    return Prediction(
        id=scene.id,
        category=scene.dots,
        right=found.answer == scene.asked.answer,
        boxes=tuple(evidence.box for evidence in found.evidence),
        gold_boxes=(scene.asked.box,),
        image=found.image.size,
        answered=found.answer is not None,
        verdict=found.verdict,
        controls={outcome.control.value: outcome.answer == scene.asked.answer for outcome in outcomes},
    )


async def _gather(tasks: Iterable[Awaitable[T]]) -> list[T]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def run(task: Awaitable[T]) -> T:
        async with limit:
            return await task

    return await asyncio.gather(*map(run, tasks))


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean())
