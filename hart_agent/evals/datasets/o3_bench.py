"""O3-Bench (arXiv 2512.18745): questions on charts and maps of high resolution, with the regions that they need.

Format: `test/metadata.jsonl` of the hub's m-Just/O3-Bench: `file_name` (from its folder), `subset` (chart or map),
`question`, `options` (lines "A. ..."), `answer` (a letter), `target_layouts` (numbers of regions) and `layout_infos`
(by number, each with `bbox`, [x0, y0, x1, y1] in pixels of an image of `img_width` x `img_height`), as
`notebooks/visualize_o3_bench.ipynb` and `data/README.md` of github.com/m-Just/InSight-o3 read and describe it.
"""

from __future__ import annotations

from pathlib import Path

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.evals.datasets.reading import (
    TEXT,
    Record,
    find,
    gold_boxes,
    gold_letter,
    read_jsonl,
    require_images,
    split_options,
)
from hart_agent.evals.items import Item
from hart_agent.vision.source import SourceImage

_BOX = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
_LINE = Draft202012Validator(
    {
        "type": "object",
        "required": ["file_name", "question", "options", "answer"],
        "properties": dict.fromkeys(("file_name", "question", "options", "answer", "subset"), TEXT)
        | {
            "target_layouts": {"type": "array", "items": {"type": ["integer", "string"]}},
            "layout_infos": {
                "type": "object",
                "additionalProperties": {"type": "object", "required": ["bbox"], "properties": {"bbox": _BOX}},
            },
        },
    }
)


def read_o3_bench(path: Path) -> list[Item]:
    """The benchmark from its `metadata.jsonl`, or from the folder that holds it.

    Raises:
        DatasetError: files are missing or of another format.
        ImageError: an image is damaged.
    """
    file = find(path, "test/metadata.jsonl", "metadata.jsonl")
    found = [(number, record, file.parent / record["file_name"]) for number, record in read_jsonl(file, _LINE)]
    require_images([image for _, _, image in found], file)
    return [_item(record, image, number, f"{file}, line {number}") for number, record, image in found]


def _item(record: Record, image: Path, number: int, where: str) -> Item:
    options = split_options([line for line in record["options"].splitlines() if line.strip()], where)
    layouts = record.get("layout_infos", {})
    targets = [layouts[str(name)]["bbox"] for name in record.get("target_layouts", ()) if str(name) in layouts]
    return Item(
        id=str(number),
        image=image,
        question=record["question"].strip(),
        answer=gold_letter(record["answer"], options, where),
        type=AnswerType.OPTION,
        options=tuple(options.values()),
        boxes=gold_boxes(targets, SourceImage(image), where) if targets else (),
        category=record.get("subset", ""),
    )
