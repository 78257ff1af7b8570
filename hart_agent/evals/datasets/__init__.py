"""Benchmarks from the files in which they are published; each module says where its format was checked.

Only files on this machine are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hart_agent.errors import ConfigError, DatasetError
from hart_agent.evals.datasets.hr_bench import read_hr_bench_4k, read_hr_bench_8k
from hart_agent.evals.datasets.jsonl import read_jsonl_items
from hart_agent.evals.datasets.mme_realworld import read_mme_realworld
from hart_agent.evals.datasets.treebench import GroundedAnswer, read_treebench, write_treebench_predictions
from hart_agent.evals.datasets.visual_cot import read_visual_cot
from hart_agent.evals.datasets.vstar import read_vstar
from hart_agent.evals.items import Item

__all__ = ["HUB_IDS", "NAMES", "GroundedAnswer", "load_dataset", "write_treebench_predictions"]

_READERS: dict[str, Callable[[Path], list[Item]]] = {
    "hr-bench-4k": read_hr_bench_4k,
    "hr-bench-8k": read_hr_bench_8k,
    "jsonl": read_jsonl_items,
    "mme-realworld-lite": read_mme_realworld,
    "treebench": read_treebench,
    "visual-cot": read_visual_cot,
    "vstar": read_vstar,
}

NAMES = tuple(_READERS)
"""Of the benchmarks; "jsonl" is a file of one's own."""

HUB_IDS = {
    "hr-bench-4k": "DreamMr/HR-Bench",
    "hr-bench-8k": "DreamMr/HR-Bench",
    "mme-realworld-lite": "yifanzhang114/MME-RealWorld-lite-lmms-eval",
    "treebench": "HaochenWang/TreeBench",
    "vstar": "craigwu/vstar_bench",
}
"""Where the benchmarks are published: ids of data sets on Hugging Face's hub whose files can be read as they are.

Visual CoT isn't among them: its questions are on GitHub, and its images are parts of an archive.
"""


def load_dataset(name: str, path: Path) -> Sequence[Item]:
    """The items of a benchmark, in the published order. All images are known to be there.

    Args:
        name: one of `NAMES`.
        path: of its file, or of the folder in which it was published.

    Raises:
        ConfigError: there is no benchmark of that name.
        DatasetError: files are missing, incomplete or of another format; the message names file and line or row.
        ImageError: an image that had to be measured is damaged.
        InstallError: the file is Parquet, and pyarrow is missing.
    """
    if name not in _READERS:
        raise ConfigError(f"there is no benchmark {name!r}; choose one of {', '.join(NAMES)}")
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder. Give the path of {name}'s files.")
    items = _READERS[name](path)
    if not items:
        raise DatasetError(f"{path} holds no questions")
    return _with_unique_ids(items)


def _with_unique_ids(items: Sequence[Item]) -> list[Item]:
    """The items, where the benchmark uses an id again with the number of that use."""
    uses: Counter[str] = Counter()
    unique = []
    for item in items:
        uses[item.id] += 1
        unique.append(item if uses[item.id] == 1 else replace(item, id=f"{item.id} ({uses[item.id]})"))
    return unique
