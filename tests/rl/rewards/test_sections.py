"""Sections of an answer, their scores, and the six weightings, against values worked by hand."""

from __future__ import annotations

import asyncio
import random
import re
from math import tanh
from pathlib import Path

import pytest
from PIL import Image

from hart_agent import Agent, ScriptedPolicy, Trajectory
from hart_agent.answers import AnswerType
from hart_agent.dialogue.sections import SECTIONS, read_sections, repetition_score
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.items import Item
from hart_agent.evals.runner import EvalSettings
from rl.config import AlgorithmConfig
from rl.rewards import load_reward
from rl.rewards.sections import WEIGHTINGS

WHOLE = (
    "<description>A clock. It has two hands.</description>"
    "<think>The short hand is at 3. <visual>The long hand is at 5.</visual> So 3:25.</think>"
    "<rethink>It holds. It holds.</rethink><answer>{}</answer>"
)
ONE, TWO = tanh(1), tanh(2)


def rolled(text: str) -> Trajectory:
    agent = Agent(ScriptedPolicy([text]), mode="sections", verify=False)
    return agent.ask(Image.new("RGB", (9, 9)), "when?")


CLOCK = Item("a", Path("a.png"), "when?", "3:25", AnswerType.TEXT)


def test_the_sections_of_a_reply() -> None:
    found = read_sections(WHOLE.format("3:25"))
    assert found == {
        "description": "A clock. It has two hands.",
        "think": "The short hand is at 3. \n So 3:25.",
        "visual": "The long hand is at 5.",
        "rethink": "It holds. It holds.",
        "answer": "3:25",
    }
    assert read_sections("<think>one") == {}
    assert read_sections("<THINK>one</Think> <think>two</think>") == {"think": "one\ntwo"}
    assert read_sections("<answer>3</answer>", "sent apart") == {"answer": "3", "think": "sent apart"}
    assert len(read_sections("<think>" * 200_000)) == 0


@pytest.mark.parametrize(
    ("words", "unique", "duplicates"),
    [
        ("", 0, 0), ("One.", 1, 0), ("One. Two.", 2, 0), ("One. one.  ONE.", 1, 2), ("One\nTwo\nOne", 2, 1),
        ("It is 3.5 m. It is 3.5 m.", 1, 1), ("Yes! No? Yes!", 2, 1),
    ],
)  # fmt: skip
def test_repetition(words: str, unique: int, duplicates: int) -> None:
    assert repetition_score(words) == pytest.approx(tanh(unique) - tanh(duplicates))


def by_hand(name: str, answer: float, description: float, think: float, visual: float, rethink: float) -> float:
    """R as the paper weighs it, and the scaling."""
    low = tanh(1) - 1
    value, lowest = {
        "vanilla": (0.1 * think + 0.9 * answer, 0.1 * low),
        "only_accuracy": (answer, 0.0),
        "mixture": (0.06 * description + 0.06 * think + 0.08 * rethink + 0.8 * answer, 0.2 * low),
        "continuous": (0.06 * description + 0.06 * think + 0.08 * rethink + 0.8 * answer, 0.2 * low),
        "visual_fusion": (0.1 * think + 0.1 * visual + 0.8 * answer, 0.2 * low),
        "no_accuracy": (0.3 * description + 0.3 * think + 0.3 * rethink + 0.1 * answer, 0.9 * low),
    }[name]
    return (value - lowest) / (1 - lowest)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_the_six_weightings(name: str) -> None:
    reward = load_reward(f"rl.rewards.sections:{name}")
    scores = {"description": TWO, "think": TWO, "visual": ONE, "rethink": ONE - ONE}
    for said, right, near in (("3:25", 1.0, 1.0), ("4:25", 0.0, 0.9), ("9:55", 0.0, 0.0)):
        worth = 1.0 if name == "no_accuracy" else near if name == "continuous" else right
        assert reward(rolled(WHOLE.format(said)), CLOCK) == pytest.approx(by_hand(name, worth, **scores))
    nothing = dict.fromkeys(("description", "think", "visual", "rethink"), 0.0)
    assert reward(rolled("<abstain>dark</abstain>"), CLOCK) == pytest.approx(by_hand(name, 0.0, **nothing))
    assert sum(WEIGHTINGS[name].weights.values()) == pytest.approx(1)


def test_the_weightings_against_an_implementation_apart() -> None:
    """Sections of random sentences, scored by what was drawn: nothing of it is read from the text."""
    chance = random.Random(1)
    for _ in range(60):
        drawn = {name: chance.choices(["One.", "Two.", "Six."], k=chance.randint(0, 5)) for name in SECTIONS[:4]}
        hour = chance.choice([3, 3, 5, 8])
        words = {name: " ".join(sentences) for name, sentences in drawn.items()}
        text = (
            f"<description>{words['description']}</description><think>{words['think']}\n"
            f"<visual>{words['visual']}</visual></think><rethink>{words['rethink']}</rethink>"
            f"<answer>{hour}:25</answer>"
        )
        scores = {name: tanh(len(set(own))) - tanh(len(own) - len(set(own))) for name, own in drawn.items()}
        credit = {3: 1.0, 5: 0.5 * (1 - 2 / 5) + 0.5, 8: 0.5}[hour]
        run = rolled(text)
        for name, reward in WEIGHTINGS.items():
            worth = {"no_accuracy": 1.0, "continuous": credit}.get(name, float(hour == 3))
            assert reward(run, CLOCK) == pytest.approx(by_hand(name, worth, **scores))


def test_rewards_stay_within_what_the_weights_of_ap_grpo_allow() -> None:
    chance = random.Random(0)
    for _ in range(100):
        parts = [
            f"<{name}>" + "".join(chance.choice(["One. ", "Two. ", "Six. "]) for _ in range(chance.randint(0, 9)))
            + f"</{name}>"
            for name in SECTIONS[:4] if chance.random() < 0.8
        ]  # fmt: skip
        run = rolled("".join(parts) + f"<answer>{chance.randint(1, 12)}:25</answer>")
        assert all(0 <= reward(run, CLOCK) <= 1 for reward in WEIGHTINGS.values())
    worst = rolled("".join(f"<{name}>{'No. ' * 40}</{name}>" for name in SECTIONS[:4]) + "<abstain>no</abstain>")
    assert WEIGHTINGS["no_accuracy"](worst, CLOCK) == pytest.approx(0)
    assert AlgorithmConfig().k > 0


def test_a_mode_that_asks_for_sections_and_an_evaluation_that_scores_them(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (90, 90)).save(path)
    items = [Item(name, path, "when?", "3:25", AnswerType.TEXT) for name in "ab"]
    agent = Agent(ScriptedPolicy([WHOLE.format("3:25"), "<answer>4:25</answer>"]), mode="sections", verify=False)
    report = asyncio.run(evaluate_folder(agent, "jsonl", items, tmp_path / "run", EvalSettings(), {}))
    assert report["sections"] == pytest.approx(
        {"description": TWO / 2, "think": TWO / 2, "visual": ONE / 2, "rethink": 0, "answer": 0.95}
    )
    assert report["summary"]["accuracy"]["value"] == 0.5
    system = (Path(__file__).parents[3] / "prompts" / "sections_system.md").read_text()
    assert set(re.findall(r"<(\w+)>", system)) == {*SECTIONS, "abstain"}
