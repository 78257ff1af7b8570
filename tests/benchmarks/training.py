"""How fast the local trainer is beside TRL's GRPOTrainer: the same tiny model, questions, group size and machine.

    taskset -c 1 python tests/benchmarks/training.py --steps 12

Both ask 16 questions on an image 8 times in a step, one turn each (TRL has no closed loop), sample with temperature 1,
take the KL to the first model, and make one update. TRL is given its overviews ready made, ours renders them from the
originals. Each uses one thread, in a process of its own. What is compared is the median time of a step, on the clock
and of the CPU, and the most memory that a process held over what it held before it opened the model (Linux).

It needs trl and torchvision, which TRL's way of reading images wants: pip install trl torchvision
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import torch
from datasets import Dataset
from datasets import Image as ImageColumn
from miniature.jobs import BETA, COLD_STARTS, GROUP, LEARNING_RATE, PROMPTS
from miniature.scenes import Split, write_jsonl
from miniature.tokenizer import MAX_PIXELS, MAX_TOKENS
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer, TrainerCallback
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
from trl import GRPOConfig, GRPOTrainer

from hart_agent.agent.modes import Mode
from hart_agent.agent.stages import stage_messages
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.tooling.protocol import ToolContext
from rl.config import AlgorithmConfig, TrainSettings
from rl.data import Sample, load_samples
from rl.local.model import PolicyModel
from rl.local.playing import Asker
from rl.local.trainer import Trainer
from rl.rewards import answer_reward

BETAS = (0.9, 0.95)
WARM_UP = 2
"""Steps that aren't counted."""


@dataclass
class Clock:
    """The seconds of each step, on the clock and of the CPU."""

    def __post_init__(self) -> None:
        self.steps: list[tuple[float, float]] = []
        self._last: tuple[float, float] | None = None

    def tick(self) -> None:
        """A step has ended; or, the first time, one begins."""
        now = time.perf_counter(), time.process_time()
        if self._last is not None:
            self.steps.append((now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    def told(self) -> dict[str, float]:
        counted = self.steps[WARM_UP:]
        wall, cpu = (statistics.median(step[place] for step in counted) for place in (0, 1))
        return {"seconds_a_step": round(wall, 3), "cpu_seconds_a_step": round(cpu, 3), "steps": len(counted)}


def ours(model: Path, samples: Sequence[Sample], steps: int, out: Path) -> dict[str, float]:
    settings = TrainSettings(
        model=str(model), steps=steps, prompts_per_step=PROMPTS, learning_rate=LEARNING_RATE, betas=BETAS,
        max_tokens=MAX_TOKENS, max_pixels=MAX_PIXELS, micro_batch=PROMPTS * GROUP, device="cpu", mode=Mode.DIRECT,
        algorithm=AlgorithmConfig(k=0.0, beta=BETA, group_size=GROUP), checkpoint_every=10 * steps,
    )  # fmt: skip
    clock = Clock()
    trainer = Trainer(settings, samples, answer_reward, out)
    clock.tick()
    trainer.train(lambda step, metrics: clock.tick())
    return {**clock.told(), "last_reward": _last([record["reward"] for record in trainer.metrics.history])}


def theirs(model: Path, samples: Sequence[Sample], steps: int, out: Path) -> dict[str, float]:
    clock, rewards = Clock(), list[float]()

    def reward(completions: list[Any], answer: list[str], **_: Any) -> list[float]:
        said = [parse_reply(completion[-1]["content"]).answer for completion in completions]
        given = [float(one == right) for one, right in zip(said, answer, strict=True)]
        rewards.append(sum(given) / len(given))
        return given

    class Ticks(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.tick()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.tick()

    trainer = GRPOTrainer(
        model=AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32),
        reward_funcs=reward,
        args=GRPOConfig(
            output_dir=str(out), max_steps=steps, per_device_train_batch_size=PROMPTS * GROUP, num_generations=GROUP,
            max_completion_length=MAX_TOKENS, temperature=1.0, beta=BETA, learning_rate=LEARNING_RATE,
            adam_beta1=BETAS[0], adam_beta2=BETAS[1], max_grad_norm=1.0, lr_scheduler_type="constant", loss_type="grpo",
            use_bias_correction_kl=False, gradient_checkpointing=False, activation_checkpointing=False, use_cpu=True,
            bf16=False, report_to="none", save_strategy="no", logging_strategy="no", disable_tqdm=True, seed=0,
        ),
        train_dataset=_dataset(model, samples),
        processing_class=_processor(model),
        callbacks=[Ticks()],
    )  # fmt: skip
    trainer.train()
    return {**clock.told(), "last_reward": _last(rewards)}


def _dataset(model: Path, samples: Sequence[Sample]) -> Dataset:
    """The product's prompts, with the overviews that it shows."""
    asker = Asker(PolicyModel(str(model), device="cpu", max_pixels=MAX_PIXELS), 0)
    rows = []
    for sample in samples:
        with sample.open() as source:
            context = ToolContext(source, sample.prompt(), asker)
            overview = context.render(source.size.box, "overview")
            messages = stage_messages(Mode.DIRECT.stages[0], context, [], max_calls=8, max_turns=2)
        told = [{"role": message.role.value, "content": message.text} for message in messages]
        rows.append({"prompt": told, "image": overview.image, "answer": sample.answer})
    return Dataset.from_list(rows).cast_column("image", ImageColumn())


def _processor(model: Path) -> Qwen3VLProcessor:
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.eos_token = "</answer>"  # where the product stops; TRL would go on to the limit
    images = AutoImageProcessor.from_pretrained(model, backend="pil")
    return Qwen3VLProcessor(
        image_processor=images, tokenizer=tokenizer, video_processor=Qwen3VLVideoProcessor(),
        chat_template=tokenizer.chat_template,
    )  # fmt: skip


def _last(rewards: Sequence[float]) -> float:
    return round(statistics.mean(rewards[-5:]), 3)


RUNS: dict[str, Callable[..., dict[str, float]]] = {"hart-agent": ours, "trl": theirs}


def memory(name: str) -> float:
    """Of this process, in MB: what it holds (VmRSS), or the most that it held (VmHWM)."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def alone(name: str, model: Path, steps: int, folder: Path) -> dict[str, float]:
    """A trainer's figures, in this process."""
    torch.set_num_threads(1)
    samples = load_samples(write_jsonl(folder / "scenes", Split.TRAIN, range(PROMPTS * steps)))
    before = memory("VmRSS")
    return {**RUNS[name](model, samples, steps, folder / name), "peak_mb": round(memory("VmHWM") - before, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--model", type=Path, default=COLD_STARTS / "0", help="folder of a miniature")
    parser.add_argument("--only", choices=RUNS, help="measure this one alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only:
            print(json.dumps(alone(arguments.only, arguments.model, arguments.steps, Path(folder))))
            return
    found: dict[str, dict[str, float]] = {}
    for name in RUNS:
        command = [sys.executable, __file__, "--steps", arguments.steps, "--model", arguments.model, "--only", name]
        done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    ratios = {
        f"trl_over_hart_agent_{measure}": round(found["trl"][measure] / found["hart-agent"][measure], 2)
        for measure in ("seconds_a_step", "cpu_seconds_a_step", "peak_mb")
    }
    print(json.dumps({**found, **ratios}, indent=2))


if __name__ == "__main__":
    main()
