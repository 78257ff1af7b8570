"""The rewards of interleaved reasoning, against values worked by hand and an implementation of their formulas apart."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import answer
from PIL import Image

from hart_agent import Agent, EpisodeConfig, Mode, ScriptedPolicy, Trajectory
from hart_agent.answers import AnswerType
from hart_agent.evals.items import Item
from rl.rewards import Judge, load_reward
from rl.rewards.interleaved import (
    all_or_none,
    all_or_none_credit,
    interleaved_reward,
    is_improving,
    partial,
    partial_credit,
    time_discounted,
    time_discounted_credit,
)
from rl.rewards.scores import Attempt

CREDITS = {"all": all_or_none_credit, "partial": partial_credit, "discounted": time_discounted_credit}


@pytest.mark.parametrize(
    ("said", "all_said", "part", "discounted"),
    [
        ([], 0, 0, 0),
        ([None], 0, 0, 0),
        ([1], 0.5, 0.5, 0.5),
        ([9], 0.5, 0.5, 0.5),
        ([1, 2], 0.5, 0.5, 0.5),
        ([1, None], 0, 0.25, 0.25),
        ([2, None], 0, 0.25, 0.125),
        ([4, None, 1, None], 0, 0.25, 0.5 / 4 * 1.25),
        ([1, 1, None, None, 5], 0, 0.3, 0.1 * 2.2),
    ],
)
def test_the_credit_of_findings(said: list[int | None], all_said: float, part: float, discounted: float) -> None:
    assert all_or_none_credit(said) == pytest.approx(all_said)
    assert partial_credit(said) == pytest.approx(part)
    assert time_discounted_credit(said) == pytest.approx(discounted)


def test_the_condition_on_the_accuracy_of_the_step() -> None:
    assert is_improving(0.0, None)
    assert is_improving(0.5, 0.5)
    assert is_improving(0.46, 0.5)
    assert not is_improving(0.44, 0.5)
    assert not is_improving(0.25, 0.25 + 0.05)  # it must be above


def rolled(*findings: str, said: str | None = "4", tagged: bool = True) -> Trajectory:
    words = "".join(f"<finding>{finding}</finding>" for finding in findings)
    end = "<abstain>dark</abstain>" if said is None else answer(said) if tagged else said
    config = EpisodeConfig(Mode.INTERLEAVED, max_turns=1)
    return Agent(ScriptedPolicy([words + end]), config=config, verify=False).ask(Image.new("RGB", (9, 9)), "how many?")


def sample(*steps: str) -> Item:
    return Item("a", Path("a.png"), "how many?", "4", AnswerType.NUMBER, steps=steps)


def alone(reward: Any, run: Trajectory, gold: Item) -> float:
    ((value,),) = reward([[Attempt(run, gold)]], {})
    return float(value)


def test_rewards_worked_by_hand() -> None:
    gold = sample("red", "2")
    assert alone(time_discounted, rolled("red", "2"), gold) == pytest.approx((1 + 2 + 0.5 + 1) / 4.5) == 1
    assert alone(time_discounted, rolled("blue", "2"), gold) == pytest.approx((1 + 2 + 0.125 + 1) / 4.5)
    assert alone(partial, rolled("blue", "2"), gold) == pytest.approx((1 + 2 + 0.25 + 1) / 4.5)
    assert alone(all_or_none, rolled("blue", "2"), gold) == pytest.approx((1 + 2 + 1) / 4.5)
    assert alone(partial, rolled("red", "2", said="5"), gold) == pytest.approx((1 - 1.5 + 1) / 4.5)
    assert alone(partial, rolled("red", said=None), gold) == 0  # 1 - 2 = -1
    assert alone(partial, rolled(), gold) == 0  # nothing was said on the way: -1
    assert alone(partial, rolled("red", "2", tagged=False), gold) == 0
    assert alone(partial, rolled("red"), sample()) == pytest.approx(4 / 4.5)  # without steps the form alone is paid
    assert (
        alone(partial, rolled("red or 2"), gold)
        == alone(partial, rolled("perhaps red, or 2"), gold)
        == pytest.approx(4 / 4.5)
    )
    without = interleaved_reward(rolled("red", "2"), gold, partial_credit, improving=False)
    assert without == pytest.approx(4 / 4.5)


def test_nothing_is_paid_for_findings_after_a_step_that_was_better() -> None:
    judge = Judge(load_reward("rl.rewards.interleaved:partial"), k=0.6)
    gold = sample("red")
    right, wrong = Attempt(rolled("red"), gold), Attempt(rolled("red", said="5"), gold)
    paid, unpaid, none = 1.0, 4 / 4.5, 0.5 / 4.5

    def step(*attempts: Attempt) -> list[float]:
        return [score.reward for score in judge.scores([attempts[:2], attempts[2:]])]

    assert step(right, right, right, wrong) == pytest.approx([paid, paid, paid, none])
    assert step(right, right, wrong, wrong) == pytest.approx([unpaid, unpaid, none, none])  # .5 after .75
    assert judge.state == {"accuracy": 0.5}
    judge.state = dict(judge.state)  # as a checkpoint gives it back
    assert step(right, right, wrong, wrong) == pytest.approx([paid, paid, none, none])


def reference(words: list[str], gold: list[str], said: str | None, credit: str, *, improving: bool) -> Fraction:
    """The formulas once more: exact, over words that are the same or aren't."""
    reward = Fraction(1) if words else Fraction(-1)
    if words:
        reward += Fraction(-2) if said is None else Fraction(2) if said == "4" else Fraction(-3, 2)
    if words and said == "4" and improving and gold:
        places = {word: place for place, word in reversed(list(enumerate(words, start=1)))}
        hits = [Fraction(1, places[step]) for step in gold if step in places]
        each = Fraction(1, 2) / len(gold)
        if len(hits) == len(gold):
            reward += Fraction(1, 2)
        elif credit != "all":
            reward += each * (len(hits) if credit == "partial" else sum(hits))
    return (reward + 1) / Fraction(9, 2)


def test_rewards_against_an_implementation_apart() -> None:
    chance, words = random.Random(0), ["red", "blue", "door", "7", "12"]
    for _ in range(120):
        said = chance.choice(["4", "4", "4", "5", None])
        findings = chance.choices(words, k=chance.randint(0, 4))
        gold = chance.sample(words, chance.randint(0, 3))
        credit, improving = chance.choice(list(CREDITS)), chance.random() < 0.7
        found = interleaved_reward(rolled(*findings, said=said), sample(*gold), CREDITS[credit], improving=improving)
        assert found == pytest.approx(float(reference(findings, gold, said, credit, improving=improving)))
