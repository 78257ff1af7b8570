"""`hart-agent batch`: many questions, each result a line of a file."""

from __future__ import annotations

import functools
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hart_agent.batch.on_ray import Cluster, ask_on_ray
from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.batch.run import Asking, Summary, keep_results
from hart_agent.cli import outputs
from hart_agent.cli.codes import EXIT_INTERRUPTED, EXIT_NO_ANSWER
from hart_agent.cli.common import DEFAULT_MEGAPIXELS, Debug, MaxMegapixels, Quiet
from hart_agent.cli.console.batch import BatchProgress
from hart_agent.cli.console.text import one_line
from hart_agent.cli.options import AgentOptions, with_options
from hart_agent.cli.outputs import Force, check_outputs
from hart_agent.concurrency import run
from hart_agent.errors import ConfigError
from hart_agent.store.outputs import replace_file
from hart_agent.vision.cache import ImageCache

_RAY = "Ray"


class On(StrEnum):
    """Where else than in this process questions are asked."""

    RAY = "ray"


@with_options
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
        int,
        typer.Option(
            min=1, help="Questions at once, at most, on Ray of each worker; fewer where the server can't keep up."
        ),
    ] = 4,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Ask those questions again that failed, and no others.")
    ] = False,
    changed: Annotated[
        bool,
        typer.Option("--changed", help="Ask those questions again whose question, image, model or settings changed."),
    ] = False,
    force: Force = False,
    allow_download: Annotated[bool, typer.Option("--allow-download", help="Images may be URLs.")] = False,
    on: Annotated[
        On | None,
        typer.Option(
            "--on",
            rich_help_panel=_RAY,
            help="Ask on a Ray cluster: the one at --ray-address or RAY_ADDRESS, else one that is started on this "
            "machine and ends with the batch. Its machines need hart-agent, and images under the same paths.",
            show_default=False,
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(envvar="RAY_ADDRESS", rich_help_panel=_RAY, help="Of the cluster: host:port, or auto."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=_RAY, help="Processes with a policy each. By default one for each machine."
        ),
    ] = None,
    worker_gpus: Annotated[
        float, typer.Option(min=0, rich_help_panel=_RAY, help="GPUs that each worker has to itself.")
    ] = 0.0,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Ask many questions, and write each result to a file as soon as it is there.

    Each line is the JSON object of `ask --json` with the question's id, or the id with an error. Running the same
    command again resumes it. Image paths start at the input's folder. Exit codes: 0 all questions
    were asked, 3 some of them failed, 4 the policy failed at many in a row, 130 interrupted.
    """
    check_outputs(outputs.results(out), inputs=[Path(source)], force=force)
    if on is None and (workers or worker_gpus):
        raise ConfigError("--workers and --worker-gpus are of a cluster: say --on ray, too")
    questions = BatchInput(source, question, allow_download=allow_download)
    make_images = functools.partial(
        ImageCache, max_pixels=max_image_megapixels * 1_000_000, allow_download=allow_download
    )
    asking: Asking
    if on is On.RAY:
        cluster = Cluster(ray_address, workers, worker_gpus)
        asking = functools.partial(
            ask_on_ray, options.agent, cluster=cluster, concurrency=concurrency, make_images=make_images
        )
    else:
        asking = functools.partial(options.agent().abatch, concurrency=concurrency, images=make_images())
    try:
        if force and not outputs.is_results(out):
            replace_file(out, lambda file: None)
        with ResultFile(out) as file, BatchProgress(enabled=not quiet) as progress:
            work = keep_results(
                asking, questions, file, retry_errors=retry_errors, changed=changed,
                keys=options.run_keys(max_image_megapixels), watcher=progress,
            )  # fmt: skip
            summary = run(work)
    except KeyboardInterrupt:
        print(f"interrupted; {one_line(str(out))} is whole. Run the same command again to resume.", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if not quiet:
        print(_said(summary, out), file=sys.stderr)
    raise typer.Exit(EXIT_NO_ANSWER if summary.failed else 0)


def _said(summary: Summary, out: Path) -> str:
    counts = f"{summary.answered} answered, {summary.unanswered} without an answer, {summary.failed} failed"
    again = "; ask the failed ones again with --retry-errors" if summary.failed else ""
    return f"{one_line(str(out))}: {counts}{again}"
