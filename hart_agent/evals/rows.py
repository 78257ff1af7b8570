"""A run question by question: the rows of its list, and the same as CSV and Parquet."""

from __future__ import annotations

import csv
import importlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hart_agent.evals.metrics import IOGT_THRESHOLD, measure
from hart_agent.evals.runner import Record, latest, order_of, prediction
from hart_agent.store.files import write_whole
from hart_agent.store.outputs import replace_file

COLUMNS: Final = (
    "key", "id", "repeat", "order", "category", "question", "options", "gold", "answer", "reply", "right", "untagged",
    "verdict", "iogt", "boxes", "gold_boxes", "image", "file", "turns", "seconds", "requests", "input_tokens",
    "output_tokens", "error", "judged",
)  # fmt: skip
"""Of a row. `iogt` is that of the best pair of boxes; boxes are [x0, y0, x1, y1] in original pixels; `judged` is
whether a judge takes the answer for right, None where none was asked."""


def rows_of_run(records: Sequence[Record], verdicts: Mapping[str, bool] | None = None) -> list[dict[str, Any]]:
    """The rows of a run, by their keys in order; what earlier versions didn't record is empty.

    Args:
        records: of the run.
        verdicts: of a judge, by the keys.
    """
    judged = verdicts or {}
    current = sorted(latest(records).values(), key=lambda record: str(record["key"]))
    best = measure([prediction(record) for record in current]).best_iogt.tolist()
    return [
        _row(record, covered) | {"judged": judged.get(record["key"])}
        for record, covered in zip(current, best, strict=True)
    ]


def _row(record: Record, covered: float) -> dict[str, Any]:
    usage = record["usage"]
    error = record["error"]
    found = {name: record.get(name) for name in COLUMNS if name in record}
    found |= {
        "repeat": record.get("repeat", 0),
        "order": order_of(record["key"]),
        "options": record.get("options", []),
        "iogt": None if math.isnan(covered) else round(covered, 4),
        "requests": usage["requests"],
        "input_tokens": usage["input_tokens"],
        "output_tokens": usage["output_tokens"],
        "error": f"{error['type']}: {error['message']}" if error is not None else None,
    }
    return {name: found.get(name) for name in COLUMNS}


def marks(row: dict[str, Any]) -> list[str]:
    """What a list can be filtered by: wrong, unsupported, untagged, box missed, judge disagrees, failed."""
    found = {
        "wrong": not row["right"],
        "unsupported": row["verdict"] == "unsupported",
        "untagged": bool(row["untagged"]),
        "box missed": row["iogt"] is not None and row["iogt"] <= IOGT_THRESHOLD,
        "judge disagrees": row["judged"] is not None and row["judged"] != row["right"],
        "failed": row["error"] is not None,
    }
    return [name for name, holds in found.items() if holds]


def write_tables(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the rows at a path with another ending, as CSV, and as Parquet where pyarrow is installed.

    Lists stand as JSON in both.

    Raises:
        OutputError: a file can't be written.
    """
    flat = [
        {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    write_whole(path.with_suffix(".csv"), text.getvalue())
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        return
    table = arrow.Table.from_pylist(flat)
    replace_file(path.with_suffix(".parquet"), lambda file: parquet.write_table(table, file))
