"""Training into a folder that holds someone else's files, or files of ours that were edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from hart_agent import ConfigError
from rl.config import RunSettings
from rl.training.manifest import Manifest
from rl.training.monitor import MetricsLog

SETTINGS = RunSettings(model="org/m")


@pytest.mark.parametrize("name", ["metrics.jsonl", "step-000010"])
def test_metrics_and_checkpoints_of_another_program_are_left_alone(tmp_path: Path, name: str) -> None:
    """Metrics from the first step on would be dropped, and the oldest checkpoints removed."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=rf"holds {name}, but no settings\.json: .* left untouched"):
        Manifest(out=tmp_path, settings=SETTINGS).save(may_change=())
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {name: "mine"}


@pytest.mark.parametrize("text", ["[]", "{", "[" * 100_000, '{"own_reward": 5}', '{"algorithm": 5}', "{}"])
def test_settings_of_something_else_are_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ConfigError, match="settings"):
        Manifest(out=tmp_path, settings=RunSettings(model="org/m", lora_rank=8)).save(may_change=())
    assert (tmp_path / "settings.json").read_text() == text


@pytest.mark.parametrize("line", ["{broken}", '{"loss": 1}', '{"step": "x"}', '[{"step": 1}]}'])
def test_edited_metrics_are_named_and_stay(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 0}}\n{line}\n')
    with pytest.raises(ConfigError, match="line 2 is not a record"):
        MetricsLog(tmp_path, 5, SETTINGS)
    assert path.read_text() == f'{{"step": 0}}\n{line}\n'
