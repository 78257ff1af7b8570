"""Write published questions as training data: python -m rl.convert FORM SOURCE --out questions.jsonl"""

from __future__ import annotations

import io
import json
import os
from dataclasses import MISSING
from pathlib import Path
from typing import Annotated, Any

import typer

from hart_agent.answers import AnswerType
from hart_agent.backends.options import option
from hart_agent.cli.outputs import Force
from hart_agent.errors import ConfigError
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.items import EmbeddedImage, Item
from hart_agent.store.files import write_whole
from hart_agent.store.outputs import Output, check_outputs
from hart_agent.vision.formats import open_allowed
from rl.command_line import run_command
from rl.data import apart_from, load_samples
from rl.data.published import FORMS, read_published

IMAGES = "images"
"""Next to the questions: pictures that stood in a table."""


def convert(
    form: Annotated[str, typer.Argument(help=f"{', '.join(FORMS)}, or a benchmark of hart-agent eval.")],
    source: Annotated[Path, typer.Argument(help="The published file, or the benchmark's folder.")],
    out: Path = option("The questions, one JSON object a line.", default=MISSING),
    images: Path | None = option("Folder of the images. Default: that of the file."),
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--apart-from", metavar="NAME=PATH", help="A benchmark whose images are left out; repeatable."),
    ] = None,
    force: Force = False,
) -> None:
    """Write published questions as training data of rl.train_ap_grpo and rl.train_sft.

    Boxes are kept for metrics; no reward sees them. Questions on an image that a benchmark holds, too, are left out:
    images are compared by content, whatever their files are called.
    """
    if out.exists():  # questions that a person wrote can't be told from ours
        check_outputs([Output(out, lambda _: False, "a file")], inputs=[source], force=force)
    unusable = 0
    if form in FORMS:
        items, unusable = read_published(form, source, images or source.parent)
    else:
        items = list(load_dataset(form, source))
    kept = items
    for named in leave_out or ():
        name, given, path = named.partition("=")
        if not given:
            raise ConfigError(
                f"--apart-from is a benchmark and its files, such as vstar=/data/vstar_bench; got {named}"
            )
        kept = apart_from(kept, load_dataset(name, Path(path)))
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps(row_of(item, out.parent), ensure_ascii=False) for item in kept]
    write_whole(out, "".join(f"{row}\n" for row in rows))
    load_samples(out)  # a mistake shows now, not when training starts
    print(f"{len(kept)} questions in {out}; {len(items) - len(kept)} left out for their images, {unusable} not usable")


def row_of(item: Item, folder: Path) -> dict[str, Any]:
    """A question as a line of ours (see `hart_agent.evals.datasets.jsonl`). Fields that say nothing are left out.

    Args:
        item: the question. A picture inside a table is written to a file.
        folder: of the lines, from which the path of the image leads.
    """
    image = _written(item.image, folder / IMAGES) if isinstance(item.image, EmbeddedImage) else item.image
    row = {
        "id": item.id,
        "image": Path(os.path.relpath(image, folder)).as_posix(),
        "question": item.question,
        "answer": item.letter_of_gold() if item.options else item.answer,
        "type": "" if item.type in (AnswerType.TEXT, AnswerType.OPTION) else item.type.value,
        "alternatives": list(item.alternatives),
        "options": list(item.options),
        "boxes": [list(box.as_tuple()) for box in item.boxes],
        "category": item.category,
        "tolerance": item.tolerance,
    }
    return {name: value for name, value in row.items() if value}


def _written(image: EmbeddedImage, folder: Path) -> Path:
    image.open()  # one that is damaged is refused, and named
    data = image.read()
    with open_allowed(io.BytesIO(data)) as opened:
        path = folder / f"{image.sha256[:24]}.{(opened.format or 'img').lower()}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return path


if __name__ == "__main__":
    run_command(convert)
