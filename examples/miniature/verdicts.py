"""What the check says of answers from crops alone, by whether the answer and its box are right.

    python -m examples.miniature.verdicts examples/miniature/cold_starts/0   200 test scenes, about a minute

In the closed loop an answer has seen nothing but its crops: asked again of the same pixels, a greedy policy repeats
itself, and every answer would be "supported". The check therefore grows the crops by a margin.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hart_agent.agent.modes import Mode
from hart_agent.dialogue.policy import Policy
from hart_agent.evals.metrics import IOGT_THRESHOLD, Prediction, measure
from hart_agent.tooling.records import Verdict

from .cold_start import open_policy
from .probes import predict
from .scenes import Scene, Split, draw_scene


async def check(policy: Policy, scenes: Sequence[Scene]) -> list[Prediction]:
    """Ask each scene's question in the closed loop, and check each answer against its evidence."""
    return await predict(policy, scenes, Mode.CLOSED_LOOP, verify=True)


def table(predictions: Sequence[Prediction]) -> list[str]:
    """Lines of Markdown: the verdicts of right and wrong answers with a right or a wrong box."""
    grounded = (measure(predictions).best_iogt > IOGT_THRESHOLD).tolist()
    found = Counter((each.right, boxed, each.verdict) for each, boxed in zip(predictions, grounded, strict=True))
    lines = [f"| answer, box | {' | '.join(Verdict)} |", "|---|" + "---|" * len(Verdict)]
    for right in (True, False):
        for boxed in (True, False):
            counts = " | ".join(str(found[right, boxed, verdict]) for verdict in Verdict)
            lines.append(f"| {_word(right)}, {_word(boxed)} | {counts} |")
    return lines


def _word(right: bool) -> str:
    return "right" if right else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a checkpoint")
    parser.add_argument("--scenes", type=int, default=200, help="how many of the test scenes")
    arguments = parser.parse_args()
    scenes = [draw_scene(Split.TEST, number) for number in range(arguments.scenes)]
    print("\n".join(table(asyncio.run(check(open_policy(arguments.model), scenes)))))


if __name__ == "__main__":
    main()
