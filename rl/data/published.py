"""Training questions in the forms in which they are published, as questions of ours.

`FORMS` holds those that no benchmark has; `hart_agent.evals.datasets` reads the others: MME-RealWorld, Visual CoT with
its metadata for training, TreeBench, ... Boxes are read for metrics only: no reward sees them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets.reading import gold_boxes, read_entries, require_images
from hart_agent.evals.items import EmbeddedImage, Item
from rl.data.tables import parquet_rows

_TAGS = re.compile(r"<image>|<object>")
_BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """Where the fields of a row stand: each a path such as "prompt.-1.content"; of several the first that is there.

    Attributes:
        documented: where the form is, in public code that reads it.
        question: may hold tags of images, which are removed.
        answer: may stand in \\boxed{...}, which is removed.
        image: a path from the folder of the images, or a picture; a list of several makes the row unusable.
        boxes: a list of objects with `bbox`.
        sized: whether a box is (x, y, width, height) instead of two corners.
        name: of the question; by default the row's number.
        category: of the question.
    """

    documented: str
    question: tuple[str, ...]
    answer: tuple[str, ...]
    image: tuple[str, ...] = ("images", "image")
    boxes: str = ""
    sized: bool = False
    name: str = ""
    category: str = ""


FORMS = {
    "vstar-train": Form(
        "github.com/penghao-wu/vstar, LLaVA/llava/train/train_search.py; files on the hub: craigwu/seal_vqa_data",
        question=("conversations.0.value",),
        answer=("conversations.1.value",),
        boxes="target_instances",
        sized=True,
    ),
    "treevgr-rl": Form(
        "github.com/Haochen-Wang409/TreeVGR; trained with EasyR1: HaochenWang/TreeVGR-RL-37K",
        question=("problem", "question"),
        answer=("answer",),
        boxes="target_instances",
    ),
    "deepeyes-47k": Form(
        "github.com/verl-project/verl-recipe, deepeyes; files on the hub: ChenShawn/DeepEyes-Datasets-47k",
        question=("extra_info.question", "prompt.-1.content"),
        answer=("reward_model.ground_truth", "extra_info.answer"),
        category="data_source",
    ),
    "virl39k": Form(
        "TIGER-Lab/ViRL39K on the hub", question=("question",), answer=("answer",), name="qid", category="category"
    ),
}


def read_published(name: str, path: Path, images: Path) -> tuple[list[Item], int]:
    """The questions of a file, and how many of its rows can't be used, because they have no image, or several.

    Args:
        name: of the form.
        path: a Parquet file, or JSON with a list of rows.
        images: the folder from which paths of images lead.

    Raises:
        DatasetError: the file or images are missing, or a row is of another form.
        ImageError: an image whose boxes are read is damaged.
        InstallError: pyarrow is missing.
    """
    form, items, unusable = FORMS[name], [], 0
    for number, row in enumerate(_rows(path), start=1):
        where = f"{path}, row {number}"
        held = _first(row, form.image)
        held = held[0] if isinstance(held, list) and len(held) == 1 else held
        if held is None or isinstance(held, list):
            unusable += 1
            continue
        question, answer = _first(row, form.question), _first(row, form.answer)
        if not isinstance(question, str) or not isinstance(answer, str | int | float):
            raise DatasetError(f"{where}: expected a question in {form.question[0]} and an answer in {form.answer[0]}")
        image = _image(held, images, where)
        items.append(
            Item(
                id=str(_first(row, (form.name,)) if form.name else number),
                image=image,
                question=_TAGS.sub("", question).strip(),
                answer=_BOXED.sub(r"\1", str(answer)).strip(),
                type=AnswerType.TEXT,
                boxes=_boxes(form, row, image, where),
                category=str(_first(row, (form.category,)) or ""),
            )
        )
    require_images([item.image for item in items if isinstance(item.image, Path)], path)
    return items, unusable


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        yield from (fields for fields, _ in parquet_rows(path))
        return
    yield from read_entries(path)


def _first(row: Any, paths: Sequence[str]) -> Any:
    return next((found for path in paths if (found := _at(row, path)) is not None), None)


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


def _image(held: Any, folder: Path, where: str) -> Path | EmbeddedImage:
    data = held.get("bytes") if isinstance(held, dict) else held
    if isinstance(data, bytes):
        return EmbeddedImage(where, hashlib.sha256(data).hexdigest(), lambda: data)
    name = held.get("path") if isinstance(held, dict) else held
    if not isinstance(name, str) or not name:
        raise DatasetError(f"{where}: image: neither a path nor a picture")
    return folder / name


def _boxes(form: Form, row: Any, image: Path | EmbeddedImage, where: str) -> Any:
    rects = [each["bbox"] for each in _first(row, (form.boxes,)) or ()] if form.boxes else []
    if not rects:
        return ()
    if form.sized:
        rects = [[x, y, x + width, y + height] for x, y, width, height in rects]
    if isinstance(image, Path):
        require_images([image], Path(where))
    with Item("", image, "", "", AnswerType.TEXT).open() as source:
        return gold_boxes(rects, source, where)
