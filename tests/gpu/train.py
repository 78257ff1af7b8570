"""The checks of `tests/gpu/run`. Each prints its figures as a JSON object; a check that fails raises an error."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("support", "benchmarks")]
import torch
import training_memory
import transformers
from PIL import Image
from tiny_vlm import make_tiny_vlm
from true_shapes import SHAPES, true_config

from hart_agent import Mode
from hart_agent.answers import AnswerType
from hart_agent.backends.local import generation
from hart_agent.evals.items import Item
from rl.config import AlgorithmConfig, TrainSettings
from rl.data.rows import Rollout, Segment
from rl.local.model import PolicyModel
from rl.local.rollout import roll_out
from rl.local.trainer import Trainer
from rl.training.checkpoints import checkpoints
from rl.training.planning import FIXED, GPUS, estimate
from rl.training.sizes import model_shape

STEPS = 2


def told(name: str, **figures: Any) -> None:
    print(json.dumps({"check": name, **figures}), flush=True)


def settings(folder: Path, device: str, **changes: Any) -> TrainSettings:
    base: dict[str, Any] = {
        "model": str(folder), "device": device, "dtype": "bfloat16", "lora_rank": 32, "prompts_per_step": 1,
        "algorithm": AlgorithmConfig(group_size=training_memory.GROUP), "mode": Mode.CLOSED_LOOP,
        "max_pixels": 1_200_000, "max_tokens": training_memory.REPLY, "micro_batch": training_memory.GROUP,
        "train_part": "language",
    }  # fmt: skip
    return TrainSettings(**{**base, **changes})


@contextmanager
def random_weights(shape: str, device: str) -> Iterator[None]:
    """In it, models that are loaded have a true shape and random weights, made where they are used."""

    def load(folder: Any, *, dtype: Any, attn_implementation: Any, **_: Any) -> Any:
        config = true_config(shape, Path(folder))
        torch.manual_seed(0)
        with torch.device(device):
            kind = transformers.AutoModelForImageTextToText
            model = kind.from_config(config, dtype=dtype, attn_implementation=attn_implementation or "sdpa")
        return model, {"missing_keys": []}

    with mock.patch.object(generation.AutoModelForImageTextToText, "from_pretrained", load):
        yield


def a_step(trainer: Trainer, rollouts: Sequence[Rollout]) -> tuple[float, dict[str, float]]:
    """Seconds and metrics of an update."""
    rewards = [number / len(rollouts) for number in range(len(rollouts))]
    started = time.perf_counter()
    trainer.model.forget_images()
    metrics = trainer.within_memory(lambda: trainer._differentiate(rollouts, rewards))
    trainer._optimiser.step()
    if trainer.model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started, metrics


def train_true_shape(
    shape: str, folder: Path, photo: Path, device: str, recompute: bool, attention: str, out: Path
) -> None:
    """Two updates on what an overview, a call, a crop and an answer make in each of 8 rollouts; and a generation.

    Memory is that of the second, with as many sequences at once as the first was split into; beside it, and beside the
    seconds, stands what `--plan` says of the same work.
    """
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.empty_cache()
    sample = Item("0", photo, "what is there?", "x", AnswerType.TEXT)
    chosen = settings(folder, device, gradient_checkpointing=recompute, attention=attention)
    with random_weights(shape, device):
        trainer = Trainer(chosen, [sample], lambda *_: 0.0, out)
    before = torch.cuda.memory_allocated() / 1e9 if on_gpu else 0.0
    rollouts = [
        Rollout(sample, None, tuple(_segment(row) for row in rows))  # type: ignore[arg-type]
        for rows in training_memory.rows_of(trainer.model, photo, 500 if on_gpu else 60)
    ]
    steps = []
    for _ in range(STEPS):
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        steps.append(a_step(trainer, rollouts))
    seconds, metrics = zip(*steps, strict=True)
    if not all(abs(each["loss"]) < 1e9 for each in metrics):  # NaN is refused, too
        raise AssertionError(f"the loss is {[each['loss'] for each in metrics]}")
    peak = torch.cuda.max_memory_allocated() / 1e9 if on_gpu else 0.0
    prompts = [replace(rollout.segments[0].prompt, seed=number) for number, rollout in enumerate(rollouts)]
    started = time.perf_counter()
    written = sum(len(each.token_ids) for each in trainer.model.generate(prompts))
    told(
        "train", shape=shape, recompute=recompute, attention=attention, gb_before=before, gb_peak=peak,
        seconds=seconds, sequences_at_once=trainer.model.max_batch, loss=[each["loss"] for each in metrics],
        tokens_a_second_generated=written / (time.perf_counter() - started),
        **planned(shape, folder, replace(chosen, micro_batch=trainer.model.max_batch)),
    )  # fmt: skip


def planned(shape: str, folder: Path, chosen: TrainSettings) -> dict[str, Any]:
    """What `--plan --engine local` says of an update on a card of 141 GB: memory, but for what CUDA itself takes and
    leaves unused, and seconds, without those of the rollouts."""
    config = folder / shape
    true_config(shape, folder).save_pretrained(config)
    plan = estimate(model_shape(str(config)), chosen, gpu=GPUS["h200"])
    seconds = [sum(each.values()) - each["rollouts"] for each in (plan.seconds, plan.slow)]
    return {"gb_planned": (sum(plan.training.values()) - FIXED) / 1e9, "seconds_planned": seconds}


def _segment(row: Any) -> Segment:
    prompt = row.prompt
    return Segment(prompt, row.suffix.token_ids, row.log_probs)


def check_gradients(folder: Path, photo: Path, device: str) -> None:
    """Recomputed, shared and looked at once, in float32 on this device: the gradients of each row by itself."""
    found = []
    for recompute, frozen, alone in ((True, True, False), (False, False, True)):
        model = PolicyModel(
            str(folder), device=device, dtype="float32", max_pixels=16_384, recompute=recompute, frozen_vision=frozen
        )
        torch.manual_seed(0)
        model.add_lora(8, 8, "language")
        for value in model.trainable().values():
            torch.nn.init.normal_(value, std=0.02)
        rows = [rollout[0] for rollout in training_memory.rows_of(model, photo, 60)[:3]]
        model.module.train()
        for batch in [[row] for row in rows] if alone else [rows]:
            model.log_probs(model.batch(batch)).sum().backward()
        found.append(torch.cat([value.grad.flatten() for value in model.trainable().values()]))
    difference = float((found[0] - found[1]).norm() / found[1].norm())
    told("gradients", relative_difference=difference)
    assert difference < 1e-3, "what saves memory changes gradients by more than rounding"


def check_checkpoint(folder: Path, photo: Path, device: str, out: Path) -> None:
    """A run of adapters in bfloat16: sampler and trainer agree, it is resumed, and its checkpoint is the policy."""
    sample = Item("0", photo, "what is there?", "x", AnswerType.TEXT)
    chosen = settings(
        folder, device, steps=4, checkpoint_every=2, mode=Mode.DIRECT, max_turns=1, max_tokens=8, max_pixels=16_384,
        learning_rate=1e-3, lora_rank=8,
    )  # fmt: skip

    def reward(trajectory: Any, _: Any) -> float:
        return float("u" in trajectory.turns[0].reply.text)

    whole = Trainer(chosen, [sample], reward, out / "whole")
    whole.train()
    Trainer(replace(chosen, steps=2), [sample], reward, out / "parts").train()
    resumed = Trainer(chosen, [sample], reward, out / "parts")
    assert resumed.step == 2
    resumed.train()
    apart = max(
        float((one - other).abs().max())
        for one, other in zip(whole.model.trainable().values(), resumed.model.trainable().values(), strict=True)
    )
    model = whole.model
    rollouts = asyncio.run(roll_out(model, whole.runtime, chosen.episode(), [sample], 4, seed=1))
    rows = [row for rollout in rollouts for row in model.rows(rollout.segments)]
    opened = PolicyModel(str(checkpoints(out / "whole")[-1]), device=device, dtype="bfloat16", max_pixels=16_384)
    with torch.no_grad():
        live, found = (each.log_probs(each.batch(rows)) for each in (model, opened))
        batch = model.batch(rows)
    sampled = float(((live - batch.old_log_probs) * batch.mask).abs().max())
    difference = float((live - found).abs().max())
    told("checkpoint", resumed_differs_by=apart, opened_differs_by=difference, sampler_differs_by=sampled)
    assert difference < 0.02, "the checkpoint is not the policy"
    assert sampled < 0.1, "the sampler's log-probabilities are not the trainer's"
    assert apart < 2e-3, "a resumed run differs by more than a step's update"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rehearse", action="store_true", help="small models on the CPU")
    parser.add_argument("--shapes", nargs="+", choices=sorted(SHAPES), default=["3b", "7b"])
    given = parser.parse_args(arguments)
    device, shapes = ("cpu", ["small"]) if given.rehearse else ("cuda", given.shapes)
    attention = "flash_attention_2" if device == "cuda" and importlib.util.find_spec("flash_attn") else "sdpa"
    if given.rehearse:
        training_memory.GROUP, training_memory.TEXT, training_memory.REPLY = 2, 60, 8
    elif not torch.cuda.is_available():
        parser.error("there is no CUDA GPU here; --rehearse does the same on the CPU with small models")
    card = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    told("machine", card=card, torch=torch.__version__, transformers=transformers.__version__, attention=attention)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder, photo = Path(temporary) / "model", Path(temporary) / "photo.png"
        make_tiny_vlm(folder)
        size = (400, 300) if given.rehearse else (4000, 3000)
        Image.effect_noise(size, 60).convert("RGB").save(photo, compress_level=1)
        check_gradients(folder, photo, device)
        check_checkpoint(folder, photo, device, Path(temporary))
        for shape in shapes:
            for recompute in (True, False):
                out = Path(temporary) / f"{shape}-{recompute}"
                train_true_shape(shape, folder, photo, device, recompute, attention, out)
    told("done", seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
