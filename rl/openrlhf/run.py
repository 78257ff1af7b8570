"""The run that a process of OpenRLHF is part of."""

from __future__ import annotations

import os
from pathlib import Path

from hart_agent.errors import ConfigError
from rl.config import TrainSettings
from rl.manifest import Manifest

FOLDER_VARIABLE = "HART_RUN"
"""The environment variable that names the run's folder to Ray's workers."""


def current_run() -> Manifest[TrainSettings]:
    """The run that this process is part of.

    Raises:
        ConfigError: it is part of none.
    """
    if not (folder := os.environ.get(FOLDER_VARIABLE)):
        raise ConfigError(f"{FOLDER_VARIABLE} is not set: this runs only inside python -m rl.openrlhf")
    return Manifest.load(Path(folder), TrainSettings)
