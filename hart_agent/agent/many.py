"""Asking many questions at once: the one engine behind batches and evaluation.

What goes wrong with a question is its result. A run ends early only where every further question would fail as well:
the installation is broken, or the policy's server is down.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Final, TypeVar

from hart_agent.concurrency import map_concurrently
from hart_agent.dialogue.policy import Policy, admission_of
from hart_agent.errors import ConfigError, HartError, InstallError, PolicyError

_log = logging.getLogger(__name__)

I = TypeVar("I")  # noqa: E741 (an item)
R = TypeVar("R")

OUTAGE: Final = 10
"""So many questions in a row that failed because of an outage end a run."""


async def ask_many(
    ask: Callable[[I], Awaitable[R]],
    items: Iterable[I],
    *,
    policy: Policy,
    concurrency: int,
    failed: Callable[[I, Exception], R],
) -> AsyncGenerator[R, None]:
    """The results of many questions, as they come.

    Args:
        ask: answers one question.
        items: drawn when there is room for them, so that there may be any number.
        policy: where it is `Admitting`, questions wait for it before their time starts.
        concurrency: questions at once, at most.
        failed: makes the result of a question whose asking raised an exception.

    Raises:
        ConfigError: `concurrency` is out of range.
        InstallError: the installation is broken.
    """
    if concurrency < 1:
        raise ConfigError(f"concurrency must be 1 or more, got {concurrency}")
    admission = admission_of(policy)

    async def answer(item: I) -> R:
        async with admission():
            try:
                return await ask(item)
            except InstallError:  # that is every question's
                raise
            except HartError as error:
                return failed(item, error)
            except Exception as error:
                _log.exception("a question raised %s; this is a bug, of the policy, say", type(error).__name__)
                return failed(item, error)

    async with aclosing(map_concurrently(answer, items, concurrency)) as results:
        async for result in results:
            yield result


async def until_outage(
    results: AsyncGenerator[R, None], error_of: Callable[[R], Exception | None], *, advice: str
) -> AsyncGenerator[R, None]:
    """The results, up to an outage of the policy. Failures of an outage wait until it is clear that it has ended.

    A refusal of one question (a content filter, a prompt that is too long) is no outage, however many there are.

    Args:
        results: of questions.
        error_of: the error of a result, or None.
        advice: what the user can do, for the error's message.

    Raises:
        PolicyError: `OUTAGE` questions in a row failed because of an outage; their results are dropped.
    """
    waiting: list[R] = []
    async with aclosing(results):
        async for result in results:
            error = error_of(result)
            if isinstance(error, PolicyError) and error.outage:
                waiting.append(result)
                if len(waiting) >= OUTAGE:
                    raise PolicyError(
                        f"the policy failed at {len(waiting)} questions in a row, the last time with: {error} {advice}",
                        retryable=error.retryable,
                        outage=True,
                    )
                continue
            if error is None:  # the policy works
                for earlier in waiting:
                    yield earlier
                waiting.clear()
            yield result
        for earlier in waiting:
            yield earlier
