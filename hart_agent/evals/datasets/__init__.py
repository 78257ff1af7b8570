"""Benchmarks from the files in which they are published; each module says where its format was checked.

Only files on this machine are read. Other packages add datasets under the entry-point group `hart_agent.datasets`: each
is a `Benchmark`, or its reader alone, a function that takes the path of the files and returns the items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hart_agent.errors import DatasetError, HartError, PluginError
from hart_agent.evals.datasets.benchmark import Benchmark, Headline
from hart_agent.evals.datasets.documents import read_docvqa, read_infovqa
from hart_agent.evals.datasets.hr_bench import read_hr_bench_4k, read_hr_bench_8k
from hart_agent.evals.datasets.jsonl import read_jsonl_items
from hart_agent.evals.datasets.mme_realworld import (
    read_mme_realworld,
    read_mme_realworld_cn,
    read_mme_realworld_whole,
)
from hart_agent.evals.datasets.o3_bench import read_o3_bench
from hart_agent.evals.datasets.spaces import refuse_thousandths
from hart_agent.evals.datasets.treebench import GroundedAnswer, read_treebench, write_treebench_predictions
from hart_agent.evals.datasets.visual_cot import read_visual_cot
from hart_agent.evals.datasets.visualprobe import (
    read_visualprobe_easy,
    read_visualprobe_hard,
    read_visualprobe_medium,
)
from hart_agent.evals.datasets.vstar import read_vstar
from hart_agent.evals.datasets.xlrs_bench import read_xlrs_bench
from hart_agent.evals.datasets.zoombench import read_zoombench
from hart_agent.evals.items import Item
from hart_agent.extensions import Extension, ExtensionPoint

__all__ = [
    "HUB_IDS", "NAMES", "Benchmark", "GroundedAnswer", "Headline", "benchmarks", "find_dataset", "load_dataset",
    "write_treebench_predictions",
]  # fmt: skip

_HR_BENCH = (Headline("FSP", of="single"), Headline("FCP", of="cross"), Headline("Avg."))
_MME_REALWORLD = (
    Headline("Perception, Avg", of="Perception"),
    Headline("Perception, Avg-C", of="Perception", mean_over=("category",)),
    Headline("Reasoning, Avg", of="Reasoning"),
    Headline("Reasoning, Avg-C", of="Reasoning", mean_over=("category",)),
    Headline("Overall"),
)
"""Avg-C is the mean over the domains, such as remote sensing: the table of arXiv 2408.13257."""
_ANLS = (Headline("ANLS", measure="anls"),)

_BENCHMARKS: dict[str, Benchmark] = {
    "hr-bench-4k": Benchmark(
        read_hr_bench_4k, "HR-Bench 4K", 800, "arXiv 2408.15556", "DreamMr/HR-Bench", "200 questions in four orders",
        _HR_BENCH,
    ),
    "hr-bench-8k": Benchmark(
        read_hr_bench_8k, "HR-Bench 8K", 800, "arXiv 2408.15556", "DreamMr/HR-Bench", "200 questions in four orders",
        _HR_BENCH,
    ),
    "docvqa": Benchmark(read_docvqa, "DocVQA, validation", 5349, "arXiv 2007.00398", "lmms-lab/DocVQA", "ANLS", _ANLS),
    "infovqa": Benchmark(
        read_infovqa, "InfographicVQA, validation", 2801, "arXiv 2104.12756", "lmms-lab/DocVQA", "ANLS", _ANLS
    ),
    "jsonl": Benchmark(read_jsonl_items, "your own questions", note="one JSON object a line"),
    "mme-realworld": Benchmark(
        read_mme_realworld_whole, "MME-RealWorld", 23609, "arXiv 2408.13257", "yifanzhang114/MME-RealWorld-Lmms-eval",
        headlines=_MME_REALWORLD,
    ),
    "mme-realworld-cn": Benchmark(
        read_mme_realworld_cn, "MME-RealWorld-CN", 5917, "arXiv 2408.13257", "yifanzhang114/MME-RealWorld-CN-Lmms-eval",
        headlines=_MME_REALWORLD,
    ),
    "mme-realworld-lite": Benchmark(
        read_mme_realworld, "MME-RealWorld-Lite", 1919, "arXiv 2408.13257",
        "yifanzhang114/MME-RealWorld-lite-lmms-eval", headlines=_MME_REALWORLD,
    ),
    "o3-bench": Benchmark(
        read_o3_bench, "O3-Bench", None, "arXiv 2512.18745", "m-Just/O3-Bench", "gold boxes",
        (Headline("Chart", of="chart"), Headline("Map", of="map"), Headline("Overall")),
    ),
    "treebench": Benchmark(
        read_treebench, "TreeBench", 405, "arXiv 2507.07999", "HaochenWang/TreeBench", "gold boxes",
        (
            Headline("Overall"), Headline("mIoU", measure="iou"), Headline("Perception", of="Perception"),
            Headline("Reasoning", of="Reasoning"),
        ),
    ),
    "visual-cot": Benchmark(read_visual_cot, "Visual CoT", None, "arXiv 2403.16999", note="gold boxes"),
    "visualprobe-easy": Benchmark(
        read_visualprobe_easy, "VisualProbe, easy", 141, "arXiv 2509.07969", "Mini-o3/VisualProbe_Easy",
        headlines=(Headline("VisualProbe easy"),),
    ),
    "visualprobe-medium": Benchmark(
        read_visualprobe_medium, "VisualProbe, medium", 268, "arXiv 2509.07969", "Mini-o3/VisualProbe_Medium",
        headlines=(Headline("VisualProbe medium"),),
    ),
    "visualprobe-hard": Benchmark(
        read_visualprobe_hard, "VisualProbe, hard", 106, "arXiv 2509.07969", "Mini-o3/VisualProbe_Hard",
        headlines=(Headline("VisualProbe hard"),),
    ),
    "vstar": Benchmark(
        read_vstar, "V*Bench", 191, "arXiv 2312.14135", "craigwu/vstar_bench", "gold boxes",
        (Headline("Attribute", of="direct_attributes"), Headline("Spatial", of="relative_position"),
         Headline("Overall")),
    ),
    "xlrs-bench": Benchmark(
        read_xlrs_bench, "XLRS-Bench-lite", None, "arXiv 2503.23771", "initiacms/XLRS-Bench-lite",
        "satellite images of about 72 megapixels",
        (
            Headline("Macro average", mean_over=("category",)),
            Headline("Macro average over l2 categories", mean_over=("category", "l2 category")),
            Headline("Micro average"),
        ),
    ),
    "zoombench": Benchmark(
        read_zoombench, "ZoomBench", 845, "github.com/inclusionAI/Zooming-without-Zooming", "inclusionAI/ZoomBench",
        headlines=(Headline("Overall"),),
    ),
}  # fmt: skip

NAMES = tuple(_BENCHMARKS)
"""The built-in datasets; "jsonl" reads a file of custom questions."""

HUB_IDS = {name: benchmark.hub for name, benchmark in _BENCHMARKS.items() if benchmark.hub is not None}
"""Where the benchmarks are published: ids of data sets on Hugging Face's hub whose files can be read as they are.

