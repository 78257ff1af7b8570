"""Asking: an agent drives an episode with a policy until it answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from enum import StrEnum
from functools import partial

from hart_agent.backends import create_policy
from hart_agent.batch.asking import ask_all
from hart_agent.batch.images import ImageCache
from hart_agent.batch.items import BatchItem, BatchResult, ItemLike
from hart_agent.deadline import seconds_to_answer
from hart_agent.episode import Episode, EpisodeConfig
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.imaging import ImageInput, SourceImage
from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import Policy, Tool, discover_tools
from hart_agent.types import StopReason, Trajectory, Turn, Verdict
from hart_agent.verification import verify_answer

Observer = Callable[[Turn], None]
"""Called after each turn, for progress displays and logs."""


_LOOK_AGAIN = {
    Verdict.UNSUPPORTED: "Your answer does not stand: asked again with nothing but your evidence in sight, you said "
    "something else. Look again, commit better evidence with crop, then answer.",
    Verdict.INSUFFICIENT: "Your answer does not stand: your evidence alone is not enough to answer. Commit the regions "
    "that show it with crop, then answer.",
}


class OnUnsupported(StrEnum):
    """What becomes of an answer that its evidence does not support."""

    KEEP = "keep"
    """It is given, and the verdict says so."""
    RETRY = "retry"
    """The policy is told, and may look again, once; what it then answers is kept."""
    ABSTAIN = "abstain"
    """It is withheld, and so is an answer that could not be checked."""


class Agent:
    """Answers questions about images, with evidence.

    Args:
        policy: the model; by default the embedded text reader, which works offline.
        tools: by default all installed tools.
        config: the limits of each episode.
        on_unsupported: what becomes of an answer that its evidence does not support. Only in the mode `agent` can the
            policy look again; elsewhere `retry` keeps the answer.
        verify: check each answer against its evidence when the policy didn't do so itself.
        tool_timeout: seconds for one tool call.

    Raises:
        ConfigError: a limit is out of range, or answers are to be withheld that aren't checked.
        PluginError: a tool can't be used.
        InstallError: the installation is broken, or the policy needs a package that is missing.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        tools: Sequence[Tool] | None = None,
        config: EpisodeConfig | None = None,
        on_unsupported: OnUnsupported | str = OnUnsupported.KEEP,
        verify: bool = True,
        tool_timeout: float = 60.0,
    ) -> None:
        self.policy: Policy = policy if policy is not None else create_policy("embedded")
        self.config = config or EpisodeConfig()
        self._runtime = ToolRuntime(discover_tools() if tools is None else tools, timeout=tool_timeout)
        try:
            self._on_unsupported = OnUnsupported(on_unsupported)
        except ValueError as error:
            choices = ", ".join(OnUnsupported)
            raise ConfigError(f"on_unsupported is one of {choices}; got {on_unsupported!r}") from error
        if not verify and self._on_unsupported is not OnUnsupported.KEEP:
            raise ConfigError(f"on_unsupported={self._on_unsupported.value!r} needs verify=True")
        self._verify = verify

    def ask(self, image: ImageInput | SourceImage, question: str, *, observer: Observer | None = None) -> Trajectory:
        """Answer a question; for use outside and inside a running event loop (which it blocks: see `aask`)."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.aask(image, question, observer=observer))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, self.aask(image, question, observer=observer)).result()

    async def aask(
        self, image: ImageInput | SourceImage, question: str, *, observer: Observer | None = None
    ) -> Trajectory:
        """Answer a question about an image.

        Args:
            image: a path, a PIL image, or a `SourceImage`, whose decoded pixels are freed afterwards.
            question: in words.
            observer: called after each turn.

        Returns:
            The trajectory. A policy that fails is no exception but a stop reason, and what it found is kept.

        Raises:
            ImageError: the image can't be used.
            ConfigError: the question is empty.
        """
        with image if isinstance(image, SourceImage) else SourceImage(image) as source:
            begin = partial(Episode, source, question, self.policy, self._runtime, self.config)
            at_hand = source.at_hand(self.policy.profile.budget.fit(source.size))
            episode = begin() if at_hand else await asyncio.to_thread(begin)
            await self._converse(episode, observer)
            if self._verify and episode.stop_reason is StopReason.ANSWERED:
                await self._settle(episode, observer)
            return episode.trajectory()

    def abatch(
        self,
        items: Iterable[ItemLike],
        *,
        concurrency: int = 4,
        images: ImageCache | None = None,
        observer: Callable[[str, Turn], None] | None = None,
    ) -> AsyncGenerator[BatchResult, None]:
        """Answer many questions: `async for result in agent.abatch(items)`, in the order in which they are done.

        Args:
            items: each an (id, image, question), or a mapping with these keys; drawn when there is room for them.
            concurrency: questions at once, at most; fewer while the policy's server can't keep up.
            images: opens them, by path; by default one that keeps the overviews of the images used last.
            observer: called after each turn of any question, with the question's id.

        Returns:
            An iterator; what goes wrong with a question is its result, and the others go on.

        Raises:
            ConfigError: `concurrency` is out of range, or an item has another form.
        """

        async def ask(item: BatchItem, image: SourceImage) -> Trajectory:
            watch = partial(observer, item.id) if observer is not None else None
            return await self.aask(image, item.question, observer=watch)

        return ask_all(ask, self.policy, items, concurrency=concurrency, images=images or ImageCache())

    def variant(self, config: EpisodeConfig, *, verify: bool) -> Agent:
        """An agent with the same policy and tools that works otherwise, and keeps all its answers."""
        other = copy.copy(self)
        other.config, other._verify, other._on_unsupported = config, verify, OnUnsupported.KEEP
        return other

    async def _converse(self, episode: Episode, observer: Observer | None) -> None:
        """Let the policy reply until the episode is over."""
        with seconds_to_answer(episode.seconds_left):
            while not episode.done:
                try:
                    async with asyncio.timeout(episode.seconds_left) as limit:
                        reply = await self.policy.reply(episode.messages, episode.tools)
                except (PolicyError, TimeoutError) as error:
                    if isinstance(error, TimeoutError) and not limit.expired():
                        error = PolicyError(f"the policy raised TimeoutError: {error}", retryable=True)
                    episode.fail(error)
                    return
                turn = await episode.step(reply)
                if observer is not None:
                    observer(turn)

    async def _settle(self, episode: Episode, observer: Observer | None) -> None:
        """Check the answer, and do with it what its verdict demands."""
        verdict = await _check(episode)
        look_again = _LOOK_AGAIN.get(verdict) if self._on_unsupported is OnUnsupported.RETRY else None
        if look_again is not None and episode.reopen(look_again):
            await self._converse(episode, observer)
            if episode.stop_reason is StopReason.ANSWERED:
                await _check(episode)
        elif self._on_unsupported is OnUnsupported.ABSTAIN and verdict is not Verdict.SUPPORTED:
            episode.withhold()


async def _check(episode: Episode) -> Verdict:
    """Verify the final answer unless the policy has already had this very answer verified."""
    context = episode.context
    assert episode.answer is not None
    if context.verifications and context.verifications[-1].answer == episode.answer:
        return context.verifications[-1].verdict
    try:
        async with asyncio.timeout(episode.seconds_left) as limit:
            with seconds_to_answer(episode.seconds_left):
                return (await verify_answer(context, episode.answer)).verdict
    except PolicyError as error:
        episode.reason = f"the check against the evidence failed: {error}"
    except TimeoutError:
        if not limit.expired():
            raise
        episode.reason = "no time was left to check the answer against the evidence"
    return Verdict.UNCHECKED
