"""The transformers backend when something is wrong: memory, checkpoints, settings, missing packages."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
from tiny_backend import (  # noqa: E402, F401 (fixtures among them)
    ODD_BOXES,
    SMALL,
    Folders,
    ask_together,
    asked_once,
    conversation,
    folders,
    generator,
    one_thread,
    photo,
    script,
)

from hart_agent import (  # noqa: E402
    Agent,
    ConfigError,
    InstallError,
    PolicyError,
    StopReason,
)
from hart_agent.backends.local.transformers import TransformersPolicy  # noqa: E402


class OutOfMemory:
    """Stands in for `model.generate`: there is no memory for more than so many rows."""

    def __init__(self, model: Any, rows: int) -> None:
        self.original, self.rows, self.asked = model.generate, rows, list[int]()

    def __call__(self, **inputs: Any) -> Any:
        self.asked.append(len(inputs["input_ids"]))
        if self.asked[-1] > self.rows:
            raise torch.OutOfMemoryError("no memory")
        return self.original(**inputs)


async def test_a_batch_too_large_for_the_memory_is_halved(folders: Folders, photo: Image.Image) -> None:
    policy = TransformersPolicy(str(folders("qwen2.5-vl")), return_log_probs=True, **SMALL)
    asked = [conversation(policy, photo, box) for box in ODD_BOXES[1:]]
    expected = await ask_together(policy, asked)
    model = generator(policy).model
    model.generate = limited = OutOfMemory(model, 1)
    assert [reply.token_ids for reply in await ask_together(policy, asked)] == [reply.token_ids for reply in expected]
    assert max(limited.asked) > 1
    limited.rows = 0
    with pytest.raises(PolicyError, match=r"out of memory on cpu with 1 images .* Lower --max-pixels"):
        await policy.reply(asked[0], ())


def test_a_model_that_fails_ends_the_episode_with_data(folders: Folders, photo: Image.Image) -> None:
    policy = TransformersPolicy(str(folders("qwen2.5-vl")), **SMALL)

    def fail(**inputs: Any) -> Any:
        raise RuntimeError("CUDA error: device-side assert")

    generator(policy).model.generate = fail
    run = Agent(policy).ask(photo, "what is there?")
    assert run.stop_reason is StopReason.POLICY_ERROR
    assert "device-side assert" in str(run.reason)


async def test_an_abandoned_reply_stops_early(folders: Folders, photo: Image.Image, script: list[str]) -> None:
    script += ["la " * 4000, "short"]
    policy = TransformersPolicy(str(folders("qwen2.5-vl")), max_pixels=40_000, max_tokens=8000)
    messages = conversation(policy, photo, ODD_BOXES[-1])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await policy.reply(messages, ())
    async with asyncio.timeout(5):
        assert (await policy.reply(messages, ())).text == "short"


def copied(folders: Folders, tmp_path: Path, *, without: str | None = None, **changes: Any) -> str:
    """A copy of a tiny model's folder, without a file, or with changed settings of preprocessor_config.json."""
    path = Path(shutil.copytree(folders("qwen2.5-vl"), tmp_path / "model"))
    if without:
        (path / without).unlink()
    file = path / "preprocessor_config.json"
    if changes:
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return str(path)


def test_broken_checkpoints_are_named(folders: Folders, tmp_path: Path) -> None:
    def fails(words: str, **options: Any) -> None:
        shutil.rmtree(tmp_path / "model", ignore_errors=True)
        with pytest.raises(ConfigError, match=words):
            TransformersPolicy(copied(folders, tmp_path, **options))

    fails("holds no complete model", without="config.json")
    fails("holds no complete model", without="model.safetensors")
    fails("has no chat template", without="chat_template.jinja")
    fails("can't be loaded", without="tokenizer.json")
    fails("grid of 28 pixels, but its own has 32", patch_size=16)
    with pytest.raises(ConfigError, match="there is no folder"):
        TransformersPolicy(str(tmp_path / "nowhere"))
    shutil.rmtree(tmp_path / "model")
    path = Path(copied(folders, tmp_path))
    (path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ConfigError, match="can't be loaded on cpu"):
        TransformersPolicy(str(path))
    for text, words in (("{", "is damaged"), ('{"model_type": "qwen2"}', "names no image_token_id")):
        (path / "config.json").write_text(text)
        with pytest.raises(ConfigError, match=words):
            TransformersPolicy(str(path))


def test_missing_weights_are_no_silent_noise(folders: Folders, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = Path(copied(folders, tmp_path))
    weights = load_file(path / "model.safetensors")
    weights.pop("lm_head.weight")
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"lacks 1 weights, such as lm_head\.weight"):
        TransformersPolicy(str(path))


def test_a_template_that_drops_images_is_found_out(folders: Folders, photo: Image.Image, tmp_path: Path) -> None:
    path = copied(folders, tmp_path)
    template = Path(path) / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|image_pad|>", ""))
    policy = TransformersPolicy(path, **SMALL)
    with pytest.raises(PolicyError, match="chat template shows 0 of 1 images"):
        asyncio.run(policy.reply(conversation(policy, photo, ODD_BOXES[0]), ()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda:77"}, "the device 'cuda:77' can't be used"),
        ({"device": "toaster"}, "the device 'toaster' can't be used"),
        ({"dtype": "int3"}, "there is no dtype 'int3'"),
        ({"max_images": 0}, "max_images must be positive"),
        ({"max_batch": 0}, "max_batch must be positive"),
        ({"temperature": -1}, "temperature must be 0"),
        ({"coordinates": "feet"}, "there are no coordinates 'feet'"),
        ({"max_pixels": 10}, "--max-pixels 10 does not suit"),
    ],
)
def test_settings_out_of_range(folders: Folders, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TransformersPolicy(str(folders("qwen2.5-vl")), **options)


def test_bfloat16_runs(folders: Folders, photo: Image.Image) -> None:
    policy = TransformersPolicy(str(folders("qwen3-vl")), dtype="bfloat16", return_log_probs=True, **SMALL)
    reply = asyncio.run(policy.reply(conversation(policy, photo, ODD_BOXES[0]), ()))
    assert all(value <= 0 for value in reply.log_probs or ())


def test_missing_packages_are_named(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("hart_agent.backends.local.generation", "hart_agent.backends.local.encoding"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InstallError, match=r"-m pip install .*\[transformers\]"):
        TransformersPolicy(str(folders("qwen2.5-vl")))


def test_importing_hart_agent_loads_no_heavy_package() -> None:
    heavy = "{'torch', 'transformers', 'vllm', 'cv2', 'openai', 'onnxruntime'}"
    code = f"import sys, hart_agent, hart_agent.backends.local.transformers; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
