"""The memory that an update of Qwen2.5-VL-7B takes, counted on a CPU without the weights.

    python tests/benchmarks/training_memory.py

The engine's own passes run on tensors that have a shape and no content. Every storage is counted from the operation
that makes it until it is freed: weights, adapters, their gradients and moments, what the backward pass needs, and what
is there only for an instant. Not counted: CUDA itself, the insides of kernels, and what fragmentation leaves unused.

The work: AP-GRPO in the closed loop, one question, 8 rollouts, an overview and crops of 1.2 megapixels, 700 tokens of
text in each prompt, replies of 512 tokens, micro-batches of 8, LoRA of rank 32, a KL term.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import torch
import transformers
from PIL import Image
from tiny_vlm import make_tiny_vlm
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from true_shapes import SHAPES, true_config

from hart_agent import Mode
from hart_agent.answers import AnswerType
from hart_agent.backends.local import generation
from hart_agent.evals.items import Item
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from rl.ap_grpo import ap_grpo_loss, rollout_weights
from rl.config import AlgorithmConfig, TrainSettings
from rl.data.demonstrations import Demonstration, segments_of
from rl.data.rows import Row
from rl.local.model import PolicyModel
from rl.training.planning import FIXED, estimate
from rl.training.sizes import model_shape

GROUP = 8
TEXT, REPLY = 700, 512
CHOICES = {
    "all layers": {"part": "both", "recompute": False},
    "all layers, checkpointing": {"part": "both", "recompute": True},
    "language": {"part": "language", "recompute": False},
    "language, checkpointing": {"part": "language", "recompute": True},
}


class Counter(TorchDispatchMode):
    """Counts the bytes of all storages that operations make, until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def add(self, tensor: Any) -> None:
        storage = tensor.untyped_storage()
        if tensor.device.type == "meta" or storage._cdata in self._known:
            return
        self._known.add(storage._cdata)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, storage._cdata, storage.nbytes())

    def _freed(self, identity: int, size: int) -> None:
        self._known.discard(identity)
        self.now -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        torch.utils._pytree.tree_map_only(torch.Tensor, self.add, output)
        return output


@contextmanager
def without_content(shape: str) -> Iterator[None]:
    """In it, models that are loaded have a true shape and no content."""

    def load(folder: Any, *, dtype: Any, attn_implementation: Any, **_: Any) -> Any:
        config = true_config(shape, Path(folder))
        config._attn_implementation = attn_implementation or "sdpa"
        usual = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        with FakeTensorMode(allow_non_fake_inputs=True):
            model = transformers.Qwen2_5_VLForConditionalGeneration(config)
        torch.set_default_dtype(usual)
        return model, {"missing_keys": []}

    stay = mock.patch.object(torch.nn.Module, "to", lambda module, *_, **__: module)  # there is nothing to move
    with stay, mock.patch.object(generation.AutoModelForImageTextToText, "from_pretrained", load):
        yield


def once_a_size(look: Any) -> Any:
    """A frozen tower that really looks at one image of each size alone; all others have features of the same shape."""
    seen: dict[Any, Any] = {}

    def shaped(pixels: Any, **given: Any) -> Any:
        if pixels.shape not in seen:
            output = look(pixels, **given)
            seen[pixels.shape] = output.pooler_output
            return output
        return SimpleNamespace(pooler_output=tuple(map(torch.empty_like, seen[pixels.shape])))

    return shaped


def rows_of(model: PolicyModel, photo: Path, side: int = 500) -> list[list[Row]]:
    """The rows of each rollout: the overview and a call, a crop, of so many of the overview's pixels, and an answer."""
    sample = Item("0", photo, "what is there?", "x", AnswerType.TEXT)
    runtime, found = ToolRuntime(discover_tools()), []
    for number in range(GROUP):
        box = [number, 0, side + number, side]
        call = json.dumps({"name": "crop", "arguments": {"bbox_2d": box, "label": "it"}})
        replies = (f"<tool_call>\n{call}\n</tool_call>", "<answer>it</answer>")
        shown = Demonstration(sample, replies, Mode.CLOSED_LOOP)
        segments = asyncio.run(segments_of(model, shown, runtime))
        found.append([_sized(row, model.prompter.image_id) for row in model.rows(segments)])
    return found


