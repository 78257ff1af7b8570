"""The manifests of runs: those of older runs are resumed, and a difference is refused."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hart_agent import ConfigError, Mode
from rl.config import AlgorithmConfig, RunSettings, SftSettings, TrainSettings
from rl.openrlhf.launch import MAY_CHANGE
from rl.rewards import AnswerReward, AreaGuard, TightnessBonus, load_reward, reward_of
from rl.rewards.medvr import reward
from rl.training.manifest import Manifest

COMMON: dict[str, Any] = {
    "model": "org/m", "steps": 2, "prompts_per_step": 2, "learning_rate": 0.001, "betas": [0.9, 0.95],
    "max_grad_norm": 1.0, "temperature": 1.0, "max_tokens": 64, "max_pixels": 16384, "micro_batch": 8, "lora_rank": 0,
    "lora_alpha": 32, "device": None, "dtype": None, "seed": 0, "rl_share": None, "checkpoint_every": 1,
    "keep_checkpoints": 2, "questions": "695cea15ed252147",
}  # fmt: skip
RL = {
    "algorithm": {"k": 0.6, "beta": 0.02, "group_size": 4, "clip": None, "aggregation": "sequence", "epsilon": 1e-06},
    "mode": "closed-loop", "max_turns": 2, "reward": "answer, tightness 0.5, 0 over 0.4 of the image",
    "drop_blind": False,
}  # fmt: skip
ON_OPENRLHF = {"engine": "openrlhf", "data": "/q.jsonl", "own_reward": None, "max_area": 0.4, "tightness": 0.5}
SETTINGS = {
    "model": "org/m", "steps": 2, "prompts_per_step": 2, "learning_rate": 0.001, "max_tokens": 64, "max_pixels": 16384,
    "checkpoint_every": 1,
}  # fmt: skip
TRAIN = TrainSettings(**SETTINGS, algorithm=AlgorithmConfig(group_size=4), max_area=0.4, tightness=0.5)
SFT = SftSettings(**SETTINGS, targets="distilled")


@pytest.mark.parametrize(
    ("record", "settings", "data"),
    [
        ({**COMMON, **RL}, TRAIN, None),
        ({**COMMON, **RL, **ON_OPENRLHF}, TRAIN, Path("/q.jsonl")),
        ({**COMMON, "targets": "distilled", "attempts": 4}, SFT, None),
    ],
)
def test_a_run_from_before_strict_reading_is_resumed_and_read_as_it_was(
    tmp_path: Path, record: dict[str, Any], settings: RunSettings, data: Path | None
) -> None:
    """The records are those that such runs wrote."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(record))
    run = Manifest(out=tmp_path, settings=settings, questions=COMMON["questions"], data=data)
    for _ in range(2):
        assert run.save(may_change=()) == replace(settings, strict_reading=False)
        assert json.loads(path.read_text()) == record
    with pytest.raises(ConfigError, match=r"started with other settings: learning_rate;"):
        replace(run, settings=replace(settings, learning_rate=1.0)).save(may_change=())
    with pytest.raises(ConfigError, match=r"started with other settings: coordinates;"):
        replace(run, settings=replace(settings, coordinates="unit")).save(may_change=())
    if isinstance(settings, TrainSettings):
        with pytest.raises(ConfigError, match=r"started with other settings: reward"):
            replace(run, settings=replace(settings, max_area=0.5)).save(may_change=())
    if data is not None:
        assert Manifest.load(tmp_path, TrainSettings) == replace(run, settings=replace(settings, strict_reading=False))


def test_how_answers_are_read_is_part_of_a_run(tmp_path: Path) -> None:
    run = Manifest(out=tmp_path / "run", settings=TRAIN, questions="q", data=Path("/q.jsonl"))
    assert run.save(may_change=MAY_CHANGE).strict_reading
    assert json.loads((run.out / "settings.json").read_text())["strict_reading"] is True
    lenient = replace(TRAIN, strict_reading=False)
    with pytest.raises(ConfigError, match="started with other settings: strict_reading"):
        replace(run, settings=lenient).save(may_change=MAY_CHANGE)
    for settings in (TRAIN, lenient):
        guarded = reward_of(settings)
        assert guarded == AreaGuard(TightnessBonus(AnswerReward(settings.strict_reading), 0.5), 0.4)
    assert Manifest.load(run.out, TrainSettings).settings.episode().mode is Mode.CLOSED_LOOP


def test_a_run_goes_on_under_the_name_that_its_reward_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module has moved since the run was started; the manifest stays as it is."""
    begun = replace(TRAIN, reward="rl.medvr:reward")
    Manifest(out=tmp_path, settings=begun, questions="q").save(may_change=())
    written = (tmp_path / "settings.json").read_bytes()
    assert b'"own_reward": "rl.medvr:reward"' in written
    now = Manifest(out=tmp_path, settings=replace(TRAIN, reward="rl.rewards.medvr:reward"), questions="q")
    assert now.save(may_change=()) == begun
    assert (tmp_path / "settings.json").read_bytes() == written
    with pytest.raises(ConfigError, match="started with other settings: reward, own_reward"):
        replace(now, settings=replace(TRAIN, reward="rl.rewards.medvr:other")).save(may_change=())
    monkeypatch.delitem(sys.modules, "rl.medvr", raising=False)
    with pytest.warns(DeprecationWarning, match=r"rl\.medvr has moved"):
        assert load_reward("rl.medvr:reward").function is reward


def test_modules_that_have_moved_still_work_and_warn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from rl.model import PolicyModel
    from rl.rollout import Rollout, roll_out
    from rl.run import draw
    from rl.settings import TrainSettings
    from rl.sft import SftTrainer
    from rl.trainer import Trainer
import rl.config, rl.data, rl.local.model, rl.local.rollout, rl.local.sft, rl.local.trainer, rl.data.rows
assert PolicyModel is rl.local.model.PolicyModel and Rollout is rl.data.rows.Rollout and draw is rl.data.draw
assert roll_out is rl.local.rollout.roll_out and TrainSettings is rl.config.TrainSettings
assert SftTrainer is rl.local.sft.SftTrainer and Trainer is rl.local.trainer.Trainer
print(*sorted(str(each.message) for each in caught if "rl." in str(each.message)), sep="\\n")
print({Path(each.filename).name for each in caught if "rl." in str(each.message)})
"""
    pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[transformers]'")
    for moved in ("model", "rollout", "run", "settings", "sft", "trainer"):
        monkeypatch.delitem(sys.modules, f"rl.{moved}", raising=False)
    exec(compile(code, "<string>", "exec"), {"Path": Path})
    *lines, source = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "rl.model", "rl.rollout", "rl.run", "rl.settings", "rl.sft", "rl.trainer"
    ]  # fmt: skip
    assert lines[3] == "rl.settings has moved; import from rl.config"
    assert source == "{'<string>'}"
