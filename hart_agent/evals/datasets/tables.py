"""Benchmarks as tables with the pictures inside: TSV with base64, and Parquet.

A table of high-resolution pictures takes gigabytes, so pictures are read once for their hashes, and again, one at a
time, when they are asked for. TSV gives each from its own place in the file. Parquet has to be read by pages, and a
page may hold a whole group of rows, so TSV is taken where a benchmark is published as both.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from hart_agent.errors import DatasetError, InstallError
from hart_agent.evals.datasets.reading import find
from hart_agent.evals.items import LETTERS, EmbeddedImage
from hart_agent.store.parquet import parquet_rows

_LONGEST_REFERENCE = 64
"""Characters. A shorter image is the index of the row that holds the picture: how VLMEvalKit's tables save space."""

_Found: TypeAlias = "tuple[dict[str, Any], str, EmbeddedImage | str]"
"""The values of a row, where it is, and its picture, or the index of the row that holds it, or nothing."""

_ABSENT = frozenset({"", "nan"})

csv.field_size_limit(2**31 - 1)  # the largest value that every platform takes; a picture is one field


@dataclass(frozen=True)
class Row:
    """A row without its picture.

    Attributes:
        values: by column: text, or a list of texts; empty where there is nothing.
        image: the picture.
        where: the file and the number of the row, from 1, for messages.
    """

    values: dict[str, Any]
    image: EmbeddedImage
    where: str

    def options(self) -> dict[str, str]:
        """The options in the columns A, B, C, ... by their letters, without empty ones at the end.

        Raises:
            DatasetError: one in the middle is empty.
        """
        texts = [str(self.values.get(letter, "")).strip() for letter in LETTERS]
        gold = LETTERS.find(str(self.values["answer"]).strip().upper())
        absent = _ABSENT | ({"None"} if texts.count("None") > 1 else set())  # a single one is an option of that text
        while texts and texts[-1] in absent and len(texts) > gold + 1:
            texts.pop()
        if "" in texts and any(texts):
            raise DatasetError(f"{self.where}: the option {LETTERS[texts.index('')]} is empty")
        return dict(zip(LETTERS, texts, strict=False)) if any(texts) else {}


def find_tables(path: Path, *names: str) -> list[Path]:
    """The file itself, or the first of the names in a folder that fits a file, or all Parquet files of the folder.

    Raises:
        DatasetError: there is none.
    """
    table = find(path, *names, "**/*.parquet")
    return sorted(table.parent.glob("*.parquet")) if path.is_dir() and table.suffix == ".parquet" else [table]


def read_table(path: Path, image: Collection[str], required: Collection[str]) -> list[Row]:
    """All rows of a TSV or Parquet file.

    Args:
        path: of the file.
        image: names that the column of pictures may have.
        required: columns that must be there.

    Raises:
        DatasetError: the file is damaged, or of another format, or rows have no picture.
        InstallError: it is Parquet, and pyarrow is missing.
    """
    found = _parquet(path, image, required) if path.suffix == ".parquet" else _tsv(path, image, required)
    try:
        rows = list(found)
    except (OSError, ValueError, csv.Error) as error:  # UnicodeDecodeError and pyarrow's ArrowInvalid are ValueErrors
        raise DatasetError(f"{path} can't be read as a table: {error}") from error
    return _with_pictures(path, rows)


def rows_of(path: Path, records: list[Any], image: Collection[str], required: Collection[str]) -> list[Row]:
    """The rows of a table that was read from JSON, a list of objects; pictures are read from the file again.

    Args:
        path: of the file.
        records: what it holds; their pictures, in base64, are taken out.
        image: names that the field of pictures may have.
        required: fields that must be there.

    Raises:
        DatasetError: a record is of another form, or has no picture.
    """
    rows: list[_Found] = []
    for place, record in enumerate(records):
        where = f"{path}, entry {place + 1}"
        if not isinstance(record, dict):
            raise DatasetError(f"{where}: expected an object")
        column = _image_column(record, image, required, path)
        held = _held(record.pop(column))
        values = {name: _plain(value) for name, value in record.items()}
        rows.append((values, where, _picture(held, where, partial(_read_json, path, place, column))))
    return _with_pictures(path, rows)


