"""DocVQA (arXiv 2007.00398) and InfographicVQA (arXiv 2104.12756): free-text questions on documents, scored by ANLS.

Their validation sets have 5,349 and 2,801 questions; the test sets' answers are not published. Formats:

- `val_v1.0_withQT.json` and `infographicsVQA_val_v1.0_withQT.json` of the Robust Reading Competition: `data`, a list of
  `questionId`, `question`, `answers`, and `image` ("documents/a.png") or `image_local_name`.
- Parquet of the hub's lmms-lab/DocVQA (folders `DocVQA` and `InfographicVQA`): `questionId`, `question`, `image`,
  `answers`, and `question_types` or `answer_type`, as `lmms_eval/tasks/docvqa` and `infovqa` of
  github.com/EvolvingLMMs-Lab/lmms-eval read it.
- `DocVQA_VAL.tsv` and `InfoVQA_VAL.tsv`: `index`, `image` (base64), `question`, `answer` (a list as Python writes it),
  as `vlmeval/dataset/image_vqa.py` of github.com/open-compass/VLMEvalKit reads it.
"""

from __future__ import annotations

import ast
from functools import partial
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets.reading import TEXT, check, locate_image, read_json, require_images
from hart_agent.evals.datasets.tables import Row, find_tables, read_table
from hart_agent.evals.items import EmbeddedImage, Item

_FILES = {
    "docvqa": ("val_v1.0_withQT.json", "spdocvqa_qas/val_v1.0_withQT.json", "DocVQA_VAL.tsv",
               "DocVQA/validation-*.parquet"),
    "infovqa": ("infographicsVQA_val_v1.0_withQT.json", "InfoVQA_VAL.tsv", "InfographicVQA/validation-*.parquet"),
}  # fmt: skip
_DATA = Draft202012Validator({"type": "object", "required": ["data"], "properties": {"data": {"type": "array"}}})
_ENTRY = Draft202012Validator(
    {
        "type": "object",
        "required": ["questionId", "question", "answers"],
        "anyOf": [{"required": ["image"]}, {"required": ["image_local_name"]}],
        "properties": {
            "question": TEXT,
            "answers": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "image": TEXT,
            "image_local_name": TEXT,
        },
    }
)


def read_documents(path: Path, name: str) -> list[Item]:
    """One of the two from its file, or from the folder that holds it.

    Args:
        path: of the file or the folder.
        name: "docvqa" or "infovqa".

    Raises:
        DatasetError: files are missing or of another format.
        InstallError: it is Parquet, and pyarrow is missing.
    """
    files = find_tables(path, *_FILES[name])
    if files[0].suffix != ".json":
        return [_from_row(row) for file in files for row in read_table(file, ("image",), ("question",))]
    file = files[0]
    entries = check(read_json(file), _DATA, str(file))["data"]
    found = [check(entry, _ENTRY, f"{file}, entry {number}") for number, entry in enumerate(entries, 1)]
    images = [locate_image(file, entry.get("image") or entry["image_local_name"]) for entry in found]
    require_images(images, file)
    return [
        _item(str(entry["questionId"]), image, entry["question"], entry["answers"], entry.get("question_types"))
        for entry, image in zip(found, images, strict=True)
    ]


read_docvqa = partial(read_documents, name="docvqa")
read_infovqa = partial(read_documents, name="infovqa")


def _from_row(row: Row) -> Item:
    values = row.values
    answers = values.get("answers") or values.get("answer")
    try:
        listed = ast.literal_eval(answers) if isinstance(answers, str) and answers.startswith("[") else answers
    except (ValueError, SyntaxError):
        listed = answers
    texts = [str(answer) for answer in (listed if isinstance(listed, list) else [listed]) if answer]
    if not texts:
        raise DatasetError(
            f"{row.where}: there is no answer. The test set's are not published: take the validation set."
        )
    key = str(values.get("questionId") or values.get("index") or row.where.rsplit(" ", 1)[1])
    return _item(key, row.image, values["question"], texts, values.get("question_types") or values.get("answer_type"))


def _item(key: str, image: Path | EmbeddedImage, question: str, answers: list[str], kinds: Any) -> Item:
    return Item(
        id=key,
        image=image,
        question=question.strip(),
        answer=answers[0],
        type=AnswerType.TEXT,
        category=str(kinds[0]) if isinstance(kinds, list) and kinds else "",
        alternatives=tuple(answers[1:]),
        anls=True,
    )
