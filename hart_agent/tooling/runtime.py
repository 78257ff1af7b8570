"""Running tool calls: arguments to what a tool takes, time-outs, and errors that the model can use."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import time
from collections.abc import Container, Sequence
from typing import Any

from hart_agent.concurrency import OutOfTimeError, in_thread, within
from hart_agent.dialogue.messages import ToolCall, ToolSpec
from hart_agent.dialogue.results import HINT_ANSWER
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
from hart_agent.tooling.arguments import normalise, schema_error
from hart_agent.tooling.parameters import Parameters
from hart_agent.tooling.pointing import Pointing, how_to_point
from hart_agent.tooling.protocol import (
    Tool,
    ToolContext,
    ToolOutput,
    check_definition,
    tool_spec,
)
from hart_agent.tooling.records import Evidence, ToolResult, ViewRecord
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import View

_log = logging.getLogger(__name__)

_MAX_ERROR = 1000
"""Characters of an error that the model is shown; a message may quote the whole of what it wrote."""

_STRETCHED = "{} is shown stretched: the photo is too thin there to be shown in its true shape."
_UNPOINTABLE = "No box can be given on {}: point on the image from which it was made."
_QUICK = 0.001
"""Seconds. While a tool takes less, its results are waited for on the spot."""

_PATIENCE = 0.002
"""Seconds for which a tool that was quick is."""

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
        self._pointing = Pointing()
        self._quick: set[str] = set()  # tools by their last call
        self._tools: dict[str, Tool] = {}
        self._parameters: dict[str, Parameters] = {}
        for tool in tools:
            check_definition(tool)
            if tool.name in self._tools:
                raise PluginError(f"two tools are named {tool.name!r}: {self._tools[tool.name]!r} and {tool!r}")
            self._tools[tool.name] = tool
        self._coroutines = {tool.name for tool in tools if inspect.iscoroutinefunction(tool.run)}

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
        space = context.policy.profile.space
        try:
            arguments, notes = self._prepare(call, context)
            space = context.policy.profile.space  # the call's boxes may have changed it
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
                f"Error: the tool {call.name!r} broke down ({type(failure).__name__}: {_shortened(_said(failure))}). "
                "This is a bug of the tool, not of your call. Continue without it."
            )
        records = tuple(ViewRecord.of(view) for view in views)
        seconds_taken = time.perf_counter() - started
        recorded = space if context.policy.profile.adaptive else None
        return ToolResult(call, text, records, error, seconds_taken, recorded), views

    def _parameters_of(self, name: str) -> Parameters:
        if name not in self._parameters:
            self._parameters[name] = Parameters(self._tools[name].parameters)
        return self._parameters[name]

    def _prepare(self, call: ToolCall, context: ToolContext) -> tuple[dict[str, Any], list[str]]:
        """Normalise and validate the arguments, and put boxes and views in the place of what the model wrote."""
        if call.name not in self._tools:
            if not self._tools:
                raise UnknownToolError(f"no tool may be called now, not even {call.name!r}. {HINT_ANSWER}")
            raise UnknownToolError(f"there is no tool {call.name!r}; the tools are {', '.join(self._tools)}")
        parameters = self._parameters_of(call.name)
        arguments = dict(call.arguments)
        notes: list[str] = []
        if not parameters.plainly_fit(arguments):
            validator = parameters.validator
            arguments, notes = normalise(call.arguments, validator, y_first=context.policy.profile.y_first)
            problem = schema_error(arguments, validator, lambda: how_to_point(context, context.views["overview"]))
            if problem is not None:
                raise ToolArgumentsError(f"{call.name}: {problem}")
        view = context.views["overview"]
        for name in parameters.views:
            if arguments.get(name) is not None:
                view = arguments[name] = _view(context, arguments[name], f"{call.name}: {name}")

        def placed(numbers: list[float], place: str) -> Box:
            try:
                box, changes = self._pointing.place(context, view, numbers)
            except ToolArgumentsError as error:
                raise ToolArgumentsError(f"{call.name}: {place}: {error}") from error
            notes.extend(changes)
            return box

        for name, many in parameters.boxes:
            written = arguments.get(name)
            if written is not None and many:
                arguments[name] = [placed(numbers, f"{name}.{index}") for index, numbers in enumerate(written)]
            elif written is not None:
                arguments[name] = placed(written, name)
        return arguments, notes

    async def _run(
        self, tool: Tool, context: ToolContext, arguments: dict[str, Any], seconds_left: float | None
    ) -> ToolOutput:
        seconds = getattr(tool, "timeout", None) or self._timeout
        if seconds_left is not None:
            if seconds_left <= 0:
                raise ToolTimeoutError(f"{tool.name} was not run: no time is left")
            seconds = min(seconds, seconds_left)
        try:
            output = await within(seconds, self._output(tool, context, arguments))
        except OutOfTimeError as error:
            raise ToolTimeoutError(f"{tool.name} did not finish within {seconds:g} seconds") from error
        except (SystemExit, asyncio.CancelledError) as error:  # a tool may not end the program, or its episode
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # it is the episode that was cancelled
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        return _checked(output, context)

    async def _output(self, tool: Tool, context: ToolContext, arguments: dict[str, Any]) -> Any:
        """What a tool returns: a coroutine in the loop, a plain function in a thread."""
        if tool.name in self._coroutines:
            return await tool.run(context, arguments)  # type: ignore[misc]
        output = await self._in_thread(tool, context, arguments)
        return await output if not isinstance(output, str | ToolOutput) and inspect.isawaitable(output) else output

    async def _in_thread(self, tool: Tool, context: ToolContext, arguments: dict[str, Any]) -> Any:
        """What a plain function returns."""
        quick = tool.name in self._quick
        self._quick.discard(tool.name)  # in case that it hangs

        def timed() -> Any:
            started = time.perf_counter()
            output = tool.run(context, arguments)
            if time.perf_counter() - started < _QUICK:
                self._quick.add(tool.name)
            return output

        return await in_thread(timed, patience=_PATIENCE if quick else 0.0)


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


def _said(failure: Exception) -> str:
    """The words of a tool's exception, which may fail to give them, too."""
    try:
        return str(failure)
    except Exception as error:
        return f"no words: its str() raised {type(error).__name__}"


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_ERROR else f"{text[:_MAX_ERROR]} [...]"


def _view(context: ToolContext, name: str, place: str) -> View:
    if name not in context.views:
        raise ToolArgumentsError(f"{place}: there is no image {name!r}; the images are {', '.join(context.views)}")
    return context.views[name]
