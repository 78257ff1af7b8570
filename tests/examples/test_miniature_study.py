"""The study of the miniature: its jobs, its verdicts, and that a job runs through the trainers and is tested."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from miniature import claims, jobs, report, study  # noqa: E402
from miniature.cold_start import open_policy  # noqa: E402
from miniature.jobs import ARMS, Job, Reader, all_jobs  # noqa: E402
from miniature.model import make_checkpoint  # noqa: E402
from miniature.probes import probe_mode  # noqa: E402
from miniature.running import Workplace  # noqa: E402
from miniature.scenes import Split, draw_scene  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from variations import slow_but  # noqa: E402

from hart_agent.agent import Agent  # noqa: E402
from hart_agent.agent.config import EpisodeConfig  # noqa: E402
from hart_agent.agent.modes import Mode  # noqa: E402


def test_every_arm_has_every_cold_start_and_seed_once() -> None:
    planned = list(all_jobs())
    assert len({job.name for job in planned}) == len(planned)
    for reader, arm in {(job.reader, job.arm) for job in planned}:
        runs = {(job.start, job.seed) for job in planned if (job.reader, job.arm) == (reader, arm)}
        assert len(runs) == (2 if arm == "start" else 10)
    assert {job.arm for job in planned if job.reader is Reader.TRAINED} == set(ARMS)


def test_the_scenes_of_the_stages_and_of_the_test_are_apart() -> None:
    assert not set(jobs.RL_SCENES) & set(jobs.SFT_SCENES)
    assert min(jobs.TEST_SCENES) >= 1000


@pytest.mark.parametrize("start", jobs.STARTS)
async def test_the_kept_cold_starts_fit_the_prompts_of_today(start: int) -> None:
    """Prompts that have changed since are spelt in bytes, and not understood: make the cold starts anew."""
    policy = open_policy(jobs.COLD_STARTS / str(start))
    scenes = [draw_scene(Split.VALIDATION, number) for number in range(24)]
    found = await probe_mode(policy, scenes, Mode.CLOSED_LOOP)
    assert found.accuracy > 0.5
    assert found.grounded > 0.4
    seen = await Agent(policy, config=EpisodeConfig(Mode.MGPO, max_turns=2), verify=False).aask(
        scenes[0].image, scenes[0].asked.question
    )
    assert len(seen.turns) == 2
    assert seen.usage.input_tokens < 150  # some 40 at first, and 75 with the crop


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A study of one step on a few scenes, from untrained weights."""
    folder = tmp_path_factory.mktemp("study")
    make_checkpoint(folder / "cold" / "0", seed=0)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "COLD_STARTS": folder / "cold", "RL_SCENES": range(16), "SFT_SCENES": range(16, 20), "GROUP": 2,
        }.items():  # fmt: skip
            patch.setattr(jobs, name, value)
        yield Workplace(folder, steps=1, tested=range(1000, 1004))


@pytest.mark.long
@pytest.mark.parametrize("arm", slow_but(["k0.6"], ["grpo", "mgpo", "k0.6"]))
def test_a_job_is_trained_and_tested(place: Workplace, arm: str) -> None:
    found = place.run(Job(arm, Reader.TRAINED, 0, 0))
    assert (found["arm"], found["steps"], found["tested"]) == (arm, 1, 4)
    assert set(found["sampled"]) == {arm}
    for form in report.FORMATS:
        assert 0 <= found[form]["accuracy"] <= 1
        assert 0 <= found[form]["iou"] <= 1
    assert 0 <= found["overview_only"] <= 1
    assert 0 <= found["question_only"] <= 1
    (run,) = (place._folder / "runs" / "trained-start0-seed0" / arm).glob("step-000001")
    told = json.loads((run.parent / "settings.json").read_text())
    assert told["algorithm"]["k"] == (0.6 if arm == "k0.6" else 0)
    assert told["mode"] == {"grpo": "direct", "mgpo": "mgpo"}.get(arm, "closed-loop")


