"""The tiny model's part of the second study, and the tables beside it: jobs, outcomes, statistics."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'hart-agent[eval]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from miniature import branches, jobs, searching, third, third_report  # noqa: E402
from miniature.held_out import outcome, point  # noqa: E402
from miniature.jobs import Job, Reader  # noqa: E402
from miniature.running import Workplace  # noqa: E402
from miniature.scenes import Split, draw_scene  # noqa: E402
from miniature.sweep import Cell  # noqa: E402
from miniature.tabular import nested  # noqa: E402
from PIL import Image  # noqa: E402
from variations import slow_but  # noqa: E402

from hart_agent.agent.modes import Mode  # noqa: E402
from hart_agent.tooling.discovery import discover_tools  # noqa: E402
from hart_agent.tooling.runtime import ToolRuntime  # noqa: E402
from rl.config import rollout_episode  # noqa: E402
from rl.local.rollout import roll_out  # noqa: E402


def test_jobs_are_of_new_seeds_and_scenes_and_the_first_claims_come_first() -> None:
    planned = list(third.all_jobs())
    assert len({job.name for job in planned}) == len(planned) == 64
    assert not {job.seed for job in planned} & set(jobs.SEEDS)
    assert not set(third.TESTED) & set(jobs.TEST_SCENES)
    needed = {(claim.reader, arm) for claim in third.CLAIMS[:2] for arm in (claim.first[0], claim.second[0])}
    assert {(job.reader, job.arm) for job in planned[:24]} == needed
    assert [(job.start, job.seed) for job in planned[:6]] == [(0, 5)] * 3 + [(1, 5)] * 3


def test_consensus_credit_is_given_with_the_image_in_sight(tmp_path: Path) -> None:
    job = Job("medvr", Reader.FROZEN, 0, 5)
    settings = Workplace(tmp_path)._rl_settings(job, job.cold_start, job.stages[0])
    assert (settings.reward, settings.mode, settings.algorithm.k) == ("rl.rewards.medvr:reward", "mgpo", 0)


@pytest.mark.slow
def test_a_job_with_consensus_credit_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RL_SCENES": range(16), "GROUP": 2}.items():
        monkeypatch.setattr(jobs, name, value)
    job = Job("medvr", Reader.FROZEN, 0, 5)
    found = Workplace(tmp_path, 1, range(2000, 2008), outcome).run(job)
    assert 0 < found["inside"] <= found["pointed"] <= 1
    assert found["sampled"]["medvr"]["last"]["reward"] > 0


def test_boxes_are_sampled_and_the_same_again() -> None:
    """The cold start grounded .68 of the first study's scenes, greedily; a sampled box is worse."""
    scenes = [draw_scene(Split.TEST, number) for number in range(2000, 2012)]
    found = point(jobs.COLD_STARTS / "0", scenes, Mode.CLOSED_LOOP)
    assert 0.4 < found["inside"] < 0.85
    assert found["pointed"] > 0.9
    assert found == point(jobs.COLD_STARTS / "0", scenes, Mode.CLOSED_LOOP)


def made_up() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    means = {"k0": 0.6, "mgpo": 0.5, "medvr": 0.501}
    return [
        {"reader": "frozen", "arm": arm, "start": start, "seed": seed, "inside": mean + rng.normal(scale=0.01),
         "steps": 70, "tested": 1000, "cpu_seconds": {"training": 30, "test": 6}}
        for arm, mean in means.items() for start in (0, 1) for seed in (5, 6, 7)
    ]  # fmt: skip


def test_claims_are_corrected_for_those_without_results(tmp_path: Path) -> None:
    results = made_up()
    loop, consensus = third.findings(results)
    first, second = ([each["inside"] for each in results if each["arm"] == arm] for arm in ("k0", "mgpo"))
    test = stats.ttest_rel(first, second)
    assert loop.corrected == pytest.approx(6 * test.pvalue)
    assert (loop.gain.low, loop.gain.high) == pytest.approx(tuple(test.confidence_interval()))
    assert (loop.verdict, consensus.verdict) == ("holds", "not shown")
    third_report.write_report(results, list(third.all_jobs()), tmp_path, [])
    told = (tmp_path / "REPORT_3.md").read_text()
    assert "18 of 64 jobs are done, in 0.18 CPU-hours." in told
    assert "4 of 6 claims have no result" in told
    assert told.index("bad news") < told.index("## Every claim")
    assert "- frozen k0: 0/8, 1/8\n" in told


def test_what_pairs_can_see_is_that_of_a_table() -> None:
    """A paired t-test of d = .5, .05 two-sided, power .9 takes 44 pairs (G*Power)."""
    assert third.visible(0.02, 44, level=0.05) == pytest.approx(0.01, abs=0.0005)
    assert third.visible(0.02, 8) > third.visible(0.02, 8, level=0.05) > third.visible(0.02, 44, level=0.05)


def test_a_table_is_rolled_out_and_forked_as_a_model_is(tmp_path: Path) -> None:
    image = tmp_path / "grey.png"
    Image.new("RGB", (branches.SIDE, branches.SIDE), "grey").save(image)
    world = branches.World(3)
    model, chance = branches.TableModel(world), branches.random.Random(0)
    samples = [branches._ask(world, kind, chance, image, str(kind)) for kind in range(branches.TYPES)]
    runtime, episode = ToolRuntime(discover_tools()), rollout_episode(Mode.AGENT, 4)
    rollouts = asyncio.run(roll_out(model, runtime, episode, samples, 8, 1, branching=True))
    forked = 0
    for group in (rollouts[first : first + 8] for first in range(0, 32, 8)):
        base = [segment for each in group[:4] for segment in each.segments]
        forked += sum(each.segments[0] in base for each in group[4:])
    assert forked > 0  # at a second box; a fork at the first is a new start
    said = [[value for segment in each.segments for value in segment.log_probs if value] for each in rollouts]
    assert max(map(len, said)) == 2
    padded = [[*row, *[0.0] * (2 - len(row))] for row in said]
    assert torch.allclose(model.log_probs(rollouts), torch.tensor(padded), atol=1e-5)
    for rollout in rollouts:
        boxes = [result.call for turn in rollout.trajectory.turns for result in turn.results]
        assert rollout.trajectory.answer in ("right", "wrong")
        assert len(boxes) == len(rollout.segments) - 1
    assert world.inside(torch.zeros(branches.TYPES, 2, 9)) == pytest.approx(1 / 81)


def test_right_answers_by_turns_are_those_of_episodes_that_ended() -> None:
    found = searching.right_by_turns(True, 0.25, range(2), 1)
    for right, inside in zip(found["right"], found["inside"], strict=True):
        assert len(right) == nested.LATER
        assert right == sorted(right)  # more turns, more answers
        assert inside[:2] == [0.0, 0.0]  # two zooms come before the evidence is in view
        assert right[-1] <= nested.READ * inside[-1] + 0.25 * (1 - inside[-1]) + 1e-3
        assert right[-1] >= nested.READ * inside[-1]


@pytest.mark.parametrize("arm", slow_but(["nested-masked"], ["nested", "nested-masked"]))
def test_the_nested_cells_of_the_second_study_run(arm: str) -> None:
    found = Cell(arm, 0.5).run(range(1), 1)
    assert found["start"][0] == pytest.approx(0.3, abs=0.05)
    assert 0 <= found["inside_as_trained"][0] <= found["inside"][0] <= found["answered"][0] <= 1
