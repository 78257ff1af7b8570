"""What all processes of a run on OpenRLHF must know: written to the run's folder once, read by each of them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError
from hart_agent.store.files import renew_settings
from rl.config import AlgorithmConfig
from rl.rewards import Reward, choose_reward
from rl.settings import TrainSettings

SETTINGS = "settings.json"
FOLDER_VARIABLE = "HART_RUN"
"""The environment variable that tells Ray's workers the run's folder."""

_MAY_CHANGE = frozenset({"checkpoint_every", "keep_checkpoints", "micro_batch"})
"""Not the steps: OpenRLHF draws all of their questions at once."""


@dataclass(frozen=True, kw_only=True)
class OpenRLHFRun:
    """A run, in words that JSON can hold.

    Attributes:
        out: the run's folder, which all machines see.
        data: the questions' file.
        settings: of the run, as on one machine.
        questions: the fingerprint of those that are asked (see `rl.data.fingerprint`).
        reward: name of a reward of one's own, "module:function"; None for: is the answer right?
        max_area: see `rl.rewards.AreaGuard`; None for no guard.
        tightness: see `rl.rewards.TightnessBonus`; None for no bonus.
    """

    out: Path
    data: Path
    settings: TrainSettings
    questions: str = ""
    reward: str | None = None
    max_area: float | None = None
    tightness: float | None = None

    def everywhere(self) -> OpenRLHFRun:
        """The same with paths that don't depend on the current folder: Ray's workers have others."""
        model = Path(self.settings.model).expanduser()
        return replace(
            self,
            out=self.out.absolute(),
            data=self.data.absolute(),
            settings=replace(self.settings, model=str(model.absolute())) if model.is_dir() else self.settings,
        )

    def make_reward(self) -> Reward:
        """The reward of a rollout.

        Raises:
            ConfigError: it can't be loaded, or a setting is out of range.
        """
        return choose_reward(self.reward, self.max_area, self.tightness)

    def save(self) -> None:
        """Write it to the run's folder, which is made.

        Raises:
            ConfigError: the folder holds another run.
            OutputError: it can't be written.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / SETTINGS
        told = {
            "engine": "openrlhf", "data": str(self.data), "questions": self.questions, "own_reward": self.reward,
            "max_area": self.max_area, "tightness": self.tightness, **asdict(self.settings),
        }  # fmt: skip
        renew_settings(path, told, may_differ=_MAY_CHANGE)

    @classmethod
    def load(cls, out: Path) -> OpenRLHFRun:
        """The run of a folder.

        Raises:
            ConfigError: the folder holds none.
        """
        try:
            told: dict[str, Any] = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
            own = {name: told.pop(name) for name in ("data", "questions", "own_reward", "max_area", "tightness")}
            if told.pop("engine") != "openrlhf":
                raise ValueError("of another engine")
            settings = TrainSettings(
                **told | {
                    "algorithm": AlgorithmConfig(**told["algorithm"]),
                    "mode": Mode(told["mode"]),
                    "betas": tuple(told["betas"]),
                }
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{out} holds no run on OpenRLHF ({error}). Start it with: python -m rl.train_ap_grpo --engine openrlhf"
            ) from error
        return cls(
            out=out, data=Path(own["data"]), questions=own["questions"], settings=settings, reward=own["own_reward"],
            max_area=own["max_area"], tightness=own["tightness"],
        )  # fmt: skip

    @classmethod
    def current(cls) -> OpenRLHFRun:
        """The run that this process is part of.

        Raises:
            ConfigError: it is part of none.
        """
        if not (folder := os.environ.get(FOLDER_VARIABLE)):
            raise ConfigError(f"{FOLDER_VARIABLE} is not set: this runs only inside python -m rl.openrlhf")
        return cls.load(Path(folder))
