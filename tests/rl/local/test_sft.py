"""The supervised stage: what is shown is what the product shows, and only the policy's own words carry loss."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import answer, tool_call
from PIL import Image

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
from safetensors.torch import load_file  # noqa: E402
from tiny_backend import Folders, folders, one_thread  # noqa: E402, F401 (fixtures)

from hart_agent import ConfigError, Mode  # noqa: E402
from hart_agent.agent.stages import stage_messages  # noqa: E402
from hart_agent.answers import AnswerType  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from hart_agent.tooling.discovery import discover_tools  # noqa: E402
from hart_agent.tooling.protocol import ToolContext  # noqa: E402
from hart_agent.tooling.runtime import ToolRuntime  # noqa: E402
from hart_agent.vision.source import SourceImage  # noqa: E402
from rl.config import SftSettings  # noqa: E402
from rl.data.demonstrations import Demonstration, gold_answers, segments_of  # noqa: E402
from rl.local.model import PolicyModel  # noqa: E402
from rl.local.playing import Asker  # noqa: E402
from rl.local.sft import SftTrainer  # noqa: E402


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    folder = tmp_path_factory.mktemp("photos")
    made = []
    for number, colour in enumerate(("red", "green", "blue", "white")):
        path = folder / f"{colour}.png"
        Image.new("RGB", (300, 200), colour).save(path)
        made.append(Item(str(number), path, "which colour?", colour, AnswerType.TEXT))
    return made


def settings(folder: Path, **changes: object) -> SftSettings:
    base = {"model": str(folder), "steps": 2, "prompts_per_step": 4, "learning_rate": 3e-3, "max_pixels": 16_384,
            "micro_batch": 8, "checkpoint_every": 99}  # fmt: skip
    return SftSettings(**{**base, **changes})  # type: ignore[arg-type]


def test_the_prompt_is_the_products_and_the_reply_ends(folders: Folders, samples: list[Item]) -> None:
    model = PolicyModel(str(folders("qwen3-vl")), max_pixels=16_384)
    (shown,) = gold_answers(samples[:1])
    (segment,) = asyncio.run(segments_of(model, shown, ToolRuntime([])))
    context = ToolContext(SourceImage(samples[0].image), "which colour?", Asker(model, 0))
    context.render(context.image.size.box, "overview")
    messages = stage_messages(Mode.DIRECT.stages[0], context, [], max_calls=8, max_turns=2)
    assert segment.prompt.token_ids == model.prompter.prompt(messages, []).token_ids
    tokenizer = model.prompter.tokenizer
    assert tokenizer.decode(segment.token_ids[:-1]) == "<answer>red</answer>"
    assert segment.token_ids[-1] == tokenizer.eos_token_id


def test_several_turns_are_shown_with_the_full_image_in_sight(folders: Folders, samples: list[Item]) -> None:
    model = PolicyModel(str(folders("qwen3-vl")), max_pixels=16_384)
    replies = (tool_call("crop", bbox_2d=[100, 100, 500, 500], label="it"), answer("red"))
    shown = Demonstration(samples[0], replies, Mode.MGPO)
    first, second = asyncio.run(segments_of(model, shown, ToolRuntime(discover_tools())))
    assert [view.kind for view in first.prompt.views] == ["overview"]
    assert [view.kind for view in second.prompt.views] == ["overview", "crop"]
    text = model.prompter.tokenizer.decode(second.prompt.token_ids)
    assert '"bbox_2d": [100, 100, 500, 500]' in text
    with pytest.raises(ValueError, match="not in an answer"):
        asyncio.run(segments_of(model, Demonstration(samples[0], ("hm",), Mode.DIRECT), ToolRuntime([])))


@pytest.mark.slow
def test_it_learns_the_answers_and_is_resumed(folders: Folders, samples: list[Item], tmp_path: Path) -> None:
    chosen = settings(folders("qwen3-vl"), steps=30)
    run = SftTrainer(chosen, samples, tmp_path / "whole")
    run.train()
    losses = [record["loss"] for record in run.metrics.history]
    assert losses[-1] < 0.5 * losses[0]
    SftTrainer(settings(folders("qwen3-vl"), steps=11), samples, tmp_path / "parts").train()
    SftTrainer(chosen, samples, tmp_path / "parts").train()
    weights = [load_file(tmp_path / name / "step-000030" / "model.safetensors") for name in ("whole", "parts")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("targets", ["distilled", "glance"])
def test_distilled_targets_are_right_ones_alone(
    folders: Folders, samples: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: str
) -> None:
    """The model's words are given: one rollout of each question is right, others are wrong or malformed."""
    crop = tool_call("crop", bbox_2d=[100, 100, 500, 500], label="it")
    script = {"0": [crop, answer("blue")], "1": ["hm", "hm"], "2": [crop, answer("red")], "3": [crop, answer("red")]}

    def generate(self: PolicyModel, prompts: list[object]) -> list[object]:
        turn = 0 if prompts[0].views[0].kind == "overview" else 1  # type: ignore[attr-defined]
        live = [number for number in script if turn == 0 or script[number][0] == crop]
        words = [script[number][turn] for number in live]
        return [_generated(self, text) for text in words]

    monkeypatch.setattr(PolicyModel, "generate", generate)
    run = SftTrainer(settings(folders("qwen3-vl"), targets=targets, attempts=4), samples[:1], tmp_path / "run")
    (shown,) = run.demonstrations
    expected = {"distilled": ((crop, answer("red")), Mode.MGPO), "glance": ((answer("red"),), Mode.DIRECT)}
    assert (shown.replies, shown.mode) == expected[targets]
    assert (run.episode().mode == Mode.DIRECT) == (targets == "glance")
    run.train()
    with pytest.raises(ConfigError, match="nothing to learn from"):
        SftTrainer(settings(folders("qwen3-vl"), targets=targets), samples[1:2], tmp_path / "none")


def _generated(model: PolicyModel, text: str) -> object:
    from hart_agent.backends.local.generation import Generated

    token_ids = model.prompter.reply_ids(text)
    return Generated(token_ids, (-1.0,) * len(token_ids), 10)
