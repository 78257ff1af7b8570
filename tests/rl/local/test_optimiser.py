"""The optimiser: small updates of bfloat16 weights add up, and so do the gradients of micro-batches."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[transformers]'")
from torch.utils._pytree import tree_leaves  # noqa: E402

from rl.config import RunSettings  # noqa: E402
from rl.local.optimiser import Optimiser  # noqa: E402

RATE = 1e-4
STEPS = 60


def settings(**changes: float) -> RunSettings:
    return RunSettings(**{"model": "", "learning_rate": RATE, "max_grad_norm": 1e9, **changes})  # type: ignore[arg-type]


def one_by_one(values: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """What AdamW makes of float64 values: its published update, with betas .9 and .95 and no decay, worked here."""
    values, first, second = values.double(), torch.zeros_like(values.double()), torch.zeros_like(values.double())
    for step, gradient in enumerate(gradients.double(), start=1):
        first, second = 0.9 * first + 0.1 * gradient, 0.95 * second + 0.05 * gradient**2
        values = values - RATE * (first / (1 - 0.9**step)) / ((second / (1 - 0.95**step)).sqrt() + 1e-8)
    return values


def test_updates_that_bfloat16_would_lose_add_up() -> None:
    torch.manual_seed(0)
    begin = (1 + torch.rand(50)).bfloat16()  # the next number is 2 ** -7 away, 78 updates
    gradients = torch.rand(STEPS, 50).bfloat16() + 0.5
    parameter = torch.nn.Parameter(begin.clone())
    optimiser = Optimiser([parameter], settings())
    for gradient in gradients:
        (parameter * gradient).sum().backward()
        optimiser.step()
    expected = one_by_one(begin, gradients)
    assert (expected - begin).abs().min() > 0.9 * STEPS * RATE
    (weight,) = optimiser.state_dict()["weights"]
    rounding = STEPS * 2**-24  # of float32, at each update
    torch.testing.assert_close(weight.double(), expected, atol=rounding, rtol=0)
    assert torch.equal(parameter, weight.bfloat16())
    alone = torch.nn.Parameter(begin.clone())
    plain = torch.optim.AdamW([alone], lr=RATE, betas=(0.9, 0.95), weight_decay=0.0)
    for gradient in gradients:
        alone.grad = gradient
        plain.step()
    assert torch.equal(alone, begin)  # that this is a fault of bfloat16, and not of the test


def test_float32_is_trained_as_it_is() -> None:
    torch.manual_seed(0)
    begin, gradients = torch.rand(50), torch.randn(STEPS, 50)
    parameter = torch.nn.Parameter(begin.clone())
    optimiser = Optimiser([parameter], settings())
    for gradient in gradients:
        (parameter * gradient).sum().backward()
        assert optimiser.step() == pytest.approx(float(gradient.norm()), rel=1e-5)
        assert parameter.grad is None
    torch.testing.assert_close(parameter.detach().double(), one_by_one(begin, gradients), atol=1e-5, rtol=0)
    assert optimiser.state_dict()["weights"] == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_gradients_of_micro_batches_add_up_in_float32(dtype: torch.dtype) -> None:
    """512 parts of 1/512: in bfloat16 the sum stays below 1, for what is added is rounded away."""
    parameter = torch.nn.Parameter(torch.ones(4, dtype=dtype))
    optimiser = Optimiser([parameter], settings(max_grad_norm=0.5))
    for part in [1.0] + [1 / 512] * 512:
        (parameter * part).sum().backward()
    assert optimiser.step() == pytest.approx(4.0, rel=1e-5)  # of four gradients of 2


def test_it_is_restored_from_its_state() -> None:
    torch.manual_seed(0)
    gradients = torch.randn(20, 8)

    def run(parameter: torch.nn.Parameter, optimiser: Optimiser, chosen: torch.Tensor) -> None:
        for gradient in chosen:
            (parameter * gradient.bfloat16()).sum().backward()
            optimiser.step()

    whole = torch.nn.Parameter(torch.ones(8).bfloat16())
    run(whole, optimiser := Optimiser([whole], settings()), gradients)
    first = torch.nn.Parameter(torch.ones(8).bfloat16())
    run(first, before := Optimiser([first], settings()), gradients[:11])
    second = torch.nn.Parameter(torch.zeros(8).bfloat16())
    after = Optimiser([second], settings())
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    assert torch.equal(second, first)
    run(second, after, gradients[11:])
    assert torch.equal(second, whole)
    assert torch.equal(after.state_dict()["weights"][0], optimiser.state_dict()["weights"][0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_moments_of_8_bits_learn_nearly_the_same_and_are_restored(dtype: torch.dtype, tmp_path: Path) -> None:
    """With the library itself, on the CPU; its state goes through a checkpoint's file, as a run's does."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: pip install 'bitsandbytes>=0.50'")
    torch.manual_seed(0)
    count = 65_536  # it keeps small tensors' moments whole
    begin = (1 + torch.rand(count)).to(dtype)
    gradients = torch.randn(STEPS, count).to(dtype) + torch.randn(count).to(dtype)

    def run(parameter: torch.nn.Parameter, optimiser: Optimiser, chosen: torch.Tensor) -> None:
        for gradient in chosen:
            (parameter * gradient).sum().backward()
            optimiser.step()

    def made(values: torch.Tensor) -> tuple[torch.nn.Parameter, Optimiser]:
        parameter = torch.nn.Parameter(values.clone())
        return parameter, Optimiser([parameter], settings(optimiser="adamw-8bit"))

    whole, optimiser = made(begin)
    run(whole, optimiser, gradients)
    tensors = [each for each in tree_leaves(optimiser.state_dict()["adamw"]) if torch.is_tensor(each)]
    assert sum(each.nbytes for each in tensors) < 2.2 * count  # AdamW's own are 8 bytes a weight
    weight = whole.detach() if dtype is torch.float32 else optimiser.state_dict()["weights"][0]
    expected = one_by_one(begin, gradients) - begin.double()
    assert float((weight.double() - begin.double() - expected).norm() / expected.norm()) < 0.05

    first, before = made(begin)
    run(first, before, gradients[:11])
    torch.save({"weights": first.detach(), "optimiser": before.state_dict()}, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    second, after = made(state["weights"])
    after.load_state_dict(state["optimiser"])
    run(second, after, gradients[11:])
    assert torch.equal(second, whole)
