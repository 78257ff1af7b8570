"""What saves memory changes no gradient: in float64, against rows by themselves, nothing shared and nothing saved."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
from tiny_backend import Folders, folders, one_thread  # noqa: E402, F401 (fixtures)
from training_questions import noisy_questions  # noqa: E402
from variations import slow_but  # noqa: E402

from hart_agent import ConfigError, Mode, PolicyError  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from hart_agent.tooling.discovery import discover_tools  # noqa: E402
from hart_agent.tooling.runtime import ToolRuntime  # noqa: E402
from rl.config import AlgorithmConfig, TrainSettings  # noqa: E402
from rl.data.demonstrations import Demonstration, segments_of  # noqa: E402
from rl.data.rows import Row  # noqa: E402  # noqa: E402
from rl.local.model import PolicyModel  # noqa: E402
from rl.local.rollout import roll_out  # noqa: E402
from rl.local.trainer import Trainer  # noqa: E402
from rl.training.parts import freeze_except  # noqa: E402

FAMILIES = [
    "qwen2.5-vl",
    pytest.param("qwen3-vl", marks=pytest.mark.slow),
    pytest.param("internvl3", marks=pytest.mark.slow),
]


@pytest.fixture(autouse=True)
def float64_throughout(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers rounds to float32 in places, whatever a model's precision is; see also `precise`."""
    rounded, softmax = torch.Tensor.float, torch.nn.functional.softmax
    monkeypatch.setattr(torch.Tensor, "float", lambda given: given if given.dtype is torch.float64 else rounded(given))
    monkeypatch.setattr(
        torch.nn.functional,
        "softmax",
        lambda given, dim, dtype=None: softmax(given, dim=dim, dtype=None if given.dtype is torch.float64 else dtype),
    )


def precise(model: PolicyModel) -> PolicyModel:
    """The model, with norms that don't round to float32."""

    def norm(layer: Any, given: Any) -> Any:
        epsilon = layer.variance_epsilon if hasattr(layer, "variance_epsilon") else layer.eps
        return layer.weight * given * torch.rsqrt(given.pow(2).mean(-1, keepdim=True) + epsilon)

    for layer in model.module.modules():
        if type(layer).__name__.endswith("RMSNorm"):
            layer.forward = partial(norm, layer)
    return model


def assert_same(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, atol=1e-12 * float(expected.abs().max()), rtol=1e-10)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    return noisy_questions(tmp_path_factory.mktemp("photos"), 2)


def opened(folder: Path, **changes: Any) -> PolicyModel:
    torch.manual_seed(0)
    return precise(PolicyModel(str(folder), dtype="float64", max_pixels=16_384, max_tokens=6, **changes))


def shown(model: PolicyModel, sample: Item) -> list[Row]:
    """Three rows that begin with the same overview; their crops and answers differ."""
    runtime, rows = ToolRuntime(discover_tools()), []
    for number in range(3):
        crop = tool_call("crop", bbox_2d=[100, 100, 500, 500 + 100 * number], label="it")
        demonstration = Demonstration(sample, (crop, answer("u" * (number + 1))), Mode.MGPO)
        rows += model.rows(asyncio.run(segments_of(model, demonstration, runtime)))
    return rows


def gradients(model: PolicyModel, batches: list[list[Row]]) -> Any:
    model.module.train()
    model.module.zero_grad()
    for batch in map(model.batch, batches):
        model.log_probs(batch).sum().backward()
    return torch.cat([value.grad.flatten() for value in model.trainable().values()])


@contextmanager
def saved_bytes() -> Iterator[list[int]]:
    """The bytes that a forward pass saves for the backward pass, each storage once; of weights, none."""
    seen: dict[int, Any] = {}
    total = [0]

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if not tensor.is_leaf and storage.data_ptr() not in seen:
            seen[storage.data_ptr()] = tensor
            total[0] += storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield total


@pytest.mark.parametrize("family", FAMILIES)
def test_recomputed_layers_have_the_gradients_of_rows_alone(folders: Folders, samples: list[Item], family: str) -> None:
    plain, recomputing = opened(folders(family)), opened(folders(family), recompute=True)
    rows = shown(plain, samples[0])
    assert plain.batch(rows).prefix_index is not None or family == "internvl3"
    assert_same(gradients(recomputing, [rows]), gradients(plain, [[row] for row in rows]))
    saved = {}
    for model in (plain, recomputing):
        with saved_bytes() as total:
            model.log_probs(model.batch(rows))
        saved[model] = total[0]
    assert saved[recomputing] < 0.3 * saved[plain]


@pytest.mark.slow
def test_implementations_of_attention_have_the_same_gradients(folders: Folders, samples: list[Item]) -> None:
    models = [opened(folders("qwen2.5-vl"), attention=name, recompute=True) for name in ("eager", "sdpa")]
    for model, name in zip(models, ("eager", "sdpa"), strict=True):
        config = model.module.config
        assert {config.text_config._attn_implementation, config.vision_config._attn_implementation} == {name}
    rows = shown(models[0], samples[0])
    assert_same(*(gradients(model, [rows]) for model in models))
    if importlib.util.find_spec("flash_attn") is None:
        with pytest.raises(ConfigError, match="FlashAttention2"):
            opened(folders("qwen2.5-vl"), attention="flash_attention_2")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lora_rank", [4, pytest.param(0, marks=pytest.mark.slow)])
