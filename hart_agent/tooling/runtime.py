"""Running tool calls: schemas, boxes to original pixels, time-outs, and errors that the model can use."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import time
from collections.abc import Container, Sequence
from typing import Any

import jsonschema

from hart_agent.concurrency import in_thread
from hart_agent.dialogue.messages import ToolCall, ToolSpec
from hart_agent.errors import (
    ConfigError,
    ImageError,
    ModelVisibleError,
    PluginError,
    PolicyError,
    ToolArgumentsError,
    ToolTimeoutError,
    UnknownToolError,
)
from hart_agent.tooling.protocol import (
    BOX_FORMAT,
    VIEW_FORMAT,
    Tool,
    ToolContext,
    ToolOutput,
    check_definition,
    tool_spec,
)
from hart_agent.tooling.records import Evidence, ToolResult, ViewRecord
from hart_agent.vision.geometry import Box, Rect, resolve_box
from hart_agent.vision.source import View

_log = logging.getLogger(__name__)

_MAX_ERROR = 1000
"""Characters of an error that the model is told; a message may quote the whole of what it wrote."""

_STRETCHED = "{} is shown stretched: the photo is too thin there to be shown in its true shape."
_UNPOINTABLE = "No box can be given on {}: point on the image from which it was made."
_MAX_STRETCH = 1.6
"""Times; what it takes to fit a view into a model's grid is less."""


class ToolRuntime:
    """Runs calls against a fixed set of tools.

    Args:
        tools: their names must differ.
        timeout: seconds for one call, where the tool has no `timeout` of its own. A plain function that runs over goes
            on in its thread, unheeded.

    Raises:
        PluginError: two tools share a name, or one can't be offered to a model.
    """

    def __init__(self, tools: Sequence[Tool], *, timeout: float = 60.0) -> None:
        if timeout <= 0:
            raise ConfigError(f"the tools' time-out must be positive, got {timeout}")
        self._timeout = timeout
        self._warned_of_misfit = False
        self._tools: dict[str, Tool] = {}
        self._validators: dict[str, jsonschema.Draft202012Validator] = {}
        for tool in tools:
            check_definition(tool)
            if tool.name in self._tools:
                raise PluginError(f"two tools are named {tool.name!r}: {self._tools[tool.name]!r} and {tool!r}")
            self._tools[tool.name] = tool
            self._validators[tool.name] = jsonschema.Draft202012Validator(dict(tool.parameters))

    def only(self, names: Container[str]) -> ToolRuntime:
        """The same runtime, of whose tools only the named ones may be called."""
        restricted = copy.copy(self)
        restricted._tools = {name: tool for name, tool in self._tools.items() if name in names}
        return restricted

    @property
    def specs(self) -> list[ToolSpec]:
        """What a model needs to know of each tool."""
        return [tool_spec(tool) for tool in self._tools.values()]

    async def execute(
        self, call: ToolCall, context: ToolContext, *, seconds: float | None = None
    ) -> tuple[ToolResult, tuple[View, ...]]:
        """Run one call. Whatever the model or the tool does wrong becomes part of the result, and nothing else:
        views, evidence and checks of a call that failed are not kept.

        Args:
            call: as the model wrote it.
            context: of the episode.
            seconds: what is left of the episode's time; None for no bound but the tool's own.

        Returns:
            The result, and the views to show to the model.

        Raises:
            ImageError: the image itself turned out to be damaged.
            PolicyError: the tool asked the policy, which failed.
        """
        started = time.perf_counter()
        views: tuple[View, ...] = ()
        error: str | None = None
        try:
            arguments, notes = self._prepare(call, context)
            draft = context.draft()
            output = await self._run(self._tools[call.name], draft, arguments, seconds)
            context.adopt(draft)
            views = output.views
            notes += [_UNPOINTABLE.format(view.id) for view in views if view.id in context.unpointable]
            notes += [_STRETCHED.format(view.id) for view in views if view.frame.stretch > _MAX_STRETCH]
            text = " ".join([*notes, output.text])
        except ModelVisibleError as failure:
            text, error = f"Error: {_shortened(str(failure)).rstrip('.')}.", failure.kind
        except (ImageError, PolicyError):
            raise
        except Exception as failure:
            _log.exception("the tool %r raised; this is a bug of the tool", call.name)
            error = "tool_bug"
            text = (
                f"Error: the tool {call.name!r} broke down ({type(failure).__name__}: {_shortened(str(failure))}). "
                "This is a bug of the tool, not of your call. Go on without it."
            )
        records = tuple(ViewRecord.of(view) for view in views)
        return ToolResult(call, text, records, error, time.perf_counter() - started), views

    def _prepare(self, call: ToolCall, context: ToolContext) -> tuple[dict[str, Any], list[str]]:
        """Validate the arguments and put boxes and views in the place of what the model wrote."""
        if call.name not in self._tools:
            tools = f"the tools are {', '.join(self._tools)}" if self._tools else "no tool may be called now"
            raise UnknownToolError(f"there is no tool {call.name!r}; {tools}")
        failure = jsonschema.exceptions.best_match(self._validators[call.name].iter_errors(call.arguments))
        if failure is not None:
            place = ".".join(map(str, failure.absolute_path)) or "the arguments"
            raise ToolArgumentsError(f"{call.name}: {place}: {failure.message}")
        properties = self._tools[call.name].parameters.get("properties", {})
        arguments = dict(call.arguments)
        given = {
            name: schema
            for name, schema in properties.items()
            if isinstance(schema, dict) and arguments.get(name) is not None
        }
        notes: list[str] = []
        view = context.views["overview"]
        for name in [name for name, schema in given.items() if schema.get("format") == VIEW_FORMAT]:
            view = arguments[name] = _view(context, arguments[name])

        def placed(written: Any) -> Box:
            rect = _rect(written)
            self._warn_of_misfit(rect, context)
            box, remarks = _box(context, view, rect)
            notes.extend(remarks)
            return box

        for name, schema in given.items():
            items = schema.get("items")
            if schema.get("format") == BOX_FORMAT:
                arguments[name] = placed(arguments[name])
            elif isinstance(items, dict) and items.get("format") == BOX_FORMAT:
                arguments[name] = [placed(item) for item in arguments[name]]
        return arguments, notes

    def _warn_of_misfit(self, rect: Rect, context: ToolContext) -> None:
        """Tell the user, once, that the policy seems to write its boxes in another space than its profile says."""
        space = context.policy.profile.space
        likelier = space.likelier(rect)
        if likelier is not None and not self._warned_of_misfit:
            self._warned_of_misfit = True
            _log.warning(
                "%s wrote the box %s, which hardly fits the coordinates %r. If this goes on, try --coordinates %s.",
                context.policy.name, list(rect), space.value, likelier.value,
            )  # fmt: skip

    async def _run(
        self, tool: Tool, context: ToolContext, arguments: dict[str, Any], seconds_left: float | None
    ) -> ToolOutput:
        seconds = getattr(tool, "timeout", None) or self._timeout
        if seconds_left is not None:
            seconds = min(seconds, seconds_left)
        try:
            async with asyncio.timeout(seconds) as limit:
                if inspect.iscoroutinefunction(tool.run):
                    output = await tool.run(context, arguments)
                else:
                    output = await in_thread(lambda: tool.run(context, arguments))
                    if inspect.isawaitable(output):
                        output = await output
        except TimeoutError as error:
            if not limit.expired():  # the tool's own
                raise
            raise ToolTimeoutError(f"{tool.name} did not finish within {seconds:g} seconds") from error
        except (SystemExit, asyncio.CancelledError) as error:  # a tool may not end the program, or its episode
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # it is the episode that was cancelled
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        return _checked(output, context)


