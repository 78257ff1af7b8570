"""Asking many questions at once."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from hart_agent.agent.items import BatchItem, BatchResult, ItemLike, as_item
from hart_agent.agent.trajectory import StopReason, Trajectory
from hart_agent.concurrency import map_concurrently
from hart_agent.dialogue.policy import Policy, admission_of
from hart_agent.errors import ConfigError, HartError, InstallError, PolicyError
from hart_agent.vision.cache import ImageCache
from hart_agent.vision.source import SourceImage

_log = logging.getLogger(__name__)

Ask = Callable[[BatchItem, SourceImage], Awaitable[Trajectory]]


async def ask_all(
    ask: Ask, policy: Policy, items: Iterable[ItemLike], *, concurrency: int, images: ImageCache
) -> AsyncGenerator[BatchResult, None]:
    """The results of many questions, as they come. What goes wrong with one is its result.

    Args:
        ask: answers one question about its image.
        policy: where it is `Admitting`, questions wait for it before their time starts.
        items: drawn when there is room for them, so that there may be any number.
        concurrency: questions at once, at most.
        images: opens them.

    Raises:
        ConfigError: `concurrency` is out of range, or an item has another form.
        InstallError: the installation is broken.
    """
    if concurrency < 1:
        raise ConfigError(f"concurrency must be 1 or more, got {concurrency}")

    admission = admission_of(policy)

    async def answer(item: BatchItem) -> BatchResult:
        async with admission():
            try:
                run = await ask(item, await images.open(item.image))
            except HartError as error:
                return BatchResult(item.id, None, error)
            except Exception as error:
                _log.exception("the question %r broke down; this is a bug, of the policy, say", item.id)
                return BatchResult(item.id, None, error)
        failed = run.stop_reason is StopReason.POLICY_ERROR
        return BatchResult(item.id, run, PolicyError(run.reason or "the policy failed") if failed else None)

    results = map_concurrently(answer, map(as_item, items), concurrency)
    try:
        async for result in results:
            if isinstance(result.error, InstallError):  # that is every question's
                raise result.error
            yield result
    finally:
        await results.aclose()
