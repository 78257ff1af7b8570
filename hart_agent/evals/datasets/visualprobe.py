"""VisualProbe (arXiv 2509.07969): questions on small things in large pictures; 141 easy, 268 medium, 106 hard.

Formats:

- `val.json` of the hub's Mini-o3/VisualProbe_Easy, _Medium and _Hard: a list of `images` (one path, from the folder
  that holds the data set's own, or from it), `doc_id`, `problem` (the question behind "<image>"), `solution` and
  `data_source` ("visual_probe_hard"), as `docs/mini_o3_demo.md` and `verl/utils/dataset/multimodal_dataset.py` of
  github.com/Mini-o3/Mini-o3 describe and read it.
- `visual_probe_hard.jsonl` of github.com/m-Just/InSight-o3: `question_id`, `image`, `question`, `answer`, `category`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.evals.datasets.reading import (
    TEXT,
    Record,
    check,
    find,
    locate_image,
    read_entries,
    read_jsonl,
    require_images,
)
from hart_agent.evals.items import Item

_ID = {"type": ["string", "integer"]}
_ENTRY = Draft202012Validator(
    {
        "type": "object",
        "required": ["images", "problem", "solution"],
        "properties": {
            "images": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1},
            "doc_id": _ID,
            "problem": TEXT,
            "solution": TEXT,
            "data_source": TEXT,
        },
    }
)
_LINE = Draft202012Validator(
    {
        "type": "object",
        "required": ["image", "question", "answer"],
        "properties": {"question_id": _ID} | dict.fromkeys(("image", "question", "answer", "category"), TEXT),
    }
)


def read_visualprobe(path: Path, level: str) -> list[Item]:
    """One part of the benchmark from its file, or from a folder that holds it.

    Args:
        path: of the file or the folder.
        level: "Easy", "Medium" or "Hard".

    Raises:
        DatasetError: files are missing or of another format.
    """
    names = (f"VisualProbe_{level}/val.json", "val.json", f"visual_probe_{level.lower()}.jsonl")
    items = _read(find(path, *names))
    require_images([item.image for item in items if isinstance(item.image, Path)], path)
    return items


read_visualprobe_easy = partial(read_visualprobe, level="Easy")
read_visualprobe_medium = partial(read_visualprobe, level="Medium")
read_visualprobe_hard = partial(read_visualprobe, level="Hard")


def _read(file: Path) -> list[Item]:
    if file.suffix == ".jsonl":
        return [
            _item(file, str(record.get("question_id", number)), record["image"], record["question"], record["answer"],
                  record.get("category", ""))
            for number, record in read_jsonl(file, _LINE)
        ]  # fmt: skip
    entries = read_entries(file)
    return [_entry(file, check(entry, _ENTRY, f"{file}, entry {at}"), at) for at, entry in enumerate(entries, 1)]


def _entry(file: Path, entry: Record, number: int) -> Item:
    question = entry["problem"].replace("<image>", "")
    category = entry.get("data_source", file.parent.name)
    key = f"{category}/{entry.get('doc_id', number)}"
    return _item(file, key, entry["images"][0], question, entry["solution"], category)


def _item(file: Path, key: str, image: str, question: str, answer: str, category: str) -> Item:
    return Item(
        id=key,
        image=locate_image(file, image),
        question=question.strip(),
        answer=answer.strip(),
        type=AnswerType.TEXT,
        category=category,
    )
