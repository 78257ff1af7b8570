"""The estimate of `--plan`, by hand-made numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from recipe_models import BASES, RECIPES

from hart_agent import ConfigError, Mode
from rl.config import AlgorithmConfig, TrainSettings
from rl.openrlhf.flags import Flag
from rl.training.planning import FIXED_OPENRLHF as FIXED
from rl.training.planning import GPUS, H100, estimate, rollout_tokens
from rl.training.sizes import ModelShape

SHAPE = ModelShape(
    parameters=8_000_000_000, vision=1_000_000_000, layers=10, hidden=1000, intermediate=4000, vocabulary=100_000,
    cache=50_000, grid=28,
)  # fmt: skip
RUN = TrainSettings(model="m", steps=100, prompts_per_step=16, max_tokens=400, max_pixels=784_000)
FLAGS: dict[str, Flag] = {
    "actor.num_nodes": 1, "actor.num_gpus_per_node": 8, "ds.zero_stage": 2, "vllm.num_engines": 8,
    "vllm.tensor_parallel_size": 1, "train.micro_batch_size": 2, "data.max_len": 5000,
    "vllm.gpu_memory_utilization": 0.5,
}  # fmt: skip


def test_the_memory_of_training_by_hand() -> None:
    plan = estimate(SHAPE, RUN, {**FLAGS, "train.colocate_all": True, "actor.freeze_visual_encoder": True})
    # 8e9 parameters, 7e9 of them trained, on 8 GPUs with ZeRO-2
    assert plan.training["weights"] == 16e9
    assert plan.training["gradients"] == 2 * 7e9 / 8
    assert plan.training["optimiser"] == 12 * 7e9 / 8
    assert plan.training["reference"] == 16e9
    # 2 rollouts of 5000 tokens, each 2*1000*10 + 2*(8*1000 + 3*4000) + 14*100000 bytes
    assert plan.training["activations"] == 10_000 * (20_000 + 40_000 + 1_400_000)
    assert plan.training["vLLM"] == 40e9
    assert plan.training["fixed"] == FIXED
    assert not plan.fits
    whole = estimate(SHAPE, RUN, {**FLAGS, "ds.grad_accum_dtype": "fp32"})
    assert whole.training["gradients"] == 4 * 8e9 / 8
    assert estimate(SHAPE, RUN, FLAGS, GPUS["h200"]).memory == 141e9
    asleep = estimate(
        SHAPE, RUN, {**FLAGS, "train.colocate_all": True, "vllm.enable_sleep": True, "ds.enable_sleep": True}
    )
    assert asleep.training["vLLM"] == 0
    assert asleep.rollouts == {"vLLM": 40e9, "weights": 16e9, "reference": 16e9, "fixed": FIXED}
    assert asleep.host == 8 * (2 + 12) * 8e9 / 8  # of 8 GPUs, each with its share
    # 40 GB less 16 GB of weights hold 24e9 / (50000 * 5000) rollouts, on each of 8 engines
    assert asleep.at_once == 96 * 8
    assert asleep.fits


def test_what_is_on_the_host_is_not_on_the_gpu() -> None:
    one: dict[str, Flag] = {**FLAGS, "actor.num_gpus_per_node": 1, "vllm.num_engines": 1, "train.colocate_all": True}
    here = estimate(SHAPE, RUN, one)
    away = estimate(SHAPE, RUN, {**one, "ds.adam_offload": True, "ref.offload": True})
    assert (here.training["optimiser"], here.training["gradients"], here.host) == (96e9, 16e9, 0)
    assert (away.training["optimiser"], away.training["gradients"], away.host) == (0, 0, 128e9)
    assert away.training["reference"] == 16e9  # OpenRLHF moves it with ZeRO-3 alone
    third = estimate(SHAPE, RUN, {**one, "ds.adam_offload": True, "ref.offload": True, "ds.zero_stage": 3})
    assert (third.training["reference"], third.host) == (0, 128e9 + 16e9)
    assert away.seconds["training"] - here.seconds["training"] == pytest.approx(28 * 8e9 / 50e9)


def test_adapters_alone_have_gradients_and_moments() -> None:
    lora = replace(RUN, lora_rank=16)
    one: dict[str, Flag] = {**FLAGS, "actor.num_gpus_per_node": 1, "vllm.num_engines": 1, "train.colocate_all": True}
    plan = estimate(SHAPE, lora, {**one, "ds.grad_accum_dtype": "fp32", "actor.freeze_visual_encoder": True})
    # keys and values of 1250 each: 50 000 bytes of cache in 10 layers
    adapters = 16 * 10 * (9 * 1000 + 2 * 1250 + 3 * 4000)
    assert (plan.training["weights"], plan.training["reference"]) == (16e9, 16e9)
    assert (plan.training["adapters"], plan.training["gradients"]) == (2 * adapters, 4 * adapters)
    assert plan.training["optimiser"] == 12 * adapters
    # backward goes through all weights, and is of the adapters' alone; what vLLM is handed is merged
    tokens = 16 * 8 * 3250
    assert plan.seconds["training"] == pytest.approx(tokens * (16e9 * 5 + 2 * adapters) / H100.flops)
    assert plan.seconds["weight sync"] == pytest.approx(2 * 7e9 / 25e9)
    sees = estimate(replace(SHAPE, tower=(2, 100, 400)), lora, one)
    assert sees.training["adapters"] == 2 * (adapters + 16 * 2 * (11 * 100 + 3 * 400))
    shared = estimate(SHAPE, lora, {**FLAGS, "ds.zero_stage": 3, "actor.freeze_visual_encoder": True})
    assert shared.training["adapters"] == 2 * adapters / 8


def test_zero_3_shares_all_and_no_kl_needs_no_reference() -> None:
    plan = estimate(SHAPE, RUN, {**FLAGS, "ds.zero_stage": 3, "train.colocate_actor_ref": True})
    assert (plan.training["weights"], plan.training["reference"]) == (2e9, 2e9)
    free = replace(RUN, algorithm=AlgorithmConfig(beta=0.0))
    assert estimate(SHAPE, free, {**FLAGS, "train.colocate_actor_ref": True}).training["reference"] == 0


def test_the_time_of_a_step_by_hand() -> None:
    # a closed loop: 700 words and an overview of 1000 tokens, then 350 and a crop; two replies of 100
    assert rollout_tokens(SHAPE, RUN) == (700 + 1000 + 350 + 1000, 200)
    assert rollout_tokens(SHAPE, replace(RUN, mode=Mode.DIRECT)) == (1700, 100)
    plan = estimate(SHAPE, RUN, FLAGS)
    rollouts = 16 * 8
    tokens = rollouts * 3250
    # old and reference log-probabilities, forward, recomputed, and backward through weights and activations
    operations = tokens * (16e9 + 16e9 + 3 * 16e9 + 16e9)
    assert plan.seconds["training"] == pytest.approx(operations / (8 * H100.flops))
    reading, writing = rollouts * 3050 * 16e9 / (8 * H100.flops), 200 * 16e9 / H100.bandwidth
    assert plan.seconds["rollouts"] == pytest.approx(reading + writing)
    # 128 rollouts with two views of 784 000 pixels, each pixel as 6 values of 2 bytes, three times at 0.7 GB/s
    assert plan.seconds["pixels through Ray"] == pytest.approx(3 * 256 * 784_000 * 12 / 0.7e9)
    assert plan.seconds["preprocessing"] == pytest.approx(2 * 256 * 0.784 * 0.064 / 8)
    assert plan.seconds["weight sync"] == pytest.approx(16e9 / 25e9)
    # three more patches for each of the 1000 tokens of a view: read by vLLM, old, reference, and 4 in training
    assert plan.seconds["vision"] == pytest.approx(2e9 * 256 * 1000 * 3 * (1 + 2 + 4) / (8 * H100.flops))
    assert plan.slow["training"] == pytest.approx(plan.seconds["training"] * 40 / 15)
    assert plan.slow["preprocessing"] == pytest.approx(2 * plan.seconds["preprocessing"])
    assert "a step: " in plan.lines()[3]
    assert f"{plan.hours:.1f} to {sum(plan.slow.values()) * 100 / 3600:.1f} hours" in plan.lines()[4]
    assert plan.hours == pytest.approx(sum(plan.seconds.values()) * 100 / 3600)


@settings(max_examples=50)
@given(gpus=some.sampled_from([1, 2, 4, 8]), stage=some.sampled_from([2, 3]), micro=some.integers(1, 8))
def test_more_gpus_never_need_more_memory_each(gpus: int, stage: int, micro: int) -> None:
    def needs(count: int) -> float:
        flags = {**FLAGS, "actor.num_gpus_per_node": count, "ds.zero_stage": stage, "train.micro_batch_size": micro}
        return sum(estimate(SHAPE, RUN, flags).training.values())

    assert needs(2 * gpus) < needs(gpus)


@pytest.mark.slow
def test_a_real_configuration_is_counted_as_transformers_counts(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from safetensors import safe_open
    from tiny_vlm import make_tiny_vlm

    from rl.training.sizes import model_shape

    folder = make_tiny_vlm(tmp_path / "tiny", "qwen3-vl")
    with safe_open(folder / "model.safetensors", "pt") as weights:
        sizes = {name: weights.get_tensor(name).numel() for name in weights.keys()}  # noqa: SIM118 (no mapping)
    (folder / "model.safetensors").unlink()  # it needs no weights
    shape = model_shape(str(folder))
    assert shape.parameters == sum(sizes.values())
    assert shape.vision == sum(size for name, size in sizes.items() if ".visual." in name)
    assert (shape.layers, shape.hidden, shape.intermediate, shape.grid) == (2, 128, 256, 32)
    assert shape.cache == 2 * 2 * 1 * 64 * 2  # keys and values, layers, heads, their width, bytes

    command = [sys.executable, "-m", "rl.train_ap_grpo", "no.jsonl", "--model", str(folder), "--plan",
               "--out", str(tmp_path / "run"), "--train.colocate_all", "--vllm.enable_sleep"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "GPU memory, training: " in done.stdout
    assert "it should fit" in done.stdout
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "config", "words"),
    [
        ("./no/such/folder", {}, "there is no folder '.*no/such/folder', and it is not an id"),
        ("here", {"model_type": "blip-2"}, "is not a vision-language model that transformers knows"),
    ],
)
def test_a_model_that_cannot_be_planned_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, config: dict[str, str], words: str
) -> None:
    pytest.importorskip("transformers")
    from rl.training.sizes import model_shape

    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    Path("here/config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=words):
        model_shape(model)


def test_the_tower_of_qwen2_vl_is_as_wide_as_its_embeddings(tmp_path: Path) -> None:
    """Its `hidden_size` is the language model's; in the published configuration of 2B an MLP is 4 times as wide."""
    pytest.importorskip("transformers")
    from rl.training.sizes import model_shape

    text = {"num_hidden_layers": 2, "hidden_size": 1536, "num_attention_heads": 12, "num_key_value_heads": 2,
            "intermediate_size": 8960}  # fmt: skip
    vision = {"depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "hidden_size": 1536}
    config = {"model_type": "qwen2_vl", "text_config": text, "vision_config": vision}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape = model_shape(str(tmp_path))
    assert (shape.tower, shape.grid, shape.cache) == ((32, 1280, 4 * 1280), 28, 2 * 2 * 2 * 128 * 2)


def test_the_plan_of_one_machine_by_hand() -> None:
    shape = replace(SHAPE, tower=(2, 100, 400))
    lora = replace(RUN, lora_rank=16, train_part="language", gradient_checkpointing=True, micro_batch=2)
    plan = estimate(shape, lora)
    # keys and values of 1250 each: 50 000 bytes of cache in 10 layers
    adapters = 16 * 10 * (9 * 1000 + 2 * 1250 + 3 * 4000)
    assert plan.training["weights"] == 16e9
    assert plan.training["adapters"] == 16 * adapters
    # 2 rows of 700 words, 1000 tokens of a view and 400 of a reply: 2000 bytes a layer; logits outweigh its insides
    assert plan.training["activations"] == 2 * 2100 * 2000 * 10
    assert plan.training["logits"] == (4 * 2 + 12) * 400 * 100_000
    brief = estimate(shape, replace(lora, max_tokens=40)).training
    assert brief["activations"] + brief["logits"] == 2 * 1740 * (2000 * 10 + 34_000 + 52_000)
    assert plan.training["vision"] == 0
    assert plan.fits
    whole = estimate(shape, replace(RUN, micro_batch=2))
    assert (whole.training["gradients"], whole.training["optimiser"], whole.training["reference"]) == (32e9, 96e9, 16e9)
    assert whole.training["activations"] == 2 * 2100 * 10 * 86_000
    assert whole.training["logits"] == 14 * 2 * 400 * 100_000
    assert whole.training["vision"] == 2 * 1000 * 4 * 2 * (3400 + 5200)
    assert not whole.fits
    small = estimate(shape, replace(RUN, optimiser="adamw-8bit", algorithm=AlgorithmConfig(beta=0.0)))
    assert (small.training["optimiser"], small.training["reference"]) == (48e9, 0)
    assert plan.slow["training"] == pytest.approx(plan.seconds["training"] * 40 / 15)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelShape]:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from rl.training.sizes import model_shape

    found = {}
    for name, (model_type, config, published) in BASES.items():
        folder = tmp_path_factory.mktemp("base")
        (folder / "config.json").write_text(json.dumps({"model_type": model_type, **config}))
        found[name] = model_shape(str(folder))
        assert found[name].parameters == published
        assert (found[name].grid, found[name].patches) == (32 if "Qwen3" in name else 28, 4)
    return found


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_each_recipe_fits(
    recipe: Path,
    shapes: dict[str, ModelShape],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("yaml")
    from rl import train_ap_grpo
    from rl.command_line import run_command

    monkeypatch.setattr(train_ap_grpo, "model_shape", shapes.__getitem__)
    with pytest.raises(SystemExit) as ended:
        run_command(train_ap_grpo.train, ["q.jsonl", "--out", str(tmp_path / "run"), "--plan", "--config", str(recipe)])
    output = capsys.readouterr()
    assert ended.value.code == 0, output.err
    assert "it should fit" in output.out
    assert f"of {141 if '141gb' in recipe.name else 80} GB" in output.out
    assert {each.stem.rpartition("-")[2] for each in RECIPES} >= {"1x80gb", "1x141gb", "8x80gb", "nodes"}
