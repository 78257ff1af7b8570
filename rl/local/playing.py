"""Episodes under way: the policy's replies, turn by turn, as one batch for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.episode import Episode
from hart_agent.backends.local.generation import Generated
from hart_agent.backends.local.prompting import Prompt
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.source import SourceImage
from rl.data import Sample
from rl.data.rows import Rollout, Segment
from rl.local.model import PolicyModel


class Asker:
    """The policy as an episode's tools use it, such as `verify`, one question at a time.

    These replies carry no loss: the reward is for the answer, not for the check.
    """

    def __init__(self, model: PolicyModel, seed: int) -> None:
        self.name = model.name
        self.profile = model.profile
        self.vocabulary = model.prompter.vocabulary
        self._model = model
        self._seed = seed
        self._asked = 0

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        self._asked += 1
        prompt = self._model.prompt(messages, tools, seed_of(self._seed, self._asked))
        (generated,) = self._model.generate([prompt])
        return reply_of(self._model, prompt, generated)


@dataclass
class Play:
    """An episode under way.

    Attributes:
        sample: the question.
        seed: of its replies.
        episode: so far.
        segments: the policy's replies so far.
    """

    sample: Sample
    seed: int
    episode: Episode
    segments: list[Segment] = field(default_factory=list)

    def rollout(self) -> Rollout:
        return Rollout(self.sample, self.episode.trajectory(), tuple(self.segments))


def begin(
    model: PolicyModel, runtime: ToolRuntime, config: EpisodeConfig, source: SourceImage, sample: Sample, seed: int
) -> Play:
    """An episode before its first turn."""
    return Play(sample, seed, Episode(source, sample.prompt(), Asker(model, seed), runtime, config))


async def play_on(model: PolicyModel, plays: Sequence[Play], reader: PolicyModel | None = None) -> None:
    """Play episodes to their ends; see `rl.local.rollout.roll_out`."""
    while live := [play for play in plays if not play.episode.done]:
        speakers = [model if reader is None or play.episode.tools else reader for play in live]
        for speaker in dict.fromkeys(speakers):
            speaking = [play for play, own in zip(live, speakers, strict=True) if own is speaker]
            prompts = [
                speaker.prompt(
                    play.episode.messages, play.episode.tools, seed_of(play.seed, "turn", len(play.episode.turns))
                )
                for play in speaking
            ]
            for play, prompt, generated in zip(speaking, prompts, speaker.generate(prompts), strict=True):
                if speaker is model:
                    segment = Segment(prompt, generated.token_ids, generated.log_probs, generated.entropies)
                    play.segments.append(segment)
                await play.episode.step(reply_of(speaker, prompt, generated))


def reply_of(model: PolicyModel, prompt: Prompt, generated: Generated) -> Reply:
    """A model's reply from its tokens."""
    token_ids = generated.token_ids
    return Reply(
        model.prompter.text(token_ids, prompt.opened),
        usage=Usage(generated.prompt_tokens, len(token_ids), 1),
        token_ids=token_ids,
        log_probs=generated.log_probs,
        finish_reason=model.prompter.finish_reason(token_ids, prompt.opened),
    )


def seed_of(*parts: object) -> int:
    """A seed that depends on all of these."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "little")
