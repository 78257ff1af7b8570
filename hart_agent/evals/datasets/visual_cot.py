"""Visual CoT (arXiv 2403.16999): questions on documents, charts and photographs, with the box of what they are about.

Formats, as github.com/deepcs233/Visual-CoT publishes them (the hub's deepcs233/Visual-CoT holds images and metadata):

- The benchmark, `viscot_benchmark/benchmark/<sub-dataset>.json`: `dataset`, `question_id`, `image` (the path, and the
  path with "###[x0, y0, x1, y1]" in original pixels) and `conversations`, whose first message is the question with a
  request for the box, and whose last is the answer. Checked on all 13 files.
- Metadata, `<sub-dataset>_cot_train.jsonl`: `question`, `answer`, `image`, `width`, `height`, `bboxs` (one or more
  [x0, y0, x1, y1]), `dataset`, `split`. `tools/convert_data_to_llava_format.py` says where their images lie.

Images are looked for from the folder that holds the folder `cot`: the first one upwards from the file. Answers are free
text; the authors have a language model grade them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets.reading import (
    Record,
    check,
    gold_boxes,
    read_entries,
    read_jsonl,
    require_images,
)
from hart_agent.evals.items import Item
from hart_agent.vision.geometry import Size
from hart_agent.vision.source import SourceImage

_FOLDERS = ("viscot_benchmark/benchmark", "benchmark", "metadata", ".")

_IMAGE_TAG = "<image>\n"
_REQUEST = " Please provide the bounding box coordinate of the region"
_REGION = re.compile(r".*###(\[[^\[\]]*\])", re.DOTALL)

_BOX = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
_RECT = Draft202012Validator(_BOX)
_TEXT = {"type": "string"}
_SIDE = {"type": "integer", "minimum": 1}
_MESSAGE = {"type": "object", "required": ["value"], "properties": {"value": _TEXT}}
_ENTRY = Draft202012Validator(
    {
        "type": "object",
        "required": ["dataset", "question_id", "image", "conversations"],
        "properties": {
            "dataset": _TEXT,
            "image": {"type": "array", "items": _TEXT, "minItems": 2},
            "conversations": {"type": "array", "items": _MESSAGE, "minItems": 2},
        },
    }
)
_METADATA = Draft202012Validator(
    {
        "type": "object",
        "required": ["question", "answer", "image", "width", "height", "bboxs", "dataset"],
        "properties": dict.fromkeys(("question", "answer", "image", "dataset"), _TEXT)
        | {"width": _SIDE, "height": _SIDE, "bboxs": {"type": "array", "items": _BOX}},
    }
)


def read_visual_cot(path: Path) -> list[Item]:
    """The sub-datasets in a folder, or one of them from its file.

    Raises:
        DatasetError: files are missing or of another format.
        ImageError: an image is damaged.
    """
    return [item for file in _files(path) for item in (_metadata if file.suffix == ".jsonl" else _benchmark)(file)]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for folder in _FOLDERS:
        files = sorted((path / folder).glob("*.json")) or sorted((path / folder).glob("*.jsonl"))
        if files:
            return files
    raise DatasetError(f"{path} holds no sub-dataset; expected files such as viscot_benchmark/benchmark/gqa.json")


def _benchmark(file: Path) -> list[Item]:
    entries = read_entries(file)
    root = _image_root(file)
    places = [f"{file}, entry {number}" for number in range(1, len(entries) + 1)]
    require_images(
        [root / check(entry, _ENTRY, where)["image"][0] for entry, where in zip(entries, places, strict=True)], file
    )
    return [
        _entry(entry, root, f"{file.stem}/{entry['question_id']}", where)
        for entry, where in zip(entries, places, strict=True)
    ]


def _entry(entry: Record, root: Path, key: str, where: str) -> Item:
    question = entry["conversations"][0]["value"].removeprefix(_IMAGE_TAG).split(_REQUEST)[0]
    image = root / entry["image"][0]
    return Item(
        id=key,
        image=image,
        question=question.strip(),
        answer=entry["conversations"][-1]["value"],
        type=AnswerType.TEXT,
        boxes=gold_boxes([_region(entry["image"][1], where)], SourceImage(image), where),
        category=entry["dataset"],
    )


def _region(image: str, where: str) -> list[float]:
    match = _REGION.fullmatch(image)
    try:
        box = json.loads(match[1]) if match else None
    except json.JSONDecodeError:
        box = None
    if not _RECT.is_valid(box):
        raise DatasetError(f"{where}: image: expected a second path that ends with ###[x0, y0, x1, y1], got {image!r}")
    return list(box or ())


def _metadata(file: Path) -> list[Item]:
    root = _image_root(file)
    found = [(number, record, _place(root, record)) for number, record in read_jsonl(file, _METADATA)]
    require_images([image for _, _, image in found], file)
    return [
        Item(
            id=f"{file.stem}/{number}",
            image=image,
            question=record["question"].strip(),
            answer=record["answer"],
            type=AnswerType.TEXT,
            boxes=gold_boxes(record["bboxs"], Size(record["width"], record["height"])),
            category=record["dataset"],
        )
        for number, record, image in found
    ]


def _place(root: Path, record: Record) -> Path:
    folder = "textvqa" if record["dataset"] == "textcap" else record["dataset"]  # the same photographs
    image: Path = root / "cot" / folder / record["image"]
    return image


def _image_root(file: Path) -> Path:
    return next((folder for folder in file.absolute().parents if (folder / "cot").is_dir()), file.parent)
