"""What a server may do, and its limits: each declared once, with the option of `hart-agent serve` that sets it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from hart_agent.backends.options import POSITIVE, check_options, option
from hart_agent.errors import ConfigError
from hart_agent.serve.addresses import Addresses, is_loopback
from hart_agent.vision.folders import Folders
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS

_POSITIVE: Final = {"limit": POSITIVE}


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """What a server may do, and its limits. The options say what they mean; these are set from Python only:

    Attributes:
        max_image_pixels: of one image.
        max_body_bytes: of one request.
        max_held_bytes: of all requests under way; further ones are refused as busy.
        body_seconds: within which a request must have arrived.
        shutdown_seconds: that requests under way are given when the server ends.

    Raises:
        ConfigError: a limit is out of range, a root is not a folder, or the server would be open to others without a
            key.
    """

    PANEL: ClassVar = "Server"

    host: str = option("Where to listen; beyond this machine a key is required.", default="127.0.0.1")
    port: int = option("0 takes a free one.", default=8600, limit=(lambda port: 0 <= port <= 65535, "0 to 65535"))
    key: str | None = option(
        "The key that clients must send. Better set the variable: other users can see arguments. The key of the "
        "policy's server is OPENAI_API_KEY, or --policy-api-key.",
        secret=True,
        variables=["HART_AGENT_SERVE_KEY"],
    )
    root: list[Path] | None = option(
        "A folder whose images clients may name by file:// URLs. May be repeated.", metavar="FOLDER"
    )
    allow_download: bool = option("Images may be URLs, which this machine fetches.", default=False)
    allow_host: list[str] | None = option(
        "A further host name by which clients reach the server. May be repeated.", metavar="NAME"
    )
    allow_origin: list[str] | None = option(
        "An origin whose pages may send requests, such as https://chat.example. May be repeated.",
        metavar="URL",
    )
    concurrency: int = option("Questions at once, at most; fewer where the policy can't keep up.", default=4, minimum=1)
    max_waiting: int = option("Questions that may wait; further ones get status 429.", default=256, minimum=0)
    max_image_pixels: int = field(default=DEFAULT_MAX_IMAGE_PIXELS, metadata=_POSITIVE)
    max_body_bytes: int = field(default=100_000_000, metadata=_POSITIVE)
    max_held_bytes: int = field(default=1_000_000_000, metadata=_POSITIVE)
    body_seconds: float = field(default=120.0, metadata=_POSITIVE)
    shutdown_seconds: int = 30

    def __post_init__(self) -> None:
        check_options(self)
        if not self.key and not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host} lets other machines in, which needs a key: set HART_AGENT_SERVE_KEY, or --api-key"
            )
        _ = self.folders  # a mistake shows now

    @cached_property
    def folders(self) -> Folders | None:
        """From which file:// URLs may be read; None for none."""
        return Folders(self.root) if self.root else None

    @property
    def addresses(self) -> Addresses:
        """The names of the server, and the pages that may send requests."""
        return Addresses(self.host, frozenset(self.allow_host or ()), frozenset(self.allow_origin or ()))