def test_a_frozen_tower_looks_once_at_each_image(
    folders: Folders, samples: list[Item], family: str, lora_rank: int
) -> None:
    """For rollouts, policy and reference; the gradients are those of a tower that is asked each time."""
    looked = []

    def made(frozen: bool) -> PolicyModel:
        model = opened(folders(family), frozen_vision=frozen)
        tower = getattr(model.module.model, "visual", None) or model.module.model.vision_tower
        if frozen:
            tower.register_forward_hook(lambda *_: looked.append(family))
        if lora_rank:
            model.add_lora(lora_rank, lora_rank, "language")
            torch.manual_seed(0)
            for name, value in model.trainable().items():
                torch.nn.init.normal_(value, std=0.02)
                assert "language_model" in name
        else:
            freeze_except(model.module, "language")
        return model

    frozen, plain = made(True), made(False)
    config = TrainSettings(model="", mode=Mode.CLOSED_LOOP).episode()
    runtime = ToolRuntime(discover_tools())
    rollouts = [asyncio.run(roll_out(each, runtime, config, samples, 2, seed=1)) for each in (frozen, plain)]
    assert [[segment.token_ids for segment in each.segments] for each in rollouts[0]] == [
        [segment.token_ids for segment in each.segments] for each in rollouts[1]
    ]
    rows = [row for each in rollouts[0] for row in frozen.rows(each.segments)]
    rows += shown(frozen, samples[0])
    again = [gradients(frozen, [rows]), gradients(frozen, [rows])]
    assert torch.equal(again[0], again[1])
    seen = {view.sha256 for row in rows for view in (*row.prompt.views, *row.suffix.views)}
    assert len(looked) == len(seen)
    assert_same(again[0], gradients(plain, [[row] for row in rows]))
    frozen.forget_images()
    frozen.batch(rows)
    assert len(looked) == 2 * len(seen)


def settings(folder: Path, **changes: Any) -> TrainSettings:
    base: dict[str, Any] = {
        "model": str(folder), "algorithm": AlgorithmConfig(group_size=4, beta=0.01), "mode": Mode.DIRECT,
        "max_turns": 1, "prompts_per_step": 1, "learning_rate": 1e-3, "max_tokens": 6, "max_pixels": 16_384,
        "micro_batch": 8, "lora_rank": 4, "dtype": "float64",
    }  # fmt: skip
    return TrainSettings(**{**base, **changes})


class Limited:
    """Makes a model run out of memory with more than so many rows: in the forward pass, or in the backward pass."""

    def __init__(self, trainer: Trainer, rows: int, backward: bool) -> None:
        self.refused = 0
        self._rows = rows
        self._backward = backward
        trainer.model._bare.lm_head.register_forward_hook(self._check)

    def _check(self, layer: Any, inputs: Any, output: Any) -> None:
        if len(output) > self._rows and self._backward == output.requires_grad:
            if not self._backward:
                self._refuse()
            output.register_hook(lambda gradient: self._refuse())

    def _refuse(self) -> None:
        self.refused += 1
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("backward", slow_but([True], [True, False]))
def test_an_update_that_does_not_fit_is_split(
    folders: Folders, samples: list[Item], tmp_path: Path, caplog: pytest.LogCaptureFixture, backward: bool
) -> None:
    """In the policy's backward pass, and in the reference's pass."""
    trainer = Trainer(settings(folders("qwen2.5-vl")), samples, lambda *_: 0.0, tmp_path)
    precise(trainer.model)
    rollouts, rewards = trainer.roll_out(0), [0.0, 1.0, 1.0, 0.5]

    def differentiated() -> Any:
        trainer._optimiser.zero_grad()
        metrics = trainer.within_memory(lambda: trainer._differentiate(rollouts, rewards))
        return torch.cat([value.grad.flatten() for value in trainer.model.trainable().values()]), metrics["loss"]

    whole, loss = differentiated()
    limited = Limited(trainer, 1, backward)
    with caplog.at_level(logging.WARNING):
        split, split_loss = differentiated()
    assert_same(split, whole)
    assert split_loss == pytest.approx(loss, abs=1e-12)
    assert limited.refused == 3  # of 8, 4 and 2 rows at a time
    assert trainer.model.max_batch == 1
    assert [record.getMessage() for record in caplog.records if record.name == "rl.local.run"] == [
        f"out of memory with {size} sequences at a time: going on with {size // 2}" for size in (8, 4, 2)
    ]
    limited._rows = 0
    with pytest.raises(PolicyError, match=r"with one sequence\. Add --gradient-checkpointing"):
        differentiated()


def test_other_errors_are_not_taken_for_it(folders: Folders, samples: list[Item], tmp_path: Path) -> None:
    trainer = Trainer(settings(folders("qwen2.5-vl")), samples, lambda *_: 0.0, tmp_path)
    with pytest.raises(ZeroDivisionError):
        trainer.within_memory(lambda: 1 // 0)
    assert trainer.model.max_batch == 8