def _checked(output: Any, context: ToolContext) -> ToolOutput:
    """What a tool returned, if the episode can use it. Otherwise the exception says what the tool's bug is."""
    output = ToolOutput(output) if isinstance(output, str) else output
    if not isinstance(output, ToolOutput):
        raise TypeError(f"run returned {type(output).__name__}; expected a str or a ToolOutput")
    if not isinstance(output.text, str):
        raise TypeError(f"the text of the ToolOutput is a {type(output.text).__name__}; expected a str")
    for view in output.views:
        if not isinstance(view, View) or context.views.get(view.id) is not view:
            raise TypeError(f"{view!r} is no view of this episode; make views with the context's render or add_view")
    for item in context.evidence:
        if not isinstance(item, Evidence) or item.view_id not in context.views:
            raise TypeError(f"{item!r} is no evidence with a view of this episode")
    return output


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_ERROR else f"{text[:_MAX_ERROR]} [...]"


def _view(context: ToolContext, name: str) -> View:
    if name not in context.views:
        raise ToolArgumentsError(f"there is no image {name!r}; the images are {', '.join(context.views)}")
    return context.views[name]


def _rect(written: Any) -> Rect:
    try:
        x0, y0, x1, y1 = map(float, written)
    except OverflowError as error:
        raise ToolArgumentsError("the box holds a number that is far too large") from error
    return x0, y0, x1, y1


def _box(context: ToolContext, view: View, rect: Rect) -> tuple[Box, list[str]]:
    if view.id in context.unpointable:
        raise ToolArgumentsError(
            f"no box can be given on {view.id}: a place there is not the same place in the photo. Give the box on the "
            "overview, or on another image that shows the region, and name that image"
        )
    profile = context.policy.profile
    return resolve_box(rect, profile.space, view.frame, context.image.size, profile.budget.max_aspect)
