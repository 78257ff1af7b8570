"""What a run was made with, so that anyone can run it again, and so that no run is continued with something else."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hart_agent.agent import Agent
from hart_agent.agent.modes import MODES, Mode
from hart_agent.evals.items import Item
from hart_agent.siblings import sibling
from hart_agent.trace import profile_json

_PACKAGES = ("hart-agent", "numpy", "pillow", "onnxruntime", "rapidocr", "openai", "torch", "transformers", "vllm")

_ABSENT = object()
_ADDED = {"tool_timeout": 60.0, "overview_pixels": None, "guess_overview": False}
"""Options that version 0.1 didn't have, with the values that it used: left out where nothing else is given."""


MAY_DIFFER = frozenset({"versions", "prompts_sha256", "file", "differs", "served"})
"""What may be otherwise when a run is resumed."""


def make_manifest(
    agent: Agent,
    dataset: str,
    items: Sequence[Item],
    settings: dict[str, Any],
    options: dict[str, Any],
    *,
    file: Path | None = None,
    differs: Sequence[str] = (),
    served: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The manifest of a run, a JSON object.

    Args:
        agent: that answers.
        dataset: name of the benchmark.
        items: that are asked, in order.
        settings: of the evaluation.
        options: with which the agent was made.
        file: that the benchmark was read from, whose hash is taken; None for a folder.
        differs: what the user changed of the protocol.
        served: what is known of the model and its server; see `hart_agent.dialogue.policy.Identified`.
    """
    seconds = {"max_seconds": agent.config.seconds(agent.policy)}
    episode = {name: value for name, value in asdict(agent.config).items() if _ADDED.get(name, _ABSENT) != value}
    return {
        "policy": agent.policy.name,
        "profile": profile_json(agent.policy.profile),
        "episode": episode | {"mode": _mode_json(agent.config.mode)} | seconds,
        "options": {
            name: seconds.get(name, value) for name, value in options.items() if _ADDED.get(name, _ABSENT) != value
        },
        "settings": settings,
        "dataset": {"name": dataset, "items": len(items), "sha256": _items_hash(items)},
        "file": {"name": file.name, "sha256": _file_hash(file)} if file is not None and file.is_file() else None,
        "differs": list(differs),
        "served": dict(served or {}),
        "prompts_sha256": _prompts_hash(),
        "versions": {"python": platform.python_version()} | _versions(),
    }


def _mode_json(mode: Mode) -> Any:
    """A built-in mode's name, and all of a custom mode."""
    return mode.name if MODES.get(mode.name) == mode else asdict(mode)


def _items_hash(items: Sequence[Item]) -> str:
    """Of all that is asked and expected; the images' own hashes are in the records."""
    total = hashlib.sha256()
    for item in items:
        boxes = [box.as_tuple() for box in item.boxes]
        fields: list[Any] = [
            item.id,
            item.question,
            item.answer,
            item.type,
            item.options,
            boxes,
            item.category,
            item.alternatives,
            item.tolerance,
        ]
        if item.anchored:  # so that a run whose options were ordered otherwise isn't continued
            fields.append(item.anchored)
        if item.steps:
            fields.append(item.steps)
        total.update(json.dumps(fields).encode() + b"\n")
    return total.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prompts_hash() -> str:
    folder = Path(sibling("prompts").__file__ or "").parent
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.md")):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
