"""Where a model's files are: in a local folder, or on Hugging Face's hub, from which nothing comes unannounced."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hart_agent.errors import ConfigError
from hart_agent.store.files import json_value
from hart_agent.store.hub import from_hub

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILES = ["*.json", "*.jinja", "*.txt", "*.model", "*.safetensors"]
"""What a model needs; repositories often hold the same weights in other formats, too."""


@dataclass(frozen=True)
class Checkpoint:
    """A model's folder and its Hugging Face configuration.

    Attributes:
        path: the folder.
        config: of the model.
        processor: settings of its image processor; empty if they can't be read.
    """

    path: Path
    config: dict[str, Any]
    processor: dict[str, Any] = field(default_factory=dict)

    def setting(self, name: str) -> Any:
        """A value of the configuration, of its text part if it isn't on top; None if there is none."""
        return self.config.get(name, self.config.get("text_config", {}).get(name))


def weights_sha256(path: Path) -> str:
    """The hash of the weights in a model's folder: of their file, or of a list of the files' hashes and names.

    The hub's cache names files by their hashes, which are taken as they are; others are read whole.
    """
    hashes = [(_file_sha256(file), file.name) for file in sorted(path.glob("*.safetensors"))]
    if len(hashes) == 1:
        return hashes[0][0]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in hashes).encode()).hexdigest()


def _file_sha256(file: Path) -> str:
    blob = file.resolve()
    if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name):
        return blob.name
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def find_checkpoint(model: str) -> Checkpoint:
    """Find a model. If it is on the hub and not here yet, say so, and how large it is, and download it.

    Args:
        model: a folder, or a hub id such as "Qwen/Qwen2.5-VL-3B-Instruct".

    Raises:
        ConfigError: there is no such folder or model, or it lacks files.
        PolicyError: the hub can't be reached.
        InstallError: it is on the hub, and the package huggingface_hub is missing.
    """
    path = find_folder(model, _FILES, _complete)
    if not _complete(path):
        raise ConfigError(f"{path} holds no complete model: it needs config.json and all *.safetensors files.")
    try:
        config = json_value((path / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path / 'config.json'} is damaged ({error}). Get the model again.") from error
    return Checkpoint(path, config, _processor(path))


def find_folder(model: str, patterns: Sequence[str], complete: Callable[[Path], bool]) -> Path:
    """The folder of a model, from the hub if there is no such folder here; see `from_hub`.

    Raises:
        ConfigError, PolicyError, InstallError: as for `find_checkpoint`, but for files that a folder here lacks.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if not _HUB_ID.fullmatch(model):
        raise ConfigError(
            f"there is no folder {model!r}, and it is not an id on Hugging Face's hub, such as "
            "Qwen/Qwen2.5-VL-3B-Instruct. Give one of them as --model."
        )
    return from_hub(model, patterns=patterns, complete=complete)


def _processor(path: Path) -> dict[str, Any]:
    """The settings of a checkpoint's image processor, which may stand among those of the whole processor."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        try:
            settings = json_value((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(settings, dict):
            inner = settings.get("image_processor")
            return inner if isinstance(inner, dict) else settings
    return {}


def _complete(path: Path) -> bool:
    """Whether a folder holds a configuration and all its weights; a download may have broken off."""
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = set(json_value(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError):
            return False
        weights = all((path / shard).is_file() for shard in shards)
    else:
        weights = any(path.glob("*.safetensors"))
    return weights and (path / "config.json").is_file()
