"""What lies in a run's folder for each question: its photo, and its trace if traces were kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from hart_agent.evals.photos import photo_name
from hart_agent.evals.runner import Record, latest

TRACES: Final = "traces"
TRACE_PAGES: Final = "pages"
"""Of the same traces, to be read."""

Attachments: TypeAlias = Callable[[str], tuple[str | None, str | None]]
"""The paths of a question's trace and of its photo from the list, by the question's key; None for what isn't there."""


def attachments_of(records: Sequence[Record], folder: Path, *, up: str = "") -> Attachments:
    """What lies in the folder of a run.

    Args:
        records: of the run.
        folder: of the run.
        up: how the paths begin, from the page that names them.
    """
    photos = {key: photo_name(record) for key, record in latest(records).items()}
    kept = {f"{place}/{path.name}" for place in (TRACES, TRACE_PAGES) for path in (folder / place).glob("*")}

    def attached(key: str) -> tuple[str | None, str | None]:
        photo = photos.get(key)
        trace = next((path for path in (page_path(key), f"{TRACES}/{trace_name(key)}") if path in kept), None)
        shown = photo is not None and (folder / photo).is_file()
        return f"{up}{trace}" if trace else None, f"{up}{photo}" if shown else None

    return attached


def page_path(key: str) -> str:
    """Where the page of a presentation's trace lies in the folder of its run."""
    return f"{TRACE_PAGES}/{trace_name(key).removesuffix('.json')}.html"


def trace_name(key: str) -> str:
    """The file name of a presentation's trace: readable where the key is, and safe and unique whatever it is."""
    readable = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in key)[:60]
    return f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.json"
