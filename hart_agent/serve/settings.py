"""What a server may do, and its limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from hart_agent.errors import ConfigError
from hart_agent.serve.addresses import Addresses, is_loopback
from hart_agent.vision.folders import Folders
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """What a server may do, and its limits.

    Attributes:
        host: the interface to listen on.
        port: 0 takes a free one.
        api_key: that clients must send; required unless the host is loopback.
        names: further host names that clients may use.
        origins: further origins whose pages may send requests.
        folders: from which file:// URLs may be read; None for none.
        allow_download: whether images may be http and https URLs.
        max_pixels: of one image.
        max_body_bytes: of one request.
        max_held_bytes: of all requests under way; further ones are refused as busy.
        body_seconds: within which a request must have arrived.
        concurrency: questions at once, at most; fewer where the policy's server can't keep up.
        max_waiting: questions that wait for their turn; further ones are refused as busy.
        shutdown_seconds: that requests under way are given when the server ends.

    Raises:
        ConfigError: a limit is not positive, or the server would be open to others without a key.
    """

    host: str = "127.0.0.1"
    port: int = 8600
    api_key: str | None = field(default=None, repr=False)
    names: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    folders: Folders | None = None
    allow_download: bool = False
    max_pixels: int = DEFAULT_MAX_IMAGE_PIXELS
    max_body_bytes: int = 100_000_000
    max_held_bytes: int = 1_000_000_000
    body_seconds: float = 120.0
    concurrency: int = 4
    max_waiting: int = 256
    shutdown_seconds: int = 30

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_body_bytes", "max_held_bytes", "body_seconds", "concurrency"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if not self.api_key and not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host} lets other machines in, which needs a key: set HART_AGENT_SERVE_KEY, or --api-key"
            )

    @property
    def addresses(self) -> Addresses:
        """The names of the server, and the pages that may send requests."""
        return Addresses(self.host, self.names, self.origins)
