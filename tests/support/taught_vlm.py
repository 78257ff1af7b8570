"""Tiny vision-language models that have learnt a few words by heart.

With random weights a model says nothing that the product understands. These take all the turns of an episode, so that
a checkpoint can be asked, and a training loop has crops to show and answers to reward.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from conftest import answer, tool_call
from PIL import Image
from tiny_vlm import make_tiny_vlm

from hart_agent.agent.modes import Mode
from rl.config import SftSettings
from rl.data import Sample, load_samples
from rl.data.demonstrations import Demonstration
from rl.local.sft import SftTrainer

MAX_PIXELS = 16_384
BOXES = [[20, 20, 120, 90], [60, 40, 150, 100]]


def write_lessons(folder: Path, answers: Mapping[str, str], box: Sequence[int]) -> list[Sample]:
    """Write `questions.jsonl`: each question with its answer, about a picture of its own, `NUMBER.png` of 300 x 200."""
    rows = []
    for number, (question, said) in enumerate(answers.items()):
        noise = np.random.default_rng(number).normal(128, 60, (200, 300))  # Pillow's own noise differs from run to run
        Image.fromarray(noise.clip(0, 255).astype("uint8")).convert("RGB").save(folder / f"{number}.png")
        rows.append({"image": f"{number}.png", "question": question, "answer": said, "boxes": [list(box)]})
    questions = folder / "questions.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_samples(questions)


def make_taught_vlm(folder: Path, samples: Sequence[Sample], answers: Sequence[str], *, steps: int = 80) -> Path:
    """Write a checkpoint of a Qwen2.5-VL that answers these questions with one of these answers, at random."""
    lessons = [
        Demonstration(sample, (tool_call("crop", bbox_2d=box, label="it"), answer(said)), Mode.CLOSED_LOOP)
        for sample in samples
        for box, said in zip(BOXES, answers, strict=True)
    ]
    return _teach(make_tiny_vlm(folder / "untaught"), folder / "lessons", lessons, steps=steps)


def make_thinking_vlm(folder: Path, samples: Sequence[Sample]) -> Path:
    """Write a checkpoint of a Qwen2.5-VL that thinks before each reply, and answers each question with its answer.

    Its thoughts rehearse another region and another question's answer, tags included. `<think>` and `</think>` are
    tokens of its own, as in reasoning models.
    """
    untaught = make_tiny_vlm(folder / "untaught", tokens=["<think>", "</think>"])
    others = [*samples[1:], samples[0]]
    lessons = [
        Demonstration(
            sample,
            (
                f"<think>Try {tool_call('crop', bbox_2d=BOXES[1], label='no')}? No.</think>"
                + tool_call("crop", bbox_2d=BOXES[0], label="it"),
                f"<think>Is it {answer(other.answer)}? No.</think>{answer(sample.answer)}",
            ),
            Mode.CLOSED_LOOP,
        )
        for sample, other in zip(samples, others, strict=True)
    ]
    return _teach(untaught, folder / "lessons", lessons)


def make_zooming_vlm(folder: Path, samples: Sequence[Sample]) -> Path:
    """Write a checkpoint of a Qwen2.5-VL that zooms and answers in the words of Mini-o3."""
    lessons = [
        Demonstration(
            sample,
            (
                '<think>Try <answer>no</answer>?</think><grounding>{"bbox_2d": [0.1, 0.2, 0.5, 0.6], '
                '"source": "original_image"}</grounding>',
                f"<think>So.</think>{answer(sample.answer)}",
            ),
            Mode.AGENT,
        )
        for sample in samples
    ]
    return _teach(make_tiny_vlm(folder / "untaught"), folder / "lessons", lessons, vocabulary="mini-o3", steps=160)


def open_thoughts(model: Path) -> None:
    """Let a checkpoint's chat template open a thought at the end of each prompt, as reasoning models' do."""
    template = model / "chat_template.jinja"
    start = "<|im_start|>assistant\n"
    template.write_text(template.read_text().replace(start, f"{start}<think>"))


def _teach(
    untaught: Path, out: Path, lessons: Sequence[Demonstration], *, vocabulary: str | None = None, steps: int = 80
) -> Path:
    torch.set_num_threads(1)
    chosen = SftSettings(
        model=str(untaught), steps=steps, prompts_per_step=len(lessons), learning_rate=3e-3, max_pixels=MAX_PIXELS,
        micro_batch=16, checkpoint_every=999, device="cpu", vocabulary=vocabulary,
    )  # fmt: skip
    return _Lessons(chosen, lessons, out).train()


class _Lessons(SftTrainer):
    def __init__(self, settings: SftSettings, lessons: Sequence[Demonstration], out: Path) -> None:
        self._lessons = list(lessons)
        super().__init__(settings, [lesson.sample for lesson in lessons], out)

    def _demonstrations(self, samples: Sequence[Sample]) -> list[Demonstration]:
        return self._lessons
