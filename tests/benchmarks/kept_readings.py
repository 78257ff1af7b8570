"""Readings kept on disk, so that another way to understand questions or to rank lines is measured in seconds."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hart_agent.backends.embedded import EmbeddedPolicy
from hart_agent.backends.embedded.looking import Eyes, Seen
from hart_agent.ocr import Line, TextReader
from hart_agent.vision.geometry import Frame
from hart_agent.vision.source import View


class KeptEyes(Eyes):
    """Reads what a folder doesn't hold yet. Each reading is a pickled file: use a folder that nobody else writes."""

    def __init__(self, reader: TextReader, folder: Path) -> None:
        super().__init__(reader)
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read_crop(self, view: View, scale: float, until: float) -> list[Line]:
        lines: list[Line] = self._kept(
            ("crop", view.sha256, scale), lambda: super(KeptEyes, self).read_crop(view, scale, until)
        )
        return lines

    def _look(self, view: View, whole: Frame, until: float) -> Seen:
        def look() -> Seen:
            return super(KeptEyes, self)._look(view, whole, until)

        seen: Seen = self._kept(("view", view.kind, view.sha256, view.frame, whole), look)
        self._seen[view] = seen
        return seen

    def _kept(self, key: Sequence[object], read: Callable[[], Any]) -> Any:
        path = self._folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}.pickle"
        if path.exists():
            return pickle.loads(path.read_bytes())
        found = read()
        path.write_bytes(pickle.dumps(found))
        return found


def policy(folder: Path) -> EmbeddedPolicy:
    """The embedded reader with readings kept in a folder."""
    reader = EmbeddedPolicy()
    reader._eyes = KeptEyes(reader._eyes._reader, folder)
    return reader
