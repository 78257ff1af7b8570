"""`hart-agent mcp`: the tools, and the agent, for other assistants."""

from __future__ import annotations

from dataclasses import MISSING
from pathlib import Path

from hart_agent.backends.options import option
from hart_agent.cli.common import DEFAULT_MEGAPIXELS, MaxMegapixels
from hart_agent.cli.memory import return_freed_memory
from hart_agent.cli.options import AgentOptions, with_options
from hart_agent.concurrency import run
from hart_agent.errors import ConfigError
from hart_agent.tooling.discovery import all_tools, with_extra_tools
from hart_agent.vision.folders import Folders


@with_options
def mcp(
    root: list[Path] = option("A folder whose images may be read. May be repeated.", default=MISSING, metavar="FOLDER"),
    *,
    options: AgentOptions,
    http: str | None = option("Serve over HTTP instead of standard input and output.", metavar="HOST:PORT"),
    allow_host: list[str] | None = option(
        "A further host name by which clients reach the server over HTTP. May be repeated.", metavar="NAME"
    ),
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
) -> None:
    """Offer the agent and its tools to any assistant that speaks the Model Context Protocol (MCP).

    The tool ask answers a question about an image, with the policy that the options choose; list_images says which
    images there are. The assistant may also look by itself: all installed tools, the optional ones included, but for
    verify. They work on images in the folders named, and nowhere else.
    """
    from hart_agent.mcp_server import Workshop, build_server, serve_http, serve_stdio
    from hart_agent.mcp_server.questions import Questions

    return_freed_memory()
    folders, max_pixels = Folders(root), max_image_megapixels * 1_000_000
    workshop = Workshop(folders, with_extra_tools(options.tool or (), all_tools()), max_pixels=max_pixels)
    server = build_server(workshop, folders, Questions(folders, options.agent, max_pixels=max_pixels))
    if http is None:
        run(serve_stdio(server))
    else:
        serve_http(server, *_address(http), names=allow_host or ())


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"the address {text!r} can't be used; expected HOST:PORT, such as 127.0.0.1:8765")
    return host.strip("[]"), int(port)