Visual CoT isn't among them: its questions are on GitHub, and its images are parts of an archive.
"""


def _check(found: Any) -> Benchmark:
    if isinstance(found, Benchmark):
        return found
    if not callable(found):
        raise PluginError(f"a dataset is a function of a path, or a Benchmark, got {found!r}")
    return Benchmark(found)


_DATASETS = ExtensionPoint("benchmark", ("hart_agent.datasets",), _check, _BENCHMARKS)


def find_dataset(name: str) -> Extension[Benchmark]:
    """A dataset; called with a path, it reads it.

    Args:
        name: one of `NAMES`, one that another package registers, "package.module:reader" or "path.py:reader".

    Raises:
        ConfigError: there is no such dataset, module or file.
        PluginError: it is broken; the message names the package.
    """
    return _DATASETS.find(name)


def benchmarks() -> dict[str, Benchmark]:
    """All that can be asked: the built-in ones, and those of other packages, by name.

    Raises:
        PluginError: one of another package can't be loaded.
    """
    return {name: _DATASETS.find(name).value for name in _DATASETS.names()}


def load_dataset(name: str, path: Path, *, allow_download: bool = False) -> Sequence[Item]:
    """The items of a dataset, in the published order. All images of a built-in one are known to be there.

    Args:
        name: as `find_dataset` takes it.
        path: of its file, or of the folder in which it was published.
        allow_download: whether images may be URLs; passed to a reader that has the keyword `allow_download`.

    Raises:
        ConfigError, PluginError: see `find_dataset`.
        DatasetError: files are missing, incomplete or of another format, or gold boxes are no pixels; the message names
            file and line or row.
        ImageError: an image that had to be measured is damaged.
        InstallError: the file is Parquet, and pyarrow is missing.
    """
    dataset = find_dataset(name)
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder. Give the path of {name}'s files.")
    try:
        items = list(dataset.value(path, allow_download=allow_download))
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
    refuse_thousandths(items, str(path))
    return _with_unique_ids(items)


def _with_unique_ids(items: Sequence[Item]) -> list[Item]:
    """The items, where the benchmark uses an id again with the number of that use."""
    uses: Counter[str] = Counter()
    unique = []
    for item in items:
        uses[item.id] += 1
        unique.append(item if uses[item.id] == 1 else replace(item, id=f"{item.id} ({uses[item.id]})"))
    return unique
