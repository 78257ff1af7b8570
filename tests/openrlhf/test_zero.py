"""Under DeepSpeed, as OpenRLHF configures it: micro-gradients are added up in float32, on the GPU and on the host; the
weights of a model with adapters are found whole."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import deepspeed
import pytest
import torch
from deepspeed.utils import safe_get_full_fp32_param
from openrlhf.models import Actor
from openrlhf.utils.deepspeed.deepspeed_utils import get_train_ds_config
from tiny_vlm import make_tiny_vlm
from transformers import AutoModelForImageTextToText

from rl.openrlhf.accumulation import accumulate_in_float32
from rl.openrlhf.adapters import adapted_model, handed_weights, language_layers, write_adapted
from rl.openrlhf.flags import KNOWN

pytestmark = pytest.mark.openrlhf

MICRO_BATCHES = 128
RANK, ALPHA = 8, 16


@pytest.fixture(scope="module", autouse=True)
def one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1",
                            "MASTER_PORT": "29533"}.items():  # fmt: skip
            patch.setenv(name, value)
        deepspeed.init_distributed("gloo")
        yield
        torch.distributed.destroy_process_group()


def error(stage: int, *, offload: bool, ours: bool, max_norm: float = 0.0) -> float:
    """The relative error of the last update of a layer, whose steps have 128 micro-batches: two, with ZeRO-3 one.

    Plain gradient descent at rate 1, so that an update is the sum of the gradients. The weights of the forward pass are
    restored after the first update: both are of the same batch.
    """
    torch.manual_seed(0)
    model = torch.nn.Linear(256, 64, bias=False).bfloat16()
    inputs, wanted = torch.randn(MICRO_BATCHES, 8, 256).bfloat16(), torch.randn(MICRO_BATCHES, 8, 64).bfloat16()
    exact = torch.zeros(64, 256, dtype=torch.float64)
    for given, target in zip(inputs, wanted, strict=True):
        loss = ((model(given) - target) ** 2).mean() / MICRO_BATCHES
        exact += torch.autograd.grad(loss, model.weight)[0].double()
    if max_norm:
        exact *= max_norm / exact.norm()
    config = get_train_ds_config(
        False,
        adam_offload=offload,
        stage=stage,
        max_norm=max_norm,
        grad_accum_dtype=KNOWN["defaults"]["ds.grad_accum_dtype"],
    )
    zero = {name: value for name, value in config["zero_optimization"].items() if value != "auto"}
    if offload:
        zero["offload_optimizer"]["pin_memory"] = False  # there is no GPU to copy to
    config |= {"zero_optimization": zero, "train_micro_batch_size_per_gpu": 1, "zero_force_ds_cpu_optimizer": False,
               "gradient_accumulation_steps": MICRO_BATCHES, "zero_allow_untested_optimizer": True}  # fmt: skip
    trained = copy.deepcopy(model)
    optimiser = torch.optim.SGD(trained.parameters(), lr=1.0)
    engine, *_ = deepspeed.initialize(model=trained, optimizer=optimiser, config=config)
    if ours:
        accumulate_in_float32(engine.optimizer)
    for number in range(2 if stage == 2 else 1):
        before = safe_get_full_fp32_param(trained.weight).clone().double()
        if number:
            trained.weight.data.copy_(model.weight)
        for given, target in zip(inputs, wanted, strict=True):
            engine.backward(((engine(given) - target) ** 2).mean())
            engine.step()
    update = before - safe_get_full_fp32_param(trained.weight).double()
    return float((update - exact).norm() / exact.norm())


@pytest.mark.parametrize("offload", [False, True], ids=["on the GPU", "on the host"])
def test_zero_2_adds_up_in_float32_by_our_means_alone(offload: bool) -> None:
    assert error(2, offload=offload, ours=True) < 1e-5
    assert error(2, offload=offload, ours=True, max_norm=0.01) < 1e-4  # the norm by which it is clipped is right, too
    assert error(2, offload=offload, ours=False) > 0.01


def test_zero_3_adds_up_in_float32_by_itself() -> None:
    assert error(3, offload=False, ours=True) < 1e-5


def merged(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of a model to which the adapters in a state are added, computed here, in float32."""
    prefix = "base_model.model."
    found = {name: weight.float() for name, weight in model.state_dict().items()}
    for name, a in state.items():
        if name.endswith(".lora_A.default.weight"):
            layer = name.removeprefix(prefix).removesuffix(".lora_A.default.weight")
            b = state[name.replace("lora_A", "lora_B")]
            found[f"{layer}.weight"] = found[f"{layer}.weight"] + ALPHA / RANK * (b.float() @ a.float())
    return found


@pytest.mark.parametrize("stage", [2, 3])
def test_weights_are_whole_under_zero(tmp_path: Path, stage: int) -> None:
    """With ZeRO-3 a process holds no weight whole until it is gathered."""
    base = str(make_tiny_vlm(tmp_path / "tiny"))
    actor = Actor(
        base, attn_implementation="eager", lora_rank=RANK, lora_alpha=ALPHA, target_modules=language_layers(base)
    )
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in actor.model.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.02 * torch.randn_like(weight))
    state = {name: weight.detach().bfloat16() for name, weight in actor.model.named_parameters() if "lora_" in name}
    assert state
    assert all("language_model" in name for name in state)
    expected = merged(AutoModelForImageTextToText.from_pretrained(base, dtype=torch.bfloat16), state)
    config = get_train_ds_config(False, adam_offload=False, stage=stage)
    zero = {name: value for name, value in config["zero_optimization"].items() if value != "auto"}
    zero["zero_hpz_partition_size"] = 1
    config |= {"zero_optimization": zero, "train_micro_batch_size_per_gpu": 1, "zero_allow_untested_optimizer": True}
    trained = [weight for weight in actor.model.parameters() if weight.requires_grad]
    engine, *_ = deepspeed.initialize(model=actor.model, optimizer=torch.optim.SGD(trained, lr=1.0), config=config)
    actor.model = engine
    model = adapted_model(actor)
    if stage == 3:
        assert all(weight.numel() == 0 for weight in model.parameters())
    handed = dict(handed_weights(model))
    assert 2 * len(handed) == len(state)
    for name, weight in handed.items():
        assert torch.equal(weight, expected[name].bfloat16())
    write_adapted(model, tmp_path / "written", base, first=True)
    opened = AutoModelForImageTextToText.from_pretrained(tmp_path / "written", dtype="auto").state_dict()
    assert opened.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(opened[name], weight, atol=1e-7, rtol=0)
