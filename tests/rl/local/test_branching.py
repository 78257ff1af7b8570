"""Entropy-guided branching of rollouts (MedVR, arXiv 2604.08203), with a model whose replies are given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
from tiny_backend import Folders, folders, one_thread  # noqa: E402, F401 (fixtures)

from hart_agent import Mode  # noqa: E402
from hart_agent.answers import AnswerType  # noqa: E402
from hart_agent.backends.local.generation import Choice, Generated  # noqa: E402
from hart_agent.backends.local.prompting import Prompt  # noqa: E402
from hart_agent.evals.items import Item  # noqa: E402
from hart_agent.tooling.discovery import discover_tools  # noqa: E402
from hart_agent.tooling.runtime import ToolRuntime  # noqa: E402
from rl.config import rollout_episode  # noqa: E402
from rl.data.rows import Rollout  # noqa: E402
from rl.local.model import PolicyModel  # noqa: E402
from rl.local.rollout import roll_out  # noqa: E402
from rl.rewards.medvr import entropy_gains, entropy_metrics, fork_probability  # noqa: E402

ZOOM = tool_call("zoom", bbox_2d=[10, 10, 80, 70])
SURE, UNSURE = 0.0, 3.0


@pytest.fixture
def model(folders: Folders) -> PolicyModel:
    return PolicyModel(folders("qwen2.5-vl"), max_pixels=16_384, max_tokens=200)


def roll(model: PolicyModel, folder: Path, box: float, size: int = 6, turns: int = 3) -> list[Rollout]:
    """Two groups, of a model that zooms in each turn but the last; the digits that it writes have this entropy."""

    def generate(prompts: Sequence[Prompt]) -> list[Generated]:
        replies = []
        for prompt in prompts:
            words = ZOOM if len(prompt.views) < turns else answer(str(prompt.seed))
            ids = model.prompter.reply_ids(words)
            spread = tuple(box if any(map(str.isdigit, model.prompter.words([token]))) else 0.5 for token in ids)
            replies.append(Generated(ids, (-1.0,) * len(ids), 1, spread))
        return replies

    model.generate = generate  # type: ignore[method-assign]
    samples = []
    for name in ("one", "two"):
        Image.effect_noise((300, 200), 60).convert("RGB").save(folder / f"{name}.png")
        samples.append(Item(name, folder / f"{name}.png", "what is it?", "x", AnswerType.TEXT))
    config = rollout_episode(Mode.AGENT, 6)
    return asyncio.run(roll_out(model, ToolRuntime(discover_tools()), config, samples, size, 7, branching=True))


def seeds(rollout: Rollout) -> list[int | None]:
    return [segment.prompt.seed for segment in rollout.segments]


def test_half_of_a_group_forks_where_its_policy_was_unsure_of_a_box(model: PolicyModel, tmp_path: Path) -> None:
    """A gain of 2.5 nats forks each turn with a box: both of the first rollout, then the first of the second."""
    rollouts = roll(model, tmp_path, UNSURE)
    assert len(rollouts) == 12
    for group in (rollouts[:6], rollouts[6:]):
        first, second, third, *forks = group
        assert len({each.sample.id for each in group}) == 1
        gains = entropy_gains(first, model.prompter.words)
        assert gains == [pytest.approx(2.5), pytest.approx(2.5), None]
        assert seeds(forks[1])[0] == seeds(first)[0]  # the first turn is the same
        assert forks[1].segments[0] is first.segments[0]
        for fork, turn, parent in ((forks[0], 0, first), (forks[1], 1, first), (forks[2], 0, second)):
            assert len(fork.segments) == len(fork.trajectory.turns) == 3
            assert seeds(fork)[:turn] == seeds(parent)[:turn]
            assert not set(seeds(fork)[turn:]) & set(seeds(parent))
            assert fork.trajectory.answer == str(seeds(fork)[-1])
            shown = [turn.results[0].views[0].sha256 for turn in fork.trajectory.turns[:-1]]
            assert shown == [turn.results[0].views[0].sha256 for turn in parent.trajectory.turns[:-1]]
        assert len({each.trajectory.answer for each in (first, second, third, *forks)}) == 6


def test_where_it_is_sure_all_start_from_the_question(model: PolicyModel, tmp_path: Path) -> None:
    rollouts = roll(model, tmp_path, SURE, size=5)
    assert len(rollouts) == 10
    assert len({seed for rollout in rollouts for seed in seeds(rollout)}) == 30


def test_the_same_seed_gives_the_same_forks(model: PolicyModel, tmp_path: Path) -> None:
    once, again = (roll(model, tmp_path, 1.2) for _ in range(2))
    assert [seeds(each) for each in once] == [seeds(each) for each in again]
    assert [each.trajectory.answer for each in once] == [each.trajectory.answer for each in again]


def test_a_fork_is_likelier_the_less_sure_the_policy_is_of_the_box() -> None:
    """P_base + gamma dH with .5 and .5, where dH is positive."""
    assert [fork_probability(gain) for gain in (-1.0, 0.0, 0.2, 0.6, 1.0, 4.0)] == [0, 0, 0.6, 0.8, 1, 1]


def test_the_entropies_of_boxes_are_measured(model: PolicyModel, tmp_path: Path) -> None:
    measured = entropy_metrics(roll(model, tmp_path, UNSURE), model.prompter.words)
    assert measured["coordinate_entropy"] == UNSURE
    assert entropy_metrics([], model.prompter.words) == {}


def test_entropies_are_those_of_the_distribution_that_is_sampled_from() -> None:
    scores = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    choice = Choice([4, 9], 0.7, [1, 2, 3], torch.device("cpu"))
    choice.measured = True
    choice(torch.zeros(3, 0), scores.clone())
    kept = [index for index in range(50) if index not in (4, 9)]
    expected = torch.distributions.Categorical(logits=scores[:, kept] / 0.7).entropy()
    torch.testing.assert_close(choice.entropies[0], expected)


def test_a_real_reply_has_an_entropy_for_each_token(folders: Folders, tmp_path: Path) -> None:
    model = PolicyModel(folders("qwen2.5-vl"), max_pixels=16_384, max_tokens=5)
    Image.effect_noise((300, 200), 60).convert("RGB").save(tmp_path / "one.png")
    sample: Any = Item("one", tmp_path / "one.png", "what is it?", "x", AnswerType.TEXT)
    config = rollout_episode(Mode.DIRECT)
    (rollout,) = asyncio.run(roll_out(model, ToolRuntime(discover_tools()), config, [sample], 1, 0))
    (segment,) = rollout.segments
    assert len(segment.entropies) == len(segment.token_ids) == len(segment.log_probs)
    assert all(value > 0 for value in segment.entropies)
