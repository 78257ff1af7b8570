"""Checkpoints that are averaged: exactly, adapters too, and the result opens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("peft", reason="peft is not installed: pip install 'hart-agent[train]'")
import numpy as np  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from tiny_backend import Folders, folders, one_thread  # noqa: E402, F401 (fixtures)

from hart_agent.backends.local.adapters import read_terms  # noqa: E402
from rl.average import average  # noqa: E402
from rl.command_line import run_command  # noqa: E402
from rl.local.model import PolicyModel  # noqa: E402


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        run_command(average, list(map(str, arguments)))
    return int(ended.value.code or 0)


def write_checkpoints(model: Path, run: Path, count: int, dtype: torch.dtype = torch.float32) -> None:
    """Checkpoints whose weights differ, in two files each, beside a number that isn't averaged."""
    weights = load_file(model / "model.safetensors")
    noise = torch.Generator().manual_seed(0)
    for step in range(1, count + 1):
        folder = shutil.copytree(model, run / f"step-{step:06d}")
        (folder / "model.safetensors").unlink()
        (folder / "trainer.pt").write_bytes(b"")
        moved = {name: (value + torch.randn(value.shape, generator=noise)).to(dtype) for name, value in weights.items()}
        names = sorted(moved)
        parts = {"model-1.safetensors": names[:9], "model-2.safetensors": names[9:]}
        for name, own in parts.items():
            save_file({each: moved[each] for each in own}, folder / name, {"format": "pt"})
        index = {
            "metadata": {"total_size": 1},
            "weight_map": {each: name for name, own in parts.items() for each in own},
        }
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return {name: value for file in sorted(folder.glob("*.safetensors")) for name, value in load_file(file).items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_last_checkpoints_are_averaged_exactly(
    folders: Folders, tmp_path: Path, dtype: torch.dtype, capsys: pytest.CaptureFixture[str]
) -> None:
    """To float32, as numpy has it in float64."""
    run, out = tmp_path / "run", tmp_path / "average"
    write_checkpoints(folders("qwen2.5-vl"), run, 4, dtype)
    assert command(run, "--last", 3, "--out", out) == 0
    assert capsys.readouterr().out.strip() == str(out)
    parts = [weights_of(run / f"step-{step:06d}") for step in (2, 3, 4)]
    found = weights_of(out)
    assert found.keys() == parts[0].keys()
    for name, value in found.items():
        wanted = np.mean([part[name].double().numpy() for part in parts], axis=0).astype(np.float32)
        assert value.dtype == torch.float32
        assert np.array_equal(value.numpy(), wanted)
    assert json.loads((out / "config.json").read_text())["dtype"] == "float32"
    assert not (out / "trainer.pt").exists()
    model = PolicyModel(str(out), max_pixels=16_384).module  # with its tokenizer and processor
    assert torch.equal(model.lm_head.weight, found["lm_head.weight"])


def test_adapters_are_averaged_as_what_they_add(folders: Folders, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "average"
    model = PolicyModel(str(folders("qwen2.5-vl")), max_pixels=16_384)
    base = {name: value.clone() for name, value in model.module.state_dict().items()}
    model.add_lora(3, 6, "language")
    for step in (1, 2):
        for number, parameter in enumerate(model.trainable().values()):
            torch.manual_seed(100 * step + number)
            parameter.data = 0.1 * torch.randn_like(parameter)
        (folder := run / f"step-{step:06d}").mkdir(parents=True)
        model.save(folder)
    assert command(run, "--out", out) == 0
    parts = [read_terms(run / f"step-{step:06d}") for step in (1, 2)]
    found = read_terms(out)
    merged = PolicyModel(str(out), dtype="float32", max_pixels=16_384).module.state_dict()
    assert found.keys() == parts[0].keys()
    for name, (a, b) in found.items():
        added = sum(part[name][1].double() @ part[name][0].double() for part in parts) / 2
        assert added.abs().max() > 0.01
        torch.testing.assert_close(b.double() @ a.double(), added, atol=1e-7, rtol=0)
        torch.testing.assert_close(merged[f"{name}.weight"].double(), base[f"{name}.weight"] + added, atol=1e-6, rtol=0)
    assert PolicyModel(str(out), dtype="bfloat16", max_pixels=16_384).dtype == torch.bfloat16  # base and adapters


def test_what_can_t_be_averaged_is_said(folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = tmp_path / "run", tmp_path / "average"
    write_checkpoints(folders("qwen2.5-vl"), run, 2)
    assert command(run, "--last", 3, "--out", out) == 2
    assert "has 2 checkpoints, not 3: lower --last, or train with --keep-checkpoints 3" in capsys.readouterr().err
    assert command(run, "--out", run) != 0
    assert "exists. Give another --out" in capsys.readouterr().err
    save_file({"other": torch.ones(1)}, run / "step-000001" / "model-1.safetensors")
    assert command(run, "--out", out) == 2
    assert "has other weights in" in capsys.readouterr().err
    (run / "step-000001" / "model-1.safetensors").write_bytes(b"damaged")
    assert command(run, "--out", out) == 2
    assert "can't be averaged" in capsys.readouterr().err
    assert not out.exists()
