"""`hart-agent batch`: many questions, each result a line of a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from hart_agent.batch.images import ImageCache
from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.batch.run import Summary, run_batch
from hart_agent.cli.common import (
    DEFAULT_MEGAPIXELS,
    EXIT_NO_ANSWER,
    Debug,
    MaxMegapixels,
    Quiet,
    check_writable,
)
from hart_agent.cli.options import AgentOptions, with_agent_options
from hart_agent.console.batch import BatchProgress

EXIT_INTERRUPTED = 130


@with_agent_options
def batch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="Questions as .jsonl, .csv or .parquet with image and question, or, with --question, a quoted pattern "
            'of images, such as "photos/*.jpg".',
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="File of the results.", show_default=False)],
    *,
    options: AgentOptions,
    question: Annotated[
        str | None, typer.Option(help="What is asked about all images, or of rows without a question.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Questions at once, at most; fewer where the server can't keep up.")
    ] = 4,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Ask those questions again that failed, and no others.")
    ] = False,
    allow_download: Annotated[bool, typer.Option("--allow-download", help="Images may be URLs.")] = False,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Ask many questions, and write each result to a file as soon as it is there.

    Each line is the JSON object of `ask --json` with the question's id, or the id with an error. Running the same
    command again goes on where it was stopped. Image paths start at the input's folder. Exit codes: 0 all questions
    were asked, 3 some of them failed, 4 the policy failed at many in a row, 130 interrupted.
    """
    check_writable(out, keep=Path(source))
    questions = BatchInput(source, question, allow_download=allow_download)
    agent = options.agent()
    images = ImageCache(max_pixels=max_image_megapixels * 1_000_000, allow_download=allow_download)
    try:
        with ResultFile(out) as file, BatchProgress(enabled=not quiet) as progress:
            work = run_batch(
                agent, questions, file, concurrency=concurrency, images=images, retry_errors=retry_errors,
                watcher=progress,
            )  # fmt: skip
            summary = asyncio.run(work)
    except KeyboardInterrupt:
        print(f"interrupted; {out} is whole. Run the same command again to go on.", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if not quiet:
        print(_said(summary, out), file=sys.stderr)
    raise typer.Exit(EXIT_NO_ANSWER if summary.failed else 0)


def _said(summary: Summary, out: Path) -> str:
    counts = f"{summary.answered} answered, {summary.unanswered} without an answer, {summary.failed} failed"
    again = "; ask the failed ones again with --retry-errors" if summary.failed else ""
    return f"{out}: {counts}{again}"
