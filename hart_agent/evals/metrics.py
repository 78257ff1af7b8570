"""How well predicted evidence covers the truth: every measure per question, as arrays over the questions.

Boxes are half-open, in original pixels, so areas are whole numbers and everything here is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hart_agent.tooling.records import Verdict
from hart_agent.vision.geometry import Box, Size

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

IOGT_THRESHOLD = 0.3
"""A question is grounded when a predicted box has a larger IoGT than this (arXiv 2602.23615)."""

_CELLS_AT_ONCE = 1_000_000
"""Bounds the memory of `union_areas`."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One question as it was answered, with all that is needed to judge it.

    Attributes:
        id: unique in its benchmark.
        category: the benchmark's name for the kind of question.
        right: whether the answer is right; False if there is none.
        boxes: the predicted evidence, in original pixels, within the image.
        gold_boxes: where the evidence really is, in original pixels; empty if the benchmark doesn't say.
        image: size of the original.
        answered: whether there is an answer.
        format_kept: whether every reply was written as the policy's instructions say; None where that isn't known.
        verdict: of the self-check; None if there was no answer to check.
        controls: for each control that was run, whether the answer was still right.
        group: the same for predictions that ask one question, so that they aren't independent; empty if none does.
        repeat: the run, counted from 0, where the benchmark was asked several times.
        labels: further kinds of the question, each as a (name, value): its task, say.
        anls: similarity of the answer with the gold answer, where the benchmark scores so.
        steps: for each gold step whether a finding says it; empty if the benchmark has none.
        findings: for each finding whether it says a gold step; empty if the benchmark has none.
    """

    id: str
    category: str
    right: bool
    boxes: tuple[Box, ...]
    gold_boxes: tuple[Box, ...]
    image: Size
    answered: bool = True
    format_kept: bool | None = None
    verdict: Verdict | None = None
    controls: Mapping[str, bool] = field(default_factory=dict)
    group: str = ""
    repeat: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    anls: float | None = None
    steps: tuple[bool, ...] = ()
    findings: tuple[bool, ...] = ()

    @property
    def key(self) -> str:
        """Unique in all runs over a benchmark."""
        return self.id if not self.repeat else f"{self.id} (run {self.repeat + 1})"


@dataclass(frozen=True)
class Overlaps:
    """Evidence against truth, each array of shape (N,), one value per question; NaN where it means nothing.

    Without gold boxes all but `area_fraction` are NaN; without predicted boxes `area_fraction` and `precision` are NaN
    and the others are 0.

    Attributes:
        iogt: area(box ∩ truth) / area(truth) of the predicted box that covers a gold box best; the mean over the gold
            boxes, as TreeBench averages IoU (arXiv 2507.07999).
        best_iogt: the largest IoGT of any predicted box with any gold box. A question is grounded at a threshold t
            when it is larger than t (arXiv 2602.23615).
        least_iogt: the smallest over the gold boxes of the best IoGT: larger than t when every gold box is covered.
        iou: of the predicted box that fits a gold box best; the mean over the gold boxes, as TreeBench has it.
        union_iou: of the union of the predicted boxes with the union of the gold boxes.
        precision: area(box ∩ truth) / area(box), where box and truth are the unions of the predicted and of the gold
            boxes: how much of the evidence is to the point.
        area_fraction: area of the union of the predicted boxes / area of the image.
    """

    iogt: FloatArray
    best_iogt: FloatArray
    least_iogt: FloatArray
    iou: FloatArray
    union_iou: FloatArray
    precision: FloatArray
    area_fraction: FloatArray


def measure(predictions: Sequence[Prediction]) -> Overlaps:
    """Measure the evidence of N questions against the truth."""
    found = [prediction.boxes for prediction in predictions]
    truth = [prediction.gold_boxes for prediction in predictions]
    has_truth = np.array([bool(boxes) for boxes in truth], dtype=bool)
    has_both = has_truth & np.array([bool(boxes) for boxes in found], dtype=bool)
    image_area = np.array([prediction.image.area for prediction in predictions], dtype=np.int64)
    found_area, truth_area = union_areas(found), union_areas(truth)
    either_area = union_areas([(*first, *second) for first, second in zip(found, truth, strict=True)])
    shared_area = found_area + truth_area - either_area

    def over_truth(values: FloatArray) -> FloatArray:
        return np.where(has_truth, values, np.nan)

    iogt, best_iogt, least_iogt, iou = (over_truth(values) for values in _pairwise(found, truth))
    return Overlaps(
        iogt=iogt,
        best_iogt=best_iogt,
        least_iogt=least_iogt,
        iou=iou,
        union_iou=over_truth(shared_area / np.maximum(either_area, 1)),
        precision=np.where(has_both, shared_area / np.maximum(found_area, 1), np.nan),
        area_fraction=np.where(found_area > 0, found_area / image_area, np.nan),
    )


def union_areas(groups: Sequence[Sequence[Box]]) -> IntArray:
    """The area that each group of boxes covers, in pixels, overlaps counted once; shape (N,), 0 for an empty group.

    The edges of a group's boxes cut the plane into cells; a cell counts when a box covers it.
    """
    corners, counts = _flatten(groups)
    starts = np.cumsum(counts) - counts
    areas = np.zeros(len(groups), dtype=np.int64)
    for count in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == count)
        step = max(1, _CELLS_AT_ONCE // int(2 * count) ** 2)
        for begin in range(0, len(rows), step):
            chunk = rows[begin : begin + step]
            areas[chunk] = _union_areas(corners[starts[chunk][:, None] + np.arange(count)])
    return areas


def _union_areas(boxes: IntArray) -> FloatArray:
    """The areas (C,) of C groups of K boxes; boxes have shape (C, K, 4)."""
    widths, columns = _cells(boxes[:, :, 0], boxes[:, :, 2])
    heights, rows = _cells(boxes[:, :, 1], boxes[:, :, 3])
    covered = np.matmul(columns.transpose(0, 2, 1), rows) > 0  # (C, 2K - 1, 2K - 1)
    filled = np.matmul(covered, heights[:, :, None])[:, :, 0]
    areas: FloatArray = (widths * filled).sum(axis=1)  # whole numbers below 2**53: exact
    return areas


def _cells(low: IntArray, high: IntArray) -> tuple[FloatArray, NDArray[np.float32]]:
    """Cut an axis at the edges (C, K) of boxes: the cells' lengths (C, 2K - 1), and which box spans which cell."""
    cuts = np.sort(np.concatenate([low, high], axis=1), axis=1)
    spans = (low[:, :, None] <= cuts[:, None, :-1]) & (cuts[:, None, 1:] <= high[:, :, None])
    return np.diff(cuts, axis=1).astype(np.float64), spans.astype(np.float32)


