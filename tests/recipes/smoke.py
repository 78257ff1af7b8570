"""The check of `tests/recipes/run`: a recipe's own options, through the command, on the engine local.

What a recipe gives to OpenRLHF is left out, but for what has a counterpart: a frozen vision tower, layers that are
computed again. All else that differs is in `SMALLER`.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

sys.path[:0] = [str(Path(__file__).parents[1] / "support")]
import torch
import transformers
import yaml
from PIL import Image
from recipe_models import BASES, RECIPES
from safetensors import safe_open
from tiny_vlm import make_tiny_vlm

from hart_agent.backends.local import generation
from hart_agent.backends.local.checkpoint import find_checkpoint
from rl.command_line import SECTIONS, run_command
from rl.train_ap_grpo import train
from rl.training.checkpoints import checkpoints

SMALLER: dict[str, Any] = {
    "steps": 1, "prompts_per_step": 1, "group_size": 2, "max_tokens": 8, "max_pixels": 20_000, "micro_batch": 2,
    "lora_rank": 4, "dtype": "bfloat16", "device": "cpu", "engine": "local", "gradient_checkpointing": True,
    "reward": "smoke:uneven", "max_area": None,  # by which a rollout without evidence earns nothing
}  # fmt: skip
"""What is smaller than in a recipe, so that an update takes minutes and little memory."""
_OWN = {"model_type", "vocab_size", "num_hidden_layers", "depth", "deepstack_visual_indexes", "image_size"}
"""What stays as in the small model, which has two layers of each kind."""
FAMILIES = {"qwen2_5_vl": "qwen2.5-vl", "qwen3_vl": "qwen3-vl", "internvl": "internvl3"}


def shrunk(name: str, folder: Path) -> Any:
    """The configuration of a recipe's model in its true width, with two layers and a folder's vocabulary."""
    model_type, published, _ = BASES[name]
    config = transformers.AutoConfig.from_pretrained(folder)
    assert config.model_type == model_type
    text, vision = published["text_config"], published["vision_config"]
    heads = text.get("head_dim", text["hidden_size"] // text["num_attention_heads"])
    rope = config.text_config.rope_parameters
    if "mrope_section" in rope:
        rope["mrope_section"] = [heads // 8, heads * 3 // 16, heads * 3 // 16]
    for part, values in ((config.text_config, {**text, "head_dim": heads}), (config.vision_config, vision)):
        for key in values.keys() - _OWN:
            setattr(part, key, values[key])
    return config


@contextmanager
def random_weights(config: Any) -> Iterator[None]:
    """In it, models that are loaded have this configuration and random weights."""

    def load(folder: Any, *, dtype: Any, attn_implementation: Any, **_: Any) -> Any:
        torch.manual_seed(0)
        kind = transformers.AutoModelForImageTextToText
        model = kind.from_config(config, dtype=dtype, attn_implementation=attn_implementation or "sdpa")
        return model, {"missing_keys": []}

    with mock.patch.object(generation.AutoModelForImageTextToText, "from_pretrained", load):
        yield


_rewards = itertools.cycle((0.0, 1.0))


def uneven(trajectory: Any, sample: Any) -> float:
    """A reward that differs between the rollouts of a question, which random weights never answer."""
    return next(_rewards)


def questions(folder: Path) -> Path:
    Image.effect_noise((400, 300), 80).convert("RGB").save(folder / "photo.png")
    path = folder / "questions.jsonl"
    path.write_text(json.dumps({"image": "photo.png", "question": "What is there?", "answer": "x"}) + "\n")
    return path


def exit_code(arguments: list[str]) -> int:
    try:
        run_command(train, arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def smoke(recipe: Path, folder: Path) -> None:
    content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    options = {name: value for section in SECTIONS for name, value in content.get(section, {}).items()}
    flags, name = options.pop("openrlhf", {}), options["model"]
    model = make_tiny_vlm(folder / "model", FAMILIES[BASES[name][0]])
    part = "language" if flags.get("actor.freeze_visual_encoder") else options.get("train_part", "both")
    config = folder / "run.yaml"
    config.write_text(yaml.safe_dump({**options, **SMALLER, "model": str(model), "train_part": part}))
    shape, out, started = shrunk(name, model), folder / "run", time.perf_counter()
    with random_weights(shape):
        code = exit_code([str(questions(folder)), "--out", str(out), "--config", str(config)])
    assert code == 0, f"{recipe.stem} ended with {code}"
    (line,) = (out / "metrics.jsonl").read_text().splitlines()
    metrics, (saved,) = json.loads(line), checkpoints(out)
    assert all(math.isfinite(metrics[each]) for each in ("loss", "kl", "grad_norm", "entropy"))
    assert metrics["grad_norm"] > 0
    widths = set()
    for file in find_checkpoint(str(saved)).path.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            widths |= {tuple(opened.get_slice(each).get_shape()) for each in opened.keys() if "up_proj" in each}  # noqa: SIM118
    text = BASES[name][1]["text_config"]
    assert (text["intermediate_size"], text["hidden_size"]) in widths
    found = {each: round(float(metrics[each]), 6) for each in ("loss", "kl", "grad_norm", "entropy", "turns")}
    seconds = round(time.perf_counter() - started)
    print(
        json.dumps({"recipe": recipe.stem, "mode": options.get("mode", "closed-loop"), "seconds": seconds, **found}),
        flush=True,
    )


def main() -> None:
    wanted = sys.argv[1:]
    chosen = [recipe for recipe in RECIPES if recipe.stem in wanted or not wanted]
    assert chosen, f"there are: {', '.join(recipe.stem for recipe in RECIPES)}"
    for recipe in chosen:
        with tempfile.TemporaryDirectory() as folder:
            smoke(recipe, Path(folder))


if __name__ == "__main__":
    main()
