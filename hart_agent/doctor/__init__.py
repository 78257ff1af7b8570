"""Examining a backend: is it there, how does it point, what does it refuse, and with which flags does it work best?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from hart_agent.backends import PolicyOptions, create_policy, find_backend
from hart_agent.backends.openai.retries import RetryPolicy
from hart_agent.backends.openai.server import Server
from hart_agent.commands import install_command
from hart_agent.doctor.checks import check_coordinates, check_text_calls, check_tools
from hart_agent.doctor.drawings import written_view
from hart_agent.doctor.report import Check, Report, Status
from hart_agent.doctor.server_checks import check_images, check_larger, check_models, check_size
from hart_agent.doctor.session import PolicySession, ServerSession, Session, Unanswered
from hart_agent.doctor.vocabularies import check_vocabularies, spoken_instead, worth_asking
from hart_agent.errors import ConfigError, HartError

__all__ = ["Check", "Report", "Status", "examine", "examine_embedded", "examine_model", "examine_server"]

_REPLY_TOKENS = 128
_WORD = "STOP"


async def examine(backend: str, options: PolicyOptions, *, max_seconds: float = 60.0) -> Report:
    """Examine a backend.

    Args:
        backend: as `find_backend` takes it.
        options: its settings; of these, a server has `base_url`, `model` and `api_key`, and the embedded reader none.
        max_seconds: for everything but loading a model.

    Raises:
        ConfigError: there is no such backend, or it doesn't take these settings.
        InstallError: a package that it needs is missing.
        PolicyError: a model has to be downloaded, and can't be.
    """
    if backend == "openai":
        return await examine_server(options.base_url, options.model, options.api_key, max_seconds=max_seconds)
    if backend == "embedded":
        return await examine_embedded(options, max_seconds=max_seconds)
    return await examine_model(backend, options, max_seconds=max_seconds)


async def examine_model(backend: str, options: PolicyOptions, *, max_seconds: float = 60.0) -> Report:
    """Examine any backend but the two that have an examination of their own, with text calls alone.

    Args:
        backend: "transformers", "vllm", or another package's, as `find_backend` takes it.
        options: its settings.
        max_seconds: for all replies; loading the model comes on top.

    Raises:
        ConfigError: there is no such backend, or it doesn't take these settings.
        InstallError: a package that it needs is missing.
        PolicyError: the model has to be downloaded, and can't be.
    """
    started = time.perf_counter()
    found = find_backend(backend)
    if "max_tokens" in found.accepts:
        options = replace(options, max_tokens=_REPLY_TOKENS)
    policy = await asyncio.to_thread(found.create, options)
    session = PolicySession(policy, max_seconds)
    try:
        coordinates = await check_coordinates(session)
        tools = [await check_text_calls(session)]
        checks = await _with_vocabulary(session, policy.name, [*coordinates, *tools], tools)
    except Unanswered as error:
        checks = [Check("coordinates", Status.FAIL, error.failure.message, error.advice)]
    given = {"--backend": backend, "--base-url": options.base_url, "--model": options.model}
    base_flags = tuple(part for name, value in given.items() if value is not None for part in (name, value))
    return Report(backend, policy.name, tuple(checks), base_flags, session.requests, time.perf_counter() - started)


async def examine_embedded(options: PolicyOptions | None = None, *, max_seconds: float = 60.0) -> Report:
    """Whether the embedded reader's models load and read. There is no server to examine.

    Args:
        options: none are taken.
        max_seconds: for reading.

    Raises:
        ConfigError: a setting was made.
    """
    started = time.perf_counter()
    from hart_agent.ocr import PACKAGES

    advice = f"Install its packages again: {install_command(*PACKAGES, reinstall=True)}"
    name, requests = "", 0
    try:
        policy = create_policy("embedded", options)
        name = policy.name
        session = PolicySession(policy, max_seconds)
        requests = 1
        reply = await session.ask(written_view(_WORD), "<question>What does the sign say?</question>")
    except ConfigError:
        raise
    except (HartError, Unanswered) as error:
        check = Check("models", Status.FAIL, str(error), advice)
    except Exception as error:  # whatever a damaged model file makes of its runtime
        check = Check("models", Status.FAIL, f"they can't be loaded ({type(error).__name__}: {error})", advice)
    else:
        good = _WORD in reply.text
        finding = f"they load, and read {reply.text[:80]!r} where {_WORD} is written"
        check = Check("models", Status.OK if good else Status.FAIL, finding, "" if good else advice)
    seconds = time.perf_counter() - started
    return Report("embedded", name, (check,), ("--backend", "embedded"), requests, seconds)


async def examine_server(
    base_url: str | None, model: str | None, api_key: str | None, *, max_seconds: float = 60.0
) -> Report:
    """Examine a model behind an OpenAI-compatible server, with at most some 20 requests.

    Args:
        base_url: where the server is; None for the client library's default.
        model: its name; None if the server has only one.
        api_key: never shown; None for `OPENAI_API_KEY`.
        max_seconds: for everything; checks that it leaves no time for are skipped.

    Raises:
        InstallError: the package `aiohttp` is missing.
        ConfigError: the base URL is not a URL of HTTP.
    """
    started = time.perf_counter()
    server = Server(base_url, api_key, max_seconds, RetryPolicy(retries=0))
    session = ServerSession(server, max_seconds, None, _REPLY_TOKENS)
    first, name = await check_models(session, model)
    checks = [first]
    if name:
        try:
            checks += await check_coordinates(session)
        except Unanswered as error:
            checks.append(Check("coordinates", Status.FAIL, error.failure.message, error.advice))
        else:
            checks += [await check_images(session), await check_size(session)]
            tools = await check_tools(session)
            checks += [*tools, await check_larger(session)]
            checks = await _with_vocabulary(session, name, checks, tools)
    base_flags = ("--base-url", server.where) if base_url else ("--backend", "openai")  # without a password in it
    return Report("openai", name, tuple(checks), base_flags, session.requests, time.perf_counter() - started)


async def _with_vocabulary(session: Session, model: str, checks: list[Check], tools: Sequence[Check]) -> list[Check]:
    """The checks, and one more if the model may be an agent that somebody published.

    Args:
        session: asks the model.
        model: its name.
        checks: all that were made.
        tools: those of how it calls tools.
    """
    points = all(check.status is not Status.FAIL for check in checks if check.name == "coordinates")
    if not worth_asking(model, points, tools):
        return checks
    found = await check_vocabularies(session, model, calls=any(check.status is Status.OK for check in tools))
    return [*spoken_instead(checks, found), found]
