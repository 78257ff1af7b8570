"""Asking: an agent drives an episode with a policy until it answers."""

from __future__ import annotations

import asyncio
import copy
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.episode import Episode
from hart_agent.agent.guess import Guess, guess_overview
from hart_agent.agent.items import BadItem, BatchItem, BatchResult, ItemLike, read_item
from hart_agent.agent.many import ask_many
from hart_agent.agent.modes import Mode, find_mode
from hart_agent.agent.observer import ObserverLike, Observers
from hart_agent.agent.outcome import NO_TIME_TO_CHECK
from hart_agent.agent.trajectory import StopReason, Trajectory, Turn
from hart_agent.backends import create_policy
from hart_agent.concurrency import OutOfTimeError, run_within, within
from hart_agent.dialogue.deadline import seconds_to_answer
from hart_agent.dialogue.policy import Policy, Seeded
from hart_agent.errors import ConfigError, ImageError, PolicyError
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.protocol import Tool
from hart_agent.tooling.records import Verdict
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.tooling.verification import MARGIN, verify_answer
from hart_agent.vision.cache import ImageCache
from hart_agent.vision.opening import open_image
from hart_agent.vision.source import ImageInput, SourceImage

_GRACE = 0.5
"""Seconds beyond `max_seconds` after which `ask` no longer waits for a policy that blocks its event loop."""
_LOOK_AGAIN = {
    Verdict.UNSUPPORTED: "Your answer does not stand: asked again with nothing but your evidence in sight, you said "
    "something else. Look again, commit better evidence with crop, then answer.",
    Verdict.INSUFFICIENT: "Your answer does not stand: your evidence alone is not enough to answer. Commit the regions "
    "that show it with crop, then answer.",
}


class OnUnsupported(StrEnum):
    """What happens to an answer that its evidence does not support."""

    KEEP = "keep"
    """It is given, and the verdict says so."""
    RETRY = "retry"
    """The policy is shown the verdict, and may look again, once; what it then answers is kept."""
    ABSTAIN = "abstain"
    """It is withheld, and so is an answer that could not be checked."""


