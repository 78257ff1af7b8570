"""Rows of Parquet files and of folders of the library `datasets`.

Pictures inside a table are not kept: a table of high-resolution pictures takes gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hart_agent.commands import install_command
from hart_agent.errors import DatasetError, InstallError
from hart_agent.store.parquet import parquet_rows as rows_of_parquet

Row: TypeAlias = "tuple[dict[str, Any], Callable[[], Any]]"
"""The fields of a row, and a function that reads its field `image` again."""


def parquet_rows(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file.

    Raises:
        DatasetError: it is damaged, or no Parquet.
        InstallError: pyarrow is missing.
    """
    try:
        for fields, read in rows_of_parquet(path):
            yield fields, partial(read, "image")
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DatasetError(f"{path} can't be read as Parquet: {error}") from error


def saved_rows(path: Path) -> Iterator[Row]:
    """The rows of a folder that `datasets` saved, with pictures as the bytes of their files.

    Raises:
        DatasetError: it is not such a folder, or it holds several splits.
        InstallError: datasets is missing.
    """
    try:
        import datasets
    except ImportError as error:
        raise InstallError(f"a folder of datasets needs that package. Run: {install_command('datasets')}") from error
    try:
        table = datasets.load_from_disk(str(path))
    except Exception as error:  # the library's own errors are manifold
        raise DatasetError(f"{path} is not a folder that datasets saved ({error})") from error
    if isinstance(table, datasets.DatasetDict):
        raise DatasetError(f"{path} holds several splits ({', '.join(table)}): give the folder of one")
    for name, feature in table.features.items():
        if isinstance(feature, datasets.Image):
            table = table.cast_column(name, datasets.Image(decode=False))
    for number, fields in enumerate(table):
        yield fields, partial(_read_saved, table, number)


def _read_saved(table: Any, number: int) -> Any:
    return table[number]["image"]
