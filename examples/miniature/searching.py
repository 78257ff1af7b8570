"""What the mask of cut-off rollouts teaches on a nested scene on which searching can be learnt: accuracy against turns.

    python examples/miniature/searching.py           two arms at three leaks, 24 seeds: three minutes of one core
    python examples/miniature/searching.py --quick   five seeds, fewer steps: a look

As the second study's nested scene (`tabular/nested.py`), but with 4 regions of 4 parts in place of 9 of 9. Trained with
6 turns, asked with 1 to 18. See the end of `HYPOTHESES_3.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
import torch

from hart_agent.cli.console.failure import reported_errors
from hart_agent.store.files import write_json
from miniature.claims import interval
from miniature.plots import load_pyplot
from miniature.second_claims import LEVEL, MATTERS, holm, p_value
from miniature.sweep import LEAKS, RATE, STEPS
from miniature.tabular import nested
from miniature.tabular.pointing import READ

RESULTS = Path(__file__).parent / "results"
CHILDREN = 4
SEEDS, QUICK_SEEDS, QUICK_STEPS = range(24), range(5), 150
ARMS = {"masked": True, "wrong": False}
"""What a rollout is that is cut off."""
TOLD = (4, 5, 6, 8, 10, 12, 18)
"""Turns that the table has."""


def right_by_turns(mask: bool, leak: float, seeds: range, steps: int) -> dict[str, list[list[float]]]:
    """Train an arm.

    Returns:
        Of each seed, on held-out scenes, if episodes may have 1 turn, 2, up to 18: the share of `right` answers, and
        of episodes that answer with the evidence in view, `inside`; and the same of its start, `start`.
    """
    start, table, held_out = nested.train_table(mask, leak, seeds, steps, RATE, CHILDREN)
    (grounded, ended), (first, _) = nested.outcomes(table, held_out), nested.outcomes(start, held_out)
    right = READ * grounded + leak * (ended - grounded)
    figures = {"right": right, "inside": grounded, "start": first}
    return {name: [[round(value, 4) for value in seed] for seed in each.tolist()] for name, each in figures.items()}


def table(results: dict[str, Any]) -> list[str]:
    """Right answers by turns, the differences, and whether they hold after Holm's correction."""
    lines = ["| leak | cut off | " + " | ".join(f"{turns} turns" for turns in TOLD) + " | start, inside | inside |"]
    lines += ["|---" * (len(TOLD) + 4) + "|"]
    gains = []
    for leak in LEAKS:
        own = {arm: results[f"{arm}-leak{leak}"] for arm in ARMS}
        for arm, found in own.items():
            cells = [str(_at(found["right"], turns)) for turns in TOLD]
            ends = [str(_at(found[name], nested.LATER)) for name in ("start", "inside")]
            lines.append(f"| {leak} | {arm} | " + " | ".join([*cells, *ends]) + " |")
        gains.append(np.subtract(*(np.array(own[arm]["right"])[:, -1] for arm in ARMS)).tolist())
    for leak, gain, chance in zip(LEAKS, gains, holm([p_value(gain) for gain in gains], len(LEAKS)), strict=True):
        found = interval(gain)
        told = "not shown" if chance >= LEVEL else "holds" if found.mean > 0 else "the reverse holds"
        told += ", but is too small to matter" if found.low > -MATTERS and found.high < MATTERS else ""
        lines += ["", f"Masked over wrong, right with 18 turns, leak {leak}: {found}, p {chance:.2g}: {told}."]
    return lines


def _at(by_seed: Sequence[Sequence[float]], turns: int) -> Any:
    return interval([seed[turns - 1] for seed in by_seed])


def draw(results: dict[str, Any], path: Path) -> None:
    """Right answers against the turns that an episode may have."""
    pyplot = load_pyplot()
    figure, panels = pyplot.subplots(1, len(LEAKS), figsize=(4 * len(LEAKS), 3.2), sharey=True)
    turns = range(1, nested.LATER + 1)
    for panel, leak in zip(panels, LEAKS, strict=True):
        for arm in ARMS:
            found = [_at(results[f"{arm}-leak{leak}"]["right"], each) for each in turns]
            panel.plot(turns, [each.mean for each in found], label=f"cut off: {arm}")
            panel.fill_between(turns, [each.low for each in found], [each.high for each in found], alpha=0.2)
        panel.axvline(nested.TURNS, color="grey", linestyle=":")
        panel.set_title(f"right with a wrong box: {leak}", fontsize=9)
        panel.set_xlabel("turns allowed (dotted: in training)")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("right answers")
    panels[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five seeds, fewer steps: a look, no result")
    arguments = parser.parse_args()
    load_pyplot()
    torch.set_num_threads(1)
    seeds, steps = (QUICK_SEEDS, QUICK_STEPS) if arguments.quick else (SEEDS, STEPS)
    cells = [(arm, leak) for leak in LEAKS for arm in ARMS]
    results = {f"{arm}-leak{leak}": right_by_turns(ARMS[arm], leak, seeds, steps) for arm, leak in cells}
    print("\n".join(table(results)))
    if not arguments.quick:
        write_json(RESULTS / "searching.json", results)
        draw(results, RESULTS / "searching.png")
        print(f"written: {RESULTS / 'searching.json'}", file=sys.stderr)


if __name__ == "__main__":
    with reported_errors():
        main()
