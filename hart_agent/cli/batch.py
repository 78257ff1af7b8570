"""`hart-agent batch`: many questions, each result a line of a file."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import typer

from hart_agent.backends.options import option
from hart_agent.batch.on_ray import Cluster, ask_on_ray
from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.batch.run import Asking, Summary, keep_results
from hart_agent.cli import outputs
from hart_agent.cli.codes import EXIT_NO_ANSWER
from hart_agent.cli.common import DEFAULT_MEGAPIXELS, Debug, MaxMegapixels, Quiet
from hart_agent.cli.console.batch import BatchProgress
from hart_agent.cli.console.text import one_line
from hart_agent.cli.interrupting import told_if_interrupted
from hart_agent.cli.memory import return_freed_memory
from hart_agent.cli.options import AgentOptions, with_options
from hart_agent.cli.outputs import Force, check_outputs
from hart_agent.concurrency import run
from hart_agent.errors import ConfigError
from hart_agent.store.outputs import replace_file
from hart_agent.vision.cache import ImageCache


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Where questions are asked."""

    PANEL: ClassVar = "Ray"

    on: Literal["ray"] | None = option(
        "Ask on a Ray cluster: the one at --ray-address or RAY_ADDRESS, else one that is started on this machine and "
        "ends with the batch. Its machines need hart-agent, and images under the same paths."
    )
    ray_address: str | None = option("Of the cluster: host:port, or auto.", variables=["RAY_ADDRESS"])
    workers: int | None = option("Processes with a policy each. By default one for each machine.", minimum=1)
    worker_gpus: float = option("GPUs that each worker has to itself.", default=0.0, minimum=0)

    def cluster(self) -> Cluster | None:
        """The cluster; None for this process.

        Raises:
            ConfigError: an option of a cluster is given without one.
        """
        if self.on is None and (self.workers or self.worker_gpus):
            raise ConfigError("--workers and --worker-gpus are of a cluster: say --on ray, too")
        return Cluster(self.ray_address, self.workers, self.worker_gpus) if self.on else None


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
    ray: RayOptions,
    options: AgentOptions,
    question: str | None = option("What is asked about all images, or of rows without a question."),
    concurrency: int = option(
        "Questions at once, at most, on Ray of each worker; fewer where the server can't keep up.", default=4, minimum=1
    ),
    retry_errors: bool = option("Ask those questions again that failed, and no others.", default=False),
    changed: bool = option(
        "Ask those questions again whose question, image, model or settings changed.", default=False
    ),
    force: Force = False,
    allow_download: bool = option("Images may be URLs.", default=False),
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
    return_freed_memory()
    cluster = ray.cluster()
    questions = BatchInput(source, question, allow_download=allow_download)
    make_images = functools.partial(
        ImageCache, max_pixels=max_image_megapixels * 1_000_000, allow_download=allow_download
    )
    asking: Asking
    if cluster is not None:
        asking = functools.partial(
            ask_on_ray, options.agent, cluster=cluster, concurrency=concurrency, make_images=make_images
        )
    else:
        asking = functools.partial(options.agent().abatch, concurrency=concurrency, images=make_images())
    if force and not outputs.is_results(out):
        replace_file(out, lambda file: None)
    with (
        told_if_interrupted(lambda: f"{out} is whole. Run the same command again to resume."),
        ResultFile(out) as file,
        BatchProgress(enabled=not quiet) as progress,
    ):
        work = keep_results(
            asking, questions, file, retry_errors=retry_errors, changed=changed,
            keys=options.run_keys(max_image_megapixels), watcher=progress,
        )  # fmt: skip
        summary = run(work)
    if not quiet:
        print(_said(summary, out), file=sys.stderr)
    raise typer.Exit(EXIT_NO_ANSWER if summary.failed + summary.failed_before else 0)


def _said(summary: Summary, out: Path) -> str:
    counts = f"{summary.answered} answered, {summary.unanswered} without an answer, {summary.failed} failed"
    before = f", {summary.failed_before} failed in an earlier run" if summary.failed_before else ""
    again = "; ask the failed ones again with --retry-errors" if summary.failed + summary.failed_before else ""
    return f"{one_line(str(out))}: {counts}{before}{again}"
