"""Where an option's value comes from: a flag, the environment or the file of settings, in this order.

Each source is taken value by value, but what it says of a server stays with that server: the file's model and key are
not used for a server or a backend that a flag or the environment names instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import typer

from hart_agent.backends import BACKENDS
from hart_agent.backends.options import ENVIRONMENT, PolicyOptions, flag
from hart_agent.cli.settings import NAMES, SECRET, settings_path
from hart_agent.errors import ConfigError

_FLAG, _ENVIRONMENT, _FILE = "COMMANDLINE", "ENVIRONMENT", "DEFAULT_MAP"
"""Names of click's sources of a value."""
_DEFAULTS: Final = {option.name: option.default for option in fields(PolicyOptions)}


@dataclass(frozen=True)
class Given:
    """Values of options, and where they come from.

    Attributes:
        values: by name; those of `NAMES` that nothing sets are None or their default.
        origins: of those that are set: the flag, the variable, or the path of the file.
        asked: the names of all options, of the policy or not, that are set in one of these ways.
    """

    values: dict[str, Any]
    origins: Mapping[str, str] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()


def resolve(context: typer.Context, values: Mapping[str, Any]) -> Given:
    """The values of a command's policy options that belong together.

    Args:
        context: of the command.
        values: of its options, as they were parsed.

    Raises:
        ConfigError: a model is named, but neither a server nor a backend; or a value is empty.
    """
    sources = {name: _source(context, name) for name in NAMES if name in values}
    if empty := next((name for name, source in sources.items() if source and values[name] == ""), None):
        where = f"{empty} in " if sources[empty] == _FILE else ""
        raise ConfigError(f"{where}{_origin(empty, sources[empty])} is empty; give it a value, or leave it out")
    levels = {
        level: {name: values[name] for name, source in sources.items() if source == level}
        for level in (_FLAG, _ENVIRONMENT)
    }
    levels[_FILE] = {name: value for name, value in (context.default_map or {}).items() if name in values}
    backend = next((found for level in levels.values() if (found := _backend(level))), None)
    base_url = next((level["base_url"] for level in levels.values() if "base_url" in level), None)
    kept = dict(values)
    for name, source in sources.items():
        if source in (_ENVIRONMENT, _FILE) and _is_foreign(name, levels[source], source, backend, base_url):
            kept[name] = _DEFAULTS.get(name)
            sources[name] = ""
    if backend is None and sources.get("model"):
        raise ConfigError(
            f"{_origin('model', sources['model'])} names a model, but no server or backend. Add --base-url "
            "(hart-agent doctor finds the servers of this machine) or --backend."
        )
    asked = {name for name in values if sources.get(name, _source(context, name))}
    return Given(kept, {name: _origin(name, source) for name, source in sources.items() if source}, frozenset(asked))


def key_origin(given: Given) -> str | None:
    """Where the key for a server comes from, without the key; None if there is none."""
    others = next((name for name in ENVIRONMENT[SECRET] if os.environ.get(name)), None)
    return given.origins.get(SECRET, others)


def settings_json(values: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """The options that are set, each with its value and where it comes from; without secrets."""
    shown = {**values, "base_url": public_base_url(values.get("base_url"))}
    return {
        name: {"from": origin} if name == SECRET else {"value": shown[name], "from": origin}
        for name, origin in origins.items()
    }


def public_base_url(url: str | None) -> str | None:
    """A base URL without its password and its query."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a damaged URL)"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _source(context: typer.Context, name: str) -> str:
    source = context.get_parameter_source(name)
    name = str(source.name) if source is not None else ""
    return name if name in (_FLAG, _ENVIRONMENT, _FILE) else ""


def _backend(level: Mapping[str, Any]) -> str | None:
    """The backend that one source means."""
    return level.get("backend") or ("openai" if level.get("base_url") else None)


def _is_foreign(name: str, level: Mapping[str, Any], source: str, backend: str | None, base_url: str | None) -> bool:
    """Whether a value was meant for another server or backend than the one that is asked."""
    own = _backend(level)
    if name == SECRET and (backend or BACKENDS[0]) in set(BACKENDS) - {"openai"}:
        return True  # they take no key
    if own is not None and own != backend:
        return True
    return source == _FILE and "base_url" in level and level["base_url"] != base_url


def _origin(name: str, source: str) -> str:
    if source == _FLAG:
        return flag(name)
    if source == _ENVIRONMENT:
        return str(ENVIRONMENT[name][0])
    return str(settings_path())
