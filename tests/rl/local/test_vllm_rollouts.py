"""Rollouts by vLLM in the process that trains: they are sampled from the policy as it is after each update.

Not part of the default run: see `tests/server/run`. Each run is a process of its own, for its engine stays in it.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.server


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_vllm_samples_from_the_weights_of_the_trainer(tmp_path: Path, lora_rank: int) -> None:
    done = subprocess.run(
        [sys.executable, __file__, tmp_path, str(lora_rank)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert "sampled from the trainer's weights" in done.stdout


def check(tmp_path: Path, lora_rank: int) -> None:
    """Three large updates; what vLLM says of its tokens is each time what the trainer says of them."""
    import torch
    from tiny_vlm import make_tiny_vlm

    from hart_agent import Mode, Trajectory
    from hart_agent.answers import AnswerType
    from hart_agent.evals.items import Item
    from rl.config import AlgorithmConfig, TrainSettings
    from rl.local.trainer import Trainer

    torch.set_num_threads(1)
    questions = []
    for number in range(2):
        Image.effect_noise((300, 200), 60 + number).convert("RGB").save(tmp_path / f"{number}.png")
        questions.append(Item(str(number), tmp_path / f"{number}.png", "what?", "x", AnswerType.TEXT))

    def even(trajectory: Trajectory, sample: Item) -> float:
        return float(len(trajectory.turns[0].reply.text) % 2)

    settings = TrainSettings(
        model=str(make_tiny_vlm(tmp_path / "model", "qwen2.5-vl")), rollouts="vllm", lora_rank=lora_rank, steps=3,
        algorithm=AlgorithmConfig(group_size=4, beta=0.0), mode=Mode.DIRECT, max_turns=1, prompts_per_step=2,
        learning_rate=3e-2, max_tokens=8, max_pixels=16_384, max_context_tokens=2048, max_images=3,
        micro_batch=1,  # no beginning is shared, for which the engine needs a later transformers than vLLM's CPU build
    )  # fmt: skip
    assert settings.algorithm.ratio_cap == 2.0
    trainer = Trainer(settings, questions, even, tmp_path / "run")

    def drift(rollouts: Any) -> float:
        """How far the two are apart on these tokens, at most."""
        rows = [row for rollout in rollouts for row in trainer.model.rows(rollout.segments)]
        apart = 0.0
        for _, batch in trainer.model.micro_batches(rows):
            with torch.no_grad():
                found = (trainer.model.log_probs(batch) - batch.old_log_probs)[batch.mask > 0]
            apart = max(apart, float(found.abs().max()))
        return apart

    first = trainer.roll_out(0)
    assert len({rollout.segments[0].token_ids for rollout in first}) > 4  # sampled
    assert drift(first) < 1e-3
    trainer.train()
    assert drift(first) > 0.1  # the updates changed what the policy says
    assert drift(trainer.roll_out(3)) < 1e-3
    with trainer.model.greedily():
        greedy = trainer.roll_out(3)
    assert len({rollout.segments[0].token_ids for rollout in greedy}) <= 2  # one a question
    told = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(told) == 3
    for step in told:
        assert step["ratio"] == pytest.approx(1, abs=1e-3)
        assert step["ratio_max"] == pytest.approx(1, abs=5e-3)
        assert math.isfinite(step["loss"])
        assert step["entropy"] > 0
    print("sampled from the trainer's weights")


if __name__ == "__main__":
    check(Path(sys.argv[1]), int(sys.argv[2]))
