"""The questions of a batch, out of a file of JSON lines, CSV or Parquet, or one question about many images.

    {"image": "photos/1.jpg", "question": "What does the sign say?", "id": "sign-1", "source": "city"}

`image` is a path from the folder of the file, a URL or a data URL; behind it, `#page=2` names a page. `id` is free;
without one it is made of image and question, so that it stays the same when lines are moved or added. All other columns
are handed through to the results.
"""

from __future__ import annotations

import csv
import glob
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hart_agent.agent.items import BatchItem, made_id
from hart_agent.errors import ConfigError
from hart_agent.store.files import json_value
from hart_agent.store.parquet import parquet_rows
from hart_agent.vision.opening import seen_from
from hart_agent.vision.urls import is_url, public_url

_Record = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A question with the other columns of its row.

    Attributes:
        item: the question.
        extra: the other columns.
        where: the line, for messages.
    """

    item: BatchItem
    extra: _Record
    where: str


class BatchInput:
    """The questions of a batch. They are looked through at once, and read again, a few at a time, when they are asked.

    Args:
        source: a file (.jsonl, .ndjson, .csv, .parquet), or the pattern of images, such as "photos/**/*.jpg".
        question: of rows that have none of their own; needed for images.
        allow_download: whether an image may be a URL.

    Attributes:
        count: how many there are.

    Raises:
        ConfigError: something is missing, of another form, or there twice; the message names the line.
        InstallError: it is Parquet, and pyarrow is missing.
    """

    def __init__(self, source: str, question: str | None = None, *, allow_download: bool = False) -> None:
        self._source = source
        self._question = question
        self._allow_download = allow_download
        self._read = _READERS.get(Path(source).suffix.lower())
        if self._read is None and question is None:
            raise ConfigError(
                f"{source} is not a questions file ({', '.join(_READERS)}). If it names images, say what is asked "
                "about them: --question"
            )
        self.count = self._check()

    def __iter__(self) -> Iterator[Row]:
        if self._read is None:
            yield from self._images()
            return
        path = Path(self._source)
        try:
            for where, record in self._read(path):
                yield self._row(record, f"{path}, {where}", path.parent)
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror or error}. Check the path.") from error
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{path} can't be read: it is not in UTF-8 ({error.reason}). Save it as UTF-8."
            ) from error
        except (ValueError, csv.Error) as error:  # pyarrow's ArrowInvalid is a ValueError
            raise ConfigError(f"{path} can't be read: {error}. Correct the file.") from error

    def _check(self) -> int:
        path = Path(self._source)
        if self._read and path.exists() and not path.is_file():
            raise ConfigError(f"{path} is no regular file, and questions are read more than once. Save them to a file.")
        first: dict[str, str] = {}
        for row in self:
            other = first.setdefault(row.item.id, row.where)
            if other != row.where:
                raise ConfigError(
                    f"{row.where}: the id {row.item.id[:100]!r} is that of {other}, too. Give each question its own; "
                    "without an id, a question may be asked of an image only once."
                )
        if not first:
            raise ConfigError(
                f"{self._source}: there is nothing to ask"
                + ("" if self._read else _NO_IMAGES[Path(self._source).is_dir()].format(self._source))
            )
        return len(first)

    def _images(self) -> Iterator[Row]:
        assert self._question is not None
        names = [self._source]
        if not Path(self._source).is_file():  # one that is there may have brackets in its name
            names = sorted(glob.glob(self._source, recursive=True))  # noqa: PTH207 (a path's takes no absolute pattern)
        for name in names:
            if Path(name).is_file():
                yield Row(BatchItem(made_id(name, self._question), Path(name), self._question), {}, name)

    def _row(self, record: Any, where: str, folder: Path) -> Row:
        if not isinstance(record, dict):
            raise ConfigError(f"{where}: expected an object with image and question, got {str(record)[:100]}")
        try:
            extra = _plain(record)
        except RecursionError as error:
            raise ConfigError(f"{where}: it is nested too deeply. Take out what is not asked about") from error
        given, image, question = extra.pop("id", None), extra.pop("image", None), extra.pop("question", None)
        image = _checked(image, "image", where, record)
        question = _checked(question or self._question, "question", where, record)
        if is_url(image) and not self._allow_download:
            raise ConfigError(f"{where}: image: {public_url(image)} is a URL; say --allow-download to have it fetched")
        identity = str(given) if given not in (None, "") else made_id(image, question)
        return Row(BatchItem(identity, seen_from(folder, image), question), extra, where)


_NO_IMAGES = {
    False: "; no file fits the pattern. Check it",
    True: ": it is a folder. Name its images with a pattern in quotes: '{}/*.jpg'",
}
"""Advice by whether a folder was named."""


def _checked(value: Any, name: str, where: str, record: _Record) -> str:
    if not isinstance(value, str) or not value.strip():
        missing = f"there is none, only {', '.join(map(str, record))[:200]}"
        raise ConfigError(
            f"{where}: {name}: expected a text, " + (f"got {str(value)[:100]!r}" if name in record else missing)
        )
    return value


def _jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield f"line {number}", json_value(line)
            except json.JSONDecodeError as error:
                raise ConfigError(
                    f"{path}, line {number}: no JSON ({error.msg} at column {error.colno}). Each line is a JSON "
                    "object with image and question."
                ) from error


def _csv(path: Path) -> Iterator[tuple[str, _Record]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        names = [name for name in reader.fieldnames or () if name]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ConfigError(f"{path}: two columns are called {twice[:100]!r}. Give each its own name.")
        for record in reader:
            where = f"line {reader.line_num}"
            if None in record or None in record.values():
                raise ConfigError(f"{path}, {where}: not as many columns as the header has")
            yield where, record


def _parquet(path: Path) -> Iterator[tuple[str, _Record]]:
    for number, (record, _) in enumerate(parquet_rows(path, at_once=1000), 1):
        yield f"row {number}", record


def _plain(value: Any) -> Any:
    """A value of a table as JSON has it: no NaN, which Python reads and writes in JSON, no bytes, dates as text."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


_READERS = {".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv, ".parquet": _parquet}
