"""The information filter: a question that is answered without its image tests no evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hart_agent.store.files import write_whole
from rl.data import Sample

ATTEMPTS = 4
"""Attempts at each question; with several, a lucky guess drops nothing."""


@dataclass(frozen=True)
class BlindlyAnswered:
    """A question that was dropped, and why.

    Attributes:
        sample: the question.
        answers: of the policy without the image, attempt by attempt; None where it gave none.
    """

    sample: Sample
    answers: tuple[str | None, ...]


def find_blind(samples: Sequence[Sample], answers: Sequence[Sequence[str | None]]) -> list[BlindlyAnswered]:
    """The questions of which more than half of the blind answers are right, in the order of the samples.

    Args:
        samples: the questions.
        answers: to each, attempt by attempt; None where there was none.
    """
    return [
        BlindlyAnswered(sample, tuple(own))
        for sample, own in zip(samples, answers, strict=True)
        if 2 * sum(sample.is_right(answer) for answer in own) > len(own)
    ]


def write_blind(found: Sequence[BlindlyAnswered], path: Path) -> None:
    """Write the dropped questions and their blind answers as JSONL, atomically.

    Raises:
        OutputError: it can't be written.
    """
    rows = [
        {"id": each.sample.id, "question": each.sample.question, "answer": each.sample.answer, "said": each.answers}
        for each in found
    ]
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_blind(path: Path) -> set[str]:
    """The ids of the questions that such a file names."""
    return {json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()}