@pytest.mark.long
def test_with_a_frozen_reader_only_the_boxes_are_learnt_from(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    from miniature.frozen_reader import FrozenReaderTrainer

    seen: list[Any] = []
    original = FrozenReaderTrainer.roll_out

    def watched(self: FrozenReaderTrainer, step: int) -> Any:
        seen.extend(original(self, step))
        return seen

    monkeypatch.setattr(FrozenReaderTrainer, "roll_out", watched)
    place.run(Job("k0", Reader.FROZEN, 0, 0))
    assert len(seen) == jobs.PROMPTS * 2
    assert all(len(rollout.segments) <= 1 for rollout in seen)
    assert all(view.kind == "overview" for rollout in seen for each in rollout.segments for view in each.prompt.views)


def test_arms_that_begin_alike_share_their_beginning(place: Workplace) -> None:
    first = place._trained(Job("k0.6", Reader.TRAINED, 0, 0), ARMS["k0.6"])
    before = load_file(first / "model.safetensors")
    again = place._trained(Job("rl-sft", Reader.TRAINED, 0, 0), ARMS["rl-sft"][:1])
    assert again == first
    assert all(torch.equal(tensor, before[name]) for name, tensor in load_file(again / "model.safetensors").items())


@pytest.mark.slow
def test_a_result_is_not_made_again_and_the_report_says_what_is_missing(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = [Job("start", Reader.TRAINED, 0, 0), Job("k0", Reader.TRAINED, 0, 0)]
    study.run_jobs(planned[:1], tmp_path / "results", place._folder, steps=1)
    kept = tmp_path / "results" / "trained-start-start0-seed0.json"
    written = kept.read_bytes()
    study.run_jobs(planned[:1], tmp_path / "results", place._folder, steps=1)
    assert kept.read_bytes() == written
    report.write_report(report.read_results(tmp_path / "results"), planned, tmp_path / "results")
    told = capsys.readouterr().out
    assert "1 of 2 jobs are done" in told
    assert "- trained k0: 0/0\n" in told
    assert (tmp_path / "results" / "arms.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_quick_look_says_that_it_is_one(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"QUICK": study.QUICK[:2], "QUICK_STEPS": 1, "QUICK_TESTED": range(1000, 1004)}.items():
        monkeypatch.setattr(study, name, value)
    monkeypatch.setattr(sys, "argv", ["study.py", "--quick", "--work", str(tmp_path)])
    study.main()
    told = capsys.readouterr().out
    assert "2 of 2 jobs are done" in told
    assert "It shows no result" in told
    assert len(list((tmp_path / "quick" / "results").glob("*-seed0.json"))) == 2


def result(arm: str, start: int, seed: int, iou: float) -> dict[str, Any]:
    formats = {form: {"iou": iou, "grounded": iou} for form in report.FORMATS}
    return {"reader": "trained", "arm": arm, "start": start, "seed": seed, **formats}


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([0.10, 0.12, 0.11, 0.09], "holds here"),
        ([-0.10, -0.12, -0.11, -0.09], "does not hold here: the reverse does"),
        ([0.10, -0.12, 0.11, -0.09], "not shown here"),
        ([0.10], "too few runs"),
    ],
)
def test_a_claim_is_judged_by_the_interval_over_pairs(gains: list[float], expected: str) -> None:
    (claim,) = claims.CLAIMS["H2 (primary)"]
    results = [result("mgpo", 0, 9, 0.9)]  # has no partner
    for number, gain in enumerate(gains):
        run = number % 2, number // 2
        results += [result("mgpo", *run, 0.3), result("k0", *run, 0.3 + gain)]
    found = claim.differences(results)
    assert sorted(found.values()) == pytest.approx(sorted(gains))
    assert claims.verdict(found) == expected


def test_a_gain_of_one_cold_start_alone_does_not_hold() -> None:
    gains = {(0, seed): 0.3 + 0.01 * seed for seed in range(5)} | {(1, seed): -0.01 for seed in range(5)}
    assert claims.interval(list(gains.values())).low > 0
    assert claims.verdict(gains) == "not shown here"


def test_the_interval_is_students() -> None:
    """Of 1, 2, 3, 4: mean 2.5, standard deviation 1.291, t(3) = 3.182 (a table), so half of 2.054."""
    found = claims.interval([1.0, 2.0, 3.0, 4.0])
    assert (found.mean, found.half) == (pytest.approx(2.5), pytest.approx(2.054, abs=1e-3))
