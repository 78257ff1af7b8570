"""`hart-agent doctor`: what there is to work with."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from hart_agent.backends import BACKENDS, PolicyOptions
from hart_agent.cli.common import Json, print_json
from hart_agent.cli.console import print_report
from hart_agent.cli.console.failure import EXIT_POLICY
from hart_agent.doctor import examine


def doctor(
    backend: Annotated[str, typer.Option(help=f"What to examine: {', '.join(BACKENDS)}.")] = "openai",
    base_url: Annotated[str | None, typer.Option(help="Where the model's server is.")] = None,
    model: Annotated[str | None, typer.Option(help="The model's name; not needed if the server has only one.")] = None,
    api_key: Annotated[str | None, typer.Option(help="Its API key. Better set OPENAI_API_KEY.")] = None,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds before it must stop.")] = 60.0,
    json_output: Json = False,
) -> None:
    """Examine a backend with a few requests, and print the flags with which it works.

    It asks about images that it draws itself: how many and how large, in which coordinates the model writes boxes,
    how it calls tools, whether it stops; of a model in this process, how it points and calls tools; of the embedded
    reader, whether its models load. Exit code 4: not usable.
    """
    options = PolicyOptions(base_url=base_url, model=model, api_key=api_key)
    report = asyncio.run(examine(backend, options, max_seconds=max_seconds))
    if json_output:
        print_json(report.to_json())
    else:
        print_report(report)
    raise typer.Exit(0 if report.usable else EXIT_POLICY)
