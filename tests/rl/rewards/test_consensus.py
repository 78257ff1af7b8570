"""MedVR's consensus credit (arXiv 2604.08203): worked by hand, and against masks that are drawn pixel by pixel."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hart_agent.vision.geometry import Box
from rl.rewards.consensus import consensus_credits, consensus_overlaps

LEFT, RIGHT = Box(0, 0, 10, 10), Box(20, 0, 30, 10)
MIDDLE = Box(5, 0, 15, 10)


@pytest.mark.parametrize(
    ("regions", "right", "expected"),
    [
        ([[LEFT], [LEFT], [RIGHT]], [True] * 3, [1.0, 1.0, 0.5]),  # the majority looked left
        ([[LEFT], [LEFT], [RIGHT]], [True, False, True], [0.5, 0.0, 0.5]),  # two that share nothing
        ([[LEFT], [MIDDLE]], [True] * 2, [0.5, 0.5]),  # the consensus is the half that both share: IoU .5, not more
        ([[LEFT], [Box(0, 0, 10, 9)]], [True] * 2, [1.0, 1.0]),
        ([[LEFT], [RIGHT]], [True, False], [1.0, 0.0]),  # a lone right one is its own consensus
        ([[], [LEFT]], [True] * 2, [0.5, 0.5]),  # nothing in common
        ([[], [LEFT], [LEFT]], [True] * 3, [0.5, 1.0, 1.0]),
        ([[LEFT, RIGHT], [LEFT], [RIGHT, LEFT]], [True] * 3, [1.0, 0.5, 1.0]),  # half of it is not over .5
        ([[LEFT, LEFT, Box(2, 2, 4, 4)], [LEFT]], [True] * 2, [1.0, 1.0]),  # overlaps count once
        ([[], []], [True] * 2, [0.5, 0.5]),
        ([[LEFT], [LEFT]], [False] * 2, [0.0, 0.0]),
    ],
)
def test_credits_worked_by_hand(regions: list[list[Box]], right: list[bool], expected: list[float]) -> None:
    assert consensus_credits(regions, right) == expected


def drawn(regions: list[list[Box]], side: int) -> list[float]:
    """The same from rasters."""
    masks = np.zeros((len(regions), side, side), dtype=bool)
    for mask, own in zip(masks, regions, strict=True):
        for box in own:
            mask[box.y0 : box.y1, box.x0 : box.x1] = True
    majority = masks.mean(axis=0) > 0.5
    overlaps = []
    for mask in masks:
        union = (mask | majority).sum()
        overlaps.append((mask & majority).sum() / union if union else 0.0)
    return overlaps


def test_it_is_that_of_rasters_in_1000_random_cases() -> None:
    draw, side, agreeing = random.Random(0), 24, 0
    for _ in range(1000):
        regions = []
        for _ in range(draw.randint(1, 8)):
            own = []
            for _ in range(draw.randint(0, 4)):
                x0, y0 = draw.randrange(side), draw.randrange(side)
                own.append(Box(x0, y0, draw.randint(x0 + 1, side), draw.randint(y0 + 1, side)))
            regions.append(own)
        found = consensus_overlaps(regions)
        assert found == drawn(regions, side)
        agreeing += sum(overlap > 0.5 for overlap in found)
    assert agreeing > 200


def test_the_size_of_the_image_costs_nothing() -> None:
    """Boxes on an image of 10^10 pixels: a raster would take 10 GB."""
    far = 100_000
    regions = [[Box(0, 0, far, far)], [Box(0, 0, far, far // 2)], [Box(7, 7, far, far)]]
    shared = far * far // 2 + (far - 7) * (far // 2)  # two of three: the upper half, and the third's lower half
    first, second, third = consensus_overlaps(regions)
    assert first == shared / far**2
    assert second == (far * far // 2) / shared
    upper = (far - 7) * (far // 2 - 7)
    lower = (far - 7) * (far // 2)
    assert third == (upper + lower) / shared
