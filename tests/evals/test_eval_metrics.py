"""Evidence against truth, intervals and tests, and the summary of a run."""

from __future__ import annotations

import dataclasses
import json
import math
import sys

import numpy as np
import pytest
import scipy.stats
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from hart_agent.errors import ConfigError, InstallError
from hart_agent.evals import statistics
from hart_agent.evals.metrics import Prediction, measure, union_areas
from hart_agent.evals.statistics import (
    Estimate,
    compare,
    evidence_gap,
    mcnemar,
    mean,
    paired_test,
    questions_of,
    share,
)  # fmt: skip
from hart_agent.evals.summary import THRESHOLDS, remarks, summarise
from hart_agent.tooling.records import Verdict
from hart_agent.vision.geometry import Box, Size

IMAGE = Size(100, 100)
TRUTH = Box(10, 10, 30, 30)  # 400 pixels

SIDES = st.tuples(st.integers(0, 99), st.integers(0, 99)).filter(lambda ends: ends[0] != ends[1]).map(sorted)
BOXES = st.builds(lambda x, y: Box(x[0], y[0], x[1], y[1]), SIDES, SIDES)
GROUPS = st.lists(BOXES, max_size=6).map(tuple)


def predict(
    *boxes: Box, gold: tuple[Box, ...] = (TRUTH,), right: bool = True, name: str = "q", **more: object
) -> Prediction:
    return Prediction(name, "signs", right, boxes, gold, IMAGE, **more)  # type: ignore[arg-type]


PREDICTIONS = st.lists(
    st.builds(lambda boxes, gold, right: predict(*boxes, gold=gold, right=right), GROUPS, GROUPS, st.booleans()),
    min_size=1,
    max_size=8,
)


def region(boxes: tuple[Box, ...]) -> shapely.Geometry:
    return shapely.unary_union([shapely.box(*box.as_tuple()) for box in boxes])


def test_one_box_and_one_truth_by_hand() -> None:
    # 20x20 truth, 30x20 box, 10x20 shared: 200 of 400, of 600, of 800 together; 600 of 10,000.
    overlaps = measure([predict(Box(20, 10, 50, 30))])
    assert overlaps.iogt.tolist() == overlaps.best_iogt.tolist() == overlaps.least_iogt.tolist() == [0.5]
    assert overlaps.iou.tolist() == overlaps.union_iou.tolist() == [0.25]
    assert overlaps.precision == pytest.approx([1 / 3])
    assert overlaps.area_fraction.tolist() == [0.06]


def test_several_boxes_and_truths_by_hand() -> None:
    gold = (TRUTH, Box(60, 60, 80, 70))  # 400 and 200 pixels
    boxes = (Box(10, 10, 20, 30), Box(15, 10, 25, 30), Box(0, 0, 5, 5))  # 200 + 200 - 100 shared, 25 beside
    overlaps = measure([predict(*boxes, gold=gold)])
    assert overlaps.iogt.tolist() == [0.25]  # half of the first, none of the second
    assert (overlaps.best_iogt.tolist(), overlaps.least_iogt.tolist()) == ([0.5], [0.0])
    assert overlaps.iou.tolist() == [0.25]  # (200 / 400 + 0) / 2
    assert overlaps.union_iou == pytest.approx([300 / (600 + 325 - 300)])
    assert overlaps.precision == pytest.approx([300 / 325])
    assert overlaps.area_fraction == pytest.approx([325 / 10_000])


@pytest.mark.filterwarnings("error")
def test_what_means_nothing_is_not_a_number() -> None:
    neither, no_box, no_truth = predict(gold=()), predict(), predict(TRUTH, gold=())
    overlaps = measure([neither, no_box, no_truth, predict(TRUTH)])
    for name in ("iogt", "best_iogt", "least_iogt", "iou", "union_iou"):
        np.testing.assert_array_equal(getattr(overlaps, name), [math.nan, 0, math.nan, 1])
    np.testing.assert_array_equal(overlaps.precision, [math.nan, math.nan, math.nan, 1])
    np.testing.assert_array_equal(overlaps.area_fraction, [math.nan, math.nan, 0.04, 0.04])
    assert all(values.shape == (0,) for values in dataclasses.astuple(measure([])))


