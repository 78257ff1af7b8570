"""Examining a backend: is it there, how does it point, what does it refuse, and with which flags does it work best?"""

from __future__ import annotations

import time

from hart_agent.backends.retries import RetryPolicy
from hart_agent.backends.server import Server
from hart_agent.doctor.checks import check_coordinates, check_tools
from hart_agent.doctor.report import Check, Report, Status
from hart_agent.doctor.server_checks import check_images, check_models, check_size, check_stop
from hart_agent.doctor.session import ServerSession, Unanswered

__all__ = ["Check", "Report", "Status", "examine_server"]

_REPLY_TOKENS = 128


async def examine_server(
    base_url: str | None, model: str | None, api_key: str | None, *, max_seconds: float = 60.0
) -> Report:
    """Examine a model behind an OpenAI-compatible server, with at most some 20 requests.

    Args:
        base_url: where the server is; None for the client library's default.
        model: its name; None if the server has only one.
        api_key: never shown.
        max_seconds: for everything; checks that it leaves no time for are skipped.

    Raises:
        InstallError: the package `openai` is missing.
        ConfigError: the base URL is no URL.
    """
    started = time.perf_counter()
    server = Server(base_url, api_key, max_seconds, RetryPolicy(retries=0))
    session = ServerSession(server, max_seconds, None, _REPLY_TOKENS)
    first, name = await check_models(session, model)
    checks = [first]
    if name:
        try:
            checks += await check_coordinates(session, overridable=True)
        except Unanswered as error:
            checks.append(Check("coordinates", Status.FAIL, error.failure.message, error.advice))
        else:
            checks += [await check_images(session), await check_size(session)]
            checks += [*await check_tools(session), await check_stop(session)]
    base_flags = ("--base-url", base_url) if base_url else ("--backend", "openai")
    return Report("openai", name, tuple(checks), base_flags, session.requests, time.perf_counter() - started)
