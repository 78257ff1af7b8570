"""The cold start: supervised training until the miniature half knows where to look, and reads what it is shown.

    python -m examples.miniature.cold_start FOLDER --seed 0

It is shown true boxes and answers (see `lessons`); only what comes after it learns from answers alone. First it learns
to read, then also to point, and it stops at the first check that the checkpoint rule accepts. The same seed gives the
same weights on the same machine and versions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from hart_agent.backends.checkpoint import find_checkpoint
from hart_agent.backends.encoding import Encoder
from hart_agent.backends.prompting import Prompter
from hart_agent.backends.transformers import TransformersPolicy
from hart_agent.types import Mode

from .lessons import Example, Lesson, Teacher
from .model import make_checkpoint
from .probes import probe_mode
from .scenes import Scene, Split, draw_scene
from .tokenizer import MAX_PIXELS

GROUNDED = 0.6
"""The checkpoint rule: stop at the first check at which so many of the boxes have an IoGT above 0.3, greedily, on the
first `CHECKED` validation scenes."""
CHECKED = 100
CHECK_EVERY = 20
MAX_STEPS = 900
READING_STEPS = 300
"""Steps without pointing."""
SCENES = 3000
LEARNING_RATE = 2e-3
WARM_UP = 20
PORTIONS = {
    Lesson.POINT: 48, Lesson.POINT_MGPO: 24, Lesson.READ: 40, Lesson.READ_MGPO: 16, Lesson.DIRECT: 16, Lesson.BLIND: 4
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
            for lesson, example in teacher.lessons(scene, self._rng):
                self._examples[lesson].append(example)

    def draw(self, lessons: Iterable[Lesson]) -> dict[Lesson, list[Example]]:
        return {lesson: self._rng.sample(self._examples[lesson], PORTIONS[lesson]) for lesson in lessons}


def cold_start(folder: Path, seed: int) -> dict[str, Any]:
    """Train a miniature from random weights.

    Args:
        folder: of the checkpoint.
        seed: of the weights and of the order of the examples.

    Returns:
        What was done and found, as it is also written to `cold_start.json`.
    """
    started = time.process_time()
    torch.manual_seed(seed)
    student = Student(make_checkpoint(folder, seed))
    course = Course(student, (draw_scene(Split.COLD_START, number) for number in range(SCENES)), seed)
    validation = [draw_scene(Split.VALIDATION, number) for number in range(CHECKED)]
    optimiser = torch.optim.AdamW(student.model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0)
    print(f"{len(validation)} validation scenes, {time.process_time() - started:.0f} CPU-s", flush=True)
    for step in range(MAX_STEPS):
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARM_UP)
        pointing = step >= READING_STEPS
        batch = course.draw([each for each in Lesson if pointing or each not in (Lesson.POINT, Lesson.POINT_MGPO)])
        losses = train_step(student, optimiser, batch)
        if step % 20 == 0:
            print(step, {k.value: round(v, 3) for k, v in losses.items()}, f"{time.process_time() - started:.0f} CPU-s", flush=True)
        if pointing and step % CHECK_EVERY == 0:
            found = asyncio.run(probe_mode(student.policy(), validation, Mode.CLOSED_LOOP))
            print(step, found, flush=True)
            if found.grounded >= GROUNDED: break
    return {}


def train_step(student, optimiser, batch):
    """One update."""
    tokens = sum(len(example.token_ids) for examples in batch.values() for example in examples)
    optimiser.zero_grad()
    losses={}
    for lesson, examples in batch.items():
        loss = student.loss(examples)
        losses[lesson] = float(loss)/len(examples)
        (loss / tokens).backward()
    torch.nn.utils.clip_grad_norm_(student.model.parameters(), 1.0)
    optimiser.step()
    return losses


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    cold_start(arguments.folder, arguments.seed)


if __name__ == "__main__":
    main()
