"""`hart-agent doctor`: what there is to work with."""

from __future__ import annotations

from typing import Annotated

import typer

from hart_agent.backends import BACKENDS, PolicyOptions
from hart_agent.cli.common import Json, print_json
from hart_agent.cli.console import print_report
from hart_agent.cli.console.failure import EXIT_POLICY
from hart_agent.cli.options import policy_option
from hart_agent.concurrency import run


def doctor(
    backend: Annotated[
        str,
        typer.Option(
            metavar="NAME", help=f"{', '.join(BACKENDS)}, an installed one, package.module:Class or path.py:Class."
        ),
    ] = "openai",
    base_url: Annotated[str | None, policy_option("base_url")] = None,
    model: Annotated[str | None, policy_option("model")] = None,
    api_key: Annotated[str | None, policy_option("api_key")] = None,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds before it must stop.")] = 60.0,
    json_output: Json = False,
) -> None:
    """Examine a backend with a few requests, and print the flags with which it works.

    It asks about images that it draws itself: how many and how large, in which coordinates the model writes boxes,
    how it calls tools, whether it stops; of a model in this process, how it points and calls tools; of the embedded
    reader, whether its models load. Exit code 4: not usable.
    """
    from hart_agent.doctor import examine

    options = PolicyOptions(base_url=base_url, model=model, api_key=api_key)
    report = run(examine(backend, options, max_seconds=max_seconds))
    if json_output:
        print_json(report.to_json())
    else:
        print_report(report)
    raise typer.Exit(0 if report.usable else EXIT_POLICY)
