"""The cold start: supervised training until the miniature half knows where to look, and reads what it is shown.

    python -m examples.miniature.cold_start FOLDER --seed 0

It is shown true boxes and answers (see `lessons`); only what comes after it learns from answers alone. First it learns
to point, and stops in the middle of it; then it learns to read, and is held to pointing as it does. A copy is left from
when it half reads: with it, answers are poor judges of boxes. The same seed gives the same weights on the same machine
and versions.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import random
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText
from transformers.utils import logging

from hart_agent.agent.modes import Mode
from hart_agent.backends.local.checkpoint import find_checkpoint
from hart_agent.backends.local.encoding import Encoder
from hart_agent.backends.local.prompting import Prompter
from hart_agent.backends.local.transformers import TransformersPolicy
from hart_agent.dialogue.policy import Policy

from .lessons import Example, Lesson, Teacher
from .model import make_checkpoint
from .probes import probe_mode, probe_reading
from .scenes import Scene, Split, draw_scene
from .tokenizer import MAX_PIXELS, MAX_TOKENS

POOR_READER = "poor-reader"
"""The folder, in that of the checkpoint, of the model when it half read."""
GROUNDED, OVERLOOKED, POOR = 0.6, 0.8, 0.5
"""The checkpoint rules. Each is met at the first check with such a part of right replies, which are greedy, to the
first `CHECKED` validation scenes. Pointing is learnt until so many boxes have an IoGT above 0.3; reading, until so many
of the legible dots are read off the overview, and then `LAST` steps more with a falling learning rate. The poor reader
is the model that first reads so many tight crops."""
LAST = 120
MAX_STEPS = 600
"""Of each of the two, the last ones aside."""
CHECKED, TESTED = 100, 200
CHECK_EVERY = {"pointing": 10, "reading": 25}
SCENES = 2000
LEARNING_RATE = 2e-3
WARM_UP = 20
POINTING = {Lesson.POINT: 80, Lesson.POINT_MGPO: 16}
READING = {
    Lesson.READ: 36, Lesson.READ_MGPO: 12, Lesson.OVERLOOK: 24, Lesson.DIRECT: 48, Lesson.GUESS: 6, Lesson.BLIND: 2
}  # fmt: skip
KEPT = {Lesson.POINT: 20, Lesson.POINT_MGPO: 8}
"""Examples of each lesson in a step; while reading is learnt, those in `KEPT` hold pointing where it is."""


class Student:
    """A model that learns from examples.

    Args:
        folder: its checkpoint; `policy` writes its weights there.
    """

    def __init__(self, folder: Path) -> None:
        checkpoint = find_checkpoint(str(folder))
        self.prompter = Prompter(checkpoint, max_pixels=MAX_PIXELS)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).train()
        self._encoder = Encoder(checkpoint, self.prompter)
        self._folder = folder

    def inputs(self, examples: Sequence[Example]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The model's inputs, prompts and replies, and the labels.

        Returns:
            The inputs, of which the token ids have shape (B, L), and the labels of the last T positions, shape
            (B, T): the replies' tokens, and -100 where there is none.
        """
        whole = [replace(each.prompt, token_ids=each.prompt.token_ids + each.token_ids) for each in examples]
        inputs = self._encoder.encode(whole, torch.float32)
        lengths = torch.tensor([len(each.token_ids) for each in examples])
        longest = int(lengths.max())
        labels = inputs["input_ids"][:, -longest:].clone()
        labels[torch.arange(longest) < longest - lengths[:, None]] = -100
        return inputs, labels

    def loss(self, examples: Sequence[Example]) -> torch.Tensor:
        """Cross-entropy of the replies' tokens, summed."""
        logits, labels = self._said(self.model, examples)
        return torch.nn.functional.cross_entropy(logits, labels, reduction="sum")

    def change(self, earlier: Any, examples: Sequence[Example]) -> torch.Tensor:
        """KL divergence, summed over the replies' tokens, of what the model says from what an earlier one said."""
        with torch.no_grad():
            before = torch.log_softmax(self._said(earlier, examples)[0], dim=-1)
        now = torch.log_softmax(self._said(self.model, examples)[0], dim=-1)
        return torch.nn.functional.kl_div(now, before, reduction="sum", log_target=True)

    def _said(self, model: Any, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
        """The logits at the N tokens of the replies, shape (N, V), and those tokens, shape (N,)."""
        inputs, labels = self.inputs(examples)
        logits = model(**inputs, logits_to_keep=labels.shape[1] + 1, use_cache=False).logits[:, :-1]  # (B, T, V)
        return logits[labels != -100], labels[labels != -100]

    def policy(self) -> TransformersPolicy:
        """The product's policy with the weights as they are now, greedy."""
        self.model.save_pretrained(self._folder)
        return open_policy(self._folder)

    def keep(self, folder: Path) -> TransformersPolicy:
        """Leave the weights as they are now in half the room, rounded to bfloat16; returns the policy with them."""
        folder.mkdir(exist_ok=True)
        for path in self._folder.iterdir():
            if path.is_file() and folder != self._folder:
                shutil.copy(path, folder)
        copy.deepcopy(self.model).to(torch.bfloat16).save_pretrained(folder)
        return open_policy(folder)


def open_policy(folder: Path) -> TransformersPolicy:
    """A miniature as the product runs it, greedy."""
    return TransformersPolicy(str(folder), device="cpu", max_pixels=MAX_PIXELS, max_tokens=MAX_TOKENS, max_batch=64)


class Course:
    """Examples of each lesson, drawn at random in fixed portions."""

    def __init__(self, student: Student, scenes: Iterable[Scene], seed: int) -> None:
        self._rng = random.Random(seed)
        teacher = Teacher(student.prompter)
        self._examples: dict[Lesson, list[Example]] = {lesson: [] for lesson in Lesson}
        for scene in scenes:
            for taught in teacher.lessons(scene, self._rng):
                for lesson, example in taught.items():
                    self._examples[lesson].append(example)

    def draw(self, portions: Mapping[Lesson, int]) -> list[list[Example]]:
        """The examples of a step, lesson by lesson."""
        return [self._rng.sample(self._examples[lesson], count) for lesson, count in portions.items()]


class Training:
    """Updates of a student.

    Args:
        student: is changed.
        course: its examples.
    """

    def __init__(self, student: Student, course: Course) -> None:
        self._student = student
        self._course = course
        self._optimiser = torch.optim.AdamW(
            student.model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0
        )
        self.steps = 0

    def update(
        self,
        learnt: Mapping[Lesson, int],
        kept: Mapping[Lesson, int] | None = None,
        earlier: Any = None,
        part: float = 1.0,
    ) -> None:
        """One update; the first `WARM_UP` have smaller learning rates.

        Args:
            learnt: how many examples of each lesson to learn from.
            kept: how many of each to go on saying as an earlier model does.
            earlier: that model.
            part: of the learning rate.
        """
        self.steps += 1
        for group in self._optimiser.param_groups:
            group["lr"] = LEARNING_RATE * part * min(1.0, self.steps / WARM_UP)
        self._optimiser.zero_grad()
        new, old = self._course.draw(learnt), self._course.draw(kept or {})
        tokens = sum(len(example.token_ids) for examples in (*new, *old) for example in examples)
        for examples in new:
            (self._student.loss(examples) / tokens).backward()
        for examples in old:
            (self._student.change(earlier, examples) / tokens).backward()
        torch.nn.utils.clip_grad_norm_(self._student.model.parameters(), 1.0)
        self._optimiser.step()


def cold_start(folder: Path, seed: int) -> bool:
    """Train a miniature from random weights, and write down in `cold_start.json` what was found.

    Args:
        folder: of the checkpoint; its folder `POOR_READER` gets the poor reader.
        seed: of the weights and of the order of the examples.

    Returns:
        Whether all rules were met.
    """
    student = Student(make_checkpoint(folder, seed))
    course = Course(student, (draw_scene(Split.COLD_START, number) for number in range(SCENES)), seed)
    validation = [draw_scene(Split.VALIDATION, number) for number in range(CHECKED)]
    pointing = Training(student, course)
    met = _learn_to_point(student, pointing, validation)
    reading = Training(student, course)
    poor = _learn_to_read(student, reading, validation, folder / POOR_READER)
    met = met and poor is not None and reading.steps < MAX_STEPS + LAST
    policies = {"": student.keep(folder)} | ({POOR_READER: poor} if poor is not None else {})
    test = [draw_scene(Split.TEST, number) for number in range(TESTED)]
    report: dict[str, Any] = {"seed": seed, "steps": [pointing.steps, reading.steps], "rules_met": met}
    report["cpu_seconds"] = round(time.process_time())
    for name, policy in policies.items():
        found = report | asyncio.run(describe(policy, test))
        (folder / name / "cold_start.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        print(json.dumps(found, indent=2))
    return met


def _learn_to_point(student: Student, training: Training, validation: Sequence[Scene]) -> bool:
    while training.steps < MAX_STEPS:
        training.update(POINTING)
        if training.steps % CHECK_EVERY["pointing"] == 0:
            found = asyncio.run(probe_mode(student.policy(), validation, Mode.CLOSED_LOOP))
            _say(f"pointing {training.steps}: grounded {found.grounded:.2f}, IoU {found.iou:.3f}")
            if found.grounded >= GROUNDED:
                return True
    return False


def _learn_to_read(
    student: Student, training: Training, validation: Sequence[Scene], poor: Path
) -> TransformersPolicy | None:
    """Returns the poor reader, if it was met on the way."""
    earlier, found = copy.deepcopy(student.model).eval(), None
    legible = [scene for scene in validation if scene.dots == "legible"]
    end = MAX_STEPS + LAST
    while training.steps < end:
        training.update(READING, KEPT, earlier, part=min(1.0, max(0.1, (end - training.steps) / LAST)))
        if training.steps % CHECK_EVERY["reading"] == 0:
            policy = student.policy()
            read = asyncio.run(probe_reading(policy, validation))
            overlooked = asyncio.run(probe_mode(policy, legible, Mode.DIRECT)).accuracy
            _say(f"reading {training.steps}: tight {read.tight:.2f}, loose {read.loose:.2f}, overview {overlooked:.2f}")
            if found is None and read.tight >= POOR:
                found = student.keep(poor)
            if overlooked >= OVERLOOKED:
                end = min(end, training.steps + LAST)
    return found


def _say(words: str) -> None:
    print(f"{words} ({time.process_time():.0f} CPU-s)", flush=True)


async def describe(policy: Policy, scenes: Sequence[Scene]) -> dict[str, Any]:
    """All that is measured of a miniature, by mode."""
    modes = [Mode.CLOSED_LOOP, Mode.MGPO, Mode.DIRECT]
    found = {mode.value: asdict(await probe_mode(policy, scenes, mode)) for mode in modes}
    return {**found, "reading": asdict(await probe_reading(policy, scenes))}


def main() -> None:
    parser = argparse.ArgumentParser(description="Cold start of a miniature: see the README.md next to this file.")
    parser.add_argument("folder", type=Path, help="of the checkpoint; made if it isn't there")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and of the order of the examples")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # faster than more at this size, and the same everywhere
    logging.disable_progress_bar()
    sys.exit(0 if cold_start(arguments.folder, arguments.seed) else "no cold start with this seed")


if __name__ == "__main__":
    main()
