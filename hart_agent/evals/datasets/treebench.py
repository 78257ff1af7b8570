"""TreeBench (arXiv 2507.07999): 405 questions on crowded photographs, with the boxes of the objects they are about.

Format: `TreeBench.tsv` of the hub's HaochenWang/TreeBench: `index`, `image` (base64), `question`, `A`, `B`, ... and
`multi-choice options` (the same as lines of text), `answer` (a letter), `category` ("Perception/OCR") and
`target_instances` (a list of [x0, y0, x1, y1] in pixels), as `inference_treebench.py` of
github.com/Haochen-Wang409/TreeVGR and the class TreeBench in `vlmeval/dataset/image_mcq.py` of
github.com/open-compass/VLMEvalKit read it. The latter is the scorer for which predictions are written here.
"""

from __future__ import annotations

import ast
import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hart_agent.answers import AnswerType
from hart_agent.commands import install_command
from hart_agent.errors import DatasetError, InstallError, OutputError
from hart_agent.evals.datasets.reading import gold_boxes, gold_letter, split_options
from hart_agent.evals.datasets.tables import Row, find_tables, read_table
from hart_agent.evals.items import Item
from hart_agent.vision.geometry import Box

_COLUMNS = ("index", "question", "answer", "category", "target_instances")
_PREDICTION_COLUMNS = ("index", "question", "answer", "category", "target_instances", "prediction")

_NO_ANSWER = "?"
"""The scorer reads an empty answer as A, and any capital from A to E in other words as that letter."""


@dataclass(frozen=True)
class GroundedAnswer:
    """An answer and its evidence.

    Attributes:
        letter: of the chosen option in the published order; None without an answer.
        boxes: the evidence, in original pixels.
    """

    letter: str | None
    boxes: tuple[Box, ...]


def read_treebench(path: Path) -> list[Item]:
    """The benchmark from its table, or from the folder that holds it.

    Raises:
        DatasetError: the table is missing or of another format.
        ImageError: an image is damaged.
        InstallError: it is Parquet, and pyarrow is missing.
    """
    return [
        _item(row) for table in find_tables(path, "TreeBench.tsv") for row in read_table(table, ("image",), _COLUMNS)
    ]


def write_treebench_predictions(path: Path, items: Sequence[Item], predictions: Mapping[str, GroundedAnswer]) -> None:
    """Write answers and boxes as the spreadsheet that VLMEvalKit's `TreeBench.evaluate` scores.

    Args:
        path: of the file, ending in .xlsx, as the scorer demands.
        items: the benchmark.
        predictions: by the items' ids; an item without one counts as wrong.

    Raises:
        ValueError: the path has another ending.
        OutputError: the file can't be written.
        InstallError: openpyxl is missing.
    """
    if path.suffix != ".xlsx":
        raise ValueError(f"the scorer takes files that end in .xlsx, not {path.name}")
    try:
        openpyxl: Any = importlib.import_module("openpyxl")
    except ImportError as error:
        raise InstallError(
            f"writing predictions needs the package openpyxl. Run: {install_command(extra='eval')}"
        ) from error
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(_PREDICTION_COLUMNS)
    for item in items:
        targets = str([list(box.as_tuple()) for box in item.boxes])
        answer = _written(predictions.get(item.id, GroundedAnswer(None, ())))
        sheet.append([item.id, item.question, item.letter_of_gold(), item.category, targets, answer])
    try:
        book.save(path)
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror}. Choose another path.") from error


def _written(prediction: GroundedAnswer) -> str:
    """What a model trained for the benchmark would have said."""
    boxes = "".join(f"<box>[{','.join(map(str, box.as_tuple()))}]</box>" for box in prediction.boxes)
    return f"<think>{boxes}</think><answer>{prediction.letter or _NO_ANSWER}</answer>"


def _item(row: Row) -> Item:
    values = row.values
    options = row.options() or _choices(values.get("multi-choice options", ""), row.where)
    targets = _targets(values["target_instances"], row.where)
    with row.image.open() as image:
        boxes = gold_boxes(targets, image, row.where)
    return Item(
        id=values["index"],
        image=row.image,
        question=values["question"].strip(),
        answer=gold_letter(values["answer"], options, row.where),
        type=AnswerType.OPTION,
        options=tuple(options.values()),
        boxes=boxes,
        category=values["category"],
    )


def _choices(text: str, where: str) -> dict[str, str]:
    return split_options([line for line in text.splitlines() if line.strip()], where)


def _targets(value: Any, where: str) -> list[list[float]]:
    try:
        targets = ast.literal_eval(value) if isinstance(value, str) else value
        rects = [[float(number) for number in rect] for rect in targets]
    except (ValueError, SyntaxError, TypeError) as error:
        raise DatasetError(f"{where}: target_instances: expected a list of [x0, y0, x1, y1]") from error
    if any(len(rect) != 4 or not all(map(math.isfinite, rect)) for rect in rects):
        raise DatasetError(f"{where}: target_instances: expected four numbers for each box, got {value}")
    return rects
