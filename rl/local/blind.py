"""The information filter: a question that is answered without its image tests no evidence."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hart_agent.store.files import write_whole
from rl.config import TrainSettings
from rl.data import Sample, check_count

if TYPE_CHECKING:
    from rl.local.model import PolicyModel

_log = logging.getLogger(__name__)

BLIND = "blind.jsonl"
"""In the run's folder: which questions were dropped."""
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


def without_blind(
    initial_model: Callable[[], PolicyModel], samples: Sequence[Sample], settings: TrainSettings, out: Path
) -> list[Sample]:
    """The questions that the initial policy does not answer without the image; the run's folder lists the others.

    Args:
        initial_model: gives that policy; it isn't needed where the run has asked already.
        samples: the questions.
        settings: of the run.
        out: the run's folder.

    Raises:
        ConfigError: too few remain.
        OutputError: the list can't be written.
        PolicyError: the model fails, or its memory doesn't suffice.
    """
    from rl.local.rollout import answer_blindly  # with torch, which the rest of this module doesn't need

    record = out / BLIND
    if not record.exists():
        _log.info("asking %d questions without their images", len(samples))
        out.mkdir(parents=True, exist_ok=True)
        answers = answer_blindly(initial_model(), samples, ATTEMPTS, settings.seed)
        write_blind(find_blind(samples, answers), record)
    dropped = read_blind(record)
    _log.info("%d questions are answered without the image, and dropped; see %s", len(dropped), record)
    kept = [sample for sample in samples if sample.id not in dropped]
    check_count(kept, settings.prompts_per_step)
    return kept


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
