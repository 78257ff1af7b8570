"""Questions that are asked several times are one unit: of intervals, of McNemar's test and of comparisons."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from pathlib import Path

import eval_files as files
import numpy as np
import pytest
import scipy.stats

from hart_agent import Agent, ScriptedPolicy
from hart_agent.evals.about_others import is_about_others
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.intervals import cluster_variance, mean, share, share_of, share_worth, totals, wilson
from hart_agent.evals.metrics import Prediction
from hart_agent.evals.runner import EvalSettings, presentations
from hart_agent.evals.statistics import compare, mcnemar, paired_test, sign_flip_test
from hart_agent.evals.summary import summarise
from hart_agent.vision.geometry import Size


def cycles(rights: list[list[bool]]) -> list[Prediction]:
    """A run over questions, each asked in as many orders as it has outcomes."""
    return [
        Prediction(f"{question}.{order}", "single", right, (), (), Size(10, 10), group=str(question))
        for question, outcomes in enumerate(rights)
        for order, right in enumerate(outcomes)
    ]


def test_outcomes_that_go_together_are_worth_the_questions_behind_them() -> None:
    # 30 of 50 questions right in all four orders: the variance of the share is that of 49 questions, by n / (n - 1).
    groups = [str(question) for question in range(50) for _ in range(4)]
    outcomes = [question < 30 for question in range(50) for _ in range(4)]
    estimate, of_questions = share_of(outcomes, groups), share(30, 50)
    assert (estimate.value, estimate.count) == (0.6, 200)
    assert (estimate.low, estimate.high) == pytest.approx((of_questions.low, of_questions.high), abs=0.002)
    assert share_of([True] * 200, groups).low == pytest.approx(share(50, 50).low)
    # A policy that always says the same letter is right in one order of four: nothing varies between questions.
    same = share_of([order == 0 for _ in range(50) for order in range(4)], groups)
    assert (same.low, same.high) == (share(50, 200).low, share(50, 200).high)
    assert share_of(outcomes[::4]) == share_of(outcomes[::4], groups[::4]) == share(30, 50)


def test_the_variance_over_groups_is_that_worked_by_hand() -> None:
    # Right 2 of 2, 0 of 1 and 1 of 3: the share is 1/2, what each group has more than that 1, -1/2 and -1/2; the sum of
    # the squares is 3/2, times 3/2 for three groups, over 6 squared.
    sums, counts = totals(np.array([1.0, 1, 0, 1, 0, 0]), ["a", "a", "b", "c", "c", "c"])
    assert (sums.tolist(), counts.tolist()) == ([2, 0, 1], [2, 1, 3])
    assert cluster_variance(sums, counts) == 1.5 * 1.5 / 36
    assert cluster_variance(sums[:2], counts[:2]) == pytest.approx(2 * 2 * (2 / 3) ** 2 / 9)
    assert cluster_variance(sums[:1], counts[:1]) == 0


@pytest.mark.parametrize(
    ("value", "variance", "worth"),
    [(0.5, 0.05, 5), (0.2, 0.04, 4), (0.5, 0.001, 30), (0.5, 0.0, 30), (0.0, 0.0, 7), (1.0, 0.0, 7)],
)
def test_a_share_is_worth_what_gives_it_its_variance_and_no_more_than_its_outcomes(
    value: float, variance: float, worth: float
) -> None:
    """p (1 - p) / n is the variance of a share of n; 7 questions are behind 30 outcomes."""
    found, expected = share_worth(value, variance, 30, 7), wilson(value, worth, 30)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_an_interval_of_a_share_ends_where_shares_end() -> None:
    ends = [(share(0, count).low, share(count, count).high) for count in range(1, 60)]
    assert all(low >= 0 and high <= 1 for low, high in ends)  # rounding alone would leave 0 to 1 by 1e-17
    assert np.abs(np.array(ends) - (0, 1)).max() < 1e-12


def test_an_interval_over_groups_is_near_that_of_resampling_them() -> None:
    generator = np.random.default_rng(1)
    counts = generator.integers(1, 5, 150)
    chances = generator.beta(1.2, 0.8, 150)
    groups = [str(group) for group, count in enumerate(counts) for _ in range(count)]
    outcomes = [bool(generator.random() < chances[int(group)]) for group in groups]
    members = [np.array([right for right, name in zip(outcomes, groups, strict=True) if name == str(group)])
               for group in range(150)]  # fmt: skip
    drawn = [np.concatenate([members[i] for i in generator.integers(0, 150, 150)]).mean() for _ in range(1500)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    for estimate in (share_of(outcomes, groups), mean(outcomes, 3, groups)):
        assert estimate.value == pytest.approx(np.mean(outcomes))
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.012)
    assert mean(outcomes, 3, groups) == mean(outcomes, 3, groups)
    assert mean([0.0, 1.0], groups=["a", "a"]).low == 0.5  # one question


def test_intervals_over_groups_cover_as_often_as_they_say() -> None:
    """Questions with chances of their own, asked in four orders; intervals over rows would cover two thirds."""
    generator = np.random.default_rng(7)
    groups = [str(question) for question in range(100) for _ in range(4)]
    covered = {"questions": 0, "rows": 0}
    for _ in range(300):
        chances = generator.beta(0.6, 0.3, 100)  # of mean 2 / 3
        outcomes = (generator.random((100, 4)) < chances[:, None]).ravel()
        for name, estimate in (("questions", share_of(outcomes, groups)), ("rows", share_of(outcomes))):
            covered[name] += estimate.low <= 2 / 3 <= estimate.high
    assert 0.92 <= covered["questions"] / 300 <= 0.98  # 0.95, standard deviation 0.013
    assert covered["rows"] / 300 < 0.85


def test_the_sign_flip_test_is_mcnemars_for_single_questions_and_exact_for_groups() -> None:
    for first, second in ((0, 5), (1, 7), (12, 9), (0, 0), (40, 61)):
        expected = scipy.stats.binomtest(first, first + second).pvalue if first + second else 1.0
        assert mcnemar(first, second) == pytest.approx(expected)
    differences = [4, -1, 2, 2, -3, 0, 1, 4, 1, -2]
    flips = [sum(sign * size for sign, size in zip(signs, differences, strict=True))
             for signs in itertools.product((-1, 1), repeat=len(differences))]  # fmt: skip
    share_as_far = sum(abs(total) >= abs(sum(differences)) for total in flips) / len(flips)
    package = scipy.stats.permutation_test(
        (np.array(differences), np.zeros(len(differences))),
        lambda x, y, axis=-1: np.sum(x - y, axis=axis),
        permutation_type="samples",
    )
    assert sign_flip_test(differences) == pytest.approx(share_as_far) == pytest.approx(package.pvalue)


def test_runs_over_groups_are_compared_by_question() -> None:
    """Eight questions that change in all four orders are eight changes, not 32."""
    before, after = [[question < 20] * 4 for question in range(40)], [[question < 28] * 4 for question in range(40)]
    test = compare(cycles(before), cycles(after)).accuracy
    assert (test.only_first, test.only_second, test.difference.value) == (0, 32, pytest.approx(0.2))
    assert test.p_value == pytest.approx(2 / 2**8)
    by_question = paired_test([row[0] for row in before], [row[0] for row in after])
    assert (test.difference.low, test.difference.high) == pytest.approx(
        (by_question.difference.low, by_question.difference.high), abs=0.02
    )


def test_every_interval_of_a_summary_takes_the_question_as_its_unit() -> None:
    rights = [[question % 3 > 0] * 4 for question in range(60)]
    controls = {"masked": False}
    grouped = [dataclasses.replace(p, controls=controls, labels=(("task", "x"),)) for p in cycles(rights)]
    alone = [dataclasses.replace(p, group="") for p in grouped]
    summary, narrow = summarise(grouped), summarise(alone)
    assert (summary.questions, narrow.questions) == (60, 240)
    for pick in (
        lambda found: found.accuracy,
        lambda found: found.by_category["single"],
        lambda found: found.by_label["task"]["x"],
        lambda found: found.controls["masked"],
        lambda found: found.evidence_gap,
    ):
        wide, thin = pick(summary), pick(narrow)
        assert wide.value == pytest.approx(thin.value)
        assert (wide.high - wide.low) > 1.7 * (thin.high - thin.low)  # twice, but for Wilson's shift at the ends


def test_published_cycles_are_asked_as_they_are_published(tmp_path: Path) -> None:
    items = load_dataset("hr-bench-4k", files.write_tsv(tmp_path / "hr_bench_4k.tsv", files.hr_bench_rows()))
    shown = list(presentations(items, EvalSettings(seed=5)))
    assert [(one.index, one.order) for one in shown] == [(0, (0, 1, 2, 3))] * 4
    asked: dict[str, set[str]] = {}
    for one in shown:
        asked.setdefault(one.item.group, set()).add(one.item.letter_of_gold(one.order))
    assert list(asked.values()) == [{"B", "A"}, {"B", "A"}]  # the right option moves on by one in each cycle
    agent = Agent(ScriptedPolicy(lambda messages, tools: "<answer>A</answer>"))
    report = asyncio.run(evaluate_folder(agent, "hr-bench-4k", items, tmp_path / "run", EvalSettings(), {}))
    assert (report["questions"], report["summary"]["questions"], report["orders"]) == (4, 2, None)
    assert {name: share["value"] for name, share in report["summary"]["by_label"]["cycle"].items()} == {"0": 0, "1": 1}


def test_the_last_option_of_mme_realworld_stays_last_and_its_totals_are_reported(tmp_path: Path) -> None:
    entry = dict(files.mme_entries()[0])
    entries = [
        entry | {"Question_id": "1", "Category": "Vehicle/attribute/colour", "Ground truth": "C",
                 "Answer choices": ["(A) 1", "(B) 2", "(C) 3"]},
        entry | {"Question_id": "2", "Task": "Reasoning", "Subtask": "OCR with Complex Context", "Category": "Cars"},
        entry | {"Question_id": "3", "Category": "Vehicle/Attribute/size"},
    ]  # fmt: skip
    files.write_mme(tmp_path)
    files.write_json(tmp_path / "data/MME-RealWorld-Lite.json", entries)
    items = load_dataset("mme-realworld-lite", tmp_path)
    for seed in range(20):
        assert all(one.order[-1] == len(one.order) - 1 for one in presentations(items, EvalSettings(seed)))
    agent = Agent(ScriptedPolicy(lambda messages, tools: "<answer>E</answer>"))
    report = asyncio.run(evaluate_folder(agent, "mme-realworld-lite", items, tmp_path / "run", EvalSettings(), {}))
    found = {
        name: {value: (share["value"], share["count"]) for value, share in values.items()}
        for name, values in report["summary"]["by_label"].items()
    }
    assert found == {
        "task": {"Perception": (0.5, 2), "Reasoning": (1, 1)},
        "l2 category": {"vehicle/attribute": (0.5, 2), "cars": (1, 1)},
    }


ABOUT_OTHERS = """
None of the above|None of these|none of them.|None|NONE OF THE OTHER OPTIONS|None of the options listed|Neither
Neither of them|Neither of the above|Neither A nor B|Both|Both of the above|Both A and B|A and B|All of the above
All of these|Any of the above|The image does not feature the buses|This image doesn't feature the position.
All the above answers are wrong.|No right choice|No correct answer|None of the given choices
None of the listed answers|None of the options mentioned|Cannot be determined|It can't be determined from the image
Not enough information|I don\u2019t know|Can't tell|Other|Not listed|Unknown|以上都不是|以上皆非|都不是|图片中没有公交车
无法确定|以上答案都不对|keine der genannten|Ninguna de las anteriores|Aucune de ces réponses
"""
OF_THEIR_OWN = """
It is above the car|above|Both hands|Both sides of the road|None but the brave|A|B|red|0|Another car
All Saints Church|The man is on the left of the above-ground pool|No|No parking|Other Street|A and W|All day
Neither Road|不锈钢|没有停车
"""


@pytest.mark.parametrize("text", [text for line in ABOUT_OTHERS.strip().splitlines() for text in line.split("|")])
def test_options_about_the_others_are_known_in_all_their_forms(text: str) -> None:
    assert is_about_others(text)


@pytest.mark.parametrize("text", [text for line in OF_THEIR_OWN.strip().splitlines() for text in line.split("|")])
def test_options_that_only_sound_alike_are_not_among_them(text: str) -> None:
    assert not is_about_others(text)
