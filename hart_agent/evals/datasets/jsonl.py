"""Custom questions, one JSON object a line.

    {"image": "signs/1.jpg", "question": "What does the sign say?", "answer": "STOP", "boxes": [[840, 210, 1010, 300]]}

`image` is a path from the folder of the file, a data URL, or a URL if downloads are allowed; behind it, `#page=2` names
a page. With `options`, a
list of texts, `answer` is the letter of the right one.
`boxes` are [x0, y0, x1, y1] in original pixels, half-open. `type` is text (without options) or option unless it says
number or list; `alternatives` are further right answers; `tolerance` is of a number; `id` and `category` are free;
`steps` are what must be found out on the way to the answer, in order.
Other fields are refused, so that a misspelt one isn't overlooked.
"""

from __future__ import annotations

from pathlib import Path

from jsonschema import Draft202012Validator

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError, ImageError
from hart_agent.evals.datasets.reading import TEXT, Record, gold_letter, read_jsonl, require_images
from hart_agent.evals.items import LETTERS, EmbeddedImage, Item
from hart_agent.vision.files import EncodedImage
from hart_agent.vision.geometry import Box
from hart_agent.vision.opening import locate, seen_from
from hart_agent.vision.urls import is_url

_PIXEL = {"type": "integer", "minimum": 0}
RECORD = Draft202012Validator(
    {
        "type": "object",
        "required": ["image", "question", "answer"],
        "additionalProperties": False,
        "properties": {
            "id": TEXT,
            "image": TEXT,
            "question": TEXT,
            "answer": TEXT,
            "alternatives": {"type": "array", "items": TEXT},
            "type": {"enum": [kind.value for kind in AnswerType]},
            "options": {"type": "array", "items": TEXT, "minItems": 2, "maxItems": len(LETTERS)},
            "boxes": {"type": "array", "items": {"type": "array", "items": _PIXEL, "minItems": 4, "maxItems": 4}},
            "category": {"type": "string"},
            "tolerance": {"type": "number", "minimum": 0},
            "steps": {"type": "array", "items": TEXT},
        },
    }
)
"""The fields of a line."""


def read_jsonl_items(path: Path, *, allow_download: bool = False) -> list[Item]:
    """The questions in a file.

    Args:
        path: of the file.
        allow_download: whether images may be URLs. They are fetched now, and once more for each question; nothing is
            asked about one that has changed meanwhile.

    Raises:
        DatasetError: the file or images are missing or can't be fetched, or a line is of another form; the message
            names the line.
    """
    lines: dict[str, int] = {}
    items = []
    for number, record in read_jsonl(path, RECORD):
        where = f"{path}, line {number}"
        item = item_of(record, _image(path.parent, record["image"], where, allow_download), str(number), where)
        if (first := lines.setdefault(item.id, number)) != number:
            raise DatasetError(f"{where}: id: {item.id!r} is the id of line {first}, too")
        items.append(item)
    require_images([item.image for item in items if isinstance(item.image, Path)], path)
    return items


def _image(folder: Path, name: str, where: str, allow_download: bool) -> Path | EmbeddedImage:
    place = seen_from(folder, name)
    try:
        source, page = locate(place, allow_download=allow_download)
    except ImageError as error:
        raise DatasetError(f"{where}: image: {error}") from error
    if isinstance(source, EncodedImage):
        digest, data = source.sha256(), None if is_url(name) else source.data  # photos of a whole file are too many

        def read() -> bytes:
            return data if data is not None else _fetched_again(name, digest)

        return EmbeddedImage(f"{where}, {source.name}", digest, read, page)
    assert isinstance(source, Path)
    return source if page is None else source.with_name(f"{source.name}#page={page}")


def _fetched_again(url: str, digest: str) -> bytes:
    source, _ = locate(url, allow_download=True)
    assert isinstance(source, EncodedImage)
    if source.sha256() != digest:
        raise ImageError(f"{source.name} is another image than before. Download it, and give the file.")
    return source.data


def item_of(record: Record, image: Path | EmbeddedImage, number: str, where: str) -> Item:
    """The item of a record that fits `RECORD`.

    Args:
        record: the fields.
        image: what its field `image` leads to.
        number: its id if it has none.
        where: the file and the line or row, for messages.

    Raises:
        DatasetError: the fields contradict each other.
    """
    options = dict(zip(LETTERS, record.get("options", ()), strict=False))
    kind = AnswerType(record.get("type", AnswerType.OPTION if options else AnswerType.TEXT))
    if (kind is AnswerType.OPTION) != bool(options):
        raise DatasetError(f"{where}: type: {kind.value!r} {'has no' if options else 'needs'} options")
    try:
        boxes = tuple(Box(*box) for box in record.get("boxes", ()))
    except ValueError as error:
        raise DatasetError(f"{where}: boxes: {error}") from error
    return Item(
        id=record.get("id", number),
        image=image,
        question=record["question"],
        answer=gold_letter(record["answer"], options, where) if options else record["answer"],
        type=kind,
        options=tuple(options.values()),
        boxes=boxes,
        category=record.get("category", ""),
        alternatives=tuple(record.get("alternatives", ())),
        tolerance=record.get("tolerance", 0.0),
        steps=tuple(record.get("steps", ())),
    )
