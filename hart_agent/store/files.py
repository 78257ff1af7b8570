"""Files that are written whole or not at all, and the settings that a folder of results was begun with."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hart_agent.errors import ConfigError, OutputError


def write_whole(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a file, whole or not at all, in UTF-8 with the line ends that the text has.

    Args:
        path: of the file, which is replaced.
        text: what it is to hold.
        mode: its permissions, before anything is in it; by default those that new files have.

    Raises:
        OutputError: it can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            if mode is not None:
                temporary.touch(mode=mode)
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror}. Choose another path.") from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all.

    Raises:
        OutputError: it can't be written.
    """
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def keep_settings(path: Path, settings: dict[str, Any], *, may_differ: Collection[str]) -> dict[str, Any]:
    """Write the settings of a new run, or see that a run goes on with those that it was begun with.

    Args:
        path: of the file, in the folder of the run.
        settings: JSON values by name.
        may_differ: names of settings that have no part in what comes out.

    Returns:
        The settings that the run was begun with.

    Raises:
        ConfigError: it was begun with others.
        OutputError: the file can't be written.
    """
    settings = json.loads(json.dumps(settings))
    if not path.exists():
        write_json(path, settings)
        return settings
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    changed = [name for name in settings if name not in may_differ and settings[name] != found.get(name)]
    if changed:
        raise ConfigError(
            f"{path.parent} holds a run that was begun with another {', '.join(changed)}; choose another folder with "
            f"--out, or the settings in {path.name}"
        )
    return found


def renew_settings(path: Path, settings: dict[str, Any], *, may_differ: Collection[str]) -> None:
    """As `keep_settings`, but what may differ is written as it is now.

    Raises:
        ConfigError: the run was begun with others.
        OutputError: the file can't be written.
    """
    write_json(path, keep_settings(path, settings, may_differ=may_differ) | settings)