def _sized(row: Row, image_id: int) -> Row:
    """The row with as much text as is counted on."""
    ids = row.prompt.token_ids
    place = min(ids.index(image_id), TEXT // 2)
    text = [token for token in ids if token != image_id]
    text = (text * (TEXT // len(text) + 1))[:TEXT]
    prompt = replace(row.prompt, token_ids=(*text[:place], image_id, *text[place:]))
    suffix = replace(row.suffix, token_ids=(row.suffix.token_ids * REPLY)[:REPLY])
    return replace(row, prompt=prompt, suffix=suffix, spans=((REPLY, 0),), log_probs=(0.0,) * REPLY)


def measure(folder: Path, photo: Path, shape: str, part: str, recompute: bool) -> dict[str, Any]:
    """The bytes before and at the peak of an update, in GB."""
    counter = Counter()
    frozen = part == "language"
    with without_content(shape), counter:
        model = PolicyModel(
            str(folder), dtype="bfloat16", max_pixels=1_200_000, recompute=recompute, frozen_vision=frozen,
            max_batch=GROUP,
        )  # fmt: skip
        with FakeTensorMode(allow_non_fake_inputs=True):
            model.add_lora(32, 32, part)
        if model._features is not None:
            model._features._look = once_a_size(model._features._look)
        for each in (*model.module.parameters(), *model.module.buffers()):
            counter.add(each)
        moments = [torch.empty_like(each) for each in model.trainable().values() for _ in range(2)]
        gc.collect()
        static, counter.peak = counter.now, counter.now
        rows = [row for rollout in rows_of(model, photo) for row in rollout]
        config = AlgorithmConfig(group_size=GROUP)
        rewards = torch.arange(GROUP) / GROUP
        weights = rollout_weights(rewards, torch.full((GROUP,), 2 * REPLY), config)
        model.module.train()
        tokens = []
        for indices, batch in model.micro_batches(rows):
            with torch.no_grad(), model.as_reference():
                reference = model.log_probs(batch)
            log_probs = model.log_probs(batch)
            own = weights.of([index // 2 for index in indices])
            ap_grpo_loss(log_probs, batch.old_log_probs, reference, batch.mask, own, config).value.backward()
            tokens.append({"shared": list(batch.prefixes["input_ids"].shape) if batch.prefixes else None,
                           "rows": list(batch.suffixes["input_ids"].shape)})  # fmt: skip
        del moments
    return {"before": static / 1e9, "peak": counter.peak / 1e9, "batches": tokens}


def planned(folder: Path, shape: str, part: str, recompute: bool) -> float:
    """What `--plan --engine local` says of the same update, in GB, but for what isn't counted here."""
    true_config(shape, folder).save_pretrained(folder / shape)
    settings = TrainSettings(
        model="", lora_rank=32, train_part=part, gradient_checkpointing=recompute, micro_batch=GROUP, max_tokens=REPLY
    )  # fmt: skip
    return (sum(estimate(model_shape(str(folder / shape)), settings).training.values()) - FIXED) / 1e9


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="7b")
    parser.add_argument("--only", choices=sorted(CHOICES), help="one row of the table; all take half an hour")
    given = parser.parse_args(arguments)
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, photo = Path(temporary) / "model", Path(temporary) / "photo.png"
        make_tiny_vlm(folder)
        Image.effect_noise((4000, 3000), 60).convert("RGB").save(photo, compress_level=1)
        for name, choice in CHOICES.items():
            if given.only in (None, name):
                plan = planned(folder, given.shape, **choice)
                found.append({"adapters in": name, "plan": plan, **measure(folder, photo, given.shape, **choice)})
                print(json.dumps(found[-1]), flush=True)
    return found


if __name__ == "__main__":
    main()
