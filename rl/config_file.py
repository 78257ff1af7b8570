"""The file of `--config`: a training run's options in YAML. What stands on the command line goes before it.

    policy:
      model: Qwen/Qwen2.5-VL-7B-Instruct
    algorithm:
      k: 0.6
      group_size: 8
    engine:
      engine: openrlhf
      openrlhf:
        vllm.num_engines: 8

The sections data, policy, algorithm, engine and run only group: an option may stand in any of them, or in none. Names
are those of the options with underscores. Under `openrlhf` stand flags of OpenRLHF.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from hart_agent.errors import ConfigError, InstallError

SECTIONS = ("data", "policy", "algorithm", "engine", "run")
FLAGS = "openrlhf"


def read_config(path: Path, known: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a file.

    Args:
        path: of the file; paths in it are as on the command line.
        known: names of the options.

    Returns:
        Options by name, and flags of OpenRLHF by name.

    Raises:
        ConfigError: the file is missing or damaged, or names an option that doesn't exist, or one twice.
        InstallError: the package PyYAML is missing.
    """
    try:
        import yaml
    except ImportError as error:
        raise InstallError("--config needs the package PyYAML. Run: pip install 'hart-agent[train]'") from error
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} must hold options by name; see docs/openrlhf.md")
    entries: list[tuple[str, Any]] = []
    for name, value in found.items():
        entries += value.items() if name in SECTIONS and isinstance(value, dict) else [(name, value)]
    options: dict[str, Any] = {}
    flags: dict[str, Any] = {}
    for name, value in entries:
        if name == FLAGS:
            flags |= _flat(value, path)
        elif name not in known:
            raise ConfigError(f"{path}: there is no option {name!r}; there are: {', '.join(sorted(known))}")
        elif name in options:
            raise ConfigError(f"{path} gives {name} twice")
        elif value is not None:
            options[name] = value
    return options, flags


def _flat(value: Any, path: Path, before: str = "") -> dict[str, Any]:
    """Flags under their whole names, whether they are written with dots or as sections."""
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: under {FLAGS} stand flags by name, such as vllm.num_engines: 8")
    flags: dict[str, Any] = {}
    for name, inner in value.items():
        flags |= _flat(inner, path, f"{before}{name}.") if isinstance(inner, dict) else {f"{before}{name}": inner}
    return flags
