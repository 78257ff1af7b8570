"""Rollouts for OpenRLHF, played with an engine that says given words: they are those of the engine on one machine."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from math import tanh
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
from scripted_engine import Parameters, ScriptedEngine  # noqa: E402
from tiny_backend import Folders, folders, one_thread  # noqa: E402, F401 (fixtures)

from hart_agent import ConfigError, Mode, StopReason  # noqa: E402
from hart_agent.answers import AnswerType  # noqa: E402
from hart_agent.backends.local.generation import Generated  # noqa: E402
from hart_agent.backends.local.prompting import Prompt  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from hart_agent.tooling.discovery import discover_tools  # noqa: E402
from hart_agent.tooling.runtime import ToolRuntime  # noqa: E402
from hart_agent.vision.geometry import Box  # noqa: E402
from rl.config import AlgorithmConfig, TrainSettings  # noqa: E402
from rl.data import load_samples  # noqa: E402
from rl.local.model import PolicyModel  # noqa: E402
from rl.local.rollout import roll_out  # noqa: E402
from rl.local.trainer import Trainer  # noqa: E402
from rl.openrlhf.interaction import Interaction, Played  # noqa: E402
from rl.openrlhf.scoring import Outcome, logged, outcome, scores_of, step_metrics  # noqa: E402
from rl.openrlhf.sequences import ROW_COUNTS, ROW_LENGTHS  # noqa: E402
from rl.openrlhf.validation import Questions, logged_of, tasks, validation_metrics  # noqa: E402
from rl.rewards import AreaGuard, Judge, answer_reward  # noqa: E402
from rl.rewards.custom import load_reward  # noqa: E402
from rl.rewards.scores import Attempt, Score, Term  # noqa: E402

CROP = tool_call("crop", bbox_2d=[10, 10, 80, 70], label="it")
ZOOM = tool_call("zoom", bbox_2d=[10, 10, 80, 70])
SCRIPTS = {
    Mode.CLOSED_LOOP: [CROP, answer("x")],
    Mode.MGPO: [CROP, answer("x")],
    Mode.AGENT: [ZOOM, CROP, tool_call("verify", answer="y"), answer("of the check"), answer("y")],
    Mode.DIRECT: [answer("x")],
}


@pytest.fixture
def sample(tmp_path: Path) -> Item:
    path = tmp_path / "photo.png"
    Image.effect_noise((300, 200), 60).convert("RGB").save(path)
    return Item("one", path, "what is it?", "x", AnswerType.TEXT, boxes=(Box(10, 10, 100, 100),))


def settings(folder: Path, mode: Mode, **changes: Any) -> TrainSettings:
    return TrainSettings(
        **{"model": str(folder), "mode": mode, "max_turns": 6 if mode is Mode.AGENT else 2, "max_tokens": 200,
           "max_pixels": 16_384, "dtype": "float32", **changes}
    )  # fmt: skip


def play(interaction: Interaction, sample: Item, script: Sequence[str], budget: int = 4000) -> tuple[Played, Any]:
    engine = ScriptedEngine(interaction.prompter, script)
    return asyncio.run(interaction.play(sample, engine, Parameters.of, budget)), engine


@pytest.mark.parametrize("family", ["qwen2.5-vl", "qwen3-vl"])
@pytest.mark.parametrize("mode", SCRIPTS)
def test_tokens_masks_and_images_are_those_of_the_engine_on_one_machine(
    folders: Folders, sample: Item, monkeypatch: pytest.MonkeyPatch, family: str, mode: Mode
) -> None:
    chosen = settings(folders(family), mode)
    interaction = Interaction(chosen)
    played, engine = play(interaction, sample, SCRIPTS[mode])
    sequence = interaction.sequence(played.rollout.segments)

    model = PolicyModel(chosen.model, max_pixels=chosen.max_pixels, max_tokens=chosen.max_tokens)
    words = iter(SCRIPTS[mode])
    prompts: list[Prompt] = []

    def generate(batch: Sequence[Prompt]) -> list[Generated]:
        prompts.extend(batch)
        replies = [model.prompter.reply_ids(next(words)) for _ in batch]
        return [Generated(ids, tuple(-0.5 - number for number in range(len(ids))), 0) for ids in replies]

    monkeypatch.setattr(model, "generate", generate)
    runtime = ToolRuntime(discover_tools())
    (local,) = asyncio.run(roll_out(model, runtime, chosen.episode(), [sample], 1, seed=0))
    assert played.rollout.trajectory.answer == local.trajectory.answer == ("y" if mode is Mode.AGENT else "x")
    assert [ids for ids, _, _ in engine.requests] == [list(prompt.token_ids) for prompt in prompts]
    for (_, _, images), prompt in zip(engine.requests, prompts, strict=True):
        assert [image.tobytes() for image in images] == [view.image.tobytes() for view in prompt.views]

    rows = model.rows(local.segments)
    assert len(rows) == (2 if mode is Mode.CLOSED_LOOP else 1)
    batches = [model.batch([row]) for row in rows]
    tokens = [batch.suffixes["input_ids"][0].tolist() for batch in batches]
    assert sequence.token_ids == [token for row in tokens for token in row]
    mask = [0] * len(sequence.token_ids)
    for begin, end in sequence.action_ranges:
        mask[begin:end] = [1] * (end - begin)
    assert mask == [int(value) for batch in batches for value in batch.mask[0]]
    assert sequence.log_probs == [float(value) for batch in batches for value in batch.old_log_probs[0]]
    assert sequence.tensors[ROW_LENGTHS].tolist() == [len(row) for row in tokens]
    assert sequence.tensors[ROW_COUNTS].tolist() == [len(rows)]
    for name in ("pixel_values", "image_grid_thw"):
        assert torch.equal(sequence.tensors[name], torch.cat([batch.suffixes[name] for batch in batches]))


def test_a_stop_string_in_a_thought_does_not_end_the_reply(folders: Folders, sample: Item) -> None:
    """vLLM can't tell thoughts from answers; a model without tokens of its own for them may think all the same."""
    interaction = Interaction(settings(folders("qwen2.5-vl"), Mode.DIRECT))
    thought, rest = "<think>Try <answer>no</answer>", f"? No.</think>{answer('x')}"
    played, engine = play(interaction, sample, [thought, rest])
    (segment,) = played.rollout.segments
    (first, room, images), (second, room_left, images_again) = engine.requests
    said = interaction.prompter.reply_ids(thought)[:-1]
    assert second == [*first, *said]
    assert room_left == room - len(said)
    assert [image.tobytes() for image in images_again] == [image.tobytes() for image in images]
    assert segment.token_ids == (*said, *interaction.prompter.reply_ids(rest))
    assert len(segment.log_probs) == len(segment.token_ids)
    run = played.rollout.trajectory
    assert (run.answer, run.turns[0].reply.usage.requests, played.truncated) == ("x", 2, False)


