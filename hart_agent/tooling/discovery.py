"""Finding tools: installed ones by entry point, optional ones by name, one-off ones by file."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final

from hart_agent.errors import ConfigError, PluginError
from hart_agent.siblings import check_siblings
from hart_agent.tooling.protocol import Tool, check_definition

ENTRY_POINT_GROUP: Final = "hart_agent.tools"
"""Tools that every agent has unless it is told otherwise."""


OPTIONAL_GROUP: Final = "hart_agent.optional_tools"
"""Tools that an agent has only if they are asked for by name."""


def discover_tools(*groups: str) -> list[Tool]:
    """All installed tools of some entry-point groups, the built-in ones first, then by name.

    Args:
        groups: by default `ENTRY_POINT_GROUP` alone.

    Raises:
        InstallError: a foreign package stands in the place of one of ours.
        PluginError: a tool can't be loaded, or two tools have the same name.
    """
    check_siblings()
    points = [point for group in groups or (ENTRY_POINT_GROUP,) for point in entry_points(group=group)]
    found = sorted(points, key=lambda point: (not point.value.startswith("tools."), point.name))
    owners: dict[str, str] = {}
    tools = []
    for point in found:
        tool = _load(point)
        owner = _owner(point)
        if tool.name in owners:
            raise PluginError(
                f"the tool name {tool.name!r} is claimed by {owners[tool.name]} and by {owner}. Uninstall one of them."
            )
        owners[tool.name] = owner
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
    """Tools, and those asked for beside them.

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
        name: of an installed tool, or "path.py:name" for one in a file: an instance, a class without arguments for its
            `__init__`, or a function under `toolkit.tool`.

    Raises:
        ConfigError: there is no such tool or file.
        PluginError: what the name leads to is broken, or no tool.
        InstallError: see `discover_tools`.
    """
    path, colon, attribute = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(Path(path), attribute)
    known = {tool.name: tool for tool in all_tools()}
    if name not in known:
        raise ConfigError(
            f"there is no tool {name!r}; choose one of: {', '.join(known)}; or give a file's, as path.py:name"
        )
    return known[name]


def _from_file(path: Path, attribute: str) -> Tool:
    if not path.is_file():
        raise ConfigError(f"there is no file {str(path)!r} with a tool; expected path.py:name")
    module = _run(path)
    if not hasattr(module, attribute):
        offered = [name for name, value in vars(module).items() if isinstance(value, Tool) and name[0] != "_"]
        known = f"its tools are {', '.join(offered)}" if offered else "it has no tools"
        raise PluginError(f"{path} has no {attribute!r}; {known}")
    found = getattr(module, attribute)
    try:
        return check_definition(found() if isinstance(found, type) else found)
    except Exception as error:
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        advice = " Put @tool (from hart_agent) above the function." if type(found).__name__ == "function" else ""
        raise PluginError(f"{attribute!r} of {path} can't be used as a tool: {reason}.{advice}") from error


def _run(path: Path) -> ModuleType:
    """Import a file under a name that no other has; annotations are looked up in `sys.modules`."""
    name = f"hart_agent_tool_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise PluginError(f"the tools in {path} can't be loaded ({type(error).__name__}: {error}). Mend it") from error
    return module


def _load(point: EntryPoint) -> Tool:
    try:
        loaded = point.load()
        return check_definition(loaded() if isinstance(loaded, type) else loaded)
    except Exception as error:
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        raise PluginError(
            f"the tool {point.name!r} of {_owner(point)} can't be loaded ({reason}). Mend or uninstall that package."
        ) from error


def _owner(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unknown package"
    return f"{package} ({point.value})"
