"""Running a trace's tool calls again, without its policy: is every view the same, pixel for pixel?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hart_agent.dialogue.messages import ToolCall
from hart_agent.errors import PolicyError, ReplyFormatError
from hart_agent.tooling.discovery import all_tools
from hart_agent.tooling.overview import show_sized_overview
from hart_agent.tooling.protocol import Tool, ToolContext
from hart_agent.tooling.records import ViewRecord
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.tooling.standalone import Nobody
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.crop_rule import CropRule
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Size
from hart_agent.vision.source import SourceImage, View


@dataclass(frozen=True)
class ReplayedView:
    """One view of the trace, and what its call shows now.

    Attributes:
        id: the view's name.
        recorded: hash of the pixels in the trace; None for a view that the trace doesn't have.
        replayed: hash of the pixels now; None if the call no longer makes the view.
    """

    id: str
    recorded: str | None
    replayed: str | None

    @property
    def same(self) -> bool:
        return self.recorded == self.replayed


@dataclass(frozen=True)
class ReplayedCall:
    """One call of the trace.

    Attributes:
        turn: counted from 1; 0 is the overview that comes before all turns.
        id: of the call.
        name: of its tool.
        views: what it showed then and shows now; empty if it was skipped.
        skipped: why the call was not run again, or None.
        difference: how its outcome differs apart from the pixels, or None.
    """

    turn: int
    id: str
    name: str
    views: tuple[ReplayedView, ...] = ()
    skipped: str | None = None
    difference: str | None = None

    @property
    def same(self) -> bool:
        """Whether nothing differs. A call that was skipped differs in nothing."""
        return self.difference is None and all(view.same for view in self.views)


@dataclass(frozen=True)
class Replay:
    """The result of running a trace's calls again, the overview first."""

    calls: tuple[ReplayedCall, ...]

    @property
    def same(self) -> bool:
        """Whether every call that was run gave the same views."""
        return all(call.same for call in self.calls)

    def __str__(self) -> str:
        """A line for each call and view, and a last one that sums up."""
        lines = []
        for call in self.calls:
            title = "overview" if call.turn == 0 else f"turn {call.turn}: {call.name} ({call.id})"
            if call.skipped:
                lines.append(f"skipped    {title}: {call.skipped}")
            elif not call.views:
                lines.append(f"{'same' if call.same else 'DIFFERENT':10} {title}")
            lines += [
                f"{'same' if view.same else 'DIFFERENT':10} {title}" + (f", {view.id}" if call.turn else "")
                for view in call.views
            ]
            if call.difference:
                lines.append(f"           {call.difference}")
        views = [view for call in self.calls for view in call.views]
        skipped = sum(call.skipped is not None for call in self.calls)
        same = sum(view.same for view in views)
        lines.append(f"{same} of {len(views)} views are the same; {skipped} calls were skipped")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """As `hart-agent replay --json` prints it."""
        return {
            "same": self.same,
            "calls": [
                {
                    "turn": call.turn,
                    "id": call.id,
                    "name": call.name,
                    "same": None if call.skipped else call.same,
                    "skipped": call.skipped,
                    "difference": call.difference,
                    "views": [
                        {"id": view.id, "same": view.same, "recorded": view.recorded, "replayed": view.replayed}
                        for view in call.views
                    ],
                }
                for call in self.calls
            ],
        }


def replay(trace: dict[str, Any], source: SourceImage, tools: Sequence[Tool] | None = None) -> Replay:
    """Run the tool calls of a trace again and compare the views. Inside a running event loop, call it in a thread.

    Args:
        trace: as `load_trace` returns it.
        source: its image, of the same size.
        tools: by default all installed tools.

    Raises:
        ImageError: the image's pixel data is damaged.
    """
    runtime = ToolRuntime(all_tools() if tools is None else tools)
    with source:
        return asyncio.run(_replay(trace, source, runtime))


