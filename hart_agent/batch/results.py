"""The file of a batch's results: one JSON object a line, each id once when the batch is done.

While failed questions are asked again, an id may stand there twice; its last line counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from hart_agent.agent.items import BatchResult
from hart_agent.store.journal import Journal
from hart_agent.store.outputs import replace_file
from hart_agent.trace import result_json

Line = dict[str, Any]


class Outcome(NamedTuple):
    """What the file says of a question.

    Attributes:
        line: the number of its last line, from 0.
        failed: whether that is an error.
        asked: what was asked and how, as `RunKeys` writes it; None in a file of version 0.1.
    """

    line: int
    failed: bool
    asked: str | None = None


class ResultFile(Journal):
    """A `Journal` that may hold more than fits into memory: of what was written before it knows the outcomes alone, and
    of what is written now nothing.

    Attributes:
        records: always empty.
        outcomes: of the questions that were in the file when it was opened, by id.
        superseded: how many lines of the file don't count any more.

    Raises:
        ConfigError, OutputError: see `Journal`.
    """

    outcomes: dict[str, Outcome]
    superseded: int

    def __init__(self, path: Path) -> None:
        super().__init__(path, first_key="id")

    def __enter__(self) -> ResultFile:
        return self

    def append(self, record: Line) -> None:
        self.extend([record])

    def extend(self, lines: Sequence[Line]) -> None:
        """Write lines and see that they are on the disk; after an error the file ends with the line before them.

        Raises:
            OutputError: they can't be written: the disk is full, say.
        """
        self._write(lines)
        self.superseded += sum(line["id"] in self.outcomes for line in lines)

    def tidy(self) -> None:
        """See that the file holds each id once, by its last line. It is replaced as a whole, or not at all.

        Raises:
            OutputError: there is no room for the second copy.
        """
        if not self.superseded:
            return
        last = {name: outcome.line for name, outcome in self._scan().items()}

        def write(file: BinaryIO) -> None:
            with self.path.open("rb") as lines:
                file.writelines(_kept(lines, last))
            file.flush()
            os.fsync(file.fileno())

        replace_file(self.path, write)
        self._file.close()
        self._file = self.path.open("a+b", buffering=0)
        self.superseded = 0

    def _recover(self) -> list[Line]:
        self.superseded = 0
        self.outcomes = self._scan()
        self._cut_half_line()
        return []

    def _scan(self) -> dict[str, Outcome]:
        """The last outcome of each id in the file."""
        found: dict[str, Outcome] = {}
        count = 0
        for number, record in self._lines():
            found[record["id"]] = Outcome(number, "error" in record, record.get("asked"))
            count += 1
        self.superseded = count - len(found)
        return found

    def _owns(self, record: Line) -> bool:
        return is_result(record)

    def _refusal(self, number: int) -> str:
        return f"{self.path}, line {number} is not a result of a batch: it is left untouched. Choose another file."


def _kept(lines: Iterable[bytes], last: Mapping[str, int]) -> Iterator[bytes]:
    """The last line of each id."""
    for number, line in enumerate(lines):
        if line.strip() and last[json.loads(line)["id"]] == number:
            yield line


def is_result(record: Any) -> bool:
    """Whether a JSON value is a line that a batch writes."""
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        return False
    if not isinstance(record.get("asked", ""), str):
        return False
    error = record.get("error")
    return "stop_reason" in record or (isinstance(error, dict) and error.keys() == {"type", "message"})


def result_line(result: BatchResult, extra: Line, asked: str | None = None) -> Line:
    """A result as a line: the object that `hart-agent ask --json` prints, or the error, with the id, what was asked and
    how (see `RunKeys`), and the other columns of the input."""
    line: Line = {"id": result.id} | ({"asked": asked} if asked is not None else {})
    if result.error is not None:
        line["error"] = {"type": type(result.error).__name__, "message": str(result.error)}
    elif result.trajectory is not None:
        line |= result_json(result.trajectory)
    return line | ({"input": extra} if extra else {})
