"""The demonstrations of supervised fine-tuning: the product's own conversations, with given replies.

Stage 2 of the method (arXiv 2602.23615): after reinforcement learning the policy is fine-tuned with the full image
visible, on questions that were not used before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.episode import Episode
from hart_agent.agent.modes import Mode, find_mode
from hart_agent.agent.trajectory import StopReason
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply
from hart_agent.dialogue.vocabularies.vocabulary import Vocabulary
from hart_agent.store.files import write_whole
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.budget import CoordinateProfile
from rl.data.questions import Sample
from rl.data.rows import Segment

DISTILLED = "distilled.jsonl"
"""In the run's folder: demonstrations that several processes share."""


@dataclass(frozen=True)
class Demonstration:
    """A question, and the replies that the policy learns.

    Attributes:
        sample: the question.
        replies: in order; the last one answers.
        mode: of the episode.
    """

    sample: Sample
    replies: tuple[str, ...]
    mode: Mode


def gold_answers(samples: Sequence[Sample]) -> list[Demonstration]:
    """The right answer to each question, given at once with the full image in sight."""
    answers = [sample.letter_of_gold() if sample.options else sample.answer for sample in samples]
    return [
        Demonstration(sample, (f"<answer>{answer}</answer>",), Mode.DIRECT)
        for sample, answer in zip(samples, answers, strict=True)
    ]


def write_demonstrations(demonstrations: Sequence[Demonstration], path: Path) -> None:
    """Write demonstrations as JSONL, atomically, their questions by id.

    Raises:
        OutputError: they can't be written.
    """
    rows = [{"id": each.sample.id, "replies": each.replies, "mode": each.mode.name} for each in demonstrations]
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_demonstrations(path: Path, samples: Sequence[Sample]) -> list[Demonstration]:
    """The demonstrations that `write_demonstrations` wrote.

    Args:
        path: of the file.
        samples: the questions, among others.
    """
    named = {sample.id: sample for sample in samples}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Demonstration(named[row["id"]], tuple(row["replies"]), find_mode(row["mode"])) for row in rows]


class Writer(Protocol):
    """Writes the prompts of a model."""

    @property
    def prompter(self) -> Prompter: ...

    @property
    def profile(self) -> CoordinateProfile: ...

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], seed: int) -> Prompt: ...


class _NoPolicy:
    """The policy of episodes whose replies are given."""

    name = "demonstration"

    def __init__(self, profile: CoordinateProfile, vocabulary: Vocabulary) -> None:
        self.profile = profile
        self.vocabulary = vocabulary

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        raise RuntimeError("a demonstration must not ask the policy")


async def segments_of(model: Writer, demonstration: Demonstration, runtime: ToolRuntime) -> list[Segment]:
    """The episode of a demonstration: each reply with its prompt.

    Args:
        model: writes the prompts and tokens.
        demonstration: the question and the replies.
        runtime: the tools that the replies call.

    Returns:
        A segment for each reply, with log-probabilities of 0: nothing was sampled.

    Raises:
        ImageError: the image can't be used.
        PolicyError: the conversation doesn't fit.
        ValueError: the replies don't lead to an answer in this mode.
    """
    segments = []
    config = EpisodeConfig(demonstration.mode, max_turns=max(2, len(demonstration.replies)), max_seconds=1e9)
    with demonstration.sample.open() as source:
        nobody = _NoPolicy(model.profile, model.prompter.vocabulary)
        episode = Episode(source, demonstration.sample.prompt(), nobody, runtime, config)
        for text in demonstration.replies:
            prompt = model.prompt(episode.messages, episode.tools, seed=0)
            token_ids = model.prompter.reply_ids(text)
            segments.append(Segment(prompt, token_ids, (0.0,) * len(token_ids)))
            await episode.step(Reply(text))
    if episode.outcome.stop_reason is not StopReason.ANSWERED or not episode.trajectory().format_kept:
        raise ValueError(
            f"sample {demonstration.sample.id}: the replies end in {episode.outcome.stop_reason}, not in an answer"
        )
    return segments
