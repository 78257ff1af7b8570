"""ZoomBench (of "Zooming without Zooming"): 845 questions on details, 621 with options, 224 without.

Format: `data/test.parquet` of the hub's inclusionAI/ZoomBench: `id`, `query` (or `prompt`: the question, and options
such as "(A) red" on lines of their own), `response` (or `answer`: a letter or a text), `image`, `crop_image` and
`question_type`; and `zoombench.json` with `images`, `query` and `response`, as `utils/convert_benchmark.py` of
github.com/inclusionAI/Zooming-without-Zooming reads and writes them. `bbox`, [x0, y0, x1, y1] in original pixels as
`utils/eval_coverage.py` has it, is read where there is one. The crops are of the benchmark's second view and aren't
shown here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets.reading import (
    TEXT,
    check,
    gold_boxes,
    gold_letter,
    locate_image,
    read_entries,
    require_images,
    split_options,
)
from hart_agent.evals.datasets.tables import Row, find_tables, read_table
from hart_agent.evals.items import EmbeddedImage, Item
from hart_agent.vision.geometry import Box
from hart_agent.vision.opening import open_image

_ENTRY = Draft202012Validator(
    {
        "type": "object",
        "required": ["images", "query", "response"],
        "properties": {
            "images": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1},
            "query": TEXT,
            "response": TEXT,
            "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        },
    }
)
_FIRST_OPTION = re.compile(r"^[ \t]{0,99}\(A\)", re.MULTILINE)


def read_zoombench(path: Path) -> list[Item]:
    """The benchmark from its Parquet or JSON, or from the folder that holds it.

    Raises:
        DatasetError: files are missing or of another format.
        ImageError: an image with a box is damaged.
        InstallError: it is Parquet, and pyarrow is missing.
    """
    files = find_tables(path, "data/test.parquet", "test.parquet", "zoombench.json")
    if files[0].suffix != ".json":
        return [_from_row(row) for file in files for row in read_table(file, ("image",), ())]
    file = files[0]
    entries = read_entries(file)
    places = [f"{file}, entry {number}" for number in range(1, len(entries) + 1)]
    found = [check(entry, _ENTRY, where) for entry, where in zip(entries, places, strict=True)]
    images = [locate_image(file, entry["images"][0]) for entry in found]
    require_images(images, file)
    return [
        _item(str(number), image, entry["query"], entry["response"], "", entry.get("bbox"), where)
        for number, (entry, image, where) in enumerate(zip(found, images, places, strict=True))
    ]


def _from_row(row: Row) -> Item:
    values = row.values
    query, answer = values.get("query") or values.get("prompt"), values.get("response") or values.get("answer")
    if not query or not answer:
        raise DatasetError(f"{row.where}: expected a query and a response (or a prompt and an answer)")
    number = row.where.rsplit(" ", 1)[1]
    category = str(values.get("category") or values.get("question_type") or "")
    return _item(str(values.get("id") or number), row.image, query, answer, category, values.get("bbox"), row.where)


def _item(
    key: str,
    image: Path | EmbeddedImage,
    query: str,
    answer: str,
    category: str,
    box: Sequence[Any] | str | None,
    where: str,
) -> Item:
    first = _FIRST_OPTION.search(query)
    options = (
        split_options([line for line in query[first.start() :].splitlines() if line.strip()], where) if first else {}
    )
    boxes: tuple[Box, ...] = ()
    if isinstance(box, list) and len(box) == 4:
        with open_image(image) if isinstance(image, Path) else image.open() as source:
            boxes = gold_boxes([[float(side) for side in box]], source, where)
    return Item(
        id=key,
        image=image,
        question=(query[: first.start()] if first else query).strip(),
        answer=gold_letter(answer.strip(" ()."), options, where) if options else answer.strip(),
        type=AnswerType.OPTION if options else AnswerType.TEXT,
        options=tuple(options.values()),
        boxes=boxes,
        category=category,
    )
