"""`hart-agent view` and `hart-agent replay`: what can be done with a trace."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from hart_agent.cli import outputs
from hart_agent.cli.codes import EXIT_DIFFERENT
from hart_agent.cli.common import (
    DEFAULT_MEGAPIXELS,
    AllowDownload,
    Json,
    MaxMegapixels,
)
from hart_agent.cli.console.objects import print_json
from hart_agent.cli.console.text import one_line, printable
from hart_agent.cli.options import ExtraTools
from hart_agent.cli.outputs import Force, check_outputs
from hart_agent.tooling.discovery import all_tools, with_extra_tools
from hart_agent.trace import Found, find_image, load_trace, write_page
from hart_agent.trace import replay as replay_trace

TraceFile = Annotated[Path, typer.Argument(help="A file that ask --trace wrote.", show_default=False)]
TraceImage = Annotated[
    str | None, typer.Option("--image", help="Its image, if that has moved. By default the trace's own path.")
]


def view(
    trace: TraceFile,
    image: TraceImage = None,
    allow_download: AllowDownload = False,
    out: Annotated[Path | None, typer.Option(help="The page. By default next to the trace, ending in .html.")] = None,
    force: Force = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
) -> None:
    """Write a trace as one page for a browser, with its image, and print the page's path."""
    loaded = load_trace(trace)
    target = out or trace.with_suffix(".html")
    page = outputs.page(target)
    check_outputs(page, inputs=[trace], force=force)
    found = _found(loaded, trace, image, max_image_megapixels, allow_download=allow_download)
    check_outputs(page, inputs=[found.source.path], force=force)
    _warn_of_change(found.source.name, same=found.same)
    write_page(loaded, found.source, target, same=found.same)
    print(one_line(str(target)))
    if open_page:
        webbrowser.open(target.absolute().as_uri())


def replay(
    trace: TraceFile,
    image: TraceImage = None,
    allow_download: AllowDownload = False,
    tool: ExtraTools = None,
    json_output: Json = False,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
) -> None:
    """Run a trace's tool calls again, without its policy, and say whether every view is the same, pixel for pixel."""
    loaded = load_trace(trace)
    found = _found(loaded, trace, image, max_image_megapixels, allow_download=allow_download)
    _warn_of_change(found.source.name, same=found.same)
    outcome = replay_trace(loaded, found.source, with_extra_tools(tool or (), all_tools()))
    if json_output:
        print_json({"image": found.source.name, "same_image": found.same, **outcome.as_json()})
    else:
        print(printable(str(outcome)))
    raise typer.Exit(0 if outcome.same else EXIT_DIFFERENT)


def _found(
    loaded: dict[str, Any], trace: Path, image: str | None, max_megapixels: int, *, allow_download: bool
) -> Found:
    limit = max_megapixels * 1_000_000
    return find_image(loaded, trace, image, max_pixels=limit, allow_download=allow_download)


def _warn_of_change(name: str, *, same: bool) -> None:
    if not same:
        print(one_line(f"hart-agent: {name!r} is not the very image of the trace: its hash differs"), file=sys.stderr)
