"""A file of JSON lines to which results are appended whole and durably: a killed run loses and repeats nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from hart_agent.errors import ConfigError, OutputError


class Journal:
    """The results of a run, one JSON object a line. One process at a time may have it open.

    Args:
        path: of the file; it is made if it isn't there.

    Attributes:
        records: what the file holds, in order.

    Raises:
        ConfigError: another process has it open, or it holds something else.
        OutputError: it can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.absolute().parent.is_dir():
            raise OutputError(f"{path} can't be written: there is no folder {path.absolute().parent}. Make it first.")
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            self._lock.acquire(timeout=0)
            self._file: BinaryIO = path.open("a+b", buffering=0)
        except Timeout as error:
            raise ConfigError(f"{path} is being written by another run; wait for it, or choose another path") from error
        except OSError as error:
            self._lock.release()
            raise OutputError(f"{path} can't be written: {error.strerror}. Choose another path.") from error
        try:
            self.records: list[dict[str, Any]] = self._recover()
        except BaseException:
            self.close()
            raise

    def append(self, record: dict[str, Any]) -> None:
        """Write a record and see that it is on the disk; after an error the file ends with the record before it.

        Raises:
            OutputError: it can't be written: the disk is full, say.
        """
        self._write([record])
        self.records.append(record)

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, records: Sequence[dict[str, Any]]) -> None:
        end = self._file.seek(0, os.SEEK_END)
        data = memoryview(b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records))
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise self._full(error) from error

    def _full(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path} can't be written: {error.strerror}. What was written so far is whole: make room and run the "
            "same command again to resume."
        )

    def _recover(self) -> list[dict[str, Any]]:
        """Read the records."""
        self._cut_half_line()
        records = []
        for number, line in enumerate(self.path.read_bytes().splitlines(), start=1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise ConfigError(f"{self.path}, line {number} is not a JSON object: this is not a results file")
            records.append(record)
        return records

    def _cut_half_line(self) -> None:
        """Cut off a last line that a killed process left half written."""
        position = size = self._file.seek(0, os.SEEK_END)
        while position > 0:
            start = max(0, position - 65536)
            self._file.seek(start)
            found = self._file.read(position - start).rfind(b"\n")
            if found >= 0:
                position = start + found + 1
                break
            position = start
        if position < size:
            self._file.truncate(position)