class Agent:
    """Answers questions about images, with evidence.

    Args:
        policy: the model; by default the embedded text reader, which works offline.
        tools: by default all installed tools.
        config: the limits of each episode.
        mode: what the policy sees and may do: a `Mode`, or the name of one; by default that of `config`.
        on_unsupported: what happens to an answer that its evidence does not support. Only in modes in which the policy
            can look again does `retry` differ from `keep`.
        verify: whether each answer that the policy didn't check itself is checked against its evidence. By default so,
            but where the answer comes from the crops alone (the mode `closed-loop`) and no answer is to be withheld: it
            has seen nothing else, and is `unchecked`.
        tool_timeout: seconds for one tool call.
        guess_overview: whether the size of the overview is chosen for each question, from a first guess on a small one
            (see `hart_agent.agent.guess`); it takes a request more.
        observer: sees every episode of this agent.

    Raises:
        ConfigError: a limit is out of range, there is no such mode, or answers that aren't checked are to be withheld.
        PluginError: a tool can't be used.
        InstallError: the installation is broken, or the policy needs a package that is missing.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        tools: Sequence[Tool] | None = None,
        config: EpisodeConfig | None = None,
        mode: Mode | str | None = None,
        on_unsupported: OnUnsupported | str = OnUnsupported.KEEP,
        verify: bool | None = None,
        tool_timeout: float = 60.0,
        guess_overview: bool = False,
        observer: ObserverLike | None = None,
    ) -> None:
        self.policy: Policy = policy if policy is not None else create_policy("embedded")
        self.config = config or EpisodeConfig()
        if mode is not None:
            self.config = replace(self.config, mode=find_mode(mode) if isinstance(mode, str) else mode)
        self._runtime = ToolRuntime(discover_tools() if tools is None else tools, timeout=tool_timeout)
        try:
            self._on_unsupported = OnUnsupported(on_unsupported)
        except ValueError as error:
            choices = ", ".join(OnUnsupported)
            raise ConfigError(f"on_unsupported is one of {choices}; got {on_unsupported!r}") from error
        if verify is False and self._on_unsupported is not OnUnsupported.KEEP:
            raise ConfigError(f"on_unsupported={self._on_unsupported.value!r} needs verify=True; leave out --no-verify")
        self._verify = verify
        self._guess_overview = guess_overview
        self._observer = observer

    def ask(
        self, image: ImageInput | SourceImage, question: str, *, observer: ObserverLike | None = None
    ) -> Trajectory:
        """Answer a question; for use outside and inside a running event loop (which it blocks: see `aask`).

        It returns within the episode's `max_seconds` and half a second, even if the policy blocks its thread. If it is
        interrupted, the observers are given what happened so far, as the end, before KeyboardInterrupt goes on.

        Raises:
            ImageError: the image can't be used.
            ConfigError: the question is empty.
        """
        begun: list[Episode] = []
        watching = Observers(self._observer, observer)
        work = self._ask(image, question, watching, begun.append)
        try:
            return run_within(work, self.config.seconds(self.policy) + _GRACE)
        except TimeoutError:
            if not begun:
                raise self._not_opened() from None
            return _broken_off(begun[0], watching, late=True)
        except KeyboardInterrupt:
            if begun:
                _broken_off(begun[0], watching, late=False)
            raise

    async def aask(
        self, image: ImageInput | SourceImage, question: str, *, observer: ObserverLike | None = None
    ) -> Trajectory:
        """Answer a question about an image.

        Args:
            image: what `open_image` takes, or a `SourceImage`, whose decoded pixels are freed afterwards.
            question: in words.
            observer: sees this episode, in addition to the agent's own observer.

        Returns:
            The trajectory. A policy that fails is no exception but a stop reason, and what it found is kept.

        Raises:
            ImageError: the image can't be used.
            ConfigError: the question is empty.
        """
        return await self._ask(image, question, Observers(self._observer, observer), lambda _: None)

    async def _ask(
        self,
        image: ImageInput | SourceImage,
        question: str,
        watching: Observers,
        on_begun: Callable[[Episode], None],
    ) -> Trajectory:
        started = time.perf_counter()
        with image if isinstance(image, SourceImage) else open_image(image) as source:
            guess = await self._guess(source, question) if self._guess_overview else None
            config = self.config if guess is None else replace(self.config, overview_pixels=guess.pixels)
            begin = partial(
                Episode, source, question, self.policy, self._runtime, config,
                observer=watching, started=started, guess=guess,
            )  # fmt: skip
            if source.at_hand(self.policy.profile.view_size(source.size, whole=True)):
                episode = begin()
            else:
                try:
                    episode = await within(self.config.seconds(self.policy), asyncio.to_thread(begin))
                except OutOfTimeError:
                    raise self._not_opened() from None
            on_begun(episode)
            watching.on_start(episode.context.question, episode.image, episode.context.views["overview"])
            await self._converse(episode)
            if self._checks and episode.outcome.stop_reason is StopReason.ANSWERED:
                await self._settle(episode)
            result = episode.trajectory()
        watching.on_end(result)
        return result

    async def _guess(self, source: SourceImage, question: str) -> Guess | None:
        """A first guess, if there is time for it."""
        guess = guess_overview(source, question, self.policy, self._runtime.specs)
        try:
            return await within(self.config.seconds(self.policy), guess)
        except OutOfTimeError:
            return None

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
            items: each an (id, image, question), or a mapping with these keys; drawn when there is room for them. An
                `id` that is missing is made of image and question, or, where the image has no name, of its place.
            concurrency: questions at once, at most; fewer while the policy's server can't keep up.
            images: opens them, by path; by default one that keeps the overviews of the images used last.
            observer: called after each turn of any question, with the question's id.

        Returns:
            An iterator; what goes wrong with a question is its result, and so is a ConfigError for an item that has
            another form: the others continue.

        Raises:
            ConfigError: `concurrency` is out of range.
        """
        opener = images or ImageCache()

        async def ask(item: BatchItem | BadItem) -> BatchResult:
            if isinstance(item, BadItem):
                raise item.error
            watch = partial(observer, item.id) if observer is not None else None
            run = await self.aask(await opener.open(item.image), item.question, observer=watch)
            return BatchResult(item.id, run, error_of(run))

        def failed(item: BatchItem | BadItem, error: Exception) -> BatchResult:
            return BatchResult(item.id, None, error)

        read = map(read_item, items, itertools.count(1))
        return ask_many(ask, read, policy=self.policy, concurrency=concurrency, failed=failed)

    def variant(self, config: EpisodeConfig, *, verify: bool) -> Agent:
        """An agent with the same policy and tools that works otherwise, and keeps all its answers."""
        other = copy.copy(self)
        other.config, other._verify, other._on_unsupported = config, verify, OnUnsupported.KEEP
        return other

    def reseeded(self, seed: int) -> Agent:
        """An agent whose policy samples by another seed, where its policy is `Seeded`; otherwise the same policy."""
        other = copy.copy(self)
        if isinstance(self.policy, Seeded):
            other.policy = self.policy.with_seed(seed)
        return other

    def _not_opened(self) -> ImageError:
        return ImageError(
            f"the image could not be decoded within {self.config.seconds(self.policy):g} seconds. Give it more time "
            "(--max-seconds), or a smaller image."
        )

    @property
    def _checks(self) -> bool:
        """Whether answers are checked against their evidence."""
        if self._verify is not None:
            return self._verify
        return not self.config.mode.answers_from_crops_alone or self._on_unsupported is OnUnsupported.ABSTAIN

    async def _converse(self, episode: Episode) -> None:
        """Let the policy reply until the episode is over."""
        with seconds_to_answer(episode.seconds_left):
            while not episode.done:
                try:
                    reply = await within(episode.seconds_left, self.policy.reply(episode.messages, episode.tools))
                except (PolicyError, TimeoutError) as error:
                    if isinstance(error, TimeoutError) and not isinstance(error, OutOfTimeError):
                        error = PolicyError(f"the policy raised TimeoutError: {error}", retryable=True)
                    episode.fail(error)
                    return
                await episode.step(reply)

    async def _settle(self, episode: Episode) -> None:
        """Check the answer, and do with it what its verdict demands."""
        verdict = await _check(episode)
        look_again = _LOOK_AGAIN.get(verdict) if self._on_unsupported is OnUnsupported.RETRY else None
        first = episode.outcome
        if look_again is not None and episode.reopen(look_again):
            await self._converse(episode)
            if episode.outcome.stop_reason is StopReason.ANSWERED:
                await _check(episode)
            else:
                episode.outcome = first.kept_over(episode.outcome)
        elif self._on_unsupported is OnUnsupported.ABSTAIN and verdict is not Verdict.SUPPORTED:
            episode.outcome = episode.outcome.taken_back()


