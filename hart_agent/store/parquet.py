"""Rows of Parquet files, which may hold more pictures than fit into memory."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hart_agent.commands import install_command
from hart_agent.errors import InstallError

ParquetRow: TypeAlias = "tuple[dict[str, Any], Callable[[str], Any]]"
"""The fields of a row, and a function that reads one of them again, by its name."""


def parquet_rows(path: Path, *, at_once: int = 8) -> Iterator[ParquetRow]:
    """The rows of a file.

    Args:
        path: of the file.
        at_once: rows as Python objects at a time.

    Raises:
        InstallError: pyarrow is missing.
        OSError, ValueError: the file is damaged, or no Parquet; pyarrow's ArrowInvalid is a ValueError.
    """
    with _open(path) as file:
        for group in range(file.num_row_groups):
            position = 0
            for batch in file.iter_batches(at_once, row_groups=[group]):
                for fields in batch.to_pylist():
                    yield fields, partial(_read, path, group, position, at_once)
                    position += 1


def _read(path: Path, group: int, position: int, at_once: int, column: str) -> Any:
    with _open(path) as file:
        for batch in file.iter_batches(at_once, row_groups=[group], columns=[column]):
            if position < batch.num_rows:
                return batch.column(0)[position].as_py()
            position -= batch.num_rows
    raise ValueError("the file has fewer rows than before")


def _open(path: Path) -> Any:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InstallError(f"{path} needs the package pyarrow. Run: {install_command(extra='eval')}") from error
    return parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)  # a stream, not whole groups
