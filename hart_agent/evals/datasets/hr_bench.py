"""HR-Bench (arXiv 2408.15556): 200 questions on 4K and 8K images, each asked with its options in four orders.

Format: `hr_bench_4k.tsv` and `hr_bench_8k.tsv` (or Parquet of the same names) of the hub's DreamMr/HR-Bench, with the
columns `index`, `question`, `answer` (a letter), `A` to `D`, `category` (single or cross), `cycle_category` (which of
the four orders) and `image` (base64), as `hrbench/vlmeval/dataset/image_mcq.py` and `utils/hrbench.py` of
github.com/DreamMr/HR-Bench and `lmms_eval/tasks/hrbench` of github.com/EvolvingLMMs-Lab/lmms-eval read it. Its score
is the mean over the orders of the share of right answers.

The four orders are cycles in which the right option visits each letter. They are asked as they are published: another
shuffle would undo that.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hart_agent.answers import AnswerType
from hart_agent.evals.datasets.reading import find, gold_letter
from hart_agent.evals.datasets.tables import read_table
from hart_agent.evals.items import Item

_COLUMNS = ("index", "question", "answer", "A", "B", "category", "cycle_category")


def read_hr_bench(path: Path, resolution: str) -> list[Item]:
    """The benchmark from a table, or from the folder that holds it.

    Args:
        path: of the file or the folder.
        resolution: "4k" or "8k".

    Raises:
        DatasetError: the table is missing or of another format.
        InstallError: it is Parquet, and pyarrow is missing.
    """
    names = (f"hr_bench_{resolution}", f"HRBench{resolution.upper()}")
    table = find(path, *(f"{name}.{kind}" for kind in ("tsv", "parquet") for name in names))
    groups: dict[object, str] = {}
    items = []
    for row in read_table(table, ("image",), _COLUMNS):
        values, options = row.values, row.options()
        question = values["question"].strip()
        same = (row.image, question, frozenset(options.values()))
        items.append(
            Item(
                id=values["index"],
                image=row.image,
                question=question,
                answer=gold_letter(values["answer"], options, row.where),
                type=AnswerType.OPTION,
                options=tuple(options.values()),
                category=values["category"],
                group=groups.setdefault(same, values["index"]),
                anchored=tuple(range(len(options))),
                labels=(("cycle", str(values["cycle_category"])),),
            )
        )
    return items


read_hr_bench_4k = partial(read_hr_bench, resolution="4k")
read_hr_bench_8k = partial(read_hr_bench, resolution="8k")
