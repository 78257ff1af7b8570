"""Rollouts: the product's own episodes, many at once, with the tokens and log-probabilities that training needs.

All episodes advance together, turn by turn: the replies of a turn are generated as one batch in a fixed order, so that
a resumed run is the same as an uninterrupted one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.episode import Episode
from hart_agent.backends.local.generation import Generated
from hart_agent.backends.local.prompting import Prompt
from hart_agent.dialogue.conversations import answer_blind
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.dialogue.reading import answer_of
from hart_agent.tooling.runtime import ToolRuntime
from rl.config import TrainSettings
from rl.data import Sample, draw
from rl.local.model import PolicyModel
from rl.rows import Rollout, Segment


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
        prompt = self._model.prompt(messages, tools, _seed(self._seed, self._asked))
        (generated,) = self._model.generate([prompt])
        return _reply(self._model, prompt, generated)


async def roll_out(
    model: PolicyModel,
    runtime: ToolRuntime,
    config: EpisodeConfig,
    samples: Sequence[Sample],
    group_size: int,
    seed: int,
    reader: PolicyModel | None = None,
) -> list[Rollout]:
    """A group of rollouts for each question, in the order of the samples.

    A reply that is malformed, too long or without an answer is a rollout like any other.

    Args:
        model: the policy.
        runtime: the tools.
        config: the mode and the limits of the episodes.
        samples: the questions.
        group_size: rollouts of each (G).
        seed: of sampling; the same seed gives the same rollouts from the same weights.
        reader: another model, which gives the replies in which no tool may be called; they have no segments.

    Raises:
        ImageError: an image can't be used.
        PolicyError: the model fails, or its memory doesn't suffice.
    """
    sources = {sample.id: sample.open() for sample in samples}
    pairs = [(sample, number) for sample in samples for number in range(group_size)]
    seeds = [_seed(seed, sample.id, number) for sample, number in pairs]
    segments: list[list[Segment]] = [[] for _ in pairs]
    try:
        episodes = [
            Episode(sources[sample.id], sample.prompt(), Asker(model, own), runtime, config)
            for (sample, _), own in zip(pairs, seeds, strict=True)
        ]
        while live := [index for index, episode in enumerate(episodes) if not episode.done]:
            speakers = {index: model if reader is None or episodes[index].tools else reader for index in live}
            for speaker in dict.fromkeys(speakers.values()):
                indices = [index for index, own_speaker in speakers.items() if own_speaker is speaker]
                prompts = []
                for index in indices:
                    own = _seed(seeds[index], "turn", len(episodes[index].turns))
                    prompts.append(speaker.prompt(episodes[index].messages, episodes[index].tools, own))
                for index, prompt, generated in zip(indices, prompts, speaker.generate(prompts), strict=True):
                    if speaker is model:
                        segments[index].append(Segment(prompt, generated.token_ids, generated.log_probs))
                    await episodes[index].step(_reply(speaker, prompt, generated))
    finally:
        for source in sources.values():
            source.close()
    return [
        Rollout(sample, episode.trajectory(), tuple(own))
        for (sample, _), episode, own in zip(pairs, episodes, segments, strict=True)
    ]


def roll_out_step(
    model: PolicyModel,
    runtime: ToolRuntime,
    settings: TrainSettings,
    samples: Sequence[Sample],
    step: int,
    reader: PolicyModel | None = None,
) -> list[Rollout]:
    """The rollouts of a step of a run, group by group; see `roll_out`."""
    drawn = draw(samples, settings.prompts_per_step, step, settings.seed)
    seed, group_size = settings.seed * 1_000_003 + step, settings.algorithm.group_size
    return asyncio.run(roll_out(model, runtime, settings.episode(), drawn, group_size, seed, reader))


def answer_blindly(
    model: PolicyModel, samples: Sequence[Sample], attempts: int, seed: int
) -> list[tuple[str | None, ...]]:
    """The policy's answers to each question without the image, attempt by attempt; None where it gives none.

    Args:
        model: the policy.
        samples: the questions.
        attempts: at each question.
        seed: of sampling.

    Raises:
        PolicyError: the model fails, or its memory doesn't suffice.
    """
    prompted = [model.prompt(answer_blind(sample.prompt()), (), seed) for sample in samples]
    prompts = [
        replace(prompt, seed=_seed(seed, sample.id, "blind", attempt))
        for sample, prompt in zip(samples, prompted, strict=True)
        for attempt in range(attempts)
    ]
    replies = zip(prompts, model.generate(prompts), strict=True)
    spoken = model.prompter.vocabulary
    answers = [answer_of(_reply(model, prompt, generated), spoken) for prompt, generated in replies]
    return [tuple(answers[begin : begin + attempts]) for begin in range(0, len(answers), attempts)]


def _reply(model: PolicyModel, prompt: Prompt, generated: Generated) -> Reply:
    token_ids = generated.token_ids
    return Reply(
        model.prompter.text(token_ids, prompt.opened),
        usage=Usage(generated.prompt_tokens, len(token_ids), 1),
        token_ids=token_ids,
        log_probs=generated.log_probs,
        finish_reason=model.prompter.finish_reason(token_ids, prompt.opened),
    )


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "little")
