"""Watching episodes: for progress displays, logs and servers that send what happens as it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hart_agent.agent.trajectory import ImageInfo, Trajectory, Turn
from hart_agent.tooling.records import ToolResult, Verification
from hart_agent.vision.source import View


class Observer:
    """Sees an episode as it happens. Override what you need; each method does nothing by default.

    The methods are called in the episode's event loop, so they must not block. What they raise ends the episode.
    """

    def on_start(self, question: str, image: ImageInfo, overview: View) -> None:
        """An episode begins.

        Args:
            question: as asked.
            image: which image.
            overview: what the policy sees first.
        """

    def on_tool_call(self, result: ToolResult, views: tuple[View, ...]) -> None:
        """A tool has run.

        Args:
            result: the call and what the model is shown.
            views: the images that the model is shown.
        """

    def on_turn(self, turn: Turn) -> None:
        """A reply was taken and its calls have run."""

    def on_verdict(self, verification: Verification) -> None:
        """An answer was checked against its evidence."""

    def on_end(self, trajectory: Trajectory) -> None:
        """The episode is over."""


ObserverLike: TypeAlias = Observer | Callable[[Turn], None]
"""An `Observer`, or a function that is called after each turn."""


class Observers(Observer):
    """Several observers as one.

    Args:
        observers: in the order in which they are called; None is left out.
    """

    def __init__(self, *observers: ObserverLike | None) -> None:
        self._observers = [
            each if isinstance(each, Observer) else _OnTurn(each) for each in observers if each is not None
        ]

    def on_start(self, question: str, image: ImageInfo, overview: View) -> None:
        for observer in self._observers:
            observer.on_start(question, image, overview)

    def on_tool_call(self, result: ToolResult, views: tuple[View, ...]) -> None:
        for observer in self._observers:
            observer.on_tool_call(result, views)

    def on_turn(self, turn: Turn) -> None:
        for observer in self._observers:
            observer.on_turn(turn)

    def on_verdict(self, verification: Verification) -> None:
        for observer in self._observers:
            observer.on_verdict(verification)

    def on_end(self, trajectory: Trajectory) -> None:
        for observer in self._observers:
            observer.on_end(trajectory)


class _OnTurn(Observer):
    """A plain function as an observer."""

    def __init__(self, function: Callable[[Turn], None]) -> None:
        self._function = function

    def on_turn(self, turn: Turn) -> None:
        self._function(turn)
