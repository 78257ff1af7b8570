"""Tools from typed functions: the JSON Schema comes from the signature, the descriptions from the docstring.

    @tool
    def count_letters(context: ToolContext, bbox_2d: Box, letter: str, image: View | None = None) -> str:
        '''Count how often a letter occurs in a region.

        Args:
            letter: the letter to count.
        '''

A `Box` reaches the function in original pixels, and the view on which it was written as a `View`. Whatever a model
could misunderstand (a parameter without a type or a description, say) is refused when the function is defined.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast, get_type_hints, overload

from hart_agent.errors import PluginError, ToolArgumentsError
from hart_agent.tooling.protocol import BOX_FORMAT, VIEW_FORMAT, ToolContext, ToolReturn, check_definition
from hart_agent.tooling.schemas import Keywords, Kind, kind_of
from hart_agent.tooling.validating import validator_of

__all__ = ["FunctionTool", "Keywords", "tool"]

ToolFunction = Callable[..., "ToolReturn | Awaitable[ToolReturn]"]

_SECTION = re.compile(r"(?:Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?|Source):\s*")
_ARGUMENTS = re.compile(r"(?:Args|Arguments|Parameters):\s*")
_ENTRY = re.compile(r"(\w+)(?:\s*\([^)]*\))?:\s*(.*)")


class FunctionTool:
    """A typed function as a tool; made by `tool`. Calling it calls the function.

    Attributes:
        name: the function's name, unless another was given.
        description: the docstring up to its first section, unless another was given.
        parameters: JSON Schema 2020-12, closed: arguments that the function doesn't have are refused.
        timeout: seconds for one call, or None for the agent's own limit.
    """

    def __init__(
        self, function: ToolFunction, name: str | None, description: str | None, timeout: float | None
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.timeout = timeout
        summary, described = _docstring(function)
        self.description = description or summary
        hints = _hints(function, self.name)
        signature = list(inspect.signature(function).parameters.values())
        self._wants_context = bool(signature) and hints.get(signature[0].name) is ToolContext
        self._kinds: dict[str, Kind] = {}
        properties: dict[str, Any] = {}
        required = []
        for parameter in signature[self._wants_context :]:
            kind = _kind(parameter, hints, self.name)
            self._kinds[parameter.name] = kind
            properties[parameter.name] = _property(parameter, kind, described.pop(parameter.name, None), self.name)
            if parameter.default is parameter.empty:
                required.append(parameter.name)
        if described:
            raise PluginError(
                f"the docstring of the tool {self.name!r} describes {', '.join(map(repr, described))}, which the model "
                "can't give. Its Args are the function's parameters after the context"
            )
        views = [name for name, schema in properties.items() if schema.get("format") == VIEW_FORMAT]
        if len(views) > 1:
            raise PluginError(
                f"the tool {self.name!r} has the views {' and '.join(views)}; expected one, on which its boxes are"
            )
        self.parameters: Mapping[str, Any] = {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
        check_definition(self)

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> ToolReturn | Awaitable[ToolReturn]:
        """Call the function with the arguments as it annotates them."""
        values = {}
        for name, value in arguments.items():
            try:
                values[name] = self._kinds[name].convert(value)
            except ToolArgumentsError as error:
                raise ToolArgumentsError(f"{self.name}: {name}: {error}") from error
        return self._function(context, **values) if self._wants_context else self._function(**values)

    def __call__(self, *arguments: Any, **values: Any) -> ToolReturn | Awaitable[ToolReturn]:
        return self._function(*arguments, **values)

    def __repr__(self) -> str:
        return f"<tool {self.name!r}: {self._function!r}>"


class AsyncFunctionTool(FunctionTool):
    """An async function as a tool, which runs in the event loop; made by `tool`."""

    async def run(self, context: ToolContext, arguments: dict[str, Any]) -> ToolReturn:
        """Call the function with the arguments as it annotates them, and wait for it."""
        return await cast("Awaitable[ToolReturn]", super().run(context, arguments))


@overload
def tool(function: ToolFunction) -> FunctionTool: ...


@overload
def tool(
    *, name: str | None = None, description: str | None = None, timeout: float | None = None
) -> Callable[[ToolFunction], FunctionTool]: ...


def tool(
    function: ToolFunction | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
) -> FunctionTool | Callable[[ToolFunction], FunctionTool]:
    """Make a tool of a typed function, plain or async. Use it bare, `@tool`, or with options, `@tool(timeout=5)`.

    The function's first parameter may be a `ToolContext`. The others are what the model gives: `str`, `int`, `float`,
    `bool`, `Literal`, `Enum`, `list[...]`, `dict[str, ...]`, unions, `... | None`, `Box`, `list[Box]` and one `View`;
    `Annotated[..., Keywords(minimum=1)]` adds keywords of JSON Schema. Each is described under `Args:` in the
    docstring; a box and a view describe themselves. It returns a `str` or a `ToolOutput`.

    Args:
        function: the function.
        name: in place of the function's.
        description: for the model, in place of the docstring's text.
        timeout: seconds for one call, in place of the agent's limit.

    Raises:
        PluginError: a model could not use it; the message names the function, the parameter, and what is expected.
    """
    if function is None:
        return lambda wrapped: _tool_of(wrapped, name, description, timeout)
    return _tool_of(function, name, description, timeout)


def _tool_of(function: ToolFunction, name: str | None, description: str | None, timeout: float | None) -> FunctionTool:
    kind: type[FunctionTool] = AsyncFunctionTool if inspect.iscoroutinefunction(function) else FunctionTool
    return kind(function, name, description, timeout)


def _hints(function: ToolFunction, name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:  # whatever an annotation's text raises
        raise PluginError(
            f"the annotations of the tool {name!r} can't be read ({type(error).__name__}: {error}). Import what they "
            "name at the top of the file, not under TYPE_CHECKING or inside a function"
        ) from error


def _kind(parameter: inspect.Parameter, hints: dict[str, Any], name: str) -> Kind:
    """How JSON becomes what the parameter's annotation says."""
    where = f"the parameter {parameter.name!r} of the tool {name!r}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise PluginError(f"{where} is {parameter.kind.description}; expected one that can be given by its name")
    if parameter.name not in hints:
        raise PluginError(f"{where} has no type; expected an annotation such as {parameter.name}: str")
    return kind_of(hints[parameter.name], where)


