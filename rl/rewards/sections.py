"""Rewards over the sections of an answer: six weightings (arXiv 2601.00215).

    R = sum over sections of alpha * score

The score of the answer is 1 if it is right (in `continuous` partial credit, in `no_accuracy` its presence), that of any
other section is `hart_agent.dialogue.sections.repetition_score`. The lowest R of a weighting becomes 0 and 1 stays 1,
as the weights of AP-GRPO need rewards of 0 to 1; advantages don't change by it.

    python -m rl.train_ap_grpo puzzles/questions.jsonl ... --mode sections --reward rl.rewards.sections:mixture
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import tanh
from typing import Literal

from hart_agent.agent.trajectory import Trajectory
from hart_agent.answers import partial_credit
from hart_agent.dialogue.sections import read_sections, section_scores
from rl.data import Sample

_LOWEST = tanh(1) - 1
"""Of a section's score: one sentence, over and over."""


@dataclass(frozen=True)
class SectionReward:
    """One weighting.

    Attributes:
        name: in metrics.
        weights: alpha of each section; they sum to 1.
        answer: what the answer is worth: 1 if it is right, partial credit, or 1 for any.
    """

    name: str
    weights: Mapping[str, float]
    answer: Literal["right", "partial", "present"] = "right"

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        """The reward of a rollout, 0 to 1."""
        scores = {"answer": self._of_answer(trajectory, sample), **scores_of(trajectory)}
        value = sum(weight * scores.get(name, 0.0) for name, weight in self.weights.items())
        lowest = _LOWEST * sum(weight for name, weight in self.weights.items() if name != "answer")
        return (value - lowest) / (1 - lowest)

    def _of_answer(self, trajectory: Trajectory, sample: Sample) -> float:
        if self.answer == "present":
            return float(trajectory.answer is not None)
        if self.answer == "right" or sample.is_right(trajectory.answer, strict=True):
            return float(sample.is_right(trajectory.answer, strict=True))
        return max(
            partial_credit(trajectory.answer, gold, sample.type, options=sample.options, strict=True)
            for gold in sample.golds
        )


def scores_of(trajectory: Trajectory) -> dict[str, float]:
    """The score of each section of the last reply, the answer's left out."""
    if not trajectory.turns:
        return {}
    reply = trajectory.turns[-1].reply
    return section_scores(read_sections(reply.text, reply.reasoning))


vanilla = SectionReward("vanilla", {"think": 0.1, "answer": 0.9})
only_accuracy = SectionReward("only_accuracy", {"answer": 1.0})
mixture = SectionReward("mixture", {"description": 0.06, "think": 0.06, "rethink": 0.08, "answer": 0.8})
continuous = SectionReward("continuous", mixture.weights, "partial")
visual_fusion = SectionReward("visual_fusion", {"think": 0.1, "visual": 0.1, "answer": 0.8})
no_accuracy = SectionReward(
    "no_accuracy", {"description": 0.3, "think": 0.3, "rethink": 0.3, "answer": 0.1}, "present"
)  # fmt: skip

WEIGHTINGS: Mapping[str, SectionReward] = {
    each.name: each for each in (vanilla, only_accuracy, mixture, continuous, visual_fusion, no_accuracy)
}
"""The paper's six, by name."""
