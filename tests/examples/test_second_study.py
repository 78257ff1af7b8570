"""The second study: its tables are trained by AP-GRPO's own loss, its statistics are the usual ones, it goes on."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REASON = "torch is not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'hart-agent[eval]'")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from miniature import second_claims, second_report, sweep  # noqa: E402
from miniature.sweep import Cell  # noqa: E402
from miniature.tabular import nested, pointing  # noqa: E402
from miniature.tabular.updates import Updates  # noqa: E402

from hart_agent.vision.geometry import Box  # noqa: E402
from rl.ap_grpo import RolloutWeights, rollout_weights  # noqa: E402
from rl.config import AlgorithmConfig  # noqa: E402
from rl.rewards.consensus import consensus_credits  # noqa: E402


def weights(rewards: list[float], k: float) -> RolloutWeights:
    return rollout_weights(torch.tensor(rewards), torch.ones(len(rewards)), AlgorithmConfig(k=k, group_size=8))


def test_many_seeds_are_updated_as_each_would_be_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of a step, by hand: the mean over rollouts of -mu1 A (onehot - pi)."""
    seen: list[torch.Tensor] = []

    class Watched(Updates):
        def step(self, loss: torch.Tensor) -> None:
            super().step(loss)
            seen.append(self._table.grad.clone())

    monkeypatch.setattr(pointing, "Updates", Watched)
    rolled: list[tuple[torch.Tensor, torch.Tensor]] = []
    original = pointing.rollout_weights

    def recorded(rewards: torch.Tensor, lengths: torch.Tensor, config: AlgorithmConfig) -> RolloutWeights:
        rolled.append((rewards.view(2, -1, 8), config))
        return original(rewards, lengths, config)

    monkeypatch.setattr(pointing, "rollout_weights", recorded)
    chosen: list[torch.Tensor] = []
    sample = pointing.sample
    monkeypatch.setattr(pointing, "sample", lambda *given: chosen.append(sample(*given)) or chosen[-1])
    seeds = range(7, 9)
    pointing.train(pointing.ARMS["k0.6"], 0.5, seeds, 1, 0.1)
    world, (rewards, _) = pointing.make_world(seeds), rolled[0]
    assert 0 < rewards.sum() < rewards.numel()
    for seed in range(2):
        expected = torch.zeros(seen[0][seed].shape, dtype=torch.float64)
        for kind, r in enumerate(rewards[seed].double()):
            pi = world.start[seed, kind].double().softmax(-1)
            spread = math.sqrt(float(((r - r.mean()) ** 2).sum()) / 7)
            for reward, box in zip(r, chosen[1][seed, kind], strict=True):
                gain = (1 + 0.6 * (reward - r.mean())) * (reward - r.mean()) / (spread + 1e-6)
                onehot = torch.zeros_like(pi)
                onehot[box] = 1
                expected[kind] -= gain / (16 * 8) * (onehot - pi)
        expected /= max(1.0, float(expected.norm()))
        assert torch.allclose(seen[0][seed].double(), expected, atol=1e-6)


def test_preference_is_a_step_and_a_drift() -> None:
    """mu1 A = A (1 + k (1 - 2p)) + k p (1 - p) / std, for rewards of 0 and 1; without drift the sum is 0."""
    found = weights([1, 1, 1, 0, 0, 0, 0, 0], 0.6)
    p, spread = 3 / 8, math.sqrt((3 * (5 / 8) ** 2 + 5 * (3 / 8) ** 2) / 7)
    expected = found.advantages * (1 + 0.6 * (1 - 2 * p)) + 0.6 * p * (1 - p) / spread
    assert torch.allclose(found.mu1 * found.advantages, expected, atol=1e-5)
    centred = pointing.without_drift(found)
    assert float((centred.mu1 * centred.advantages).sum()) == pytest.approx(0, abs=1e-6)
    gaps = (centred.mu1 * centred.advantages)[0] - (centred.mu1 * centred.advantages)[-1]
    assert float(gaps) == pytest.approx(float(expected[0] - expected[-1]), abs=1e-5)


def test_consensus_in_cells_is_the_consensus_of_boxes() -> None:
    chance = torch.Generator().manual_seed(0)
    near = torch.tensor([index for index, box in enumerate(pointing.BOXES) if box[0] < 2 and box[1] < 2])
    for _ in range(200):
        chosen = near[torch.randint(len(near), (8,), generator=chance)]
        right = torch.rand(8, generator=chance) < 0.6
        given = consensus_credits([[Box(*pointing.BOXES[box])] for box in chosen.tolist()], right.tolist())
        expected = [(float(ok) + credit + 0.1) / 2.1 for ok, credit in zip(right.tolist(), given, strict=True)]
        assert pointing.consensus_rewards(chosen, right).tolist() == pytest.approx(expected)


