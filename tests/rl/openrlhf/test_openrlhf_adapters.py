"""What vLLM is handed of a model with adapters on OpenRLHF, and its checkpoint: those of the merged model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("peft", reason="peft is not installed: pip install 'hart-agent[train]'")
from peft import LoraConfig, get_peft_model  # noqa: E402
from tiny_backend import Folders, folders, one_thread  # noqa: E402, F401 (fixtures)
from transformers import AutoModelForImageTextToText  # noqa: E402

from hart_agent.backends.local.adapters import read_terms  # noqa: E402
from rl.openrlhf.adapters import adapted_model, handed_weights, in_parts, language_layers, write_adapted  # noqa: E402


def learnt(folder: Path, layers: Any = "all-linear") -> Any:
    """A model with adapters of rank 3, scale 2, that have learnt something; all in bfloat16, as under DeepSpeed."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16)
    model = get_peft_model(model, LoraConfig(r=3, lora_alpha=6, target_modules=layers)).bfloat16()
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.02 * torch.randn_like(weight))
    return model


def merged(model: Any) -> dict[str, torch.Tensor]:
    """The weights as PEFT merges them, in float32."""
    return dict(model.float().merge_and_unload().state_dict())


@pytest.mark.parametrize("family", ["qwen2.5-vl", "internvl3"])
def test_what_is_handed_over_is_the_merged_model(folders: Folders, family: str) -> None:
    folder = folders(family)
    assert adapted_model(SimpleNamespace(model=torch.nn.Linear(1, 1))) is None
    model = learnt(folder)
    bare = adapted_model(SimpleNamespace(model=SimpleNamespace(module=model)))
    handed = dict(handed_weights(bare))
    assert all(weight.dtype is torch.bfloat16 for weight in handed.values())
    before = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16).state_dict()
    after = merged(model)
    assert {name for name in before if not torch.equal(before[name].float(), after[name])} == handed.keys()
    for name, weight in handed.items():
        assert torch.equal(weight, after[name].bfloat16())


def test_it_is_handed_over_in_parts_that_openrlhf_can_read(folders: Folders) -> None:
    weights = dict(handed_weights(learnt(folders("qwen2.5-vl")).get_base_model()))
    parts = [dict(part.model.module.named_parameters()) for part in in_parts(weights.items(), 100_000)]
    assert {name: weight for part in parts for name, weight in part.items()} == weights
    assert all(len(part) == 1 or sum(each.nbytes for each in part.values()) < 200_000 for part in parts)
    assert 3 < len(parts) < len(weights)
    assert all(weight.ds_shape == weight.shape for weight in weights.values())


def test_a_checkpoint_is_the_merged_model_with_the_adapters_beside(folders: Folders, tmp_path: Path) -> None:
    folder = folders("qwen2.5-vl")
    model = learnt(folder, language_layers(str(folder)))
    bare = model.get_base_model()
    write_adapted(bare, tmp_path / "other", str(folder), first=False)
    assert not (tmp_path / "other").exists()  # it only gives its part of the weights
    write_adapted(bare, tmp_path / "first", str(folder), first=True)
    opened = AutoModelForImageTextToText.from_pretrained(tmp_path / "first", dtype="auto").state_dict()
    expected = merged(model)
    assert opened.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(opened[name], weight, atol=0, rtol=0)
    terms = read_terms(tmp_path / "first")
    assert len(terms) == 2 * 7  # all linear layers of two, none of the vision tower
    assert all("language_model" in name for name in terms)
