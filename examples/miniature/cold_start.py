"""The cold start: supervised training until the miniature half knows where to look, and reads what it is shown.

    python -m examples.miniature.cold_start FOLDER --seed 0

It is shown true boxes and answers (see `lessons`); only what comes after it learns from answers alone. It stops at the
first check that the checkpoint rule accepts. The same seed gives the same weights on the same machine and versions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText
from transformers.utils import logging

from hart_agent.backends.checkpoint import find_checkpoint
from hart_agent.backends.encoding import Encoder
from hart_agent.backends.prompting import Prompter
from hart_agent.backends.transformers import TransformersPolicy
from hart_agent.tooling import Policy
from hart_agent.types import Mode

from .lessons import Example, Lesson, Teacher
from .model import make_checkpoint
from .probes import Grounding, Reading, probe_mode, probe_reading
from .scenes import Scene, Split, draw_scene
from .tokenizer import MAX_PIXELS

GROUNDED, LARGEST_AREA, READ = 0.6, 0.15, 0.95
"""The checkpoint rule: the cold start ends at the first check at which, greedily and on the first `CHECKED` validation
scenes, so many boxes have an IoGT above 0.3, they cover no more of the image, and so many tight crops are read."""
CHECKED, CHECK_EVERY, TESTED = 100, 20, 200
MAX_STEPS = 1000
SCENES = 2500
LEARNING_RATE = 2e-3
WARM_UP = 20
PORTIONS = {
    Lesson.POINT: 64, Lesson.POINT_MGPO: 16, Lesson.READ: 24, Lesson.READ_MGPO: 12, Lesson.DIRECT: 12, Lesson.BLIND: 4
}  # fmt: skip
"""Examples of each lesson in a step."""


class Student:
    """A model that learns from examples.

    Args:
        folder: its checkpoint; `save` writes its weights there.
    """

    def __init__(self, folder: Path) -> None:
        checkpoint = find_checkpoint(str(folder))
        self.prompter = Prompter(
            checkpoint, coordinates=None, max_pixels=MAX_PIXELS, max_images=None, max_tokens=None,
            max_context_tokens=None, temperature=0.0, seed=0,
        )  # fmt: skip
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
        inputs, labels = self.inputs(examples)
        logits = self.model(**inputs, logits_to_keep=labels.shape[1] + 1, use_cache=False).logits[:, :-1]  # (B, T, V)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")

    def policy(self) -> TransformersPolicy:
        """The product's policy with the weights as they are now, greedy."""
        self.model.save_pretrained(self._folder)
        return open_policy(self._folder)


def open_policy(folder: Path) -> TransformersPolicy:
    """A miniature as the product runs it, greedy."""
    return TransformersPolicy(str(folder), device="cpu", max_pixels=MAX_PIXELS, max_batch=64)


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

    def draw(self) -> list[list[Example]]:
        """The examples of a step, lesson by lesson."""
        return [self._rng.sample(self._examples[lesson], count) for lesson, count in PORTIONS.items()]


def make_optimiser(student: Student) -> torch.optim.Optimizer:
    return torch.optim.AdamW(student.model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0)


def update(student: Student, optimiser: torch.optim.Optimizer, batch: Sequence[Sequence[Example]], step: int) -> float:
    """One update.

    Args:
        student: is changed.
        optimiser: of its weights.
        batch: groups of examples, each of which goes through the model at once.
        step: from 0; the first `WARM_UP` have smaller learning rates.

    Returns:
        The mean loss of a token.
    """
    for group in optimiser.param_groups:
        group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARM_UP)
    optimiser.zero_grad()
    tokens = sum(len(example.token_ids) for examples in batch for example in examples)
    total = 0.0
    for examples in batch:
        loss = student.loss(examples) / tokens
        loss.backward()
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(student.model.parameters(), 1.0)
    optimiser.step()
    return total


def ready(pointing: Grounding, reading: Reading) -> bool:
    """The checkpoint rule."""
    return pointing.grounded >= GROUNDED and pointing.area <= LARGEST_AREA and reading.tight >= READ


def cold_start(folder: Path, seed: int) -> bool:
    """Train a miniature from random weights, and write down in `cold_start.json` what was found.

    Args:
        folder: of the checkpoint.
        seed: of the weights and of the order of the examples.

    Returns:
        Whether the checkpoint rule was met; if not, the folder holds the weights after `MAX_STEPS`.
    """
    student = Student(make_checkpoint(folder, seed))
    course = Course(student, (draw_scene(Split.COLD_START, number) for number in range(SCENES)), seed)
    validation = [draw_scene(Split.VALIDATION, number) for number in range(CHECKED)]
    optimiser = make_optimiser(student)
    met = False
    for step in range(1, MAX_STEPS + 1):
        loss = update(student, optimiser, course.draw(), step - 1)
        if step % CHECK_EVERY:
            continue
        policy = student.policy()
        pointing = asyncio.run(probe_mode(policy, validation, Mode.CLOSED_LOOP))
        reading = asyncio.run(probe_reading(policy, validation))
        print(
            f"step {step}: loss {loss:.3f}, grounded {pointing.grounded:.2f}, IoU {pointing.iou:.3f}, "
            f"area {pointing.area:.3f}, reads {reading.tight:.2f}, {time.process_time():.0f} CPU-s",
            flush=True,
        )
        if met := ready(pointing, reading):
            break
    seconds = round(time.process_time())
    test = [draw_scene(Split.TEST, number) for number in range(TESTED)]
    report = {"seed": seed, "steps": step, "rule_met": met, "cpu_seconds": seconds} | asyncio.run(
        describe(student.policy(), test)
    )
    (folder / "cold_start.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    return met


async def describe(policy: Policy, scenes: Sequence[Scene]) -> dict[str, Any]:
    """All that is measured of a miniature, by mode."""
    modes = [Mode.CLOSED_LOOP, Mode.MGPO, Mode.DIRECT]
    found = {mode.value: asdict(await probe_mode(policy, scenes, mode)) for mode in modes}
    return {**found, "reading": asdict(await probe_reading(policy, scenes))}


def main() -> None:
    parser = argparse.ArgumentParser(description="Cold start of a miniature: see the README.md beside this file.")
    parser.add_argument("folder", type=Path, help="of the checkpoint; made if it isn't there")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and of the order of the examples")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # faster than more at this size, and the same everywhere
    logging.disable_progress_bar()
    sys.exit(0 if cold_start(arguments.folder, arguments.seed) else "the checkpoint rule was not met")


if __name__ == "__main__":
    main()
