"""The file of settings: one TOML table, where the platform keeps such files, or where `HART_AGENT_CONFIG` says."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from hart_agent.backends import find_backend
from hart_agent.backends.options import PolicyOptions, split_base_url
from hart_agent.errors import ConfigError, OutputError
from hart_agent.store.files import toml_table, write_whole

NAMES: Final = ("backend", *(option.name for option in fields(PolicyOptions)))
SECRET: Final = "api_key"

_HEADER: Final = "# Settings of hart-agent, written by: hart-agent config set NAME VALUE\n"
_KINDS: Final = {"int": int, "float": float}


def settings_path() -> Path:
    """Where the file is, or would be."""
    if chosen := os.environ.get("HART_AGENT_CONFIG"):
        return Path(chosen)
    import platformdirs

    return platformdirs.user_config_path("hart-agent", appauthor=False) / "config.toml"


def read_settings() -> dict[str, Any]:
    """What the file says; nothing if there is none.

    Raises:
        ConfigError: it can't be read, or names what is no setting.
    """
    path = settings_path()
    try:
        found = toml_table(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # of another user's home, perhaps
        return {}
    except (OSError, ValueError) as error:  # ValueError: not TOML, or not UTF-8
        raise ConfigError(f"the settings in {path} can't be read ({error}). Correct the file, or delete it.") from error
    for name, value in found.items():
        _check_name(name, f"{path}: ")
        if not isinstance(value, str | int | float):
            raise ConfigError(f"{path}: {name} is a {type(value).__name__}; expected a text or a number")
    return found


def write_setting(name: str, value: str) -> Path:
    """Change one setting in the file, which is made if there is none; only its owner can read it.

    Args:
        name: one of `NAMES`; hyphens do for underscores.
        value: as text; an empty one removes the setting.

    Raises:
        ConfigError: there is no such setting, it can't have this value, or the file can't be read.
        PluginError: the backend is one of another package, which is broken.
        OutputError: the file can't be written.
    """
    name = name.lstrip("-").replace("-", "_")
    _check_name(name)
    settings = read_settings()
    settings.pop(name, None)
    if value:
        settings[name] = _parsed(name, value)
    path = settings_path()
    text = _HEADER + "".join(f"{key} = {json.dumps(settings[key], ensure_ascii=False)}\n" for key in sorted(settings))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise OutputError(
            f"{path} can't be written: {error.strerror}. Set HART_AGENT_CONFIG to another path."
        ) from error
    write_whole(path, text, mode=0o600)
    return path


def _check_name(name: str, where: str = "") -> None:
    if name not in NAMES:
        raise ConfigError(f"{where}there is no setting {name!r}; choose one of: {', '.join(NAMES)}")


def _parsed(name: str, value: str) -> str | int | float:
    if not value.isprintable():
        raise ConfigError(f"{name} can't hold a line break or another control character")
    kind = next((kind for word, kind in _KINDS.items() if word in _type_of(name)), str)
    try:
        parsed: str | int | float = kind(value)
    except ValueError:
        raise ConfigError(f"{name} is a number; got {value!r}") from None
    if name == "backend":
        find_backend(value)
    else:
        if name == "base_url":
            split_base_url(value)
        options: dict[str, Any] = {name: parsed}
        PolicyOptions(**options)  # within its limits
    return parsed


def _type_of(name: str) -> str:
    return next((str(option.type) for option in fields(PolicyOptions) if option.name == name), "str")
