"""Real rows of five benchmarks, written in the forms in which they are published, and read back.

    python tests/parity/real_rows.py INSIGHT_O3

The folder is that of github.com/m-Just/InSight-o3, got by hand, whose `data` holds the questions of V*Bench, HR-Bench
4K, MME-RealWorld-Lite, TreeBench and VisualProbe (hard), without images: those are drawn here, large enough for the
gold boxes. Each line says how many rows were read, how many have the right answer of the file, and a hash of all that
was read but the pictures.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import eval_files as files

from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.datasets.reading import split_options

Record = dict[str, Any]
TASKS = {"perception": "Perception", "reasoning": "Reasoning", "reason": "Reasoning"}


def main() -> None:
    """Print a line for each form."""
    parser = argparse.ArgumentParser()
    parser.add_argument("insight_o3", type=Path)
    data = parser.parse_args().insight_o3 / "data"
    with tempfile.TemporaryDirectory() as folder:
        for name, form, path, records in written(data, Path(folder)):
            items = load_dataset(name, path)
            pairs = zip(items, records, strict=True)
            same = sum(item.answer == record["answer"].strip() for item, record in pairs)
            read = [(item.id, item.question, item.options, item.answer, item.boxes, item.category) for item in items]
            digest = hashlib.sha256(repr(read).encode()).hexdigest()[:12]
            groups = len({item.group or item.id for item in items})
            print(f"{name}, {form}: {len(items)} rows, {groups} questions, {same} with the file's answer, {digest}")


def written(data: Path, folder: Path) -> Iterator[tuple[str, str, Path, list[Record]]]:
    """The name of each benchmark, a form of it, where it was written, and what it was written from."""
    records = _read(data / "vstar_bench/vstar_bench.jsonl")
    request = "\nAnswer with the option's letter from the given choices directly."
    lines = [
        {"image": record["image"], "text": f"{record['question']}\n{record['options']}{request}",
         "category": record["category"], "question_id": record["question_id"], "label": record["answer"]}
        for record in records
    ]  # fmt: skip
    _draw(folder / "vstar", records)
    yield "vstar", "JSONL", files.write_jsonl(folder / "vstar/test_questions.jsonl", lines), records

    records = _read(data / "HR-Bench/hrbench_4k.jsonl")
    rows = [
        {"index": record["question_id"], "question": record["question"], "answer": record["answer"],
         **split_options(record["options"].split("\n"), "a row"), "category": record["category"],
         "cycle_category": record["question_id"] % 4, "image": _picture(record["question_id"] // 4)}
        for record in records
    ]  # fmt: skip
    yield "hr-bench-4k", "TSV", files.tsv(folder / "hr_bench_4k", rows), records
    yield "hr-bench-4k", "Parquet", files.parquet(folder / "hr_bench_4k", rows), records

    records = _read(data / "MME-RealWorld-Lite/MME_RealWorld_Lite.jsonl")
    entries = [_mme_entry(record) for record in records]
    _draw(folder / "mme/data/imgs", records)
    yield "mme-realworld-lite", "JSON", files.write_json(folder / "mme/data/MME-RealWorld-Lite.json", entries), records
    rows = [_mme_row(number, entry) for number, entry in enumerate(entries)]
    listed = [row | {"multi-choice options": str(row["multi-choice options"])} for row in rows]
    yield "mme-realworld-lite", "TSV, lists", files.tsv(folder / "lists", listed), records
    heading = "The choices are listed below:"
    lined = [row | {"multi-choice options": "\n".join([heading, *row["multi-choice options"]])} for row in rows]
    yield "mme-realworld-lite", "TSV, lines", files.tsv(folder / "lines", lined), records
    yield "mme-realworld-lite", "Parquet", files.parquet(folder / "mme", rows), records

    records = _read(data / "TreeBench/treebench.jsonl")
    rows = [_tree_row(record) for record in records]
    yield "treebench", "TSV, text", files.tsv(folder / "tree", rows), records
    columns = [row | dict.fromkeys("ABCDEFGHIJK", "") | _options(row) for row in rows]
    yield "treebench", "TSV, columns", files.tsv(folder / "columns", columns), records

    records = _read(data / "VisualProbe_Hard/visual_probe_hard.jsonl")
    _draw(folder / "visualprobe", records)
    path = files.write_jsonl(folder / "visualprobe/VisualProbe_Hard/visual_probe_hard.jsonl", records)
    yield "visualprobe-hard", "JSONL, the real file", path, records
    probes = [
        {"images": [record["image"]], "doc_id": record["question_id"], "problem": f"<image>\n{record['question']}",
         "solution": record["answer"], "data_source": record["category"]}
        for record in records
    ]  # fmt: skip
    path = files.write_json(folder / "visualprobe/VisualProbe_Hard/val.json", probes)
    yield "visualprobe-hard", "JSON", path, records


def _read(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _draw(folder: Path, records: Sequence[Record]) -> None:
    for record in records:
        files.save_picture(folder / record["image"], 4, 4)


def _picture(number: int) -> str:
    """One for each number."""
    return files.base64_picture(4 + number // 100, 4 + number % 100)


def _mme_entry(record: Record) -> Record:
    task, _, *kind, _ = record["question_id"].split("/")
    choices: list[str] = []
    for line in record["options"].split("\n"):
        if line.startswith("("):
            choices.append(line)
        else:
            choices[-1] += f"\n{line}"
    return {"Question_id": record["question_id"], "Image": record["image"], "Text": record["question"],
            "Answer choices": choices, "Ground truth": record["answer"], "Task": TASKS[task.lower()],
            "Subtask": record["category"], "Category": "/".join(kind)}  # fmt: skip


def _mme_row(number: int, entry: Record) -> Record:
    return {"index": number, "image": _picture(number), "question": entry["Text"], "answer": entry["Ground truth"],
            "multi-choice options": entry["Answer choices"], "category": f"{entry['Task']}/{entry['Subtask']}",
            "l2-category": entry["Category"]}  # fmt: skip


def _tree_row(record: Record) -> Record:
    boxes = ast.literal_eval(record["target_instances"])
    width, height = (int(max(64, *(box[side] for box in boxes), 0)) + 1 for side in (2, 3))
    return {"index": record["question_id"], "image": files.base64_picture(width, height),
            "question": record["question"], "multi-choice options": record["options"], "answer": record["answer"],
            "category": record["category"], "target_instances": record["target_instances"]}  # fmt: skip


def _options(row: Mapping[str, Any]) -> dict[str, str]:
    return split_options([line for line in row["multi-choice options"].split("\n") if line.strip()], "a row")


if __name__ == "__main__":
    main()
