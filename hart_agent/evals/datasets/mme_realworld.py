"""MME-RealWorld (arXiv 2408.13257): questions on large images of five domains, with five options each.

The whole benchmark has 23,609 English and 5,917 Chinese questions, and Lite 1,919 of the English ones. Formats, each
with the same questions:

- JSON next to the images, as the archives of the hub's yifanzhang114/MME-RealWorld and MME-RealWorld-Lite unpack:
  `MME_RealWorld.json`, `MME_RealWorld_CN.json` or `data/MME-RealWorld-Lite.json`, with `Question_id`, `Image`, `Text`,
  `Answer choices` ("(A) ..."), `Ground truth`, `Task`, `Subtask`, `Category`, as `evaluation/eval_your_results.py`,
  `output_test_template.json` and the README of github.com/yfzhang114/MME-RealWorld have it.
- yifanzhang114/MME-RealWorld-Base64: `mme_realworld_lite.tsv`, and folders `MME-RealWorld` and `MME-RealWorld-CN` of
  JSON files: `index`, `image` (base64), `question`, `multi-choice options` (a list; in the TSV as Python writes it),
  `answer`, `category` ("Perception/Monitoring"), `l2-category`, as `vlmeval/dataset/image_mcq.py` of
  github.com/open-compass/VLMEvalKit reads it; it makes the tables `MME-RealWorld.tsv` and `MME-RealWorld-CN.tsv` of
  them, whose options are lines of text under a heading.
- Parquet of yifanzhang114/MME-RealWorld-lmms-eval, MME-RealWorld-CN-lmms-eval and MME-RealWorld-lite-lmms-eval: the
  same columns, but the picture is in `bytes`, as `lmms_eval/tasks/mme_realworld` of
  github.com/EvolvingLMMs-Lab/lmms-eval reads it.

The last option says that no other is right, and stays last. Scores are shares of right answers over all questions, per
task (perception, reasoning), subtask, and category within it, in which "attribute" categories of one object are one,
as the official script counts them.
"""

from __future__ import annotations

import ast
from functools import partial
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets.reading import (
    check,
    gold_letter,
    read_entries,
    require_images,
    split_options,
)
from hart_agent.evals.datasets.tables import Row, find_tables, read_table, rows_of
from hart_agent.evals.items import EmbeddedImage, Item

_FILES = {
    "lite": (
        "data/MME-RealWorld-Lite.json",
        "MME-RealWorld-Lite.json",
        "mme_realworld_lite.tsv",
        "MME-RealWorld-Lite.tsv",
    ),
    "whole": ("MME_RealWorld.json", "MME-RealWorld.json", "MME-RealWorld.tsv", "MME-RealWorld/*.json"),
    "cn": ("MME_RealWorld_CN.json", "MME-RealWorld-CN.json", "MME-RealWorld-CN.tsv", "MME-RealWorld-CN/*.json"),
}
_INSTRUCTIONS = ("Select the best answer", "\u6839\u636e\u56fe\u50cf\u9009\u62e9")
_COLUMNS = ("index", "question", "multi-choice options", "answer", "category")
_TEXTS = ("Question_id", "Image", "Text", "Ground truth", "Task", "Subtask")
_ENTRY = Draft202012Validator(
    {
        "type": "object",
        "required": [*_TEXTS, "Answer choices"],
        "properties": {name: {"type": "string"} for name in _TEXTS}
        | {"Answer choices": {"type": "array", "items": {"type": "string"}, "minItems": 2}},
    }
)


def read_mme_realworld(path: Path, part: str = "lite") -> list[Item]:
    """The benchmark from its JSON, TSV or Parquet, or from the folder that holds one of them.

    Args:
        path: of the file or the folder.
        part: "whole", "cn" or "lite".

    Raises:
        DatasetError: files are missing or of another format.
        InstallError: it is Parquet, and pyarrow is missing.
    """
    files = find_tables(path, *_FILES[part])
    if files[0].suffix != ".json":
        return [_from_row(row) for file in files for row in read_table(file, ("image", "bytes"), _COLUMNS)]
    if path.is_dir() and files[0].parent.name.startswith("MME-RealWorld"):  # a folder of the base64 form
        files = sorted(files[0].parent.glob("*.json"))
    return [item for file in files for item in _from_json(file)]


read_mme_realworld_whole = partial(read_mme_realworld, part="whole")
read_mme_realworld_cn = partial(read_mme_realworld, part="cn")


def _from_json(file: Path) -> list[Item]:
    entries = read_entries(file)
    if entries and isinstance(entries[0], dict) and "multi-choice options" in entries[0]:
        return [_from_row(row) for row in rows_of(file, entries, ("image",), _COLUMNS)]
    folder = file.parent / "imgs" if (file.parent / "imgs").is_dir() else file.parent
    require_images(
        [folder / check(entry, _ENTRY, f"{file}, entry {number}")["Image"] for number, entry in enumerate(entries, 1)],
        file,
    )
    return [
        _item(
            key=entry["Question_id"],
            image=folder / entry["Image"],
            question=entry["Text"],
            choices=entry["Answer choices"],
            answer=entry["Ground truth"],
            category=f"{entry['Task']}/{entry['Subtask']}",
            kind=entry.get("Category", ""),
            where=f"{file}, entry {number}",
        )
        for number, entry in enumerate(entries, 1)
    ]


def _from_row(row: Row) -> Item:
    values = row.values
    return _item(
        key=values["index"],
        image=row.image,
        question=values["question"],
        choices=listed_choices(values["multi-choice options"], row.where),
        answer=values["answer"],
        category=values["category"],
        kind=values.get("l2-category", ""),
        where=row.where,
    )


def listed_choices(value: Any, where: str) -> list[str]:
    """The options "(A) ..." of a cell: a list, a list as Python writes it, or lines of text under a heading.

    Lines that go on with an option are lines of their own; what stands behind the options (an instruction, in
    XLRS-Bench-lite) isn't given.

    Raises:
        DatasetError: it is none of these.
    """
    if isinstance(value, str) and not value.lstrip().startswith("["):
        lines = dropwhile(lambda line: not line.lstrip().startswith(("(", "\uff08")), value.split("\n"))
        value = [line for line in takewhile(lambda line: not line.startswith(_INSTRUCTIONS), lines) if line.strip()]
    try:
        choices = ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        choices = None
    if not isinstance(choices, list) or not choices:
        raise DatasetError(f"{where}: multi-choice options: expected a list such as ['(A) red', '(B) blue']")
    return [str(choice) for choice in choices]


def _item(
    *,
    key: str,
    image: Path | EmbeddedImage,
    question: str,
    choices: list[str],
    answer: str,
    category: str,
    kind: str,
    where: str,
) -> Item:
    options = split_options(choices, where)
    labels = [("task", category.partition("/")[0])]
    if kind:
        labels.append(("l2 category", _kind(kind)))
    return Item(
        id=key,
        image=image,
        question=question.strip(),
        answer=gold_letter(answer, options, where),
        type=AnswerType.OPTION,
        options=tuple(options.values()),
        category=category,
        anchored=(len(options) - 1,),
        labels=tuple(labels),
    )


def _kind(name: str) -> str:
    """A category within a subtask, as the official script counts it."""
    name = name.lower()
    return f"{name.partition('/')[0]}/attribute" if "attribute" in name else name