@given(st.lists(GROUPS, max_size=8))
def test_the_area_of_a_union_is_shapelys(groups: list[tuple[Box, ...]]) -> None:
    assert union_areas(groups).tolist() == pytest.approx([region(group).area for group in groups])
    assert all(area <= sum(box.area for box in group) for area, group in zip(union_areas(groups), groups, strict=True))


def test_the_area_of_many_large_boxes_is_that_of_a_pixel_mask() -> None:
    generator = np.random.default_rng(5)
    groups = []
    for count in (1, 128, 40, 128):
        low = generator.integers(0, 500, (count, 2))
        high = low + generator.integers(1, 200, (count, 2))
        groups.append([Box(*corners) for corners in np.hstack([low, high]).tolist()])
    for group, area in zip(groups, union_areas(groups), strict=True):
        mask = np.zeros((700, 700), dtype=bool)
        for box in group:
            mask[box.y0 : box.y1, box.x0 : box.x1] = True
        assert area == mask.sum()
    gigapixel = [Box(0, 0, 100_000, 100_000), Box(99_999, 99_999, 200_001, 200_001)]
    assert union_areas([gigapixel]).tolist() == [100_000**2 + 100_002**2 - 1]


@given(PREDICTIONS)
def test_every_measure_is_shapelys(predictions: list[Prediction]) -> None:
    overlaps = measure(predictions)
    for index, item in enumerate(predictions):
        found, truth = region(item.boxes), region(item.gold_boxes)
        if item.boxes:
            assert overlaps.area_fraction[index] == pytest.approx(found.area / 10_000)
        if not item.gold_boxes:
            continue
        pairs = [[(region((gold,)), region((box,))) for box in item.boxes] for gold in item.gold_boxes]
        iogt = [max((g.intersection(b).area / g.area for g, b in row), default=0) for row in pairs]
        iou = [max((g.intersection(b).area / g.union(b).area for g, b in row), default=0) for row in pairs]
        assert overlaps.iogt[index] == pytest.approx(np.mean(iogt))
        assert overlaps.best_iogt[index] == pytest.approx(max(iogt))
        assert overlaps.least_iogt[index] == pytest.approx(min(iogt))
        assert overlaps.iou[index] == pytest.approx(np.mean(iou))
        assert overlaps.union_iou[index] == pytest.approx(found.intersection(truth).area / found.union(truth).area)
        if item.boxes:
            assert overlaps.precision[index] == pytest.approx(found.intersection(truth).area / found.area)


@given(PREDICTIONS)
@settings(max_examples=30, deadline=None)
def test_a_summary_keeps_its_bounds(predictions: list[Prediction]) -> None:
    grounding = summarise(predictions).grounding
    assert (grounding is None) == (not any(item.gold_boxes for item in predictions))
    if grounding is None:
        return
    assert list(grounding.sweep) == sorted(grounding.sweep, reverse=True)
    assert grounding.sweep[THRESHOLDS.index(0.3)] == grounding.grounded.value
    assert grounding.all_grounded.value <= grounding.grounded.value
    assert sum(dataclasses.astuple(grounding.table)) == grounding.grounded.count
    for estimate in (grounding.grounded, grounding.iogt, grounding.iou, grounding.union_iou):
        assert 0 <= estimate.low <= estimate.value + 1e-9
        assert estimate.value - 1e-9 <= estimate.high <= 1 + 1e-9