def _pairwise(
    found: Sequence[Sequence[Box]], truth: Sequence[Sequence[Box]]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """`iogt`, `best_iogt`, `least_iogt` and `iou` of `Overlaps`, with 0 where there is no pair of boxes."""
    predicted, predicted_counts = _flatten(found)
    gold, gold_counts = _flatten(truth)
    questions = len(found)
    owner = np.repeat(np.arange(questions), gold_counts)  # (K,): the question of each gold box
    partners = predicted_counts[owner]  # (K,): how many predicted boxes each gold box meets
    first_pair = np.cumsum(partners) - partners
    first_partner = (np.cumsum(predicted_counts) - predicted_counts)[owner]
    left = np.repeat(np.arange(len(gold)), partners)  # (pairs,): the gold box of each pair
    right = np.arange(len(left)) + (first_partner - first_pair)[left]  # (pairs,): its predicted box
    iogt, iou = _ratios(gold[left], predicted[right])

    met = partners > 0
    best_iogt, best_iou = np.zeros(len(gold)), np.zeros(len(gold))
    if met.any():
        best_iogt[met] = np.maximum.reduceat(iogt, first_pair[met])
        best_iou[met] = np.maximum.reduceat(iou, first_pair[met])
    most, least = np.zeros(questions), np.ones(questions)
    np.maximum.at(most, owner, best_iogt)
    np.minimum.at(least, owner, best_iogt)
    share = 1 / np.maximum(gold_counts, 1)
    return (
        np.bincount(owner, best_iogt, questions) * share,
        most,
        least,
        np.bincount(owner, best_iou, questions) * share,
    )


def _ratios(gold: IntArray, predicted: IntArray) -> tuple[FloatArray, FloatArray]:
    """IoGT and IoU of pairs of boxes, each of shape (pairs, 4)."""
    sides = np.minimum(gold[:, 2:], predicted[:, 2:]) - np.maximum(gold[:, :2], predicted[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    gold_area = (gold[:, 2:] - gold[:, :2]).prod(axis=1)
    predicted_area = (predicted[:, 2:] - predicted[:, :2]).prod(axis=1)
    return shared / gold_area, shared / (gold_area + predicted_area - shared)


def _flatten(groups: Sequence[Sequence[Box]]) -> tuple[IntArray, IntArray]:
    """All boxes in a row, (M, 4), and how many each group has, (N,)."""
    corners = [box.as_tuple() for group in groups for box in group]
    counts = [len(group) for group in groups]
    return np.array(corners, dtype=np.int64).reshape(-1, 4), np.array(counts, dtype=np.int64)
