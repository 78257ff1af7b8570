"""V*Bench (arXiv 2312.14135): 191 questions on small objects in large photographs, with the objects' boxes.

Format: folders `direct_attributes` and `relative_position`, in which each image has a JSON file of the same name with
`question`, `options` (the right one first), `target_object` and `bbox` (x, y, width, height of each object), as the
README, `vstar_bench_eval.py` and `visual_search.py` of github.com/penghao-wu/vstar describe and read it. The hub's
craigwu/vstar_bench holds the same folders and `test_questions.jsonl`: `image`, `text` (the question, options such as
"(A) red" and an instruction), `label`, `category`, `question_id`, as several public loaders read it, among them
`lmms_eval/tasks/vstar_bench` of github.com/EvolvingLMMs-Lab/lmms-eval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets.reading import (
    Record,
    check,
    find,
    gold_boxes,
    gold_letter,
    read_json,
    read_jsonl,
    require_images,
)
from hart_agent.evals.items import LETTERS, Item
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import SourceImage

_QUESTIONS = "test_questions.jsonl"
_CATEGORIES = ("direct_attributes", "relative_position")

_BOXES = {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}}
_OPTIONS = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": len(LETTERS)}
_ANNOTATION = Draft202012Validator(
    {
        "type": "object",
        "required": ["question", "options", "bbox"],
        "properties": {"question": {"type": "string"}, "options": _OPTIONS, "bbox": _BOXES},
    }
)
_QUESTION = Draft202012Validator(
    {
        "type": "object",
        "required": ["image", "text", "label"],
        "properties": {name: {"type": "string"} for name in ("image", "text", "label", "category")},
    }
)
_LABEL = re.compile(r"\s{0,20}\(([A-Z])\)\s*")


def read_vstar(path: Path) -> list[Item]:
    """The benchmark from its folder, or from its `test_questions.jsonl`.

    Raises:
        DatasetError: files are missing or of another format.
        ImageError: an image is damaged.
    """
    questions = path / _QUESTIONS if path.is_dir() else path
    return _from_questions(questions) if questions.is_file() else _from_folders(path)


def _from_folders(path: Path) -> list[Item]:
    found = []
    for category in _CATEGORIES:
        first = find(path, f"{category}/*.json")
        images = {file.stem: file for file in first.parent.iterdir() if file.suffix != ".json"}
        for file in sorted(first.parent.glob("*.json")):
            annotation = check(read_json(file), _ANNOTATION, str(file))
            found.append((category, images.get(file.stem, file.with_suffix(".jpg")), annotation))
    require_images([image for _, image, _ in found], path)
    return [
        Item(
            id=f"{category}/{image.stem}",
            image=image,
            question=annotation["question"],
            answer=LETTERS[0],
            type=AnswerType.OPTION,
            options=tuple(annotation["options"]),
            boxes=_boxes(annotation["bbox"], image),
            category=category,
        )
        for category, image, annotation in found
    ]


def _from_questions(file: Path) -> list[Item]:
    found = [(number, record, file.parent / record["image"]) for number, record in read_jsonl(file, _QUESTION)]
    require_images([image for _, _, image in found], file)
    return [_question(record, image, f"{file}, line {number}") for number, record, image in found]


def _question(record: Record, image: Path, where: str) -> Item:
    question, *labelled = _LABEL.split(record["text"])
    letters, texts = labelled[::2], [text.split("\n")[0].strip() for text in labelled[1::2]]
    if len(letters) < 2 or letters != list(LETTERS[: len(letters)]):
        raise DatasetError(f"{where}: text: expected a question and options '(A) ...', '(B) ...' in order")
    annotation = image.with_suffix(".json")
    rects = check(read_json(annotation), _ANNOTATION, str(annotation))["bbox"] if annotation.is_file() else []
    return Item(
        id=Path(record["image"]).with_suffix("").as_posix(),
        image=image,
        question=question.strip(),
        answer=gold_letter(record["label"], dict(zip(letters, texts, strict=True)), where),
        type=AnswerType.OPTION,
        options=tuple(texts),
        boxes=_boxes(rects, image),
        category=record.get("category", ""),
    )


def _boxes(rects: Sequence[Sequence[float]], image: Path) -> tuple[Box, ...]:
    return gold_boxes([(x, y, x + width, y + height) for x, y, width, height in rects], SourceImage(image), str(image))
