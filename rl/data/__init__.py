"""Questions, demonstrations and rollouts that a policy learns from."""

from rl.data.questions import (
    Sample,
    apart_from,
    check_count,
    check_disjoint,
    draw,
    fingerprint,
    load_questions,
    load_samples,
    split,
    stage_part,
)

__all__ = [
    "Sample",
    "apart_from",
    "check_count",
    "check_disjoint",
    "draw",
    "fingerprint",
    "load_questions",
    "load_samples",
    "split",
    "stage_part",
]
