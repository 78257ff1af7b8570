"""A tiny vision-language model that has learnt a few words by heart: to point somewhere, and to answer with one of two.

With random weights a model says nothing that the product understands. This one takes all the turns of an episode, so
that a checkpoint can be asked, and a training loop has crops to show and answers to reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from conftest import answer, tool_call
from tiny_vlm import make_tiny_vlm

from hart_agent.agent.modes import Mode
from rl.config import SftSettings
from rl.data import Sample
from rl.demonstrations import Demonstration
from rl.local.sft import SftTrainer

MAX_PIXELS = 16_384
BOXES = [[20, 20, 120, 90], [60, 40, 150, 100]]


def make_taught_vlm(folder: Path, samples: Sequence[Sample], answers: Sequence[str]) -> Path:
    """Write a checkpoint of a Qwen2.5-VL that answers these questions with one of these answers, as chance has it."""
    torch.set_num_threads(1)
    chosen = SftSettings(
        model=str(make_tiny_vlm(folder / "untaught")), steps=80, prompts_per_step=8, learning_rate=3e-3,
        max_pixels=MAX_PIXELS, micro_batch=16, checkpoint_every=999, device="cpu",
    )  # fmt: skip
    return _Lessons(chosen, samples, folder / "lessons", answers).train()


class _Lessons(SftTrainer):
    def __init__(self, settings: SftSettings, samples: Sequence[Sample], out: Path, answers: Sequence[str]) -> None:
        self._answers = answers
        super().__init__(settings, samples, out)

    def _demonstrations(self, samples: Sequence[Sample]) -> list[Demonstration]:
        return [
            Demonstration(sample, (tool_call("crop", bbox_2d=box, label="it"), answer(said)), Mode.CLOSED_LOOP)
            for sample in samples
            for box, said in zip(BOXES, self._answers, strict=True)
        ]
