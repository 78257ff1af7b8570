"""`hart-agent doctor`: what there is to work with."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from hart_agent.backends import BACKENDS, PolicyOptions
from hart_agent.cli.codes import EXIT_POLICY
from hart_agent.cli.common import Json
from hart_agent.cli.console.objects import print_json
from hart_agent.cli.console.results import print_report, print_servers
from hart_agent.cli.options import BackendName, policy_option
from hart_agent.cli.origins import key_origin, resolve, settings_json
from hart_agent.commands import install_command
from hart_agent.concurrency import run


def doctor(
    context: typer.Context,
    backend: BackendName = None,
    base_url: Annotated[str | None, policy_option("base_url")] = None,
    model: Annotated[str | None, policy_option("model")] = None,
    api_key: Annotated[str | None, policy_option("api_key")] = None,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds before it must stop.")] = 60.0,
    json_output: Json = False,
) -> None:
    """Find the model servers of this machine; or examine one, and print the flags with which it works.

    Without a server or a backend, it looks on the usual ports of this machine, and asks no other. Otherwise it asks
    about images that it draws itself: how many and how large, in which coordinates the model writes boxes, how it
    calls tools, whether it stops; of a model in this process, how it points and calls tools; of the embedded reader,
    whether its models load. Exit code 4: not usable.
    """
    from hart_agent.doctor import examine

    if not (backend or base_url):
        raise typer.Exit(_look_around(model, json_output=json_output))
    given = resolve(context, {"backend": backend, "base_url": base_url, "model": model, "api_key": api_key})
    chosen = given.values["backend"] or BACKENDS[1]
    options = PolicyOptions(**{name: value for name, value in given.values.items() if name != "backend"})
    report = run(examine(chosen, options, max_seconds=max_seconds))
    origins = dict(given.origins)
    if chosen == BACKENDS[1] and (origin := key_origin(given)):
        origins["api_key"] = origin
    settings = settings_json(given.values, origins)
    if json_output:
        print_json(report.to_json() | {"settings": settings})
    else:
        print_report(report, settings)
    raise typer.Exit(0 if report.usable else EXIT_POLICY)


def _look_around(model: str | None, *, json_output: bool) -> int:
    from hart_agent.doctor.discovery import PORTS, find_servers

    servers = find_servers(PORTS)
    if model is not None:
        servers = [server.asked_for(model) for server in servers]
    missing = importlib.util.find_spec("aiohttp") is None
    install = install_command(extra="openai") if missing else ""
    if json_output:
        print_json({"ports": sorted(PORTS), "servers": [server.to_json() for server in servers], "install": install})
    else:
        print_servers(servers, install)
    return 0 if any(server.flags for server in servers) else EXIT_POLICY
