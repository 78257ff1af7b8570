"""What a line of results answers, and how it was asked, so that no run is continued with something else.

A line holds five digests, joined by dashes: of the question, the image file, the model, the mode and the other
settings. An image file is known by its name, its size and the time of its last change: reading all images before a
batch is resumed would take longer than many a batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hart_agent.agent.items import BatchItem
from hart_agent.batch.reading import Row
from hart_agent.batch.results import ResultFile
from hart_agent.errors import ConfigError, ImageError
from hart_agent.vision.opening import local_path
from hart_agent.vision.urls import is_url

_PARTS: Final = ("question", "image", "model", "mode", "settings")
_SETTINGS: Final = "settings"


@dataclass(frozen=True)
class RunKeys:
    """How the questions of a run are asked.

    Args:
        model: the policy, as JSON.
        mode: name of the mode.
        settings: whatever else answers depend on, by name. Those with their default are best left out, so that a
            version with further settings resumes the run.
    """

    model: Any
    mode: str
    settings: Mapping[str, Any]

    def of(self, item: BatchItem) -> str:
        """The digests of a question, its image and the run."""
        return "-".join(map(_digest, (item.question, _identity(item.image), self.model, self.mode, self.settings)))

    def differences(self, asked: str | None, item: BatchItem) -> list[str]:
        """In which parts a line differs from a question as it would be asked now; none of a line without digests."""
        if asked is None:
            return []
        before, now = asked.split("-"), self.of(item).split("-")
        return [part for part, old, new in zip(_PARTS, before, now, strict=False) if old != new]


def refuse_other_runs(keys: RunKeys, rows: Iterable[Row], file: ResultFile, *, settings_may_differ: bool) -> None:
    """Refuse to resume a file whose answers belong to other questions or another run. Failed questions don't count.

    Args:
        keys: of the run.
        rows: its questions.
        file: the results that are there.
        settings_may_differ: whether settings other than model and mode may differ.

    Raises:
        ConfigError: the message names what differs.
    """
    found: set[str] = set()
    first, count = "", 0
    for row in rows:
        known = file.outcomes.get(row.item.id)
        if known is None or known.failed:
            continue
        differing = set(keys.differences(known.asked, row.item)) - ({_SETTINGS} if settings_may_differ else set())
        first = first or (row.item.id if differing else "")
        count += bool(differing)
        found |= differing
    if found:
        named = ", ".join(_other(part) for part in _PARTS if part in found)
        raise ConfigError(
            f"{file.path}: {count} of these questions were asked before with {named}, the first is {first!r}. "
            "Choose another file, ask them again with --changed, or use what they were asked with."
        )


def _other(part: str) -> str:
    return "other settings" if part == _SETTINGS else f"another {part}"


def _identity(image: Any) -> Any:
    if isinstance(image, str) and (is_url(image) or image[:5].lower() == "data:"):
        return image
    try:
        path, page = local_path(str(image))
        status = path.stat()
    except (OSError, ValueError, ImageError):  # missing, or not a path at all: asking about it will say so
        return str(image).rpartition("/")[2]
    return [path.name, page, status.st_size, status.st_mtime_ns]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:8]
