"""A curriculum: questions are drawn by how often they were answered right of late.

What a group of rollouts teaches grows with the spread of its rewards: for right and wrong answers with p (1 - p), where
p is the policy's pass rate. So a question is drawn with a weight of p (1 - p), by an estimate of p that starts at 1/2
and never reaches 0 or 1: a question that was always right, or never, becomes rare and stays possible.

Source: sampling by learnability, arXiv 2502.12272; the estimate is ours.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from rl.data import Sample
from rl.data.rows import Rollout
from rl.rewards import answer_reward

_KEPT = 0.5
"""Of what was seen before, when a question is asked again: the policy has changed since."""


class PassRates:
    """How often each question was answered right, of late.

    Args:
        seen: of an earlier run: right answers and rollouts, by the question's id; the older, the less they count.
    """

    def __init__(self, seen: Mapping[str, Sequence[float]] | None = None) -> None:
        self.seen: dict[str, list[float]] = {name: list(counts) for name, counts in (seen or {}).items()}

    def observe(self, groups: Sequence[Sequence[Rollout]]) -> None:
        """Take up the rollouts of some questions, each group those of one. An answer is right by the default reward."""
        for group in groups:
            right = sum(answer_reward(rollout.trajectory, rollout.sample) > 0 for rollout in group)
            before = self.seen.get(name := group[0].sample.id, [0.0, 0.0])
            self.seen[name] = [_KEPT * before[0] + right, _KEPT * before[1] + len(group)]

    def of(self, sample: Sample) -> float:
        """The estimate for a question, more than 0 and less than 1; of one that was not asked, 1/2."""
        right, attempts = self.seen.get(sample.id, (0.0, 0.0))
        return (right + 1) / (attempts + 2)

    def mean(self, samples: Sequence[Sample]) -> float:
        """Of the estimates for questions."""
        return sum(map(self.of, samples)) / len(samples)

    def draw(self, samples: Sequence[Sample], count: int, seed: str) -> list[Sample]:
        """Different questions, each with a weight of p (1 - p); the same seed and estimates give the same ones.

        Source: weighted sampling without replacement, by exponentially distributed keys: Efraimidis and Spirakis, 2006.
        """
        chance = random.Random(seed)
        rates = [self.of(sample) for sample in samples]
        keys = [chance.expovariate(rate * (1 - rate)) for rate in rates]
        order = sorted(range(len(samples)), key=keys.__getitem__)
        return [samples[number] for number in order[:count]]
