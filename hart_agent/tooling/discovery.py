"""Finding tools: installed ones by entry point, optional ones by name, others by module or file."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isfunction
from typing import Any, Final

from hart_agent.errors import PluginError
from hart_agent.extensions import ExtensionPoint
from hart_agent.siblings import check_siblings
from hart_agent.tooling.protocol import Tool, check_definition

ENTRY_POINT_GROUP: Final = "hart_agent.tools"
"""Tools that every agent has by default."""

OPTIONAL_GROUP: Final = "hart_agent.optional_tools"
"""Tools that an agent has only if they are asked for by name."""


def _usable(found: Any) -> Tool:
    if isfunction(found):
        raise PluginError(f"{found.__name__!r} is a plain function; put @tool (from hart_agent) above it")
    return check_definition(found() if isinstance(found, type) else found)


_TOOLS: Final = ExtensionPoint("tool", (ENTRY_POINT_GROUP, OPTIONAL_GROUP), _usable)


def discover_tools(*groups: str) -> list[Tool]:
    """All installed tools of some entry-point groups, the built-in ones first, then by name.

    Args:
        groups: by default `ENTRY_POINT_GROUP` alone.

    Raises:
        InstallError: a foreign package stands in the place of one of ours.
        PluginError: a tool can't be loaded, or two tools have the same name.
    """
    check_siblings()
    owners: dict[str, str] = {}
    tools = []
    for point in _TOOLS.entry_points(*(groups or (ENTRY_POINT_GROUP,))):
        found = _TOOLS.load(point)
        tool = found.value
        if tool.name in owners:
            raise PluginError(
                f"the tool name {tool.name!r} is claimed by {owners[tool.name]} and by {found.origin}. "
                "Uninstall one of them."
            )
        owners[tool.name] = found.origin
        tools.append(tool)
    return tools


def optional_tools() -> list[Tool]:
    """The installed tools that are offered only on demand, ours first.

    Raises:
        InstallError, PluginError: see `discover_tools`.
    """
    return discover_tools(OPTIONAL_GROUP)


def all_tools() -> list[Tool]:
    """Every installed tool, whether it is always offered or on demand.

    Raises:
        InstallError, PluginError: see `discover_tools`.
    """
    return discover_tools(ENTRY_POINT_GROUP, OPTIONAL_GROUP)


def with_extra_tools(names: Sequence[str], tools: Sequence[Tool] | None = None) -> list[Tool]:
    """Tools, and further ones that are asked for by name.

    Args:
        names: as `find_tool` takes them.
        tools: by default those that are always offered.

    Raises:
        ConfigError, InstallError, PluginError: see `find_tool`.
    """
    found = discover_tools() if tools is None else list(tools)
    for name in dict.fromkeys(names):
        if not any(tool.name == name for tool in found):
            found.append(find_tool(name))
    return found


def find_tool(name: str) -> Tool:
    """One tool.

    Args:
        name: of an installed tool; or "package.module:name" or "path.py:name" for an instance, a class without
            arguments for its `__init__`, or a function under `hart_agent.tool`.

    Raises:
        ConfigError: there is no such tool, module or file.
        PluginError: what the name leads to is broken, or not a tool.
        InstallError: see `discover_tools`.
    """
    if ":" in name:
        return _TOOLS.load_reference(name).value
    known = {tool.name: tool for tool in all_tools()}
    if name not in known:
        raise _TOOLS.unknown(name, list(known))
    return known[name]
