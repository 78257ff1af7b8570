"""`hart-agent tools`: what tools there are, and trying one on an image without a model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hart_agent.backends.options import option
from hart_agent.cli import outputs
from hart_agent.cli.codes import EXIT_BROKEN, EXIT_NO_ANSWER
from hart_agent.cli.common import Debug, ImageArgument, ImageOptions, Json
from hart_agent.cli.console.objects import print_json
from hart_agent.cli.console.results import print_tools
from hart_agent.cli.console.text import printable
from hart_agent.cli.help import CONTEXT, Command, Group
from hart_agent.cli.options import ExtraTools, ToolTimeout, with_options
from hart_agent.cli.outputs import Force, check_outputs, save_picture
from hart_agent.concurrency import run
from hart_agent.dialogue.messages import ToolCall
from hart_agent.errors import ConfigError
from hart_agent.tooling.discovery import find_tool, optional_tools, with_extra_tools
from hart_agent.tooling.protocol import tool_spec
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.tooling.standalone import open_context, original_pixels
from hart_agent.vision.source import View

toolbox = typer.Typer(cls=Group, context_settings=CONTEXT, add_completion=False, rich_markup_mode=None)


@toolbox.callback(invoke_without_command=True)
def tools(context: typer.Context, json_output: Json = False, tool: ExtraTools = None) -> None:
    """List the tools that a policy can call, with the JSON Schemas of their arguments."""
    if context.invoked_subcommand is not None:
        return
    found = with_extra_tools(tool or ())
    names = {entry.name for entry in found}
    optional = [entry for entry in optional_tools() if entry.name not in names]
    if json_output:
        listed = {"tools": found, "optional": optional}
        print_json({kind: [vars(tool_spec(entry)) for entry in entries] for kind, entries in listed.items()})
    else:
        print_tools(found)
        if optional:
            print("\nOnly with --tool NAME:\n")
            print_tools(optional)


@toolbox.command("run", cls=Command)
@with_options
def run_tool(
    name: Annotated[str, typer.Argument(help="An installed tool, or path.py:name.", show_default=False)],
    image: ImageArgument,
    arguments: Annotated[
        str, typer.Argument(help="A JSON object; boxes are in pixels of the original image.", show_default=True)
    ] = "{}",
    *,
    opening: ImageOptions,
    out: Path | None = option("Save the view that it makes to this file."),
    force: Force = False,
    json_output: Json = False,
    tool_timeout: ToolTimeout = 60.0,
    debug: Debug = False,
) -> None:
    """Try a tool on an image, without a model: prints what a model would be told.

    Exit code 3: the tool refused the call; 1: the tool broke down or did not finish. If it makes several views, the
    second is saved as NAME-2, and so on.
    """
    found = find_tool(name)
    call = ToolCall("call1", found.name, _parsed(arguments), arguments)
    source = opening.open(image)
    check_outputs(outputs.picture(out), inputs=[source.path], force=force)
    with source:
        context = open_context(source, original_pixels(source))
        result, views = run(ToolRuntime([found], timeout=tool_timeout).execute(call, context))
    files = _saved(views, out, source.path, force=force)
    if json_output:
        listed = [
            {"id": view.id, "box": list(view.frame.box.as_tuple()), "size": list(view.image.size), "file": file}
            for view, file in zip(views, files, strict=True)
        ]
        outcome = {"tool": found.name, "text": result.text, "error": result.error, "seconds": result.seconds}
        print_json({**outcome, "views": listed})
    else:
        print(printable(result.text), file=sys.stderr if result.error else sys.stdout)
    if result.error:
        raise typer.Exit(EXIT_BROKEN if result.error in ("tool_bug", "tool_timeout") else EXIT_NO_ANSWER)


def _parsed(arguments: str) -> dict[str, Any]:
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f'the arguments are not JSON ({error}); expected such as \'{{"label": "x"}}\'') from error
    if not isinstance(parsed, dict):
        raise ConfigError(f"the arguments are a JSON {type(parsed).__name__}; expected an object, {{...}}")
    return parsed


def _saved(views: tuple[View, ...], out: Path | None, image: Path | None, *, force: bool) -> list[str | None]:
    if out is None:
        return [None] * len(views)
    files = [out, *(out.with_stem(f"{out.stem}-{number}") for number in range(2, len(views) + 1))][: len(views)]
    check_outputs([each for file in files for each in outputs.picture(file)], inputs=[image], force=force)
    for view, file in zip(views, files, strict=True):
        save_picture(view.image, file)
    return [str(file) for file in files]
