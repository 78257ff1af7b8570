"""What supervised fine-tuning shows the policy: the product's own conversations, with replies that are given.

Stage 2 of the method (arXiv 2602.23615): after reinforcement learning the policy is fine-tuned with the full image
visible, on questions that were not used before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.episode import Episode
from hart_agent.agent.modes import Mode
from hart_agent.agent.trajectory import StopReason
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply
from hart_agent.tooling.records import Verdict
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.budget import CoordinateProfile
from rl.data import Sample
from rl.model import PolicyModel
from rl.rewards import answer_reward
from rl.rollout import roll_out
from rl.rows import Segment
from rl.settings import rollout_episode


@dataclass(frozen=True)
class Demonstration:
    """A question, and what is to be said to it.

    Attributes:
        sample: the question.
        replies: in order; the last one answers.
        mode: of the episode in which they are said.
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


async def distil(
    model: PolicyModel, samples: Sequence[Sample], runtime: ToolRuntime, attempts: int, seed: int
) -> list[Demonstration]:
    """The policy's own way to the right answer, to be shown again with the full image in sight (rejection sampling).

    It is asked in the closed loop; the first attempt that is right, and supported by its crops, is kept. Questions
    without one are left out.

    Args:
        model: that was trained with reinforcement learning.
        samples: the questions.
        runtime: the tools.
        attempts: rollouts of each question.
        seed: of sampling.

    Raises:
        ImageError: an image can't be used.
        PolicyError: the model fails.
    """
    kept: dict[str, Demonstration] = {}
    for rollout in await roll_out(model, runtime, rollout_episode(Mode.CLOSED_LOOP), samples, attempts, seed):
        run = rollout.trajectory
        if run.verdict is Verdict.SUPPORTED and answer_reward(run, rollout.sample) == 1:
            said = tuple(turn.reply.text for turn in run.turns)
            kept.setdefault(rollout.sample.id, Demonstration(rollout.sample, said, Mode.MGPO))
    return list(kept.values())


class Writer(Protocol):
    """Knows how a model is asked: `PolicyModel`, and whatever else writes prompts for one."""

    @property
    def prompter(self) -> Prompter: ...

    @property
    def profile(self) -> CoordinateProfile: ...

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], seed: int) -> Prompt: ...


class _Nobody:
    """A policy for episodes whose replies are given."""

    name = "demonstration"

    def __init__(self, profile: CoordinateProfile) -> None:
        self.profile = profile

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        raise RuntimeError("a demonstration asks nobody")


async def segments_of(model: Writer, shown: Demonstration, runtime: ToolRuntime) -> list[Segment]:
    """An episode in which the policy says what it is given: each reply with the prompt to which it is the answer.

    Args:
        model: whose prompts and tokens they are.
        shown: the question and the replies.
        runtime: the tools that the replies call.

    Returns:
        A segment for each reply, with log-probabilities of 0: nothing was sampled.

    Raises:
        ImageError: the image can't be used.
        PolicyError: the conversation doesn't fit.
        ValueError: the replies don't lead to an answer in this mode.
    """
    segments = []
    config = EpisodeConfig(shown.mode, max_turns=max(2, len(shown.replies)), max_seconds=1e9)
    with shown.sample.open() as source:
        episode = Episode(source, shown.sample.prompt(), _Nobody(model.profile), runtime, config)
        for text in shown.replies:
            prompt = model.prompt(episode.messages, episode.tools, seed=0)
            token_ids = model.prompter.reply_ids(text)
            segments.append(Segment(prompt, token_ids, (0.0,) * len(token_ids)))
            await episode.step(Reply(text))
    if episode.stop_reason is not StopReason.ANSWERED:
        raise ValueError(f"sample {shown.sample.id}: the replies end in {episode.stop_reason}, not in an answer")
    return segments
