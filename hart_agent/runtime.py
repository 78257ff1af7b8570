"""Carrying out tool calls: schemas, boxes to original pixels, time-outs, and errors that the model can use."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import copy
import inspect
import logging
import threading
import time
from collections.abc import Callable, Container, Sequence
from typing import Any

import jsonschema

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
from hart_agent.geometry import Box, Rect, resolve_box
from hart_agent.imaging import View
from hart_agent.tooling import BOX_FORMAT, VIEW_FORMAT, Tool, ToolContext, ToolOutput, tool_spec
from hart_agent.types import ToolCall, ToolResult, ToolSpec, ViewRecord

_log = logging.getLogger(__name__)

_MAX_ERROR = 1000
"""Characters of an error that the model is told; a message may quote the whole of what it wrote."""

_STRETCHED = "{} is shown stretched: the photo is too thin there to be shown in its true shape."
_MAX_STRETCH = 1.6
"""Times; what it takes to fit a view into a model's grid is less."""


class ToolRuntime:
    """Runs calls against a fixed set of tools.

    Args:
        tools: their names must differ.
        timeout: seconds for one call. A plain function that runs over goes on in its thread, unheeded.

    Raises:
        PluginError: two tools share a name, or a schema is invalid.
    """

    def __init__(self, tools: Sequence[Tool], *, timeout: float = 60.0) -> None:
        if timeout <= 0:
            raise ConfigError(f"the tools' time-out must be positive, got {timeout}")
        self._timeout = timeout
        self._warned_of_misfit = False
        self._tools: dict[str, Tool] = {}
        self._validators: dict[str, jsonschema.Draft202012Validator] = {}
        for tool in tools:
            if not isinstance(tool, Tool):
                raise PluginError(f"the tool {tool!r} lacks one of name, description, parameters and run")
            if tool.name in self._tools:
                raise PluginError(f"two tools are named {tool.name!r}: {self._tools[tool.name]!r} and {tool!r}")
            try:
                jsonschema.Draft202012Validator.check_schema(tool.parameters)
            except jsonschema.SchemaError as error:
                raise PluginError(
                    f"the parameters of the tool {tool.name!r} are not a JSON Schema: {error.message}"
                ) from error
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

    async def execute(self, call: ToolCall, context: ToolContext) -> tuple[ToolResult, tuple[View, ...]]:
        """Carry out one call. Whatever the model or the tool does wrong becomes part of the result.

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
            output = await self._run(self._tools[call.name], context, arguments)
            views = output.views
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
        formats = {name: schema.get("format") for name, schema in properties.items() if isinstance(schema, dict)}
        arguments = dict(call.arguments)
        notes: list[str] = []
        view = context.views["overview"]
        for name in [name for name, kind in formats.items() if kind == VIEW_FORMAT and name in arguments]:
            view = arguments[name] = _view(context, arguments[name])
        for name in [name for name, kind in formats.items() if kind == BOX_FORMAT and name in arguments]:
            rect: Rect = tuple(map(float, arguments[name]))  # type: ignore[assignment]
            self._warn_of_misfit(rect, context)
            arguments[name], remarks = _box(context, view, rect)
            notes += remarks
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

    async def _run(self, tool: Tool, context: ToolContext, arguments: dict[str, Any]) -> ToolOutput:
        try:
            async with asyncio.timeout(self._timeout) as limit:
                if inspect.iscoroutinefunction(tool.run):
                    output = await tool.run(context, arguments)
                else:
                    output = await _in_thread(lambda: tool.run(context, arguments))
                    if inspect.isawaitable(output):
                        output = await output
        except TimeoutError as error:
            if not limit.expired():  # the tool's own
                raise
            raise ToolTimeoutError(f"{tool.name} did not finish within {self._timeout:g} seconds") from error
        if isinstance(output, str):
            return ToolOutput(output)
        if not isinstance(output, ToolOutput):
            raise TypeError(f"run returned {type(output).__name__}; expected a str or a ToolOutput")
        return output


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Run a plain function in a thread of its own: other than for the loop's pool, nobody waits for one that hangs."""
    outcome: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def work() -> None:
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            outcome.set_result(function())
        except Exception as error:
            # A future can't carry StopIteration.
            outcome.set_exception(RuntimeError("StopIteration") if isinstance(error, StopIteration) else error)
        except SystemExit as error:  # a tool may not end the program
            outcome.set_exception(RuntimeError(f"SystemExit: {error}"))

    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()
    return await asyncio.wrap_future(outcome)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_ERROR else f"{text[:_MAX_ERROR]} [...]"


def _view(context: ToolContext, name: str) -> View:
    if name not in context.views:
        raise ToolArgumentsError(f"there is no image {name!r}; the images are {', '.join(context.views)}")
    return context.views[name]


def _box(context: ToolContext, view: View, rect: Rect) -> tuple[Box, list[str]]:
    profile = context.policy.profile
    return resolve_box(rect, profile.space, view.frame, context.image.size, profile.budget.max_aspect)
