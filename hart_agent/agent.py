"""Asking: an agent drives an episode with a policy until it answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Sequence

from hart_agent.backends import create_policy
from hart_agent.episode import Episode, EpisodeConfig
from hart_agent.errors import PolicyError
from hart_agent.imaging import ImageInput, SourceImage
from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import Policy, Tool, discover_tools
from hart_agent.types import StopReason, Trajectory, Turn
from hart_agent.verification import verify_answer

Observer = Callable[[Turn], None]
"""Called after each turn, for progress displays and logs."""


class Agent:
    """Answers questions about images, with evidence.

    Args:
        policy: the model; by default the embedded text reader, which works offline.
        tools: by default all installed tools.
        config: the limits of each episode.
        verify: check each answer against its evidence when the policy didn't do so itself.
        tool_timeout: seconds for one tool call.

    Raises:
        ConfigError: a limit is out of range.
        PluginError: a tool can't be used.
        InstallError: the installation is broken, or the policy needs a package that is missing.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        tools: Sequence[Tool] | None = None,
        config: EpisodeConfig | None = None,
        verify: bool = True,
        tool_timeout: float = 60.0,
    ) -> None:
        self.policy: Policy = policy if policy is not None else create_policy("embedded")
        self.config = config or EpisodeConfig()
        self._runtime = ToolRuntime(discover_tools() if tools is None else tools, timeout=tool_timeout)
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
            episode = await asyncio.to_thread(Episode, source, question, self.policy, self._runtime, self.config)
            while not episode.done:
                try:
                    async with asyncio.timeout(episode.seconds_left) as limit:
                        reply = await self.policy.reply(episode.messages, episode.tools)
                except (PolicyError, TimeoutError) as error:
                    if isinstance(error, TimeoutError) and not limit.expired():
                        error = PolicyError(f"the policy raised TimeoutError: {error}", retryable=True)
                    episode.fail(error)
                    break
                turn = await episode.step(reply)
                if observer is not None:
                    observer(turn)
            if self._verify and episode.stop_reason is StopReason.ANSWERED:
                await _check(episode)
            return episode.trajectory()


async def _check(episode: Episode) -> None:
    """Verify the final answer unless the policy has already had this very answer verified."""
    context = episode.context
    assert episode.answer is not None
    if context.verifications and context.verifications[-1].answer == episode.answer:
        return
    try:
        async with asyncio.timeout(episode.seconds_left) as limit:
            await verify_answer(context, episode.answer)
    except PolicyError as error:
        episode.reason = f"the check against the evidence failed: {error}"
    except TimeoutError:
        if not limit.expired():
            raise
        episode.reason = "no time was left to check the answer against the evidence"