def _read_json(path: Path, place: int, column: str) -> bytes:
    with path.open(encoding="utf-8-sig") as file:
        text = file.read()
    records = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    return _decoded(str(records[place][column]))


def _with_pictures(path: Path, rows: list[_Found]) -> list[Row]:
    empty = [where for _, where, picture in rows if not picture]
    if empty:
        raise DatasetError(f"{path}: {len(empty)} rows hold no picture: {', '.join(empty[:5])}")
    pictures = {values.get("index"): picture for values, _, picture in rows if isinstance(picture, EmbeddedImage)}
    return [Row(values, _resolved(picture, pictures, where), where) for values, where, picture in rows]


def _resolved(picture: EmbeddedImage | str, pictures: dict[Any, EmbeddedImage], where: str) -> EmbeddedImage:
    if isinstance(picture, EmbeddedImage):
        return picture
    if picture not in pictures:
        raise DatasetError(f"{where}: the image {picture!r} is neither a picture nor the index of a row that has one")
    return pictures[picture]


def _tsv(path: Path, image: Collection[str], required: Collection[str]) -> Iterator[_Found]:
    with path.open("rb") as file:
        records = _records(file)
        header = next(records, (0, 0, [""]))[2]
        column = header.index(_image_column(header, image, required, path))
        for number, (start, length, record) in enumerate(records, 1):
            where = f"{path}, row {number}"
            if len(record) != len(header):
                raise DatasetError(f"{where}: {len(record)} columns, expected {len(header)}: is the file complete?")
            text = record.pop(column)
            values = dict(zip(header[:column] + header[column + 1 :], record, strict=True))
            yield values, where, _picture(text, where, partial(_read_tsv, path, start, length, column))


def _records(file: BinaryIO) -> Iterator[tuple[int, int, list[str]]]:
    """Each record of a TSV, with its offset and length in bytes."""
    position = 0

    def lines() -> Iterator[str]:
        nonlocal position
        for line in file:
            position += len(line)
            yield line.decode("utf-8-sig" if position == len(line) else "utf-8")

    start = 0
    for record in csv.reader(lines(), delimiter="\t"):
        if record:
            yield start, position - start, record
        start = position


def _read_tsv(path: Path, start: int, length: int, column: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        _, _, record = next(_records(io.BytesIO(file.read(length))))
    return _decoded(record[column])


def _parquet(path: Path, image: Collection[str], required: Collection[str]) -> Iterator[_Found]:
    try:
        for number, (record, read) in enumerate(parquet_rows(path), 1):
            where = f"{path}, row {number}"
            column = _image_column(record, image, required, path)
            held = _held(record.pop(column))
            values = {name: _plain(value) for name, value in record.items()}
            yield values, where, _picture(held, where, partial(_read_parquet, read, column))
    except InstallError as error:
        raise InstallError(f"{error}, or take the benchmark's TSV") from error


def _read_parquet(read: Callable[[str], Any], column: str) -> bytes:
    held = _held(read(column))
    return held if isinstance(held, bytes) else _decoded(held)


def _picture(held: str | bytes, where: str, read: Callable[[], bytes]) -> EmbeddedImage | str:
    if isinstance(held, str) and len(held) <= _LONGEST_REFERENCE:
        return held
    digest = hashlib.sha256(held.encode() if isinstance(held, str) else held)
    return EmbeddedImage(where, digest.hexdigest(), read)


def _held(cell: Any) -> str | bytes:
    """What stands in a cell: the bytes of an image file, alone or as the hub's images have them, or base64 text; or the
    only one of a list."""
    cell = cell[0] if isinstance(cell, list) and len(cell) == 1 else cell
    held = cell.get("bytes") if isinstance(cell, dict) else cell
    return held if isinstance(held, str | bytes) else ""


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    return value if isinstance(value, list) else str(value)


def _image_column(header: Collection[str], image: Collection[str], required: Collection[str], path: Path) -> str:
    column = next((name for name in image if name in header), None)
    missing = [name for name in required if name not in header] + ([] if column else [" or ".join(image)])
    if missing or column is None:
        raise DatasetError(f"{path} has no column {', '.join(missing)}; it has {', '.join(header)[:300]}")
    return column


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"damaged base64: {error}") from error
