"""Questions under way: how many at once, what happens in them, and their end."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from hart_agent.agent import Agent
from hart_agent.agent.agent import error_of
from hart_agent.agent.observer import Observer, Observers
from hart_agent.agent.trajectory import ImageInfo, Trajectory, Turn
from hart_agent.dialogue.policy import admission_of
from hart_agent.serve.errors import RequestError
from hart_agent.serve.metrics import Metrics
from hart_agent.serve.settings import ServeSettings
from hart_agent.serve.traces import Traces
from hart_agent.tooling.records import ToolResult, Verification
from hart_agent.trace.json import call_json, trace_json, turn_json
from hart_agent.vision.source import SourceImage, View

_log = logging.getLogger(__name__)

_FIRST_GUESS: Final = 5.0
"""Seconds of a question, before any was answered."""
_SMOOTHING: Final = 0.1
_LONGEST_WAIT: Final = 60


@dataclass(frozen=True)
class Event:
    """Something that happened in an episode.

    Attributes:
        kind: start, call, turn, verdict.
        data: JSON.
    """

    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """An episode that is over.

    Attributes:
        trajectory: all that happened.
        trace_id: under which its trace is kept.
    """

    trajectory: Trajectory
    trace_id: str


class RunningEpisode(Observer):
    """A question under way, with its events as they happen. A client that reads them slowly doesn't hold it up.

    Attributes:
        size: width and height of the original image in pixels, once it has started.
    """

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.size = (1, 1)
        self.task: asyncio.Task[Finished]

    async def events(self) -> AsyncIterator[Event]:
        """The events, up to the end of the episode."""
        while (event := await self._events.get()) is not None:
            yield event

    async def finished(self) -> Finished:
        """The end of the episode.

        Raises:
            HartError: it failed.
        """
        return await asyncio.shield(self.task)

    def cancel(self) -> None:
        """End it: nobody wants the answer any more."""
        self.task.cancel()

    def close(self) -> None:
        """There are no further events."""
        self._events.put_nowait(None)

    def on_start(self, question: str, image: ImageInfo, overview: View) -> None:
        self.size = (image.size.width, image.size.height)
        self._put("start", {"question": question, "width": image.size.width, "height": image.size.height})

    def on_tool_call(self, result: ToolResult, views: tuple[View, ...]) -> None:
        self._put("call", call_json(result))

    def on_turn(self, turn: Turn) -> None:
        self._put("turn", turn_json(turn))

    def on_verdict(self, verification: Verification) -> None:
        self._put("verdict", {"verdict": verification.verdict.value, "crop_only_answer": verification.crop_only_answer})

    def _put(self, kind: str, data: dict[str, Any]) -> None:
        self._events.put_nowait(Event(kind, data))


class Asking:
    """Asks an agent many questions, as many at once as the settings and the policy's own limit allow.

    Args:
        agent: that is asked.
        settings: `concurrency` and `max_waiting`.
        metrics: sees every episode.
        traces: keeps them.
    """

    def __init__(self, agent: Agent, settings: ServeSettings, metrics: Metrics, traces: Traces) -> None:
        self._agent = agent
        self._settings = settings
        self._metrics = metrics
        self._traces = traces
        self._room = asyncio.Semaphore(settings.concurrency)
        self._admission = admission_of(agent.policy)
        self._present = 0
        self._active = 0
        self._mean_seconds = _FIRST_GUESS
        metrics.running.set_function(lambda: self._active)
        metrics.waiting.set_function(lambda: self._waiting)

    def start(self, image: SourceImage, question: str) -> RunningEpisode:
        """Start a question; it waits for its turn.

        Raises:
            RequestError: too many wait already.
        """
        if self._present >= self._settings.concurrency + self._settings.max_waiting:
            self._metrics.refused.inc()
            raise RequestError(
                429, f"{self._waiting} questions wait already; try again later", code="busy",
                retry_after=self._seconds_to_wait,
            )  # fmt: skip
        running = RunningEpisode()
        running.task = asyncio.create_task(self._run(running, image, question))
        self._present += 1

        def ended(task: asyncio.Task[Finished]) -> None:
            self._present -= 1
            running.close()
            if task.cancelled():
                self._metrics.cancelled.inc()
            elif (error := task.exception()) is not None:  # taken here, for nobody may be there to take it
                _log.info("a question failed: %s", error)

        running.task.add_done_callback(ended)
        return running

    @property
    def _waiting(self) -> int:
        return self._present - self._active

    @property
    def _seconds_to_wait(self) -> int:
        """After how many seconds there is likely to be room again."""
        expected = self._mean_seconds * (1 + self._waiting / self._settings.concurrency)
        return max(1, min(_LONGEST_WAIT, math.ceil(expected)))

    async def _run(self, running: RunningEpisode, image: SourceImage, question: str) -> Finished:
        async with self._room, self._admission():
            self._active += 1
            try:
                run = await self._agent.aask(image, question, observer=Observers(self._metrics, running))
            finally:
                self._active -= 1
        self._mean_seconds += _SMOOTHING * (run.seconds - self._mean_seconds)
        trace_id = self._traces.keep(trace_json(run))
        if (error := error_of(run)) is not None:
            raise error
        return Finished(run, trace_id)
