"""What vLLM is handed of a model with adapters on OpenRLHF, and its checkpoint: those of the merged model."""

from __future__ import annotations

import copy
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

from hart_agent.backends.local.adapters import base_of, read_terms, take_apart  # noqa: E402
from rl.openrlhf.adapters import adapted_model, handed_weights, in_parts, language_layers, write_adapted  # noqa: E402
from rl.openrlhf.start import add_learnt, start_of, trained_on, write_start  # noqa: E402


def learnt(folder: Path, layers: Any = "all-linear") -> Any:
    """A model with adapters of rank 3, scale 2, that have learnt something; all in bfloat16, as under DeepSpeed."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16)
    return with_adapters(model, layers)


def with_adapters(model: Any, layers: Any = "all-linear") -> Any:
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


@pytest.fixture
def first(folders: Folders, tmp_path: Path) -> Path:
    """A checkpoint of adapters, most of whose part bfloat16 would round away."""
    folder = folders("qwen2.5-vl")
    model = learnt(folder)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.mul_(0.01)
    write_adapted(model.get_base_model(), tmp_path / "first", str(folder), first=True)
    return tmp_path / "first"


def started(first: Path, run: Path) -> Any:
    """The model of an actor that starts from it, as a worker makes it."""
    write_start(str(first), run, "bfloat16")
    write_start(str(first), run, "bfloat16")  # a resumed run finds it there
    return AutoModelForImageTextToText.from_pretrained(start_of(str(first), run), dtype=torch.bfloat16)


def actor_of(module: Any) -> Any:
    return SimpleNamespace(model=SimpleNamespace(module=module, device=torch.device("cpu")))


def test_a_run_starts_from_the_policy_that_a_checkpoint_of_adapters_is(
    folders: Folders, first: Path, tmp_path: Path
) -> None:
    """Bit for bit what the engine on one machine opens; rounded to bfloat16, most weights would be the base's."""
    base = AutoModelForImageTextToText.from_pretrained(folders("qwen2.5-vl"), dtype=torch.bfloat16).eval()
    model = started(first, tmp_path / "run")
    assert all(torch.equal(weight, base.state_dict()[name]) for name, weight in model.state_dict().items())
    add_learnt(actor_of(model), str(first))
    here = AutoModelForImageTextToText.from_pretrained(first, dtype=torch.float32)
    take_apart(here, read_terms(first), torch.bfloat16)
    words = torch.arange(3, 60)[None]
    with torch.no_grad():
        said, expected, before = (each.eval()(input_ids=words).logits for each in (model, here, base))
    assert torch.equal(said, expected)
    assert not torch.equal(said, before)
    assert trained_on(str(first)) == str(folders("qwen2.5-vl"))
    assert start_of(str(folders("qwen2.5-vl")), tmp_path / "other") == str(folders("qwen2.5-vl"))
    write_start(str(folders("qwen2.5-vl")), tmp_path / "other", "bfloat16")
    assert not (tmp_path / "other").exists()  # a model without adapters is opened as it is


def test_adapters_on_adapters_are_handed_over_and_written_together(
    folders: Folders, first: Path, tmp_path: Path
) -> None:
    layers = language_layers(str(first))
    model = with_adapters(started(first, tmp_path / "run"), layers)
    add_learnt(actor_of(model), str(first))
    bare = adapted_model(actor_of(model))
    own = {
        name.removeprefix("base_model.model."): 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
        for name, layer in copy.deepcopy(model).float().named_modules()
        if hasattr(layer, "lora_A")
    }
    assert sorted(own) == sorted(layers)
    expected = AutoModelForImageTextToText.from_pretrained(first, dtype=torch.float32).state_dict()
    for name, added in own.items():
        expected[f"{name}.weight"] = expected[f"{name}.weight"] + added
    handed = dict(handed_weights(bare))
    assert handed.keys() >= {f"{name}.weight" for name in layers}
    for name, weight in handed.items():
        torch.testing.assert_close(weight, expected[name].bfloat16(), atol=1e-7, rtol=0.005)  # its last digit
    write_adapted(bare, tmp_path / "second", trained_on(str(first)), first=True)
    opened = AutoModelForImageTextToText.from_pretrained(tmp_path / "second", dtype="auto").state_dict()
    assert opened.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(opened[name], weight, atol=1e-7, rtol=0)
    assert base_of(tmp_path / "second") == str(folders("qwen2.5-vl"))
    assert {a.shape[0] for a, _ in read_terms(tmp_path / "second").values()} == {6}  # both ranks


def test_all_weights_are_trained_on_top_of_adapters(first: Path, tmp_path: Path) -> None:
    """vLLM is handed those that are trained, with the adapters' part."""
    model = started(first, tmp_path / "run")
    add_learnt(actor_of(model), str(first))
    assert adapted_model(actor_of(model)) is model
    merged_ones = AutoModelForImageTextToText.from_pretrained(first, dtype=torch.float32).state_dict()
    expected = {}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad_("mlp" in name).requires_grad:
                added = merged_ones[name] - weight.float()
                expected[name] = weight.mul_(2).float() + added
    handed = dict(handed_weights(model))
    assert handed.keys() == expected.keys()
    for name, weight in handed.items():
        torch.testing.assert_close(weight, expected[name].bfloat16(), atol=1e-7, rtol=0.005)  # its last digit
