"""MME-RealWorld-Lite (arXiv 2408.13257): 1919 questions on large images of five domains, with five options each.

Formats, each with the same questions:

- `data/MME-RealWorld-Lite.json` next to `data/imgs/`, as `data.zip` of the hub's yifanzhang114/MME-RealWorld-Lite
  unpacks: `Question_id`, `Image`, `Text`, `Answer choices` ("(A) ..."), `Ground truth`, `Task`, `Subtask`, `Category`,
  as `evaluation/eval_your_results.py` and `output_test_template.json` of github.com/yfzhang114/MME-RealWorld have it.
- `mme_realworld_lite.tsv` of yifanzhang114/MME-RealWorld-Base64: `index`, `image` (base64), `question`,
  `multi-choice options` (a Python list), `answer`, `category` ("Perception/Monitoring"), `l2-category`, as
  `vlmeval/dataset/image_mcq.py` of github.com/open-compass/VLMEvalKit reads it.
- Parquet of yifanzhang114/MME-RealWorld-lite-lmms-eval: the same columns, but the picture is in `bytes` and the options
  are a list, as `lmms_eval/tasks/mme_realworld` of github.com/EvolvingLMMs-Lab/lmms-eval reads it.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets.reading import (
    check,
    gold_letter,
    read_json,
    require_images,
    split_options,
)
from hart_agent.evals.datasets.tables import Row, find_tables, read_table
from hart_agent.evals.items import EmbeddedImage, Item

_FILES = (
    "data/MME-RealWorld-Lite.json",
    "MME-RealWorld-Lite.json",
    "mme_realworld_lite.tsv",
    "MME-RealWorld-Lite.tsv",
)
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


def read_mme_realworld(path: Path) -> list[Item]:
    """The benchmark from its JSON, TSV or Parquet, or from the folder that holds one of them.

    Raises:
        DatasetError: files are missing or of another format.
        InstallError: it is Parquet, and pyarrow is missing.
    """
    files = find_tables(path, *_FILES)
    if files[0].suffix == ".json":
        return _from_json(files[0])
    return [_from_row(row) for file in files for row in read_table(file, ("image", "bytes"), _COLUMNS)]


def _from_json(file: Path) -> list[Item]:
    entries = read_json(file)
    if not isinstance(entries, list):
        raise DatasetError(f"{file}: expected a list of questions")
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
        choices=_choices(values["multi-choice options"], row.where),
        answer=values["answer"],
        category=values["category"],
        where=row.where,
    )


def _choices(value: Any, where: str) -> list[str]:
    try:
        choices = ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        choices = None
    if not isinstance(choices, list):
        raise DatasetError(f"{where}: multi-choice options: expected a list such as ['(A) red', '(B) blue']")
    return [str(choice) for choice in choices]


def _item(
    *, key: str, image: Path | EmbeddedImage, question: str, choices: list[str], answer: str, category: str, where: str
) -> Item:
    options = split_options(choices, where)
    return Item(
        id=key,
        image=image,
        question=question.strip(),
        answer=gold_letter(answer, options, where),
        type=AnswerType.OPTION,
        options=tuple(options.values()),
        category=category,
    )