def test_only_the_policys_words_are_acted(folders: Folders, sample: Item) -> None:
    interaction = Interaction(settings(folders("qwen2.5-vl"), Mode.AGENT))
    played, _ = play(interaction, sample, SCRIPTS[Mode.AGENT])
    sequence = interaction.sequence(played.rollout.segments)
    said = [interaction.prompter.text(sequence.token_ids[begin:end]) for begin, end in sequence.action_ranges]
    assert said == [words for words in SCRIPTS[Mode.AGENT] if words != answer("of the check")]


def test_each_turn_is_capped_and_the_last_ends_with_the_budget(folders: Folders, sample: Item) -> None:
    interaction = Interaction(settings(folders("qwen2.5-vl"), Mode.AGENT, max_tokens=60))
    whole, engine = play(interaction, sample, [ZOOM, ZOOM, answer("x")])
    assert [most for _, most, _ in engine.requests] == [60, 60, 60]
    length = len(interaction.sequence(whole.rollout.segments).token_ids)
    assert not whole.truncated
    last = len(whole.rollout.segments[-1].token_ids)

    cut, engine = play(interaction, sample, [ZOOM, ZOOM, answer("x")], budget=length - 1)
    assert [most for _, most, _ in engine.requests] == [60, 60, last - 1]
    assert cut.truncated
    assert len(interaction.sequence(cut.rollout.segments).token_ids) == length - 1

    ended, engine = play(interaction, sample, [ZOOM, ZOOM, answer("x")], budget=length - last)
    assert len(engine.requests) == 2
    assert ended.truncated
    assert ended.rollout.trajectory.answer is None
    assert ended.rollout.trajectory.stop_reason is StopReason.POLICY_ERROR
    assert len(interaction.sequence(ended.rollout.segments).action_ranges) == 2


def test_a_budget_without_room_for_a_first_reply_is_refused(folders: Folders, sample: Item) -> None:
    interaction = Interaction(settings(folders("qwen2.5-vl"), Mode.DIRECT))
    with pytest.raises(ConfigError, match=r"leaves no room .* raise --data.max_len"):
        play(interaction, sample, [answer("x")], budget=50)


