"""The manifest of a run, `settings.json` in its folder: what resuming compares, and OpenRLHF's workers read."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from hart_agent.errors import ConfigError
from hart_agent.store.files import renew_settings, settings_in
from rl.config import AlgorithmConfig, RunSettings
from rl.moved import current_name
from rl.training.checkpoints import checkpoints
from rl.training.monitor import METRICS

_log = logging.getLogger(__name__)

SETTINGS = "settings.json"
_ADDED = frozenset({"strict_reading", "own_reward", "max_area", "tightness", "turn_cost"})
"""Not in the manifests of older runs, nor are options at their default. The last four are part of the reward there."""
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
            The settings of the run, which keeps the defaults that it was started with.

        Raises:
            ConfigError: the folder holds another run.
            OutputError: the file can't be written.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        path, settings = self.out / SETTINGS, self.settings
        if path.exists():
            stored = settings_in(path)
        elif found := [each for each in (self.out / METRICS, *checkpoints(self.out)) if each.exists()]:
            raise ConfigError(
                f"{self.out} holds {found[0].name}, but no {SETTINGS}: it is not the folder of a run. It is left "
                "untouched; choose another folder with --out."
            )
        else:
            stored = settings.record()
        try:
            settings = _as_begun(settings, stored)
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path} does not hold the settings of a run ({error!r}). Choose another folder."
            ) from error
        record = settings.record() | {"questions": self.questions}
        if self.data is not None:
            record |= {"engine": "openrlhf", "data": str(self.data)}
        defaults = {each.name: each.default for each in fields(settings)}
        for name in record.keys() - stored:
            if name in _ADDED or record[name] == defaults.get(name):
                del record[name]
        begun = stored.get("algorithm")
        if isinstance(begun, dict) and record.get("algorithm") == asdict(AlgorithmConfig()) | begun:
            record["algorithm"] = begun
        renew_settings(path, record, may_differ=may_change)
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


def _as_begun(settings: S, stored: dict[str, Any]) -> S:
    """The settings of a run, with the defaults of when it was started where they were others."""
    kept: dict[str, Any] = {}
    if settings.strict_reading and "strict_reading" not in stored:
        kept["strict_reading"] = False
    if settings.lora_rank and "schedule" not in stored:  # adapters had the defaults of all weights, and one scale
        chosen = [name for name, value in settings.adapted().items() if getattr(settings, name) == value]
        kept |= {name: stored[name] for name in chosen if stored[name] != getattr(settings, name)}
    for name, value in kept.items():
        _log.info("this run was started when %s was %s by default, and keeps it", name, value)
    begun = stored.get("own_reward") or ""
    if current_name(begun) == getattr(settings, "reward", None):  # its module may have moved since
        kept["reward"] = begun
    return replace(settings, **kept)
