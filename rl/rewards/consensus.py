"""Consensus credit for regions: MedVR's tool reward (arXiv 2604.08203), in original pixels.

M_j is the union of the regions that rollout j looked at. Over the right rollouts of a group, the consensus is where
more than half of them looked. A right rollout whose own union agrees with it (IoU over .5) gets 1, another one .5,
wrong ones nothing. Masks are never drawn: the edges of all boxes cut the plane into cells, and cells are counted by
their areas.

Where the text was not to be found, we inferred: a lone right rollout is its own consensus; a rollout without a region,
or a consensus without a pixel, gives .5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hart_agent.agent.trajectory import Trajectory
from hart_agent.vision.geometry import Box

AGREEMENT = 0.5
"""The IoU that must be exceeded."""
AGREEING, OTHERS = 1.0, 0.5
"""Credit of right rollouts."""


def consensus_credits(regions: Sequence[Sequence[Box]], right: Sequence[bool]) -> list[float]:
    """The credit of each rollout of a group: 1, .5, or 0 for a wrong one.

    Args:
        regions: the boxes of each rollout, in original pixels.
        right: whether each one's answer is right.
    """
    chosen = [index for index, ok in enumerate(right) if ok]
    overlaps = consensus_overlaps([regions[index] for index in chosen])
    found = [0.0] * len(right)
    for index, overlap in zip(chosen, overlaps, strict=True):
        found[index] = AGREEING if overlap > AGREEMENT else OTHERS
    return found


def consensus_overlaps(regions: Sequence[Sequence[Box]]) -> list[float]:
    """The IoU of each rollout's union with the consensus of all; 0 where either is empty. Exact.

    Args:
        regions: the boxes of each rollout, in original pixels.
    """
    boxes = [box for own in regions for box in own]
    if not boxes:
        return [0.0] * len(regions)
    columns = np.unique([edge for box in boxes for edge in (box.x0, box.x1)])
    rows = np.unique([edge for box in boxes for edge in (box.y0, box.y1)])
    areas = np.diff(columns)[:, None] * np.diff(rows)[None, :]  # of the cells, (X, Y); whole numbers
    masks = np.stack([_cells(own, columns, rows) for own in regions])  # (N, X, Y)
    consensus = 2 * masks.sum(axis=0) > len(regions)
    shared = (areas * (masks & consensus)).sum(axis=(1, 2))
    either = (areas * (masks | consensus)).sum(axis=(1, 2))
    return [int(part) / int(whole) if whole else 0.0 for part, whole in zip(shared, either, strict=True)]


def looked_at(trajectory: Trajectory) -> list[Box]:
    """The regions that a policy looked at closely: of its zooms, and the evidence that it committed."""
    zoomed = [
        view.frame.box
        for turn in trajectory.turns
        for result in turn.results
        for view in result.views
        if view.kind == "zoom"
    ]
    return list(dict.fromkeys([*zoomed, *(item.box for item in trajectory.evidence)]))


def _cells(boxes: Sequence[Box], columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which cells any of the boxes covers; shape (X, Y)."""
    covered = np.zeros((len(columns) - 1, len(rows) - 1), dtype=bool)
    for box in boxes:
        left, right = np.searchsorted(columns, (box.x0, box.x1))
        top, bottom = np.searchsorted(rows, (box.y0, box.y1))
        covered[left:right, top:bottom] = True
    return covered