def test_a_summary_by_hand() -> None:
    whole, half, missed = IMAGE.box, Box(20, 10, 50, 30), Box(50, 50, 60, 60)
    summary = summarise(
        [
            predict(whole, right=True, verdict=Verdict.SUPPORTED, format_kept=True),
            predict(missed, right=True, verdict=Verdict.SUPPORTED, format_kept=False),
            predict(right=True, format_kept=False),
            predict(half, right=False, verdict=Verdict.UNSUPPORTED),
            predict(missed, right=False, answered=False),
            dataclasses.replace(predict(gold=(), right=False), category="people"),
        ]
    )
    assert (summary.accuracy.value, summary.accuracy.count) == (0.5, 6)
    assert summary.answered.value == pytest.approx(5 / 6)
    assert summary.format_kept is not None
    assert (summary.format_kept.value, summary.format_kept.count) == (pytest.approx(1 / 3), 3)  # unknown of the others
    assert summarise([predict()]).format_kept is None
    assert {name: (item.value, item.count) for name, item in summary.by_category.items()} == {
        "people": (0, 1), "signs": (0.6, 5)
    }  # fmt: skip
    assert summary.verdicts == pytest.approx(
        {"supported": 1 / 3, "unsupported": 1 / 6, "insufficient": 0, "unchecked": 0}
    )
    assert summary.area_fraction is not None
    assert (summary.area_fraction.value, summary.area_fraction.count) == (pytest.approx((1 + 0.06 + 2 * 0.01) / 4), 4)
    grounding = summary.grounding
    assert grounding is not None
    assert dataclasses.astuple(grounding.table) == (1, 2, 1, 1)
    assert grounding.wrong_box_given_right_answer is not None
    assert grounding.wrong_box_given_right_answer.value == pytest.approx(2 / 3)
    assert grounding.sweep == (*[0.4] * 10, *[0.2] * 10)  # IoGT 1 and 0.5 of five; 0.5 is not more than 0.5
    assert grounding.iogt.value == pytest.approx(1.5 / 5)
    assert grounding.iou.value == pytest.approx((0.04 + 0.25) / 5)
    assert grounding.precision is not None
    assert (grounding.precision.value, grounding.precision.count) == (pytest.approx((0.04 + 1 / 3) / 4), 4)
    assert json.loads(json.dumps(dataclasses.asdict(summary)))["accuracy"]["value"] == 0.5


def test_a_whole_image_box_is_grounded_and_remarked_upon() -> None:
    summary = summarise([predict(IMAGE.box, name=str(index)) for index in range(20)])
    assert summary.grounding is not None
    assert summary.grounding.sweep == (1.0,) * 20
    assert summary.large_boxes
    (note,) = remarks(summary)
    assert "100% of the image" in note
    assert "precision (0.04)" in note
    assert remarks(summarise([predict(TRUTH)])) == []


def test_other_remarks() -> None:
    controls = {"masked": True, "no_image": True}
    notes = remarks(summarise([predict(Box(50, 50, 60, 60), controls=controls), predict(TRUTH, controls=controls)]))
    assert notes[0].startswith("50% of the right answers")
    assert "costs 0.000 of accuracy" in notes[1]


def test_without_predictions_there_is_no_summary() -> None:
    with pytest.raises(ConfigError, match="no predictions"):
        summarise([])
    nothing_right = summarise([predict(right=False)]).grounding
    assert nothing_right is not None
    assert nothing_right.wrong_box_given_right_answer is None
    assert nothing_right.precision is None


def test_the_evidence_gap_by_hand() -> None:
    predictions = [
        predict(right=True, controls={"masked": False, "no_image": True, "no_tools": True}),  # 1 - 1/2
        predict(right=True, controls=dict.fromkeys(("masked", "no_image", "random_box", "other_image"), False)),  # 1
        predict(right=False, controls={"other_image": True}),  # -1
        predict(right=True, controls={"no_tools": True}),  # takes no evidence away
    ]
    gap = evidence_gap(predictions)
    assert gap is not None
    assert (gap.value, gap.count) == (pytest.approx(0.5 / 3), 3)
    assert evidence_gap(predictions[3:]) is None
    assert summarise(predictions).controls["no_tools"].value == 1
    halved = evidence_gap([predict(name=str(number), controls={"masked": number % 2 == 0}) for number in range(20)])
    assert halved is not None
    assert halved.value == 0.5
    assert 0.2 < halved.low < 0.4
    assert 0.6 < halved.high < 0.8


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_those_of_newcombe_1998(successes: int, count: int, low: float, high: float) -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    estimate = share(successes, count)
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 5) == mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(1, 7) == pytest.approx(2 * (1 + 8) / 256)
    assert mcnemar(3, 3) == mcnemar(0, 0) == 1
    assert all(mcnemar(count, count) <= 1 for count in range(60))  # whatever rounding adds to the sum of all


