"""The second study's outcomes of a tiny model: where its sampled boxes lie, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hart_agent.agent.modes import Mode
from hart_agent.answers import AnswerType
from hart_agent.evals.metrics import IOGT_THRESHOLD, Prediction, measure
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.source import SourceImage
from rl.config import rollout_episode
from rl.data import Sample
from rl.local.model import PolicyModel
from rl.local.playing import begin, reply_of, seed_of

from .cold_start import open_policy
from .jobs import Job, Reader
from .probes import predict, prediction_of, summarise
from .scenes import Scene
from .tokenizer import MAX_PIXELS, MAX_TOKENS

TIMES = 4
"""Boxes that are sampled of each scene."""
_AT_ONCE = 64
"""Scenes."""


def outcome(job: Job, checkpoint: Path, scenes: Sequence[Scene]) -> dict[str, Any]:
    """The outcome of a job: of pointing alone where the reader is frozen, else of answers.

    Returns:
        `inside`, the share of boxes, sampled at temperature 1 in the format that was trained in, with an IoGT over .3;
        and their `iou` and `area`, and how many replies had a box, `pointed`. Or `accuracy`, greedy, with the image in
        sight, with `grounded`.
    """
    if job.reader is Reader.FROZEN:
        return point(checkpoint, scenes, job.stages[-1].mode)
    found = summarise(asyncio.run(predict(open_policy(checkpoint), scenes, Mode.MGPO)))
    return {"accuracy": found.accuracy, "grounded": found.grounded}


def point(checkpoint: Path, scenes: Sequence[Scene], mode: Mode) -> dict[str, float]:
    """Sample the first reply to each scene `TIMES` times; see `outcome`."""
    model = PolicyModel(
        str(checkpoint), device="cpu", max_batch=_AT_ONCE * TIMES, max_pixels=MAX_PIXELS, max_tokens=MAX_TOKENS
    )
    parts = [scenes[first : first + _AT_ONCE] for first in range(0, len(scenes), _AT_ONCE)]
    found = [each for part in parts for each in asyncio.run(_pointed(model, part, mode))]
    overlaps = measure(found)
    boxed = np.array([bool(each.boxes) for each in found])
    return {
        "inside": float((overlaps.best_iogt > IOGT_THRESHOLD).mean()),
        "iou": float(overlaps.iou.mean()),
        "area": float(overlaps.area_fraction[boxed].mean()) if boxed.any() else 1.0,
        "pointed": float(boxed.mean()),
    }


async def _pointed(model: PolicyModel, scenes: Sequence[Scene], mode: Mode) -> list[Prediction]:
    runtime, config = ToolRuntime(discover_tools()), rollout_episode(mode)
    asked = [scene for scene in scenes for _ in range(TIMES)]
    sources = {scene.id: SourceImage(scene.image) for scene in scenes}
    plays = [
        begin(model, runtime, config, sources[scene.id], _sample(scene), seed_of(scene.id, number))
        for number, scene in enumerate(asked)
    ]
    prompts = [model.prompt(play.episode.messages, play.episode.tools, play.seed) for play in plays]
    for play, prompt, generated in zip(plays, prompts, model.generate(prompts), strict=True):
        await play.episode.step(reply_of(model, prompt, generated))
    return [prediction_of(scene, play.episode.trajectory()) for scene, play in zip(asked, plays, strict=True)]


def _sample(scene: Scene) -> Sample:
    return Sample(scene.id, Path(scene.id), scene.asked.question, scene.asked.answer, AnswerType.TEXT)
