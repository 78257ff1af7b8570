"""What the readers share: finding and checking files, options, boxes and images."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from hart_agent.errors import DatasetError
from hart_agent.evals.items import LETTERS
from hart_agent.store.files import json_value
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.opening import local_path
from hart_agent.vision.source import SourceImage

Record = dict[str, Any]

TEXT = {"type": "string", "minLength": 1}
"""The JSON Schema of a text that may not be empty."""

_OPTION = re.compile(r"[(\uff08]?([A-Z])[)\uff09.:]\s*(.*)", re.DOTALL)  # full-width brackets, too
_BARE_OPTION = re.compile(r"([A-Z])\s+(\S.*)", re.DOTALL)
_NAMED = 5


def find(path: Path, *names: str) -> Path:
    """The file itself, or the first of these patterns in a folder that fits one.

    Raises:
        DatasetError: there is none.
    """
    if path.is_file():
        return path
    found = next((file for name in names for file in sorted(path.glob(name)) if file.is_file()), None)
    if found is None:
        raise DatasetError(f"{path} holds none of the benchmark's files; expected {' or '.join(names)}")
    return found


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        DatasetError: it is missing, or no JSON.
    """
    try:
        return json_value(_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}, line {error.lineno}: no JSON ({error.msg})") from error


def read_entries(path: Path) -> list[Any]:
    """The entries of a JSON file that holds a list of questions.

    Raises:
        DatasetError: it is missing, no JSON, or no list.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise DatasetError(f"{path}: expected a list of questions")
    return entries


def read_jsonl(path: Path, schema: Draft202012Validator) -> Iterator[tuple[int, Record]]:
    """The records of a file of JSON lines and the numbers of their lines; blank lines are skipped.

    Raises:
        DatasetError: the file is missing, or a line is not JSON or doesn't fit the schema.
    """
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json_value(line)
        except json.JSONDecodeError as error:
            raise DatasetError(f"{where}: no JSON ({error.msg} at column {error.colno})") from error
        yield number, check(record, schema, where)


def read_lines(path: Path) -> list[Any]:
    """The values of a file of JSON lines, of whatever form.

    Raises:
        DatasetError: the file is missing, or a line is not JSON.
    """
    anything = Draft202012Validator({})
    return [record for _, record in read_jsonl(path, anything)]


def locate_image(file: Path, image: str) -> Path:
    """Where an image of a benchmark lies that its file names: from the file's folder, or from one of those above it.

    The benchmarks' own programs start from a folder that the user sets. The first place where the image is, or the
    file's folder if it is nowhere.
    """
    places = [folder / image for folder in (file.parent, *list(file.absolute().parents)[:3])]
    places += [folder / image.partition("/")[2] for folder in (file.parent, file.parent.parent) if "/" in image]
    places += [folder / Path(image).name for folder in sorted(file.parent.glob("*/")) if folder.is_dir()]
    return next((place for place in places if place.is_file()), places[0])


def check(record: Any, schema: Draft202012Validator, where: str) -> Record:
    """The record, if it fits.

    Raises:
        DatasetError: it doesn't; the message says where and why.
    """
    error = best_match(schema.iter_errors(record))
    if error is not None:
        field = ".".join(str(part) for part in error.absolute_path)
        raise DatasetError(f"{where}: {f'{field}: ' if field else ''}{error.message[:300]}")
    result: Record = record
    return result


def split_options(labelled: Iterable[str], where: str) -> dict[str, str]:
    """The texts of options such as "(A) red" by their letters, in the published order: A, B, C and so on.

    Published options aren't all sound. What begins with no letter, or not with the next one, goes on with the option
    before it: a line break within an option, or a second "(D)" (MME-RealWorld). An option that stands on the line of
    the one before it ("A. red  B. blue", TreeBench) is found there by its letter, where that is missing otherwise.
    Letters may stand without a sign ("A red"), where the first one does.

    Raises:
        DatasetError: the first one has no letter, or there is only one.
    """
    texts: list[str] = []
    lettered = _OPTION
    for option in labelled:
        if not texts and not _OPTION.fullmatch(option.lstrip()):
            lettered = _BARE_OPTION
        match = lettered.fullmatch(option.lstrip())
        if match is not None and texts and match[1] > _next(texts):
            texts[-1:] = _run_together(texts[-1], LETTERS[len(texts) : LETTERS.index(match[1])])
        if match is not None and match[1] == _next(texts):
            texts.append(match[2])
        elif texts:
            texts[-1] += f"\n{option}"
        else:
            raise DatasetError(f"{where}: expected options such as '(A) red', from A on, got {option!r}")
    if len(texts) == 1:
        texts = _run_together(texts[0], LETTERS[1:])
    if len(texts) == 1:
        raise DatasetError(f"{where}: expected options such as '(A) red' and '(B) blue', got {texts[0]!r} alone")
    return dict(zip(LETTERS, map(str.strip, texts), strict=False))


def _next(texts: Sequence[str]) -> str:
    """The letter of the option behind these; none where there are no more."""
    return LETTERS[len(texts) : len(texts) + 1]


def _run_together(text: str, letters: str) -> list[str]:
    """The text of an option, and those of the next ones behind it on its line, as far as their letters stand there."""
    found = []
    for letter in letters:
        parts = re.split(rf"\s[(\uff08]?{letter}[)\uff09.:]\s", text, maxsplit=1)
        if len(parts) == 1:
            break
        found.append(parts[0])
        text = parts[1]
    return [*found, text]


def gold_letter(answer: str, options: Mapping[str, str], where: str) -> str:
    """The letter of the right option in the published order.

    Raises:
        DatasetError: the answer is none of the options' letters.
    """
    letter = answer.strip().upper()
    if letter not in options:
        raise DatasetError(f"{where}: the answer {answer!r} is none of the options {', '.join(options)}")
    return letter


def gold_boxes(rects: Sequence[Sequence[float]], size: Size | SourceImage, where: str = "") -> tuple[Box, ...]:
    """The smallest boxes that cover the annotated rectangles within the image.

    Published annotations aren't all sound: corners may be swapped, and rectangles that cover nothing of the image tell
    nothing, so they are left out. Where a file's EXIF orientation turns its image, they are taken to lie on the pixels
    as they are stored, as annotators' programs load them, and are turned with the image; but for those that fit
    the upright image alone.

    Args:
        rects: (x0, y0, x1, y1) in pixels.
        size: of the original, or the original itself, whose orientation counts.
        where: they stand, for messages.

    Raises:
        DatasetError: they are no pixels, but shares of the image.
    """
    if any(_is_share(rect) for rect in rects):
        raise DatasetError(
            f"{where or 'a question'}: the gold box {list(rects[0])} lies between 0 and 1, so that it is a share of "
            "the image. Boxes are in pixels of the original: convert the file."
        )
    if isinstance(size, Size):
        return _within(rects, size)
    stored = Size(size.size.height, size.size.width) if size.sideways else size.size
    if not size.turned or any(rect[2] > stored.width + 1 or rect[3] > stored.height + 1 for rect in rects):
        return _within(rects, size.size)
    return tuple(size.upright(box) for box in _within(rects, stored))


def _is_share(rect: Sequence[float]) -> bool:
    return all(0 <= side <= 1 for side in rect) and any(side != int(side) for side in rect)


def _within(rects: Iterable[Sequence[float]], size: Size) -> tuple[Box, ...]:
    boxes = []
    for rect in rects:
        x0, x1 = sorted((rect[0], rect[2]))
        y0, y1 = sorted((rect[1], rect[3]))
        shown = (max(x0, 0.0), max(y0, 0.0), min(x1, float(size.width)), min(y1, float(size.height)))
        if all(map(math.isfinite, shown)) and shown[0] < shown[2] and shown[1] < shown[3]:
            boxes.append(Box.covering(shown, size))
    return tuple(boxes)


def require_images(images: Iterable[Path], source: Path) -> None:
    """See that all files are there.

    Raises:
        DatasetError: some are missing; the message counts them and names the first.
    """
    missing = [image for image in dict.fromkeys(images) if not local_path(str(image))[0].is_file()]
    if missing:
        named = ", ".join(str(image) for image in missing[:_NAMED])
        more = ", ..." if len(missing) > _NAMED else ""
        count = "1 image is" if len(missing) == 1 else f"{len(missing)} images are"
        raise DatasetError(f"{source}: {count} missing: {named}{more}. Get all of the benchmark's images.")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not in UTF-8 ({error})") from error
