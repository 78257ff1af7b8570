"""Rollouts: the product's own episodes, many at once, with the tokens and log-probabilities that training needs.

All episodes advance together, turn by turn: the replies of a turn are generated as one batch in a fixed order, so that
a resumed run is the same as an uninterrupted one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from hart_agent.agent.config import EpisodeConfig
from hart_agent.dialogue.conversations import answer_blind
from hart_agent.dialogue.reading import answer_of
from hart_agent.tooling.runtime import ToolRuntime
from rl.config import TrainSettings
from rl.data import Sample
from rl.data.rows import Rollout
from rl.local.branching import others
from rl.local.model import PolicyModel
from rl.local.playing import begin, play_on, reply_of, seed_of
from rl.rewards import Judge
from rl.rewards.scores import Attempt, Score, in_groups


async def roll_out(
    model: PolicyModel,
    runtime: ToolRuntime,
    config: EpisodeConfig,
    samples: Sequence[Sample],
    group_size: int,
    seed: int,
    reader: PolicyModel | None = None,
    *,
    branching: bool = False,
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
        branching: whether half of each group forks from the other half; see `rl.local.branching`.

    Raises:
        ImageError: an image can't be used.
        PolicyError: the model fails, or its memory doesn't suffice.
    """
    model.forget_images()
    sources = {sample.id: sample.open() for sample in samples}
    starts = [partial(begin, model, runtime, config, sources[sample.id], sample) for sample in samples]
    base = (group_size + 1) // 2 if branching else group_size
    try:
        groups = [
            [start(seed_of(seed, sample.id, number)) for number in range(base)]
            for sample, start in zip(samples, starts, strict=True)
        ]
        await play_on(model, [play for group in groups for play in group], reader)
        if branching:
            for group, start, sample in zip(groups, starts, samples, strict=True):
                chosen = seed_of(seed, sample.id, "forks")
                group.extend(await others(group, group_size - base, start, chosen, model.prompter))
            await play_on(model, [play for group in groups for play in group], reader)
    finally:
        for source in sources.values():
            source.close()
    return [play.rollout() for group in groups for play in group]


def roll_out_groups(
    model: PolicyModel,
    runtime: ToolRuntime,
    settings: TrainSettings,
    samples: Sequence[Sample],
    step: int,
    reader: PolicyModel | None = None,
) -> list[Rollout]:
    """The rollouts of questions in a step of a run, group by group; see `roll_out`."""
    seed, group_size = settings.seed * 1_000_003 + step, settings.algorithm.group_size
    config, branching = settings.episode(), settings.branching
    return asyncio.run(roll_out(model, runtime, config, samples, group_size, seed, reader, branching=branching))


def scores_of(judge: Judge, rollouts: Sequence[Rollout], group_size: int) -> list[Score]:
    """The scores of a step's rollouts, which come group by group."""
    attempts = [Attempt(rollout.trajectory, rollout.sample) for rollout in rollouts]
    return judge.scores(in_groups(attempts, group_size))


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
        replace(prompt, seed=seed_of(seed, sample.id, "blind", attempt))
        for sample, prompt in zip(samples, prompted, strict=True)
        for attempt in range(attempts)
    ]
    replies = zip(prompts, model.generate(prompts), strict=True)
    spoken = model.prompter.vocabulary
    answers = [answer_of(reply_of(model, prompt, generated), spoken) for prompt, generated in replies]
    return [tuple(answers[begin : begin + attempts]) for begin in range(0, len(answers), attempts)]
