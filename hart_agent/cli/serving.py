"""`hart-agent serve`: the agent as a model, for clients of chat completions."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from hart_agent.cli.common import DEFAULT_MEGAPIXELS, MaxMegapixels
from hart_agent.cli.options import AgentOptions, with_options
from hart_agent.commands import install_command
from hart_agent.errors import InstallError
from hart_agent.vision.folders import Folders

_option = functools.partial(typer.Option, rich_help_panel="Server")


@functools.partial(with_options, flags={"api_key": "--policy-api-key"})
def serve(
    *,
    options: AgentOptions,
    host: Annotated[str, _option(help="Where to listen; beyond this machine a key is required.")] = "127.0.0.1",
    port: Annotated[int, _option(min=0, max=65535, help="0 takes a free one.")] = 8600,
    server_key: Annotated[
        str | None,
        _option(
            "--api-key",
            envvar="HART_AGENT_SERVE_KEY",
            help="The key that clients must send. Better set the variable: other users can see arguments. The key of "
            "the policy's server is OPENAI_API_KEY, or --policy-api-key.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        list[Path] | None,
        _option(
            metavar="FOLDER",
            help="A folder whose images clients may name by file:// URLs. May be repeated.",
            show_default=False,
        ),
    ] = None,
    allow_download: Annotated[
        bool,
        _option("--allow-download", help="Images may be URLs, which this machine fetches."),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        _option(
            metavar="NAME",
            help="A further host name by which clients reach the server. May be repeated.",
            show_default=False,
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        _option(
            metavar="URL",
            help="An origin whose pages may send requests, such as https://chat.example. May be repeated.",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[
        int,
        _option(min=1, help="Questions at once, at most; fewer where the policy can't keep up."),
    ] = 4,
    max_waiting: Annotated[int, _option(min=0, help="Questions that may wait; further ones get status 429.")] = 256,
    max_body_megabytes: Annotated[int, _option(min=1, metavar="N", help="Refuse larger requests.")] = 100,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
) -> None:
    """Serve the agent as a model that any client of chat completions can ask, and a page to ask it from a browser.

    Only this machine can reach it, unless --host says otherwise; then a key is required. The base URL for clients is
    http://HOST:PORT/v1, the model's name hart-agent.
    """
    try:
        from hart_agent.serve.server import serve as run
        from hart_agent.serve.settings import ServeSettings
    except ImportError as error:
        raise InstallError(
            f"the server needs a package that is missing ({error.name}). Run: {install_command(extra='serve')}"
        ) from error
    settings = ServeSettings(
        host=host,
        port=port,
        api_key=server_key or None,
        names=frozenset(allow_host or ()),
        origins=frozenset(allow_origin or ()),
        folders=Folders(root) if root else None,
        allow_download=allow_download,
        max_pixels=max_image_megapixels * 1_000_000,
        max_body_bytes=max_body_megabytes * 1_000_000,
        concurrency=concurrency,
        max_waiting=max_waiting,
    )
    run(options.agent(), settings)
