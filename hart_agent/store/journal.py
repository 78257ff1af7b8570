"""A file of JSON lines to which results are appended whole and durably: a killed run loses and repeats nothing.

Everything is checked before anything is changed: a file that holds something else is left as it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from hart_agent.errors import ConfigError, OutputError
from hart_agent.store.outputs import regular_file


class Journal:
    """The results of a run, one JSON object a line. One process at a time may have it open.

    The lock, an empty file next to it, stays: a process that has opened it as another removes it would hold a lock that
    nobody sees, next to one who makes it anew.

    Args:
        path: of the file; it is created if it isn't there. A link is followed.
        first_key: with which every record starts, or None for any.

    Attributes:
        records: what the file holds, in order.

    Raises:
        ConfigError: another process has it open, or it holds something else.
        OutputError: it can't be read or written.
    """

    def __init__(self, path: Path, *, first_key: str | None = None) -> None:
        if not path.absolute().parent.is_dir():
            raise OutputError(f"{path} can't be written: there is no folder {path.absolute().parent}. Make it first.")
        self._first_key = first_key
        try:
            self.path = path = regular_file(path)
            self._lock = FileLock(_lock_file(path))
        except OSError as error:
            raise OutputError(f"{path} can't be written: {error.strerror}. Choose another path.") from error
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
        """Read the records, then cut off the half line that a killed process may have left."""
        records = [record for _, record in self._lines()]
        self._cut_half_line()
        return records

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The records with the numbers of their lines, from 0; blank lines and a half last line are left out.

        Raises:
            ConfigError: a line is not a record of this journal.
        """
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.strip():
                    continue
                record = _parsed(line)
                if line.endswith(b"\n") and record is not None and self._owns(record):
                    yield number, record
                elif line.endswith(b"\n") or not self._is_torn(line, record):
                    raise ConfigError(self._refusal(number + 1))

    def _owns(self, record: dict[str, Any]) -> bool:
        """Whether a JSON object is a record of this journal."""
        return self._first_key is None or self._first_key in record

    def _refusal(self, number: int) -> str:
        return f"{self.path}, line {number} is not a record of a run: the file is left untouched. Choose another path."

    def _is_torn(self, line: bytes, record: dict[str, Any] | None) -> bool:
        """Whether a last line without its end is the beginning of a record, as a killed process leaves it."""
        if record is not None:
            return self._owns(record)
        opening = b'{"' if self._first_key is None else b'{"%b":' % self._first_key.encode()
        return line.startswith(opening) or opening.startswith(line)

    def _cut_half_line(self) -> None:
        """Cut off a last line that has no end."""
        with self.path.open("rb") as file:
            whole = sum(len(line) for line in file if line.endswith(b"\n"))
        self._file.truncate(whole)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _lock_file(path: Path) -> Path:
    """The file that is locked while the journal is open. A lock is empty: anything else there is someone's file.

    Raises:
        ConfigError: there is another file in its place.
    """
    lock = path.with_name(f".{path.name}.lock")
    if lock.is_symlink() or (lock.exists() and (not lock.is_file() or lock.stat().st_size)):
        raise ConfigError(f"{lock} is there already and is not a lock of hart-agent; move it, or choose another path")
    return lock
