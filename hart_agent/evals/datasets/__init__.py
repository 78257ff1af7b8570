"""Benchmarks from the files in which they are published; each module says where its format was checked.

Only files on this machine are read. Other packages add datasets under the entry-point group `hart_agent.datasets`: each
is a reader, a function that takes the path of the files and returns the items.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from hart_agent.errors import DatasetError, HartError, PluginError
from hart_agent.evals.datasets.hr_bench import read_hr_bench_4k, read_hr_bench_8k
from hart_agent.evals.datasets.jsonl import read_jsonl_items
from hart_agent.evals.datasets.mme_realworld import read_mme_realworld
from hart_agent.evals.datasets.treebench import GroundedAnswer, read_treebench, write_treebench_predictions
from hart_agent.evals.datasets.visual_cot import read_visual_cot
from hart_agent.evals.datasets.vstar import read_vstar
from hart_agent.evals.items import Item
from hart_agent.extensions import Extension, ExtensionPoint

__all__ = ["HUB_IDS", "NAMES", "GroundedAnswer", "find_dataset", "load_dataset", "write_treebench_predictions"]

Reader: TypeAlias = Callable[..., Sequence[Item]]
"""A function of a path; it may know the keyword `allow_download`, too."""

_READERS: dict[str, Reader] = {
    "hr-bench-4k": read_hr_bench_4k,
    "hr-bench-8k": read_hr_bench_8k,
    "jsonl": read_jsonl_items,
    "mme-realworld-lite": read_mme_realworld,
    "treebench": read_treebench,
    "visual-cot": read_visual_cot,
    "vstar": read_vstar,
}

NAMES = tuple(_READERS)
"""The built-in datasets; "jsonl" reads a file of custom questions."""

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


def _check(found: Any) -> Reader:
    if not callable(found):
        raise PluginError(f"a dataset's reader is a function of a path, got {found!r}")
    reader: Reader = found
    return reader


_DATASETS = ExtensionPoint("benchmark", ("hart_agent.datasets",), _check, _READERS)


def find_dataset(name: str) -> Extension[Reader]:
    """The reader of a dataset.

    Args:
        name: one of `NAMES`, one that another package registers, "package.module:reader" or "path.py:reader".

    Raises:
        ConfigError: there is no such dataset, module or file.
        PluginError: it is broken; the message names the package.
    """
    return _DATASETS.find(name)


def load_dataset(name: str, path: Path, *, allow_download: bool = False) -> Sequence[Item]:
    """The items of a dataset, in the published order. All images of a built-in one are known to be there.

    Args:
        name: as `find_dataset` takes it.
        path: of its file, or of the folder in which it was published.
        allow_download: whether images may be URLs; a reader that knows the keyword `allow_download` is told.

    Raises:
        ConfigError, PluginError: see `find_dataset`.
        DatasetError: files are missing, incomplete or of another format; the message names file and line or row.
        ImageError: an image that had to be measured is damaged.
        InstallError: the file is Parquet, and pyarrow is missing.
    """
    dataset = find_dataset(name)
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder. Give the path of {name}'s files.")
    try:
        told = {"allow_download": True} if allow_download and _takes_downloads(dataset.value) else {}
        items = list(dataset.value(path, **told))
    except HartError:
        raise
    except Exception as error:
        raise PluginError(
            f"the reader {name!r} of {dataset.origin} failed on {path} ({type(error).__name__}: {error}). Fix it, or "
            "let it raise DatasetError where the files are wrong."
        ) from error
    if not items:
        raise DatasetError(f"{path} holds no questions")
    if wrong := [item for item in items if not isinstance(item, Item)]:
        raise PluginError(
            f"the reader {name!r} of {dataset.origin} returned a {type(wrong[0]).__name__}; expected hart_agent.evals."
            "items.Item"
        )
    return _with_unique_ids(items)


def _takes_downloads(reader: Reader) -> bool:
    try:
        return "allow_download" in inspect.signature(reader).parameters
    except ValueError:  # a function of C
        return False


def _with_unique_ids(items: Sequence[Item]) -> list[Item]:
    """The items, where the benchmark uses an id again with the number of that use."""
    uses: Counter[str] = Counter()
    unique = []
    for item in items:
        uses[item.id] += 1
        unique.append(item if uses[item.id] == 1 else replace(item, id=f"{item.id} ({uses[item.id]})"))
    return unique