def _property(parameter: inspect.Parameter, kind: Kind, description: str | None, name: str) -> dict[str, Any]:
    """The parameter's schema, with its description and default."""
    where = f"the parameter {parameter.name!r} of the tool {name!r}"
    schema = dict(kind.schema)
    if description:
        schema["description"] = description
    elif schema.get("format") not in (BOX_FORMAT, VIEW_FORMAT):
        raise PluginError(
            f"{where} is not described; expected a line in the docstring, under 'Args:': "
            f"'{parameter.name}: what it means'"
        )
    if parameter.default is parameter.empty or (parameter.default is None and kind.optional):
        return schema
    try:
        default = kind.to_json(parameter.default)
        fits = validator_of(schema).is_valid(default)
    except (TypeError, AttributeError):  # no list, where one is expected
        fits = False
    if not fits:
        raise PluginError(f"{where} has the default {parameter.default!r}; expected one that fits {schema}")
    return schema | {"default": default}


def _docstring(function: ToolFunction) -> tuple[str, dict[str, str]]:
    """The text up to the first section, and the entries of the section `Args:`."""
    lines = (inspect.getdoc(function) or "").splitlines()
    first = next((index for index, line in enumerate(lines) if _SECTION.fullmatch(line)), len(lines))
    summary = " ".join(" ".join(lines[:first]).split())
    start = next((index + 1 for index, line in enumerate(lines) if _ARGUMENTS.fullmatch(line)), len(lines))
    entries: dict[str, str] = {}
    depth = None
    name = ""
    for line in lines[start:]:
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            break
        depth = indent if depth is None and line.strip() else depth
        match = _ENTRY.fullmatch(line.strip()) if indent == depth else None
        if match:
            name = match[1]
            entries[name] = match[2]
        elif name and line.strip():
            entries[name] = f"{entries[name]} {line.strip()}".strip()
    return summary, entries
