"""Entropy-guided branching of rollouts (MedVR, arXiv 2604.08203, entropy-guided visual regrounding).

Half of a group is rolled out from the question. Where one of those was less sure of a box than of its first words, it
is forked at the beginning of that turn, and another reply is sampled there; what is left of the group starts from the
question, too. Forking at the beginning of a turn, the granularity of ARPO (arXiv 2507.19849), is our choice: the text
on finer forks was not to be found. Replies before a fork are trained on in both branches.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from hart_agent.backends.local.prompting import Prompter
from rl.local.playing import Play, seed_of
from rl.rewards.medvr import entropy_gains, fork_probability


async def others(
    base: Sequence[Play], count: int, start: Callable[[int], Play], seed: int, prompter: Prompter
) -> list[Play]:
    """The other half of a group: forks of its base, then episodes from the question.

    Args:
        base: of the group; over.
        count: how many others there shall be.
        start: begins an episode with a seed.
        seed: decides which turns are forked, and how they go on.
        prompter: knows the text of tokens.
    """
    draw, found = random.Random(seed), list[Play]()
    for play in base:
        for turn, gain in enumerate(entropy_gains(play.rollout(), prompter.words)):
            if len(found) < count and gain is not None and draw.random() < fork_probability(gain):
                found.append(await fork(play, turn, start, seed_of(seed, len(found))))
    return found + [start(seed_of(seed, number)) for number in range(len(found), count)]


async def fork(play: Play, turn: int, start: Callable[[int], Play], seed: int) -> Play:
    """An episode with the same turns before this one, and another seed from there on."""
    branch = start(play.seed)  # its tools ask with the same seed
    for past in play.episode.turns[:turn]:
        await branch.episode.step(past.reply)
    branch.seed, branch.segments = seed, play.segments[:turn]
    return branch