async def _replay(trace: dict[str, Any], source: SourceImage, runtime: ToolRuntime) -> Replay:
    pointing = trace["profile"]
    profile = CoordinateProfile(
        CoordinateSpace(pointing["space"]),
        ViewBudget(**pointing["budget"]),
        pointing.get("y_first", False),
        crop=CropRule.from_json(pointing["crop"]) if "crop" in pointing else None,
    )
    context = ToolContext(source, trace["question"], Nobody(profile, trace["policy"]))
    recorded = Size(trace["overview"]["width"], trace["overview"]["height"])
    usual = profile.view_size(source.size, whole=True)
    smaller = recorded.width <= usual.width and recorded.height <= usual.height
    overview = show_sized_overview(context, recorded if smaller else usual)
    views, difference = _compare([trace["overview"]], (ViewRecord.of(overview),))
    calls = [ReplayedCall(0, "overview", "overview", views, difference=difference)]
    _align(context, [trace["overview"]], {})
    for number, turn in enumerate(trace["turns"], start=1):
        for call in turn["calls"]:
            before = dict(context.views)
            calls.append(await _run(number, call, context, runtime))
            _align(context, call["views"], before)
    return Replay(tuple(calls))


async def _run(turn: int, call: dict[str, Any], context: ToolContext, runtime: ToolRuntime) -> ReplayedCall:
    if call["error"] == ReplyFormatError.kind:
        return ReplayedCall(turn, call["id"], call["name"], skipped="it could not be read")
    if "space" in call:
        context.policy.profile = replace(context.policy.profile, space=CoordinateSpace(call["space"]))
    try:
        result, _ = await runtime.execute(ToolCall(call["id"], call["name"], call["arguments"], call["raw"]), context)
    except PolicyError:
        return ReplayedCall(turn, call["id"], call["name"], skipped="it asks the policy")
    views, difference = _compare(call["views"], result.views)
    if result.error != call["error"]:
        outcomes = [f"the error {error!r}" if error else "no error" for error in (call["error"], result.error)]
        difference = f"{outcomes[0]} in the trace, {outcomes[1]} now"
        if result.error:
            difference += f" ({result.text[:300]})"
    return ReplayedCall(turn, call["id"], call["name"], views, difference=difference)


def _compare(
    recorded: list[dict[str, Any]], replayed: tuple[ViewRecord, ...]
) -> tuple[tuple[ReplayedView, ...], str | None]:
    """The views of a call, paired in order, and how their places differ, if they do."""
    views = []
    difference = None
    for index in range(max(len(recorded), len(replayed))):
        then = recorded[index] if index < len(recorded) else None
        now = replayed[index] if index < len(replayed) else None
        name = then["id"] if then else now.id if now else ""
        views.append(ReplayedView(name, then["sha256"] if then else None, now.sha256 if now else None))
        if then and now and _frame(then) != now.frame:
            difference = f"{name!r} shows {_frame(then).box} in {_frame(then).size} pixels in the trace, "
            difference += f"{now.frame.box} in {now.frame.size} now"
    return tuple(views), difference


def _align(context: ToolContext, recorded: list[dict[str, Any]], before: dict[str, View]) -> None:
    """Put the views as they were in the trace, so that a call that differs spoils none of those behind it.

    The pixels don't matter: later calls point at a view's place, and read from the original.
    """
    made = [view for name, view in context.views.items() if name not in before]
    recorded_names = {view.id: each["id"] for view, each in zip(made, recorded, strict=False)}
    context.views.clear()
    context.views.update(before)
    for index, view in enumerate(recorded):
        image = made[index].image if index < len(made) else context.image.render(_frame(view).box, Size(1, 1))
        context.views[view["id"]] = View(view["id"], view["kind"], image, _frame(view))
    named = [replace(item, view_id=recorded_names.get(item.view_id, item.view_id)) for item in context.evidence]
    context.evidence[:] = [item for item in named if item.view_id in context.views]


def _frame(view: dict[str, Any]) -> Frame:
    return Frame(Box(*view["box"]), Size(view["width"], view["height"]))
