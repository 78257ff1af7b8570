"""Running a job of the study: its training, by the project's own trainers, and the test of what comes out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from filelock import FileLock

from hart_agent.dialogue.policy import Policy
from hart_agent.store.files import write_json
from rl.config import AlgorithmConfig, SftSettings, TrainSettings
from rl.data import Sample, check_disjoint, load_samples
from rl.local.sft import SftTrainer
from rl.local.trainer import Trainer
from rl.training.monitor import METRICS

from . import jobs
from .cold_start import open_policy
from .examination import examine
from .frozen_reader import FrozenReaderTrainer, WithReader
from .jobs import Job, Reader, Stage
from .scenes import Scene, Split, draw_scene, write_jsonl
from .tokenizer import MAX_PIXELS, MAX_TOKENS

_LAST = 20
"""Steps over which the sampled figures of a run's end are averaged."""
_SAMPLED = ("reward", "accuracy", "iou", "grounded", "area_fraction", "wrong_box_given_right", "kl",
            "zero_variance_groups", "called_tool")  # fmt: skip
_CURVE = ("reward", "iou", "area_fraction")
_CURVE_EVERY = 10

Test = Callable[[Job, Path, Sequence[Scene]], dict[str, Any]]
"""Measures a job's checkpoint on held-out scenes."""


def examined(job: Job, checkpoint: Path, scenes: Sequence[Scene]) -> dict[str, Any]:
    """The first study's test, greedy; see `examine`."""
    policy: Policy = open_policy(checkpoint)
    if job.reader is Reader.FROZEN:
        policy = WithReader(policy, open_policy(job.cold_start))
    return asyncio.run(examine(policy, scenes))


class Workplace:
    """A folder with the study's scenes, its runs and their checkpoints; all of it can be made again.

    Args:
        folder: is made.
        steps: of reinforcement learning, if not the study's.
        tested: scenes of the test split, if not the study's.
        test: what is measured on them.
    """

    def __init__(
        self,
        folder: Path,
        steps: int = jobs.STEPS,
        tested: Sequence[int] = jobs.TEST_SCENES,
        test: Test = examined,
    ) -> None:
        self._folder = folder
        self._test = test
        self._steps = steps
        self._tested = tested
        self._questions: dict[str, list[Sample]] = {}

    def run(self, job: Job) -> dict[str, Any]:
        """Train and test; what was trained before is not trained again.

        Returns:
            The job, what was measured, and with what.
        """
        began = time.process_time()
        checkpoint = self._trained(job, job.stages)
        trained = time.process_time()
        scenes = [draw_scene(Split.TEST, number) for number in self._tested]
        found = self._test(job, checkpoint, scenes)
        return {
            "arm": job.arm,
            "reader": job.reader.value,
            "start": job.start,
            "seed": job.seed,
            "steps": self._steps,
            "tested": len(self._tested),
            "area_guard": jobs.MAX_AREA,
            **found,
            "sampled": self._curves(job),
            "cpu_seconds": {"training": round(trained - began), "test": round(time.process_time() - trained)},
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }

    def _trained(self, job: Job, stages: Sequence[Stage]) -> Path:
        """The checkpoint after some stages; of two arms that begin alike, the beginning is trained once."""
        if not stages:
            return job.cold_start
        before = self._trained(job, stages[:-1])
        out, stage = self._run_folder(job, stages), stages[-1]
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / "lock"):
            if stage.supervised:
                return SftTrainer(self._sft_settings(job, before), self._samples("sft", jobs.SFT_SCENES), out).train()
            samples = self._samples("rl", jobs.RL_SCENES)
            trainer = FrozenReaderTrainer if job.reader is Reader.FROZEN else Trainer
            return trainer(self._rl_settings(job, before, stage), samples, None, out).train()

    def _run_folder(self, job: Job, stages: Sequence[Stage]) -> Path:
        names = "+".join(stage.name for stage in stages)
        return self._folder / "runs" / f"{job.reader}-start{job.start}-seed{job.seed}" / names

    def _rl_settings(self, job: Job, model: Path, stage: Stage) -> TrainSettings:
        return TrainSettings(
            algorithm=AlgorithmConfig(k=stage.k, beta=jobs.BETA, group_size=jobs.GROUP),
            mode=stage.mode.name, reward=stage.reward, max_area=jobs.MAX_AREA, model=str(model),
            steps=self._steps, prompts_per_step=jobs.PROMPTS, learning_rate=jobs.LEARNING_RATE,
            max_tokens=MAX_TOKENS, max_pixels=MAX_PIXELS, micro_batch=96, device="cpu", seed=job.seed,
            keep_checkpoints=1,
        )  # fmt: skip

    def _sft_settings(self, job: Job, model: Path) -> SftSettings:
        return SftSettings(
            targets="distilled", attempts=4, model=str(model), steps=jobs.SFT_STEPS, prompts_per_step=24,
            learning_rate=jobs.SFT_LEARNING_RATE, max_tokens=MAX_TOKENS, max_pixels=MAX_PIXELS, micro_batch=96,
            device="cpu", seed=job.seed, keep_checkpoints=1,
        )  # fmt: skip

    def _samples(self, name: str, numbers: Sequence[int]) -> list[Sample]:
        if name not in self._questions:
            folder = self._folder / "scenes" / name
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "lock"):
                path = folder / "questions.jsonl"
                if not path.exists():
                    write_jsonl(folder, Split.TRAIN, numbers, name="unfinished.jsonl").rename(path)
            self._questions[name] = load_samples(path)
            if len(self._questions) > 1:
                check_disjoint(*self._questions.values())
        return self._questions[name]

    def _curves(self, job: Job) -> dict[str, Any]:
        """What the rollouts of each stage of reinforcement learning were like, at its end and on its way."""
        stages = job.stages
        found = {}
        for count, stage in enumerate(stages, start=1):
            if not stage.supervised:
                path = self._run_folder(job, stages[:count]) / METRICS
                records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
                curve = {name: _every(records, name) for name in _CURVE}
                found[stage.name] = {"last": {name: _mean(records[-_LAST:], name) for name in _SAMPLED}, "curve": curve}
        return found


def write_result(result: Mapping[str, Any], job: Job, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{job.name}.json", dict(result))


def _every(records: Sequence[Mapping[str, Any]], name: str) -> list[float | None]:
    return [_mean(records[begin : begin + _CURVE_EVERY], name) for begin in range(0, len(records), _CURVE_EVERY)]


def _mean(records: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [record[name] for record in records if record.get(name) is not None]
    return round(float(np.mean(values)), 4) if values else None
