"""The figures of a benchmark beside those that the harnesses' own code sums up, on drawn answers.

    python tests/parity/totals.py VLMEVALKIT LMMS_EVAL

The folders are those of `table.py`. Categories are the benchmarks' own; how many questions each has, and which are
right, is drawn.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from theirs import functions, module, stand_in

from hart_agent.evals.datasets import find_dataset
from hart_agent.evals.headlines import headline_figures
from hart_agent.evals.metrics import Prediction
from hart_agent.evals.summary import summarise
from hart_agent.vision.geometry import Size

DOMAINS = ("Monitoring", "Autonomous_Driving", "OCR with Complex Context", "Diagram and Table", "Remote Sensing")
TREE = {
    "Perception": ("Attributes", "Material", "Physical State", "Object Retrieval", "OCR"),
    "Reasoning": ("Perspective Transform", "Ordering", "Contact and Occlusion", "Spatial Containment", "Comparison"),
}


@dataclass(frozen=True)
class Row:
    """A question: its category and kind, the right letter, and the letter that was said."""

    category: str
    kind: str
    gold: str
    said: str

    @property
    def right(self) -> bool:
        return self.gold == self.said


def drawn(categories: Sequence[str], draw: random.Random) -> list[Row]:
    """Between 5 and 60 questions of each category, half of them right or so."""
    return [
        Row(
            category,
            draw.choice("xy"),
            gold := draw.choice("ABCD"),
            gold if draw.random() < 0.4 else draw.choice("ABCD"),
        )
        for category in categories
        for _ in range(draw.randint(5, 60))
    ]


def ours(benchmark: str, rows: Sequence[Row]) -> dict[str, float]:
    predictions = [
        Prediction(str(at), row.category, row.right, (), (), Size(1, 1), labels=(("l2 category", row.kind),))
        for at, row in enumerate(rows)
    ]
    figures = headline_figures(find_dataset(benchmark).value.headlines, predictions, summarise(predictions))
    return {name: figure.value for name, figure in figures.items()}


def main() -> None:
    """Print the largest difference of each figure, over drawn runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("vlmevalkit", type=Path)
    parser.add_argument("lmms_eval", type=Path)
    parser.add_argument("--runs", type=int, default=50)
    given = parser.parse_args()
    apart: defaultdict[tuple[str, str], float] = defaultdict(float)
    draw = random.Random(0)
    totals = _totals(given.vlmevalkit, given.lmms_eval)
    for _ in range(given.runs):
        for name, (benchmark, categories, theirs) in totals.items():
            rows = drawn(categories, draw)
            own = ours(benchmark, rows)
            for figure, value in theirs(rows).items():
                apart[name, figure] = max(apart[name, figure], abs(value - own[figure]))
    for (name, figure), difference in apart.items():
        print(f"{name}, {figure}: {difference:.1e} apart at most, {given.runs} runs")


def _totals(
    vlmevalkit: Path, lmms_eval: Path
) -> dict[str, tuple[str, Sequence[str], Callable[[Sequence[Row]], Mapping[str, float]]]]:
    """By name: the benchmark, its categories, and what the harness makes of rows, under our names of its figures."""
    stand_in("loguru")
    kit, tasks = vlmevalkit / "vlmeval/dataset/utils", lmms_eval / "lmms_eval/tasks"
    known: dict[str, Any] = {"load": lambda table: table, "np": np}
    mme_rating = functions(kit / "multiple_choice.py", "get_dimension_rating", **known)["get_dimension_rating"]
    tree_rating = functions(kit / "treebench.py", "get_dimension_rating", **known)["get_dimension_rating"]
    xlrs, mme = module(tasks / "xlrs/mcq_utils.py"), module(tasks / "mme_realworld/utils.py")
    hr_mean = functions(tasks / "hrbench/utils.py", "hrbench_aggregate_results", defaultdict=defaultdict)[
        "hrbench_aggregate_results"
    ]

    def of_xlrs(rows: Sequence[Row]) -> dict[str, float]:
        found = [xlrs.xlrs_process_results(_doc(row), [row.said])["xlrs_macro_score"] for row in rows]
        micro, macro = (xlrs.xlrs_aggregate_results(found, macro=macro) for macro in (False, True))
        return {"Micro average": micro, "Macro average": macro}

    def of_mme(rows: Sequence[Row]) -> dict[str, float]:
        found = [mme.mme_realworld_process_results(_doc(row), [row.said])["mme_realworld_score"] for row in rows]
        return {"Overall": mme.mme_realworld_aggregate_results(found)}

    def of_kit_mme(rows: Sequence[Row]) -> dict[str, float]:
        rating = mme_rating(_table(rows))
        found = {"Overall": rating["Overall"]}
        for task in ("Perception", "Reasoning"):
            domains = [rating[task][domain]["Avg"] for domain in DOMAINS]
            found |= {f"{task}, Avg": rating[task]["Avg"], f"{task}, Avg-C": sum(domains) / len(domains)}
        return found

    def of_tree(rows: Sequence[Row]) -> dict[str, float]:
        return {"Overall": tree_rating(_table(rows))["Overall"]}

    def of_hr(rows: Sequence[Row]) -> dict[str, float]:
        kinds = {"FSP": "single", "FCP": "cross", "Avg.": ""}
        scored = [({"gpt_score": int(row.right), "cycle_category": 0}, row.category) for row in rows]
        return {
            name: hr_mean([score for score, category in scored if kind in ("", category)], None)
            for name, kind in kinds.items()
        }

    pairs = [f"{task}/{domain}" for task in ("Perception", "Reasoning") for domain in DOMAINS]
    tree = [f"{task}/{kind}" for task, kinds in TREE.items() for kind in kinds]
    return {
        "XLRS-Bench, lmms-eval": ("xlrs-bench", xlrs.TASK_PAIRs, of_xlrs),
        "MME-RealWorld, lmms-eval": ("mme-realworld", pairs, of_mme),
        "MME-RealWorld, VLMEvalKit": ("mme-realworld", pairs, of_kit_mme),
        "TreeBench, VLMEvalKit": ("treebench", tree, of_tree),
        "HR-Bench, lmms-eval": ("hr-bench-4k", ("single", "cross"), of_hr),
    }


def _doc(row: Row) -> dict[str, str]:
    return {"category": row.category, "l2-category": row.kind, "index": "0", "answer": row.gold}


def _table(rows: Sequence[Row]) -> Any:
    import pandas as pd

    columns = {"category": [row.category for row in rows], "l2-category": [row.kind for row in rows]}
    return pd.DataFrame(columns | {"score": [int(row.right) for row in rows], "iou": 0.0})


if __name__ == "__main__":
    main()
