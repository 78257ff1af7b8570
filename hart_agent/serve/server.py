"""Running a server until it is stopped."""

from __future__ import annotations

import socket
import sys

import uvicorn

from hart_agent.agent import Agent
from hart_agent.errors import ConfigError
from hart_agent.serve.addresses import is_loopback
from hart_agent.serve.app import build_app
from hart_agent.serve.settings import ServeSettings


def serve(agent: Agent, settings: ServeSettings) -> None:
    """Serve until interrupted or terminated; questions under way are then given some time. The address goes to stderr.

    Raises:
        ConfigError: the address can't be used.
    """
    listening = listen(settings.host, settings.port)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{shown}:{listening.getsockname()[1]}"
    print(f"hart-agent: a page at {address}/ and the model at {address}/v1", file=sys.stderr, flush=True)
    print(f"hart-agent: what is asked there is answered by {agent.policy.name}", file=sys.stderr, flush=True)
    if not is_loopback(settings.host):
        print("hart-agent: whoever has the key can ask; put TLS in front of it", file=sys.stderr, flush=True)
    make_server(agent, settings).run(sockets=[listening])


def make_server(agent: Agent, settings: ServeSettings) -> uvicorn.Server:
    """The server, which is still to be run."""
    config = uvicorn.Config(
        build_app(agent, settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: the address can't be used.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(f"can't listen at {host}:{port} ({error.strerror}). Choose another address.") from error