def test_the_same_names_are_logged_whatever_happens(folders: Folders, sample: Item) -> None:
    interaction = Interaction(settings(folders("qwen2.5-vl"), Mode.CLOSED_LOOP))
    judge = Judge(AreaGuard(answer_reward, 0.5))
    scripts = [[CROP, answer("x")], ["nonsense"], [CROP, "nonsense"], [CROP, answer("wrong")]]
    told, numbers = [], []
    for script in scripts:
        played, _ = play(interaction, sample, script)
        told.append(outcome(judge, played.rollout))
        numbers.append(logged(played.rollout, truncated=played.truncated))
    scores = scores_of(judge, told, {}, 4)
    assert [score.reward for score in scores] == [1, 0, 0, 0]
    assert len({tuple(own) for own in numbers}) == 1
    parts = {f"reward/{name}": [score.parts[name] for score in scores] for name in scores[0].parts}
    metrics = step_metrics({name: [own[name] for own in numbers] for name in numbers[0]} | parts)
    assert metrics["accuracy"] == metrics["reward/area_guard"] == 0.25
    assert metrics["called_tool"] == 0.75
    assert metrics["iou"] > 0


def test_rollouts_at_once_are_as_one_after_the_other_and_open_the_image_once(
    folders: Folders, sample: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    interaction = Interaction(settings(folders("qwen3-vl"), Mode.CLOSED_LOOP))
    scripts = [
        [tool_call("crop", bbox_2d=[10, 10, 100 * number, 600], label="it"), answer("x")] for number in (2, 5, 9)
    ]

    async def together() -> list[Played]:
        engines = [ScriptedEngine(interaction.prompter, script) for script in scripts]
        return await asyncio.gather(*(interaction.play(sample, engine, Parameters.of, 4000) for engine in engines))

    opened: list[Item] = []
    really = Item.open
    monkeypatch.setattr(Item, "open", lambda item: opened.append(item) or really(item))
    alone = [play(interaction, sample, script)[0] for script in scripts]
    assert len(opened) == 3
    for one, other in zip(alone, asyncio.run(together()), strict=True):
        assert one.rollout.segments[1].prompt.views[0].sha256 == other.rollout.segments[1].prompt.views[0].sha256
        assert (
            interaction.sequence(one.rollout.segments).token_ids
            == interaction.sequence(other.rollout.segments).token_ids
        )
    assert len(opened) == 4


def test_validation_asks_each_held_out_question_with_crops_and_without(
    folders: Folders, sample: Item, tmp_path: Path
) -> None:
    """Two questions, of which one is right with its crop alone, and the other from the overview alone."""
    chosen = settings(folders("qwen2.5-vl"), Mode.CLOSED_LOOP)
    rows = [{"id": name, "image": str(sample.image), "question": f"{name}?", "answer": "x"} for name in ("a", "b")]
    trained, held_out = tmp_path / "trained.jsonl", tmp_path / "held_out.jsonl"
    trained.write_text(json.dumps({**rows[0], "id": '["of training"]'}) + "\n")
    held_out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = tasks(held_out, load_samples(held_out), chosen)
    assert [prompt for prompt, _ in asked] == ["a?", "b?"] * 2
    questions = Questions(trained, chosen)
    found, limits = questions.find('["of training"]')
    assert (found.question, limits, logged_of(limits)) == ("a?", None, {})

    scripts = [[CROP, answer("x")], [CROP, answer("y")], [answer("y")], [answer("x")]]
    interaction, told = Interaction(chosen), []
    for (_, label), script in zip(asked, scripts, strict=True):
        found, limits = questions.find(label)
        engine = ScriptedEngine(interaction.prompter, script)
        played = asyncio.run(interaction.play(found, engine, Parameters.of, 4000, limits))
        told.append(logged(played.rollout, truncated=played.truncated) | logged_of(limits))
    metrics = validation_metrics(told)
    assert (metrics["validation/accuracy"], metrics["validation/accuracy_without_crops"]) == (0.5, 0.5)
    assert metrics["validation/called_tool"] == 1
    assert "validation/iou" not in metrics  # there are no boxes
    alone = validation_metrics(told[2:])  # as in the mode `direct`
    assert alone["validation/accuracy"] == 0.5
    assert "validation/accuracy_without_crops" not in alone


def of_a_rollout(trajectory: Any, sample: Item) -> float:
    return 1 / len(trajectory.turns)


def of_a_group(group: Sequence[Attempt]) -> list[float]:
    """More for what fewer of the others answered."""
    answers = [attempt.trajectory.answer for attempt in group]
    return [1 - answers.count(each) / len(group) for each in answers]


def of_a_step(groups: Sequence[Sequence[Attempt]], state: dict[str, Any]) -> list[list[float | Score]]:
    """The share of right answers in the step before, and a term for the length."""
    right = [attempt.trajectory.answer == "x" for group in groups for attempt in group]
    before, state["before"] = state.get("before", 0.0), sum(right) / len(right)
    return [[Score(before, {"turns": Term(0.1, len(each.trajectory.turns))}) for each in group] for group in groups]


def both_engines(
    interaction: Interaction, trainer: Trainer, sample: Item, scripts: Sequence[Sequence[str]]
) -> tuple[Judge, list[float]]:
    """OpenRLHF's judge, and the rewards of two steps of the same rollouts; the second sees what the first left."""
    rollouts = [play(interaction, sample, script)[0].rollout for script in scripts]
    there = Judge(trainer.judge.reward, trainer.judge.k)
    for _ in range(2):
        here = trainer.scores(rollouts)
        told: list[Outcome] = pickle.loads(pickle.dumps([outcome(there, rollout) for rollout in rollouts]))
        assert scores_of(there, told, {sample.id: sample}, len(scripts)) == here
    assert there.state == trainer.state()["reward"]
    return there, [score.reward for score in here]


@pytest.mark.parametrize("name", ["of_a_rollout", "of_a_group", "of_a_step"])
def test_both_engines_give_the_same_rewards_for_the_same_rollouts(
    folders: Folders, sample: Item, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    reward = load_reward(f"{Path(__file__).stem}:{name}")
    chosen = settings(
        folders("qwen2.5-vl"), Mode.CLOSED_LOOP, prompts_per_step=1,
        algorithm=AlgorithmConfig(beta=0.0, group_size=4),
    )  # fmt: skip
    trainer = Trainer(chosen, [sample], reward, tmp_path / "run")
    scripts = [[CROP, answer("x")], ["nonsense"], [CROP, answer("x")], [CROP, answer("wrong")]]
    there, rewards = both_engines(Interaction(chosen), trainer, sample, scripts)
    expected = {"of_a_rollout": [0.5, 1, 0.5, 0.5], "of_a_group": [0.5, 0.75, 0.5, 0.75], "of_a_step": [0.5] * 4}
    assert rewards == expected[name]
    assert there.state == ({"before": 0.5} if name == "of_a_step" else {})
    trainer.step = 1
    trainer.save()
    assert Trainer(chosen, [sample], reward, tmp_path / "run").judge.state == there.state


TWO, LOST = tanh(2), 1 - tanh(1)
"""The score of two sentences, and what the worst section loses."""
ELSEWHERE = tool_call("zoom", bbox_2d=[90, 80, 130, 100])
SECTIONS = "<description>A. B.</description><think>A. A.</think>" + answer("x")
PUBLISHED = {
    "medvr:reward": (  # R = R_acc + R_format + R_tool, -.1 to 2: two of the three right ones agree
        Mode.AGENT,
        [[ZOOM, answer("x")], [CROP, answer("x")], [ELSEWHERE, answer("x")], [ZOOM, answer("wrong")], ["nonsense"]],
        [2.1 / 2.1, 2.1 / 2.1, 1.6 / 2.1, 0.1 / 2.1, 0.0],
    ),
    "interleaved:time_discounted": (  # r = r_format + r_final + r_intermediate, -1 to 3.5, of the gold steps 7 and red
        Mode.INTERLEAVED,
        [[f"<finding>red</finding>{ZOOM}", f"<finding>7</finding>{answer('x')}"],
         [f"<finding>blue</finding><finding>red</finding>{ZOOM}", answer("x")],
         [f"<finding>red</finding>{answer('wrong')}"], [ZOOM, answer("x")], ["nonsense"]],
        [4.5 / 4.5, 4.125 / 4.5, 0.5 / 4.5, 0.0, 0.0],
    ),
    "sections:mixture": (  # .06, .06 and .8 of the description, the thought, and the answer; the lowest becomes 0
        Mode.SECTIONS,
        [[SECTIONS], [answer("x")], [answer("wrong")]],
        [(0.06 * TWO + 0.8 + 0.2 * LOST) / (1 + 0.2 * LOST), (0.8 + 0.2 * LOST) / (1 + 0.2 * LOST),
         0.2 * LOST / (1 + 0.2 * LOST)],
    ),
}  # fmt: skip
"""Rewards of published methods: the mode, the replies of each rollout, and their rewards by hand."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_both_engines_give_the_published_rewards(folders: Folders, sample: Item, tmp_path: Path, name: str) -> None:
    mode, scripts, expected = PUBLISHED[name]
    asked = replace(sample, steps=("7", "red"))
    chosen = settings(
        folders("qwen2.5-vl"), mode, max_turns=6, prompts_per_step=1, reward=f"rl.rewards.{name}",
        algorithm=AlgorithmConfig(beta=0.0, group_size=len(scripts)),
    )  # fmt: skip
    trainer = Trainer(chosen, [asked], None, tmp_path / "run")
    _, rewards = both_engines(Interaction(chosen), trainer, asked, scripts)
    assert rewards == pytest.approx(expected)
