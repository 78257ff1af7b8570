"""How long it takes to sum up a run: every measure, every interval and a comparison of two runs.

    python tests/benchmarks/metrics.py [--predictions 100000] [--json FILE]

The predictions are drawn at random: one to four boxes against one to three gold boxes, and one question in a hundred
with 128 boxes, as many as an episode can hold.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

from hart_agent.evals.metrics import Prediction, measure
from hart_agent.evals.statistics import REMOVING_CONTROLS, compare
from hart_agent.evals.summary import summarise
from hart_agent.tooling.records import Verdict
from hart_agent.vision.geometry import Box, Size

IMAGE = Size(6000, 4000)
LIMIT_SECONDS = 10.0


def draw(count: int, seed: int) -> list[Prediction]:
    """Predictions with random boxes and outcomes."""
    generator = np.random.default_rng(seed)
    found = generator.integers(1, 5, count)
    found[::100] = 128
    truth = generator.integers(1, 4, count)
    total = int(found.sum() + truth.sum())
    low = generator.integers(0, (5500, 3500), (total, 2))
    boxes = iter([Box(*row) for row in np.hstack([low, low + generator.integers(8, 500, (total, 2))]).tolist()])
    right = generator.random((count, 1 + len(REMOVING_CONTROLS))) < 0.5
    verdicts = list(Verdict)
    return [
        Prediction(
            id=str(index),
            category=f"category {index % 43}",
            right=outcomes[0],
            boxes=tuple(next(boxes) for _ in range(found[index])),
            gold_boxes=tuple(next(boxes) for _ in range(truth[index])),
            image=IMAGE,
            verdict=verdicts[index % len(verdicts)],
            controls=dict(zip(REMOVING_CONTROLS, outcomes[1:], strict=True)),
        )
        for index, outcomes in enumerate(right.tolist())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    first, second = draw(options.predictions, 0), draw(options.predictions, 1)
    seconds, cpu_seconds = {}, {}
    for name, work in (
        ("measure", lambda: measure(first)),
        ("summarise", lambda: summarise(first)),
        ("compare", lambda: compare(first, second)),
    ):
        started, cpu_started = time.perf_counter(), time.process_time()
        work()
        seconds[name] = round(time.perf_counter() - started, 2)
        cpu_seconds[name] = round(time.process_time() - cpu_started, 2)
        print(f"{name:10} {seconds[name]:6.2f} s, {cpu_seconds[name]:6.2f} s of processor time")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory {peak} MB, the predictions included; {options.predictions:,} predictions")
    print(f"summarise within {LIMIT_SECONDS:g} s: {'yes' if seconds['summarise'] < LIMIT_SECONDS else 'NO'}")
    if options.json:
        figures = {
            "predictions": options.predictions, "peak_mb": peak, "seconds": seconds, "cpu_seconds": cpu_seconds
        }  # fmt: skip
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