def _broken_off(episode: Episode, watching: Observers, *, late: bool) -> Trajectory:
    """The result of an episode that is not waited for any more: its time is over, or it was interrupted."""
    episode.interrupt(late=late)
    result = episode.trajectory()
    watching.on_end(result)
    return result


async def _check(episode: Episode) -> Verdict:
    """Check the final answer, unless the policy has already had this very answer checked."""
    answer, check = episode.outcome.answer, episode.outcome.verification
    assert answer is not None
    if check is None:
        margin = MARGIN if episode.config.mode.answers_from_crops_alone else 0.0
        try:
            with seconds_to_answer(episode.seconds_left):
                check = await within(episode.seconds_left, verify_answer(episode.context, answer, margin=margin))
        except (PolicyError, TimeoutError) as error:
            late = isinstance(error, OutOfTimeError)
            why = NO_TIME_TO_CHECK if late else f"the check against the evidence failed: {error}"
            episode.leave_unchecked(why, error.requests if isinstance(error, PolicyError) else 0)
            return Verdict.UNCHECKED
    episode.record_check(check)
    return check.verdict


def error_of(run: Trajectory) -> Exception | None:
    """The error of a question whose episode ran: the policy failed, or its reply was cut off."""
    if run.failure is None and run.stop_reason is StopReason.CUT_OFF:
        return PolicyError(run.reason or "the reply was cut off")
    return run.failure
