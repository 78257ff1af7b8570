"""Rows of Parquet files and of folders of the library `datasets`.

Pictures inside a table are not kept: a table of high-resolution pictures takes gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hart_agent.errors import DatasetError, InstallError

Row: TypeAlias = "tuple[dict[str, Any], Callable[[], Any]]"
"""The fields of a row, and a function that reads its field `image` again."""

_BATCH = 8
"""Rows of Parquet in memory at once."""


def parquet_rows(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file.

    Raises:
        DatasetError: it is damaged, or no Parquet.
        InstallError: pyarrow is missing.
    """
    try:
        with _parquet_file(path) as file:
            for group in range(file.num_row_groups):
                position = 0
                for batch in file.iter_batches(_BATCH, row_groups=[group]):
                    for fields in batch.to_pylist():
                        yield fields, partial(_read_parquet, path, group, position)
                        position += 1
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DatasetError(f"{path} can't be read as Parquet: {error}") from error


def saved_rows(path: Path) -> Iterator[Row]:
    """The rows of a folder that `datasets` saved, with pictures as the bytes of their files.

    Raises:
        DatasetError: it is no such folder, or one of several splits.
        InstallError: datasets is missing.
    """
    try:
        import datasets
    except ImportError as error:
        raise InstallError("a folder of datasets needs that package. Run: pip install datasets") from error
    try:
        table = datasets.load_from_disk(str(path))
    except Exception as error:  # the library's own errors are manifold
        raise DatasetError(f"{path} is no folder that datasets saved ({error})") from error
    if isinstance(table, datasets.DatasetDict):
        raise DatasetError(f"{path} holds several splits ({', '.join(table)}): give the folder of one")
    for name, feature in table.features.items():
        if isinstance(feature, datasets.Image):
            table = table.cast_column(name, datasets.Image(decode=False))
    for number, fields in enumerate(table):
        yield fields, partial(_read_saved, table, number)


def _read_saved(table: Any, number: int) -> Any:
    return table[number]["image"]


def _read_parquet(path: Path, group: int, position: int) -> Any:
    with _parquet_file(path) as file:
        for batch in file.iter_batches(_BATCH, row_groups=[group], columns=["image"]):
            if position < batch.num_rows:
                return batch.column(0)[position].as_py()
            position -= batch.num_rows
    raise ValueError("the file has fewer rows than before")


def _parquet_file(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InstallError("Parquet needs the package pyarrow. Run: pip install 'hart-agent[eval]'") from error
    return parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)  # a stream, not whole groups
