"""`hart-agent mcp`: the tools for other assistants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hart_agent.cli.common import DEFAULT_MEGAPIXELS, MaxMegapixels
from hart_agent.cli.options import ExtraTools
from hart_agent.concurrency import run
from hart_agent.errors import ConfigError
from hart_agent.tooling.discovery import all_tools, with_extra_tools


def mcp(
    root: Annotated[
        list[Path],
        typer.Option(metavar="FOLDER", help="A folder whose images may be read. May be repeated.", show_default=False),
    ],
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve over HTTP instead of standard input and output.")
    ] = None,
    tool: ExtraTools = None,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
) -> None:
    """Offer the tools to any assistant that speaks the Model Context Protocol (MCP).

    All installed tools, the optional ones included, but for verify, which needs a policy. They work on images in the
    folders named, and nowhere else.
    """
    from hart_agent.mcp_server import Folders, Workshop, build_server, serve_http, serve_stdio

    folders = Folders(root)
    workshop = Workshop(folders, with_extra_tools(tool or (), all_tools()), max_pixels=max_image_megapixels * 1_000_000)
    server = build_server(workshop, folders)
    if http is None:
        run(serve_stdio(server))
    else:
        serve_http(server, *_address(http))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"the address {text!r} can't be used; expected HOST:PORT, such as 127.0.0.1:8765")
    return host.strip("[]"), int(port)
