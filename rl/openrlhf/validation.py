"""Validation on OpenRLHF: its evaluation asks our held-out questions, greedily, with crops and without."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode, find_mode
from rl.config import TrainSettings, rollout_episode
from rl.data import Sample, load_samples
from rl.openrlhf.scoring import LOGGED, step_metrics
from rl.training.monitor import VALIDATED

_WITHOUT_CROPS = f"{LOGGED}without_crops"


def tasks(path: Path, samples: Sequence[Sample], settings: TrainSettings) -> list[tuple[str, str]]:
    """What OpenRLHF is given: for each question in each mode the prompt, and a label that `Questions` reads.

    Args:
        path: of the file that the questions are from, the same on all machines.
        samples: the questions.
        settings: of the run.
    """
    modes = dict.fromkeys((settings.mode, Mode.DIRECT.name))
    return [(each.question, json.dumps([str(path), mode, each.id])) for mode in modes for each in samples]


class Questions:
    """The questions of a run by the labels that OpenRLHF has of them.

    Args:
        data: file of the questions that are trained on; their labels are their ids.
        settings: of the run.
    """

    def __init__(self, data: Path, settings: TrainSettings) -> None:
        self._samples = {sample.id: sample for sample in load_samples(data)}
        self._held_out: dict[str, dict[str, Sample]] = {}
        self._settings = settings

    def find(self, label: str) -> tuple[Sample, EpisodeConfig | None]:
        """A question, and the limits of its episode if it is for validation."""
        if label in self._samples:
            return self._samples[label], None
        path, mode, name = json.loads(label)
        if path not in self._held_out:
            self._held_out[path] = {sample.id: sample for sample in load_samples(Path(path))}
        return self._held_out[path][name], rollout_episode(find_mode(mode), self._settings.max_turns)


def logged_of(config: EpisodeConfig | None) -> dict[str, float]:
    """What a rollout of validation logs besides its score, for `validation_metrics`; nothing, in training."""
    return {} if config is None else {_WITHOUT_CROPS: float(config.mode == Mode.DIRECT)}


def validation_metrics(logged: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The metrics of an evaluation, under the names that they have on one machine (see `rl.local.validation`).

    Args:
        logged: by each of its rollouts.
    """

    def means(alone: bool) -> dict[str, float]:
        chosen = [each for each in logged if bool(each[_WITHOUT_CROPS]) == alone]
        return step_metrics({name: [each[name] for each in chosen] for name in (chosen[0] if chosen else {})})

    with_crops, alone = means(False), means(True)
    found = with_crops or alone  # the mode `direct` has no crops
    metrics = {f"validation/{name}": found[name] for name in VALIDATED if not np.isnan(found.get(name, np.nan))}
    return metrics | ({"validation/accuracy_without_crops": alone["accuracy"]} if with_crops and alone else {})
