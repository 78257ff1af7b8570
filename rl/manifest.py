"""The manifest of a run, `settings.json` in its folder: what resuming compares, and OpenRLHF's workers read."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Self, TypeVar

from hart_agent.errors import ConfigError
from hart_agent.store.files import renew_settings
from rl.config import RunSettings

_log = logging.getLogger(__name__)

SETTINGS = "settings.json"
_ADDED = frozenset({"strict_reading", "own_reward", "max_area", "tightness", "branching"})
"""Not in the manifests of older runs, nor are `ModelOptions` of None. The last three are part of the reward there."""
S = TypeVar("S", bound=RunSettings)


@dataclass(frozen=True, kw_only=True)
class Manifest(Generic[S]):
    """A run.

    Attributes:
        out: the run's folder.
        settings: of the run.
        questions: the fingerprint of its questions (see `rl.data.fingerprint`).
        data: the file of the questions, for the workers of OpenRLHF; None on one machine.
    """

    out: Path
    settings: S
    questions: str = ""
    data: Path | None = None

    def save(self, *, may_change: Collection[str]) -> S:
        """Write the manifest to the run's folder, which is created, or check that the folder holds the same run.

        Args:
            may_change: names of settings that may differ when a run is resumed.

        Returns:
            The settings of the run. A run from before answers were read strictly keeps the lenient reading.

        Raises:
            ConfigError: the folder holds another run.
            OutputError: the file can't be written.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        path, settings = self.out / SETTINGS, self.settings
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else settings.record()
        if settings.strict_reading and "strict_reading" not in stored:
            _log.info("this run was started with the lenient reading of answers, and keeps it")
            settings = replace(settings, strict_reading=False)
        record = settings.record() | {"questions": self.questions}
        if self.data is not None:
            record |= {"engine": "openrlhf", "data": str(self.data)}
        absent = {name for name in record.keys() - stored if name in _ADDED or record[name] is None}
        known = {name: value for name, value in record.items() if name not in absent}
        renew_settings(path, known, may_differ=may_change)
        return settings

    @classmethod
    def load(cls, out: Path, kind: type[S]) -> Self:
        """The run on OpenRLHF in a folder, with settings of a kind.

        Raises:
            ConfigError: there is none.
        """
        try:
            record = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
            if record["engine"] != "openrlhf":
                raise ValueError("it was started with another engine")
            settings = kind.from_record(record)
            return cls(out=out, settings=settings, questions=record["questions"], data=Path(record["data"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{out} holds no run on OpenRLHF ({error}). Start one with --engine openrlhf.") from error
