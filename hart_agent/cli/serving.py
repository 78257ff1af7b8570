"""`hart-agent serve`: the agent as a model, for clients of chat completions."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import ClassVar

from hart_agent.backends.options import option
from hart_agent.cli.common import DEFAULT_MEGAPIXELS, MaxMegapixels
from hart_agent.cli.memory import return_freed_memory
from hart_agent.cli.options import AgentOptions, with_options
from hart_agent.commands import install_command
from hart_agent.errors import InstallError
from hart_agent.serve.settings import ServeSettings


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The limits of the server that the command line has in other units."""

    PANEL: ClassVar = ServeSettings.PANEL

    max_body_megabytes: int = option("Refuse larger requests.", default=100, minimum=1, metavar="N")
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS


@functools.partial(with_options, flags={"api_key": "--policy-api-key", "key": "--api-key"})
def serve(*, settings: ServeSettings, sizes: Sizes, options: AgentOptions) -> None:
    """Serve the agent as a model that any client of chat completions can ask, and a page to ask it from a browser.

    Only this machine can reach it, unless --host says otherwise; then a key is required. The base URL for clients is
    http://HOST:PORT/v1, the model's name hart-agent.
    """
    try:
        from hart_agent.serve.server import serve as run
    except ImportError as error:
        raise InstallError(
            f"the server needs a package that is missing ({error.name}). Run: {install_command(extra='serve')}"
        ) from error
    return_freed_memory()
    settings = replace(
        settings,
        max_image_pixels=sizes.max_image_megapixels * 1_000_000,
        max_body_bytes=sizes.max_body_megabytes * 1_000_000,
    )
    run(options.agent(), settings)
