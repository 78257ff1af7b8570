"""Text and JSON that are written whole or not at all, and the settings that a folder of results was started with."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hart_agent.errors import ConfigError
from hart_agent.store.outputs import replace_file

_SMALL = 1_000_000
"""Characters. No file that is written by hand has more."""


def write_whole(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a file, whole or not at all, in UTF-8 with the line ends that the text has.

    Args:
        path: of the file, which is replaced.
        text: what it is to hold.
        mode: its permissions, before anything is in it; see `replace_file`.

    Raises:
        ConfigError: the path is not that of a regular file.
        OutputError: it can't be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    replace_file(path, lambda file: file.write(data), mode=mode)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all.

    Raises:
        ConfigError: the path is not that of a regular file in a folder that exists.
        OutputError: it can't be written.
    """
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def small_text(path: Path) -> str:
    """The text of a file that a person writes by hand, in UTF-8: settings, a prompt, a protocol.

    Raises:
        OSError: it can't be read.
        ValueError: it is not UTF-8, or larger than any such file: a device that never ends, say.
    """
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(_SMALL + 1)
    if len(text) > _SMALL:
        raise ValueError(f"it is larger than {_SMALL // 1_000_000} MB")
    return text


def toml_table(path: Path) -> dict[str, Any]:
    """The table that such a file holds in TOML.

    Raises:
        OSError, ValueError: see `small_text`; or it is no TOML, or nested too deeply.
    """
    try:
        return tomllib.loads(small_text(path))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def json_value(text: str) -> Any:
    """The value of a JSON text that may come from a stranger.

    Raises:
        json.JSONDecodeError: the text is not JSON, is nested too deeply, or holds a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", text, 0) from error
    except ValueError as error:
        raise json.JSONDecodeError("a number with too many digits", text, 0) from error


def keep_settings(path: Path, settings: dict[str, Any], *, may_differ: Collection[str]) -> dict[str, Any]:
    """Write the settings of a new run, or check that a run is resumed with those that it was started with.

    Args:
        path: of the file, in the folder of the run.
        settings: JSON values by name.
        may_differ: names of settings that have no part in what comes out.

    Returns:
        The settings that the run was started with.

    Raises:
        ConfigError: it was started with others.
        OutputError: the file can't be written.
    """
    settings = json.loads(json.dumps(settings))
    if not path.exists():
        write_json(path, settings)
        return settings
    found = settings_in(path)
    changed = [name for name in settings if name not in may_differ and not _same(settings[name], found.get(name))]
    if changed:
        raise ConfigError(
            f"{path.parent} holds a run that was started with other settings: {', '.join(changed)}; choose another "
            f"folder with --out, or the settings in {path.name}"
        )
    return found


def _same(now: Any, then: Any) -> bool:
    """Whether two JSON values are the same; in objects, a name that is missing is one that is null."""
    if isinstance(now, dict) and isinstance(then, dict):
        return all(_same(now.get(name), then.get(name)) for name in now.keys() | then.keys())
    return bool(now == then)


def renew_settings(path: Path, settings: dict[str, Any], *, may_differ: Collection[str]) -> None:
    """As `keep_settings`, but what may differ is written as it is now.

    Raises:
        ConfigError: the run was started with others.
        OutputError: the file can't be written.
    """
    write_json(path, keep_settings(path, settings, may_differ=may_differ) | settings)


def settings_in(path: Path) -> dict[str, Any]:
    """The settings that a run was started with.

    Raises:
        ConfigError: the file can't be read, or holds something else.
    """
    try:
        found = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} can't be read as the settings of a run ({error}). Choose another folder.") from error
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path} does not hold the settings of a run: it is not a JSON object. Choose another folder."
        )
    return found
