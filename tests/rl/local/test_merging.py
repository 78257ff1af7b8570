"""A checkpoint of adapters is the policy that was trained, in bfloat16 too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import answer
from PIL import Image

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("peft", reason="peft is not installed: pip install 'hart-agent[train]'")
from peft import PeftModel  # noqa: E402
from tiny_backend import Folders, folders, one_thread  # noqa: E402, F401 (fixtures)
from transformers import AutoModelForImageTextToText  # noqa: E402

from hart_agent import ConfigError, Mode  # noqa: E402
from hart_agent.answers import AnswerType  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from hart_agent.tooling.discovery import discover_tools  # noqa: E402
from hart_agent.tooling.runtime import ToolRuntime  # noqa: E402
from rl.config import RunSettings  # noqa: E402
from rl.data.demonstrations import Demonstration, segments_of  # noqa: E402
from rl.data.rows import Row  # noqa: E402
from rl.local.model import PolicyModel  # noqa: E402
from rl.local.optimiser import Optimiser  # noqa: E402


def opened(folder: Path, dtype: str = "bfloat16") -> PolicyModel:
    return PolicyModel(str(folder), dtype=dtype, max_pixels=16_384)


@pytest.fixture(scope="module")
def rows(folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """What is learnt: two answers to a question on an image."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.effect_noise((300, 200), 60).convert("RGB").save(path)
    sample = Item("0", path, "what is there?", "x", AnswerType.TEXT)
    model, runtime = opened(folders("qwen2.5-vl")), ToolRuntime(discover_tools())
    shown = [Demonstration(sample, (answer(words),), Mode.DIRECT) for words in ("under", "the red umbrella")]
    return [row for each in shown for row in model.rows(asyncio.run(segments_of(model, each, runtime)))]


def learn(model: PolicyModel, rows: list[Row], steps: int = 8, rate: float = 1e-5) -> None:
    optimiser = Optimiser(model.trainable().values(), RunSettings(model="", learning_rate=rate))
    for _ in range(steps):
        (-model.log_probs(model.batch(rows)).sum()).backward()
        optimiser.step()


def log_probs(model: PolicyModel, rows: list[Row]) -> torch.Tensor:
    with torch.no_grad():
        return model.log_probs(model.batch(rows))


def weights(model: PolicyModel) -> dict[str, torch.Tensor]:
    """Those of linear layers, by the names that they have without PEFT."""
    return {
        name.replace(".base_layer", ""): layer.weight.detach()
        for name, layer in model._bare.named_modules()
        if isinstance(layer, torch.nn.Linear) and "lora_" not in name
    }


@pytest.mark.long
def test_a_bfloat16_checkpoint_of_adapters_is_the_trained_policy(
    folders: Folders, rows: list[Row], tmp_path: Path
) -> None:
    """Merged in bfloat16, nine weights of ten would be as before, and most of what was learnt lost."""
    before = weights(opened(folders("qwen2.5-vl")))
    live = opened(folders("qwen2.5-vl"))
    live.add_lora(8, 8)
    learn(live, rows)
    learnt = log_probs(live, rows)
    live.save(tmp_path)

    exact = {
        name: weight for name, weight in weights(opened(tmp_path, "float32")).items() if not name.startswith("lm_head")
    }
    added = torch.cat([(exact[name] - before[name].float()).flatten() for name in exact])
    left = torch.cat([(exact[name].bfloat16().float() - before[name].float()).flatten() for name in exact])
    assert float((left == 0).float().mean()) > 0.85  # that bfloat16 would lose it
    assert float(left @ added / (added @ added)) < 0.6

    again = opened(tmp_path)
    assert all(torch.equal(weight, before[name]) for name, weight in weights(again).items())
    assert torch.equal(log_probs(again, rows), learnt)
    in_float32 = log_probs(opened(tmp_path, "float32"), rows)
    torch.testing.assert_close(float(in_float32.sum()), float(learnt.sum()), atol=0.1, rtol=0)


def test_others_load_the_same(folders: Folders, rows: list[Row], tmp_path: Path) -> None:
    """PEFT by itself, from the adapters; transformers by itself, from the merged weights, in what config.json says."""
    live = opened(folders("qwen2.5-vl"))
    live.add_lora(3, 6)
    learn(live, rows, 3)
    live.save(tmp_path)
    ours = weights(opened(tmp_path, "float32"))
    base = AutoModelForImageTextToText.from_pretrained(folders("qwen2.5-vl"), dtype=torch.bfloat16).float()
    peft = PeftModel.from_pretrained(base, tmp_path / "adapters")
    assert peft.peft_config["default"].base_model_name_or_path == str(folders("qwen2.5-vl"))
    peft = peft.merge_and_unload()
    alone = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype="auto")
    assert alone.dtype is torch.float32
    for name, weight in ours.items():
        torch.testing.assert_close(weight, peft.get_submodule(name).weight, atol=1e-7, rtol=1e-6)
        assert torch.equal(weight, alone.get_submodule(name).weight)


@pytest.mark.long
def test_a_second_stage_begins_where_the_first_ended(folders: Folders, rows: list[Row], tmp_path: Path) -> None:
    """Adapters on adapters: the reference is the first stage's policy, and what both learnt is kept."""
    first = opened(folders("qwen2.5-vl"))
    first.add_lora(4, 4)
    learn(first, rows, 5, 1e-3)
    first.save(tmp_path / "first")
    second = opened(tmp_path / "first")
    second.add_lora(2, 4)
    begin = log_probs(first, rows)
    assert torch.equal(log_probs(second, rows), begin)
    learn(second, rows, 5, 1e-3)
    with second.as_reference():
        assert torch.equal(log_probs(second, rows), begin)
    end = log_probs(second, rows)
    assert float((end - begin).sum()) > 0
    second.save(tmp_path / "second")
    both = opened(tmp_path / "second")
    # The sum of the two parts is rounded to bfloat16 once here, twice in training.
    assert float((log_probs(both, rows) - end).abs().max()) < 0.5 * float((end - begin).abs().max())
    merged = weights(opened(tmp_path / "second", "float32"))
    name = "model.language_model.layers.0.mlp.up_proj"
    base, added = weights(first)[name].float(), torch.zeros(())
    for model in (first, second):
        layer = model._bare.get_submodule(name)
        added = added + layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    torch.testing.assert_close(merged[name] - base, added, atol=1e-7, rtol=0)


def test_damaged_adapters_are_named(folders: Folders, rows: list[Row], tmp_path: Path) -> None:
    live = opened(folders("qwen2.5-vl"))
    live.add_lora(2, 2)
    live.save(tmp_path)
    (tmp_path / "adapters" / "adapter_model.safetensors").write_bytes(b"")
    assert opened(tmp_path, "float32").dtype is torch.float32  # which needs them not
    with pytest.raises(ConfigError, match=r"adapters in .* can't be read"):
        opened(tmp_path)
