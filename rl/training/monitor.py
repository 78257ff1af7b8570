"""Metrics of each step of a training run, and alarms for the known ways in which such runs collapse."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hart_agent.agent.modes import Mode
from hart_agent.agent.trajectory import StopReason
from hart_agent.errors import ConfigError
from hart_agent.evals.findings import first_finding, steps_found
from hart_agent.evals.metrics import IOGT_THRESHOLD, Prediction, measure
from hart_agent.store.files import json_value
from rl.config import RunSettings
from rl.data.rows import Rollout
from rl.rewards import answer_reward
from rl.training.trackers import trackers

_log = logging.getLogger(__name__)

WINDOW = 20
"""Steps over which an alarm averages, at the beginning and now."""

METRICS = "metrics.jsonl"
VALIDATED = (
    "accuracy", "answered", "called_tool", "invalid_calls", "area_fraction", "iogt", "iou", "grounded",
    "wrong_box_given_right",
)  # fmt: skip
"""Those of `rollout_metrics` that are measured on validation questions."""
OF_FINDINGS = ("findings", "steps_found", "tokens_to_first_finding", "share_to_first_finding")
"""Those of `rollout_metrics` that are measured where the policy says what it finds out on its way."""


def rollout_metrics(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """Metrics of the policy from its rollouts. Grounding is measured only where the samples have boxes.

    An answer is right by the default reward, whatever reward the policy is trained with.
    """
    runs = [rollout.trajectory for rollout in rollouts]
    right = [answer_reward(rollout.trajectory, rollout.sample) > 0 for rollout in rollouts]
    calls = [result for run in runs for turn in run.turns for result in turn.results]
    predictions = [
        Prediction(str(number), "", ok, tuple(item.box for item in run.evidence), rollout.sample.boxes, run.image.size)
        for number, (rollout, run, ok) in enumerate(zip(rollouts, runs, right, strict=True))
    ]
    overlaps = measure(predictions)
    metrics = {
        "accuracy": float(np.mean(right)),
        "answered": float(np.mean([run.stop_reason is StopReason.ANSWERED for run in runs])),
        "called_tool": float(np.mean([any(turn.results for turn in run.turns) for run in runs])),
        "invalid_calls": float(np.mean([result.error is not None for result in calls])) if calls else 0.0,
        "turns": float(np.mean([len(run.turns) for run in runs])),
        "reply_tokens": float(np.mean([run.usage.output_tokens for run in runs])),
        "area_fraction": _mean(overlaps.area_fraction),
    }
    if any(rollout.sample.boxes for rollout in rollouts):
        boxed = overlaps.best_iogt > IOGT_THRESHOLD
        rightly = np.array(right) & ~np.isnan(overlaps.best_iogt)
        metrics |= {
            "iogt": _mean(overlaps.iogt),
            "iou": _mean(overlaps.iou),
            "grounded": _mean(np.where(np.isnan(overlaps.best_iogt), np.nan, boxed)),
            "wrong_box_given_right": float((rightly & ~boxed).sum() / rightly.sum()) if rightly.any() else float("nan"),
        }
    return metrics | _of_findings(rollouts)


def _of_findings(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """What was found out on the way (arXiv 2505.19640), `OF_FINDINGS`; nothing where it is neither asked for nor said.

    Steps are those that questions have, and are read strictly, as rewards are. The time to the first finding is
    `hart_agent.evals.findings.FirstFinding`.
    """
    runs = [rollout.trajectory for rollout in rollouts]
    if not any(run.findings or run.mode == Mode.INTERLEAVED for run in runs):
        return {}
    credited = [
        number is not None
        for rollout, run in zip(rollouts, runs, strict=True)
        for number in steps_found(run.findings, rollout.sample.steps, strict=True)
    ]
    firsts = [first_finding(run) for run in runs]
    values = (
        [len(run.findings) for run in runs], credited,
        [first.tokens for first in firsts], [first.share for first in firsts],
    )  # fmt: skip
    return {name: _mean(each) for name, each in zip(OF_FINDINGS, values, strict=True)}


def alarms(history: Sequence[Mapping[str, float]]) -> list[str]:
    """Descriptions of what seems to go wrong in a run.

    Args:
        history: the metrics of all steps so far.
    """
    if len(history) < 2 * WINDOW or "called_tool" not in history[-1]:  # too early; or no rollouts are made
        return []
    first, last = _average(history[:WINDOW]), _average(history[-WINDOW:])
    found = []
    if last["called_tool"] < 0.5 * first["called_tool"]:
        found.append(
            f"tool calls are dying out: {first['called_tool']:.0%} of the rollouts had one at first, now "
            f"{last['called_tool']:.0%}. Lower the learning rate, raise beta, or start from a model that calls tools."
        )
    if last["area_fraction"] > 0.25 and last["area_fraction"] > 2 * first["area_fraction"]:
        found.append(
            f"the boxes grow: {first['area_fraction']:.0%} of the image at first, now {last['area_fraction']:.0%}. A "
            "box around everything answers without locating: set max_area."
        )
    if "iou" in first and last["reward"] > first["reward"] + 0.05 and last["iou"] < 0.8 * first["iou"]:
        found.append(
            f"the reward rises ({first['reward']:.2f} to {last['reward']:.2f}) while IoU falls ({first['iou']:.2f} to "
            f"{last['iou']:.2f}): answers are learnt without evidence. Filter questions that can be answered blind."
        )
    if last["zero_variance_groups"] > 0.9:
        found.append(
            f"{last['zero_variance_groups']:.0%} of the groups have equal rewards and teach nothing: the questions are "
            "too easy or too hard for the policy, or group_size is too small."
        )
    return found


class MetricsLog:
    """Writes the metrics of each step to a JSONL file, and shows them in trackers; logs each alarm once.

    Args:
        folder: of the run.
        step: the first that is written; existing records from there on are of a run that was stopped, and are dropped.
        settings: of the run.

    Raises:
        ConfigError, InstallError: see `trackers`.
    """

    def __init__(self, folder: Path, step: int, settings: RunSettings) -> None:
        self._path = folder / METRICS
        kept = [record for record in _records(self._path) if record["step"] < step]
        self._path.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        self.history = [{name: _number(value) for name, value in each.items()} for each in kept]
        self._trackers = trackers(folder, step, settings.tracker, settings.record())
        self._warned: set[str] = set()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self.history.append({"step": step, **metrics})
        record = {name: None if math.isnan(value) else value for name, value in self.history[-1].items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        for tracker in self._trackers:
            tracker.write(step, metrics)
        for alarm in alarms(self.history):
            if (kind := alarm.partition(":")[0]) not in self._warned:
                self._warned.add(kind)
                _log.warning("step %d: %s", step, alarm)


def _records(path: Path) -> list[dict[str, Any]]:
    """The records of a file, if there is one; half a line, as a run that was stopped leaves it, is none.

    Raises:
        ConfigError: a line is something else.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    records = []
    for number, line in enumerate(lines, 1):
        if not line.endswith("}"):
            continue
        try:
            records.append({**json_value(line)})
            records[-1]["step"] + 0
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{path}, line {number} is not a record of a run: it is left untouched. Choose another folder."
            ) from error
    return records


def _number(value: float | None) -> float:
    """JSON has no NaN: null represents it."""
    return float("nan") if value is None else value


def _average(records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    shared = set.intersection(*(set(record) for record in records))
    return {name: _mean([record[name] for record in records]) for name in shared}


def _mean(values: Any) -> float:
    present = np.asarray(values, dtype=float)
    present = present[~np.isnan(present)]
    return float(present.mean()) if present.size else float("nan")
