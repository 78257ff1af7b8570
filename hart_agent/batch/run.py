"""Asking a batch's questions, or those that are left of them, and keeping each result as soon as it arrives."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from hart_agent.agent import Agent
from hart_agent.agent.items import BatchItem, BatchResult
from hart_agent.agent.many import until_outage
from hart_agent.batch.keys import RunKeys, refuse_other_runs
from hart_agent.batch.reading import BatchInput, Row
from hart_agent.batch.results import Line, Outcome, ResultFile, result_line
from hart_agent.batch.writing import Writer
from hart_agent.vision.cache import ImageCache

_RESUME = (
    "The results so far are kept: run the same command again to resume, and with --retry-errors to ask those again "
    "that failed."
)

Asking: TypeAlias = Callable[[Iterable[BatchItem]], AsyncGenerator[BatchResult, None]]
"""Asks questions, and gives the results as they come: here, or on a cluster."""


class Watcher(Protocol):
    """Is notified of a batch's progress."""

    def begin(self, total: int, done: int) -> None:
        """There are so many questions, of which so many were asked before, or are not to be asked now."""

    def advance(self, result: BatchResult) -> None:
        """One more was asked; its result is on the disk."""


@dataclass
class Summary:
    """What a run did.

    Attributes:
        answered: questions with an answer.
        unanswered: questions that have none, though nothing failed.
        failed: questions that failed.
        failed_before: questions that failed in an earlier run and were not asked again.
    """

    answered: int = 0
    unanswered: int = 0
    failed: int = 0
    failed_before: int = 0

    def count(self, result: BatchResult) -> None:
        """Take one more into account."""
        if result.error is not None:
            self.failed += 1
        elif result.trajectory is not None and result.trajectory.answer is not None:
            self.answered += 1
        else:
            self.unanswered += 1


async def run_batch(
    agent: Agent,
    questions: BatchInput,
    file: ResultFile,
    *,
    concurrency: int,
    images: ImageCache,
    retry_errors: bool = False,
    watcher: Watcher | None = None,
) -> Summary:
    """Ask all questions that the file knows nothing of, in this process; see `keep_results`.

    Args:
        agent: that answers.
        questions: the batch.
        file: gets a line of each, as it comes.
        concurrency: questions at once, at most.
        images: opens them.
        retry_errors: ask those again that failed, and no others.
        watcher: is notified of progress.

    Raises:
        PolicyError, OutputError: see `keep_results`.
        ConfigError: `concurrency` is out of range, or the input has changed meanwhile.
    """
    asking = functools.partial(agent.abatch, concurrency=concurrency, images=images)
    return await keep_results(asking, questions, file, retry_errors=retry_errors, watcher=watcher)


async def keep_results(
    asking: Asking,
    questions: BatchInput,
    file: ResultFile,
    *,
    retry_errors: bool = False,
    changed: bool = False,
    keys: RunKeys | None = None,
    watcher: Watcher | None = None,
) -> Summary:
    """Have all questions asked that the file knows nothing of, and write the results down.

    When this is cancelled, questions under way are given up; results that are there are still written.

    Args:
        asking: asks them.
        questions: the batch.
        file: gets a line of each, as it comes.
        retry_errors: ask those again that failed, and no others.
        changed: ask those again, too, that were asked with another question, image, model, mode or settings.
        keys: how questions are asked, which is written into each line and compared with the lines that are there; None
            to write and compare nothing.
        watcher: is notified of progress.

    Raises:
        PolicyError: an outage of the policy; the questions that failed in it are not written. Run it again to resume.
        OutputError: a result can't be written.
        ConfigError: the input has changed meanwhile, or the file holds answers to something else.
    """
    summary = Summary()
    kept: dict[str, tuple[Line, str | None]] = {}
    if keys is not None and not changed:
        refuse_other_runs(keys, questions, file, settings_may_differ=retry_errors)

    def wanted(row: Row, known: Outcome | None) -> bool:
        if retry_errors:
            return known is not None and known.failed
        if known is None:
            return True
        return changed and keys is not None and bool(keys.differences(known.asked, row.item))

    def rows() -> Iterator[tuple[Row, Outcome | None]]:
        return ((row, file.outcomes.get(row.item.id)) for row in questions)

    def draw() -> Iterator[BatchItem]:
        for row, known in rows():
            if not wanted(row, known):
                summary.failed_before += known is not None and known.failed
                continue
            kept[row.item.id] = row.extra, keys.of(row.item) if keys is not None else None
            yield row.item

    def write(results: Sequence[BatchResult]) -> None:
        file.extend([result_line(result, *kept.pop(result.id)) for result in results])

    def written(result: BatchResult) -> None:
        summary.count(result)
        if watcher is not None:
            watcher.advance(result)

    if watcher is not None:
        watcher.begin(questions.count, questions.count - sum(itertools.starmap(wanted, rows())))
    writer = Writer(write, written)
    try:
        lasting = until_outage(asking(draw()), lambda result: result.error, advice=_RESUME)
        async with aclosing(lasting):
            async for result in lasting:
                await writer.put(result)
    finally:
        await writer.finish()
    await asyncio.to_thread(file.tidy)
    return summary