def test_the_interval_of_a_mean_is_near_the_normal_one_and_repeatable() -> None:
    values = np.random.default_rng(3).normal(5, 2, 400)
    estimate = mean(values, seed=1)
    low, high = scipy.stats.t.interval(0.95, 399, values.mean(), scipy.stats.sem(values))
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))
    assert estimate == mean(values, seed=1) != mean(values, seed=2)
    assert mean([0.5]) == Estimate(0.5, 0.5, 0.5, 1)
    assert mean([2, 2, 2]) == Estimate(2, 2, 2, 3)
    with pytest.raises(ValueError, match="at least one"):
        mean([])


def test_a_comparison_is_paired() -> None:
    # 40 questions: the second policy is right where the first is, and in 8 more.
    first = [index < 20 for index in range(40)]
    second = [index < 28 for index in range(40)]
    test = paired_test(first, second)
    assert (test.only_first, test.only_second, test.p_value) == (0, 8, pytest.approx(2 / 256))
    assert (test.first.value, test.second.value, test.difference.value) == (0.5, 0.7, pytest.approx(0.2))
    low, high = scipy.stats.t.interval(0.95, 39, 0.2, math.sqrt(0.2 * 0.8 / 39))  # unpaired, it would reach below 0
    assert (test.difference.low, test.difference.high) == (pytest.approx(low, abs=0.04), pytest.approx(high, abs=0.04))
    assert paired_test(first, first).p_value == 1
    back = paired_test(second, first)
    assert (back.only_first, back.only_second, back.difference.value) == (8, 0, pytest.approx(-0.2))
    with pytest.raises(ValueError, match="longer"):
        paired_test([True], [True, False])
    with pytest.raises(ValueError, match="at least one"):
        paired_test([], [])
    with pytest.raises(ValueError, match="at least one"):
        share(0, 0)


def test_a_predictions_question_is_its_group_or_itself() -> None:
    assert questions_of([predict(name="a", group="g"), predict(name="b"), predict(name="c", group="g")]) == list("gbg")


def test_an_overlap_of_just_the_threshold_is_not_grounded() -> None:
    at, beyond = predict(Box(10, 10, 16, 30)), predict(Box(10, 10, 17, 30))  # 6 and 7 of 20 columns
    comparison = compare([at], [beyond])
    assert comparison.grounded is not None
    assert (comparison.grounded.first.value, comparison.grounded.second.value) == (0, 1)


def test_runs_are_compared_by_id() -> None:
    first = [predict(TRUTH, name="a"), predict(name="b", right=False), predict(name="c", gold=())]
    second = [predict(name="c", gold=()), predict(TRUTH, name="b"), predict(TRUTH, name="a")]
    comparison = compare(first, second)
    assert (comparison.accuracy.only_first, comparison.accuracy.only_second) == (0, 1)
    assert comparison.grounded is not None
    assert (comparison.grounded.first.value, comparison.grounded.second.value) == (0.5, 1)
    assert compare(first[2:], second[:1]).grounded is None
    with pytest.raises(ConfigError, match="2 questions are in only one of the two runs, such as 'a'"):
        compare(first, second[:1])
    with pytest.raises(ConfigError, match="twice"):
        compare(first, [*second, second[0]])
    with pytest.raises(ConfigError, match="nothing to compare"):
        compare([], [])


def test_without_scipy_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(InstallError, match=r"-m pip install .*\[eval\]"):
        statistics.share(1, 2)
    with pytest.raises(InstallError, match="scipy"):
        summarise([predict(TRUTH)])


def test_one_pixel_is_an_area_of_one() -> None:
    assert union_areas([[Box(7, 9, 8, 10)], [Box(7, 9, 8, 10)] * 3, []]).tolist() == [1, 1, 0]


def test_evidence_of_one_pixel_is_a_ten_thousandth_of_the_image() -> None:
    overlaps = measure([predict(Box(20, 10, 21, 11))])
    assert overlaps.area_fraction.tolist() == [1 / 10_000]
    assert overlaps.precision.tolist() == [1.0]
    same = Box(20, 10, 21, 11)
    assert measure([predict(same, gold=(same,))]).union_iou.tolist() == [1.0]


def test_the_area_of_510_boxes_side_by_side() -> None:
    assert union_areas([tuple(Box(x, 0, x + 1, 2) for x in range(510)), ()]).tolist() == [1020, 0]


def test_an_estimate_is_shown_with_its_interval() -> None:
    assert str(Estimate(0.5, 0.25, 0.75, 4)) == "0.500 [0.250, 0.750]"
