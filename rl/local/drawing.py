"""The scored rollouts of a step; a question whose rollouts all earned the same may give way to another."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from rl.data import Sample
from rl.data.rows import Rollout
from rl.rewards.scores import Score

ScoredGroup: TypeAlias = Sequence[tuple[Rollout, Score]]
"""The rollouts of a question, each with its score."""


def redrawn(
    groups: Sequence[ScoredGroup],
    samples: Sequence[Sample],
    draw_groups: Callable[[Sequence[Sample]], Sequence[ScoredGroup]],
    *,
    redraws: int,
    seed: str,
) -> tuple[list[ScoredGroup], int]:
    """The groups of a step, those of equal rewards replaced by groups of other questions; and how many were.

    A group that is still of equal rewards after the last redraw stays; it carries the KL term alone.

    Args:
        groups: as they were drawn.
        samples: the questions of the run.
        draw_groups: rolls out and scores some of them.
        redraws: at most so often.
        seed: of the choice of questions.

    Source: dynamic sampling, arXiv 2503.14476, section 3.2.
    """
    groups, count = list(groups), 0
    drawn = {group[0][0].sample.id for group in groups}
    for attempt in range(redraws):
        equal = [place for place, group in enumerate(groups) if len({score.reward for _, score in group}) == 1]
        others = [sample for sample in samples if sample.id not in drawn]
        order = random.Random(f"{seed} {attempt}").sample(others, len(others))
        if not (chosen := order[: len(equal)]):
            break
        drawn |= {sample.id for sample in chosen}
        for place, group in zip(equal, draw_groups(chosen), strict=False):  # there may be fewer questions than groups
            groups[place] = group
        count += len(chosen)
    return groups, count
