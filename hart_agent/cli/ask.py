"""`hart-agent ask`: a question about an image. What is needed only after the answer is loaded then."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hart_agent.agent.observer import Observer, Observers
from hart_agent.agent.trajectory import StopReason, Trajectory
from hart_agent.backends.options import option
from hart_agent.cli import outputs
from hart_agent.cli.codes import EXIT_NO_ANSWER, EXIT_POLICY
from hart_agent.cli.common import Debug, ImageArgument, ImageOptions, ShownOptions
from hart_agent.cli.console.objects import print_json
from hart_agent.cli.console.progress import Progress
from hart_agent.cli.interrupting import told_if_interrupted
from hart_agent.cli.options import AgentOptions, with_options
from hart_agent.cli.origins import settings_json
from hart_agent.cli.outputs import Force, check_outputs

QuestionArgument = Annotated[str, typer.Argument(help="What you want to know about it.", show_default=False)]


@with_options
def ask(
    image: ImageArgument,
    question: QuestionArgument,
    *,
    options: AgentOptions,
    opening: ImageOptions,
    shown: ShownOptions,
    trace: Path | None = option("Write all that happened to this JSON file."),
    html: Path | None = option("Write it to this file as a page for a browser, too."),
    annotated: Annotated[
        Path | None, typer.Option("--annotate", help="Draw the evidence on the image and save it here.")
    ] = None,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Answer a question about an image.

    Prints the answer on the first line, then whether the evidence supports it, then the evidence's boxes
    (x0, y0, x1, y1) in pixels of the original image.
    """
    source = opening.open(image, question)
    check_outputs(
        [*outputs.trace(trace), *outputs.page(html), *outputs.picture(annotated)], inputs=[source.path], force=force
    )
    files = [file for file in (trace, html, annotated) if file is not None]
    ended = _End()

    def write(trajectory: Trajectory) -> None:
        if trace is not None:
            from hart_agent.trace import write_trace

            write_trace(trajectory, trace)
        if html is not None:
            from hart_agent.trace import trace_json, write_page

            write_page(trace_json(trajectory), source, html)
        if annotated is not None:
            from hart_agent.cli.annotate import write_annotated

            write_annotated(source, trajectory.evidence, annotated)

    def keep() -> str:
        if ended.trajectory is None:
            return "there was no turn yet, and nothing is kept"
        if shown.json_output:
            _print(ended.trajectory, options, json_output=True)
        write(ended.trajectory)
        turns = len(ended.trajectory.turns)
        so_far = f"there {'was' if turns == 1 else 'were'} {turns} turn{'s' * (turns != 1)}"
        return f"{so_far}, kept in {', '.join(map(str, files))}" if files else f"{so_far}; --trace FILE keeps them"

    with (
        told_if_interrupted(keep),
        Progress(enabled=not shown.quiet, verbose=shown.verbose) as progress,
    ):
        trajectory = options.agent().ask(source, question, observer=Observers(progress.show, ended))
    _print(trajectory, options, json_output=shown.json_output)
    write(trajectory)
    raise typer.Exit(_exit_code(trajectory))


class _End(Observer):
    """Keeps how an episode ended, or how far it came.

    Attributes:
        trajectory: None before the end.
    """

    def __init__(self) -> None:
        self.trajectory: Trajectory | None = None

    def on_end(self, trajectory: Trajectory) -> None:
        self.trajectory = trajectory


def _print(trajectory: Trajectory, options: AgentOptions, *, json_output: bool) -> None:
    if json_output:
        from hart_agent.trace import result_json

        print_json(result_json(trajectory) | {"settings": settings_json(options.public(), options.origins)})
    else:
        from hart_agent.cli.console.results import print_result

        print_result(trajectory)


def _exit_code(trajectory: Trajectory) -> int:
    if trajectory.answer is not None:
        return 0
    failed = trajectory.stop_reason in (StopReason.POLICY_ERROR, StopReason.CUT_OFF)
    return EXIT_POLICY if failed else EXIT_NO_ANSWER
