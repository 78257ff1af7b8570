"""Where a step of the local trainer goes, and how that grows with the group, the resolution and the turns.

    taskset -c 1 python tests/benchmarks/training_costs.py [--steps 5]

The miniature model (0.4 million parameters), 16 questions a step, one thread. One thing is changed at a time: G
rollouts of a question, the pixels of a view, one turn (from the overview) or two (the closed loop: name a region,
answer from its crop). Medians over the steps, in milliseconds of the processor: overviews (each image is decoded for
its own), crops, prompts, sampling, log-probabilities under the policy and the reference, backward; the rest is the
loop, rewards and the optimiser.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import torch
from miniature.jobs import BETA, COLD_STARTS, GROUP, LEARNING_RATE, PROMPTS
from miniature.scenes import Split, write_jsonl
from miniature.tokenizer import MAX_PIXELS, MAX_TOKENS

from hart_agent.agent.modes import Mode
from hart_agent.vision.source import SourceImage
from rl.config import AlgorithmConfig, TrainSettings
from rl.data import load_samples
from rl.local.model import PolicyModel
from rl.local.trainer import Trainer
from rl.rewards import answer_reward

PARTS = ("overviews", "crops", "prompts", "sampling", "log-probs", "backward")
BASE = {"G": GROUP, "pixels": MAX_PIXELS, "mode": Mode.CLOSED_LOOP}
CHANGES: tuple[dict[str, Any], ...] = (
    {}, {"G": 4}, {"G": 16}, {"pixels": MAX_PIXELS // 4}, {"pixels": MAX_PIXELS // 2}, {"mode": Mode.DIRECT},
)  # fmt: skip
WARM_UP = 1
"""Steps that aren't counted."""

spent: Counter[str] = Counter()


def timed(owner: Any, name: str, part: Callable[..., str]) -> None:
    """Count the processor seconds that a method takes in its thread."""
    plain = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        started = time.thread_time()
        try:
            return plain(*arguments, **options)
        finally:
            spent[part(*arguments)] += time.thread_time() - started

    setattr(owner, name, call)


def steps(change: dict[str, Any], count: int, folder: Path) -> dict[str, float]:
    """Milliseconds a step: of each part, and of all."""
    given = {**BASE, **change}
    samples = load_samples(write_jsonl(folder / "scenes", Split.TRAIN, range(PROMPTS * (count + WARM_UP))))
    settings = TrainSettings(
        model=str(COLD_STARTS / "0"), steps=count + WARM_UP, prompts_per_step=PROMPTS, learning_rate=LEARNING_RATE,
        max_tokens=MAX_TOKENS, max_pixels=given["pixels"], micro_batch=PROMPTS * given["G"], device="cpu",
        mode=given["mode"], algorithm=AlgorithmConfig(k=0.0, beta=BETA, group_size=given["G"]), checkpoint_every=10**6,
    )  # fmt: skip
    trainer = Trainer(settings, samples, answer_reward, folder / "run")
    found: list[dict[str, float]] = []
    last = [time.process_time()]

    def ended(*_: Any) -> None:
        now = time.process_time()
        found.append({**{part: spent[part] for part in PARTS}, "all": now - last[0]})
        last[0] = now
        spent.clear()

    spent.clear()
    trainer.train(ended)
    return {key: 1000 * statistics.median(step[key] for step in found[WARM_UP:]) for key in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    timed(SourceImage, "render", lambda source, box, *_: "overviews" if box == source.size.box else "crops")
    timed(PolicyModel, "prompt", lambda *_: "prompts")
    timed(PolicyModel, "generate", lambda *_: "sampling")
    timed(PolicyModel, "log_probs", lambda *_: "log-probs")
    timed(torch.Tensor, "backward", lambda *_: "backward")
    print(f"{'changed':20} {' '.join(f'{head:>10}' for head in (*PARTS, 'rest', 'all'))}")
    for change in CHANGES:
        with tempfile.TemporaryDirectory() as folder:
            found = steps(change, arguments.steps, Path(folder))
        rest = found["all"] - sum(found[part] for part in PARTS)
        cells = [*(found[part] for part in PARTS), rest, found["all"]]
        name = ", ".join(f"{key} {getattr(value, 'name', value)}" for key, value in change.items())
        print(f"{name or 'nothing':20} {' '.join(f'{cell:>10.1f}' for cell in cells)}", flush=True)


if __name__ == "__main__":
    main()