def test_the_mask_of_one_seed_leaves_another_as_it_is() -> None:
    both = weights([1.0] * 4 + [0.0] * 12, 0.0)
    ended = torch.tensor([True] * 6 + [False] * 2 + [True] * 8)
    found = nested._masked(both, torch.ones(16), ended, 2)
    assert found.mu1.tolist() == pytest.approx([8 / 6 * 2] * 6 + [0] * 2 + [2] * 8)  # share is of 16: twice too small


@pytest.mark.parametrize("children", [9, 4])
def test_episodes_look_nowhere_twice_and_end_with_an_answer(children: int) -> None:
    logits = torch.zeros(300, 5, children + 2).masked_fill(nested.impossible(children), -torch.inf)
    where = torch.arange(300) % children**2
    views, actions, _ = nested.search(logits, where, 18, torch.Generator().manual_seed(0))
    for row in range(300):
        zooms = [(int(v), int(a)) for v, a in zip(views[row], actions[row], strict=True) if v == 0 and a < children]
        assert len(set(zooms)) == len(zooms)
        for turn in range(17):
            view, action, after = int(views[row, turn]), int(actions[row, turn]), int(views[row, turn + 1])
            if view == nested.OVERVIEW and action < children:
                assert after == (nested.SIGN if action == where[row] // children else nested.REGION)
            if view == nested.SIGN and action < children:
                assert after == (nested.EVIDENCE if action == where[row] % children else nested.PART)
            if view == -1 or action == children + 1:
                assert after == -1


def test_starts_are_grounded_as_planned() -> None:
    world = pointing.make_world(range(3))
    assert world.inside(world.start).tolist() == pytest.approx([0.3] * 3, abs=1e-3)


def test_cells_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []

    def trained(self: Cell, seeds: range, steps: int) -> dict[str, Any]:
        runs.append(self.name)
        return {"start": [0.3] * len(seeds), "inside": [0.5] * len(seeds)}

    monkeypatch.setattr(Cell, "_train", trained)
    cells = [Cell("k0", 0.25), Cell("mgpo", 0.25)]
    sweep.run_cells(cells[:1], tmp_path, range(150), 1)
    assert runs == ["k0-leak0.25"] * 2  # two blocks
    sweep.run_cells(cells, tmp_path, range(150), 1)
    assert runs == ["k0-leak0.25"] * 2 + ["mgpo-leak0.25"] * 2
    assert len(sweep.read_cells(tmp_path)["mgpo-leak0.25"]["inside"]) == 150


def made_up(gain: float, spread: float) -> dict[str, Any]:
    """Results of two arms at one leak, and nothing else."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.5 + gain, spread, 30), rng.normal(0.5, 0.02, 30)
    told = {"seeds": [0, 30], "steps": 400, "start": [0.3] * 30}
    return {"k0-leak0.25": {**told, "inside": first.tolist()}, "mgpo-leak0.25": {**told, "inside": second.tolist()}}


def test_the_statistics_are_scipys(tmp_path: Path) -> None:
    results = made_up(0.05, 0.03)
    (found, learnt) = second_claims.findings(results)
    first, second = (results[name]["inside"] for name in ("k0-leak0.25", "mgpo-leak0.25"))
    test = stats.ttest_rel(first, second)
    low, high = test.confidence_interval()
    assert (found.gain.low, found.gain.high) == (pytest.approx(low), pytest.approx(high))
    assert found.p == pytest.approx(test.pvalue)
    assert found.corrected == pytest.approx(20 * test.pvalue)  # the second smallest of 21
    assert learnt.corrected == pytest.approx(21 * learnt.p)
    assert found.verdict == "holds"
    second_report.write_report(results, [Cell("k0", 0.25), Cell("k0", 0.5)], tmp_path)
    told = (tmp_path / "REPORT_2.md").read_text()
    assert f"| 30 | {(low + high) / 2:+.4f} ± {(high - low) / 2:.4f} |" in told
    assert "Missing: k0-leak0.5." in told
    assert (tmp_path / "leak.png").stat().st_size > 1000


def test_holm_by_hand() -> None:
    """Of .01, .04, .03, .005 and four claims: .03, .06, .06, .02 (Holm 1979); with six, larger ones are missing."""
    assert second_claims.holm([0.01, 0.04, 0.03, 0.005], 4) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert second_claims.holm([0.01, 0.005], 6) == pytest.approx([0.05, 0.03])


def test_the_power_is_that_of_a_table() -> None:
    """A paired t-test of d = .5, .05 two-sided, power .9 takes 44 pairs (G*Power)."""
    assert second_claims.pairs_needed(0.02, 0.01, level=0.05, power=0.9) == pytest.approx(44, abs=1)


@pytest.mark.parametrize(
    ("gain", "spread", "expected"),
    [
        (-0.05, 0.02, "does not hold: the reverse does"),
        (0.004, 0.02, "not shown"),
    ],
)
def test_verdicts(gain: float, spread: float, expected: str) -> None:
    assert second_claims.findings(made_up(gain, spread))[0].verdict == expected
