"""MedVR's reward and its measure of uncertainty (arXiv 2604.08203), against values worked by hand."""

from __future__ import annotations

import itertools
import math
import random
from types import SimpleNamespace

import pytest

from hart_agent.vision.geometry import Box, Size
from rl.rewards import Judge
from rl.rewards.custom import load_reward
from rl.rewards.medvr import coordinate_tokens, entropy_gain
from rl.rewards.scores import Attempt

LEFT, RIGHT = Box(0, 0, 10, 10), Box(20, 0, 30, 10)


def attempt(answer: str, *boxes: Box, kept: bool = True) -> Attempt:
    """A rollout that zoomed into these regions of an image of 100 x 100 pixels."""
    views = [SimpleNamespace(kind="zoom", frame=SimpleNamespace(box=box)) for box in boxes]
    turns = [SimpleNamespace(results=[SimpleNamespace(views=[view])]) for view in views]
    image = SimpleNamespace(size=Size(100, 100))
    trajectory = SimpleNamespace(answer=answer, turns=turns, evidence=(), image=image, format_kept=kept)
    sample = SimpleNamespace(is_right=lambda given, strict: given == "x")
    return Attempt(trajectory, sample)  # type: ignore[arg-type]


def test_the_reward_is_the_papers_brought_into_0_to_1() -> None:
    judge = Judge(load_reward("rl.rewards.medvr:reward"))
    group = [
        attempt("x", LEFT), attempt("x", LEFT), attempt("x", RIGHT), attempt("x"), attempt("x", LEFT, kept=False),
        attempt("y", LEFT), attempt("y", LEFT, kept=False),
    ]  # fmt: skip
    # R = R_acc + R_format + 1(R_acc > 0) R_tool. Of five right ones three looked left, which is more than half.
    papers = [2.0, 2.0, 1.5, 1.5, 1.9, 0.0, -0.1]
    scores = judge.scores([group])
    assert [score.reward for score in scores] == pytest.approx([(value + 0.1) / 2.1 for value in papers])
    assert not judge.sees_rollouts_alone
    assert scores[2].parts["medvr/tool"] == 0.5
    assert max(score.reward for score in scores) == 1.0
    assert min(score.reward for score in scores) == 0.0


def test_a_group_is_its_own_judge() -> None:
    judge = Judge(load_reward("rl.rewards.medvr:reward"))
    together = judge.scores([[attempt("x", LEFT), attempt("x", LEFT), attempt("x", RIGHT)]])
    apart = judge.scores([[attempt("x", LEFT)], [attempt("x", LEFT)], [attempt("x", RIGHT)]])
    assert [score.parts["medvr/tool"] for score in together] == [1.0, 1.0, 0.5]
    assert [score.parts["medvr/tool"] for score in apart] == [1.0, 1.0, 1.0]


def reference(group: list[tuple[bool, bool, list[Box]]], side: int) -> list[float]:
    """The formulas once more, pixel by pixel: of rollouts that are right or not, in form or not, and their zooms."""
    looked = [
        {(x, y) for box in boxes for x in range(box.x0, box.x1) for y in range(box.y0, box.y1)} for _, _, boxes in group
    ]
    right = [own for own, (ok, _, _) in zip(looked, group, strict=True) if ok]
    pixels = itertools.product(range(side), repeat=2)
    agreed = {pixel for pixel in pixels if sum(pixel in own for own in right) > len(right) / 2}
    rewards = []
    for own, (ok, kept, _) in zip(looked, group, strict=True):
        tool = 0.0
        if ok:
            tool = 1.0 if own | agreed and len(own & agreed) / len(own | agreed) > 0.5 else 0.5
        rewards.append((ok + tool - (0 if kept else 0.1) + 0.1) / 2.1)
    return rewards


def test_the_reward_against_an_implementation_apart() -> None:
    draw, side, judge = random.Random(0), 9, Judge(load_reward("rl.rewards.medvr:reward"))
    paid: list[float] = []
    for _ in range(200):
        group = []
        for _ in range(draw.randint(2, 8)):
            boxes = []
            for _ in range(draw.randint(0, 2)):
                x0, y0 = draw.randrange(4), draw.randrange(4)
                boxes.append(Box(x0, y0, draw.randint(x0 + 3, side), draw.randint(y0 + 3, side)))
            group.append((draw.random() < 0.6, draw.random() < 0.8, boxes))
        scores = judge.scores([[attempt("x" if ok else "y", *boxes, kept=kept) for ok, kept, boxes in group]])
        assert [score.reward for score in scores] == pytest.approx(reference(group, side))
        paid += [score.parts["medvr/tool"] for score in scores]
    assert min(paid.count(credit) for credit in (0.0, 0.5, 1.0)) > 100


CALL = '{"name": "zoom", "arguments": {"bbox_2d": [12, 340, 5, 6.5], "label": "2 cars"}}'
PIECES = [
    "I", " see", " 3", " cars", ". ", '{"name": "zoom", "arg', 'uments": {"bbox_2d": [', "12", ", ", "34", "0", ", 5",
    ", ", "6", ".", "5", "]", ', "label": "2', ' cars"}}', "<end>",
]  # fmt: skip


def test_coordinate_tokens_are_the_digits_of_boxes_in_calls() -> None:
    assert coordinate_tokens(PIECES, [CALL]) == [7, 9, 10, 11, 13, 15]
    assert coordinate_tokens(PIECES, []) == []
    assert coordinate_tokens(["<answer>[1, 2, 3, 4]</answer>"], []) == []


def test_the_gain_is_the_mean_over_the_box_less_that_over_the_first_tokens() -> None:
    entropies = [0.1 * number for number in range(len(PIECES))]
    base = sum(entropies[:8]) / 8
    assert entropy_gain(entropies, [9, 10]) == pytest.approx(0.95 - base)
    assert entropy_gain(entropies, []) is None
    assert entropy_gain([math.log(2), 0.0], [1]) == pytest.approx(-math.log(2) / 2)
