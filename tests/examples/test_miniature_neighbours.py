"""Tables under the rewards of neighbouring methods: real episodes, and the loss of AP-GRPO."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[train]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from miniature import neighbours  # noqa: E402
from miniature.neighbours import METHODS, Choice, Tables  # noqa: E402


def test_what_a_table_chooses_is_what_the_episode_has() -> None:
    policy = Tables(METHODS["findings"], 0)
    attempts, chosen = policy.play(3, 2)
    assert [each.sample.steps for each in attempts[::2]] == [each.sample.steps for each in attempts[1::2]]
    for attempt, choices in zip(attempts, chosen, strict=True):
        said = [str(choice.taken) for choice in choices[:2] if choice.taken]
        assert list(attempt.trajectory.findings) == said
        assert attempt.trajectory.answer == str(choices[2].taken)
    favoured = math.exp(1.5) / (math.exp(1.5) + 4)  # one of five words
    (chance,) = policy.log_probs([[Choice("first", 3, 3), Choice("second", 1, 0)]]).exp().tolist()
    assert chance == pytest.approx([favoured, (1 - favoured) / 4])


def test_a_look_is_a_turn() -> None:
    attempts, chosen = Tables(METHODS["turns"], 1).play(4)
    assert [len(each.trajectory.turns) for each in attempts] == [choices[0].taken + 2 for choices in chosen]


@pytest.mark.slow
def test_findings_are_right_where_they_are_paid() -> None:
    method = METHODS["findings"]
    paid, unpaid = (neighbours.train(method, arm, 0, 30) for arm in method.arms.values())
    assert paid["outcome"] > unpaid["outcome"] + 0.2
