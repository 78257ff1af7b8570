"""Metrics in Weights & Biases: what the package is given, and what is said without it. Nothing is sent anywhere.

The package is stood in for by a module with the signatures of wandb 0.31, offline.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hart_agent import ConfigError, InstallError
from rl.config import TrainSettings
from rl.training import trackers
from rl.training.monitor import MetricsLog


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The runs that were begun, each with what it was given and logged."""
    begun: list[dict[str, Any]] = []

    class Error(Exception):
        pass

    def init(  # what is used of it, under wandb's names
        *,
        project: str,
        dir: Path,  # noqa: A002
        id: str,  # noqa: A002
        name: str,
        config: dict[str, Any],
        allow_val_change: bool,
        resume: str,
    ) -> Any:
        assert project == "hart-agent"
        if name == "refused":
            raise Error("no API key configured")
        logged: list[tuple[int, dict[str, float]]] = []

        def log(data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
            assert step is not None
            logged.append((step, data))

        begun.append({"id": id, "dir": dir, "config": config, "resume": resume, "logged": logged})
        return SimpleNamespace(log=log)

    module = ModuleType("wandb")
    module.__spec__ = SimpleNamespace(name="wandb")  # type: ignore[assignment]
    module.init, module.Error = init, Error  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    return begun


def test_a_run_and_its_metrics_are_told_to_wandb(runs: list[dict[str, Any]], tmp_path: Path) -> None:
    settings = TrainSettings(model="m", tracker="wandb", curriculum=True)
    for start in (0, 1):  # the second is resumed
        log = MetricsLog(tmp_path, start, settings)
        log.write(start, {"reward": 0.5 + start})
    first, second = runs
    assert first["config"]["algorithm"]["kl"] == "k3"
    assert (first["config"]["curriculum"], first["dir"], first["resume"]) == (True, tmp_path, "allow")
    assert first["logged"] == [(0, {"reward": 0.5})]
    assert second["logged"] == [(1, {"reward": 1.5})]
    assert first["id"] == second["id"]
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 2
    (other := tmp_path / "other").mkdir()
    MetricsLog(other, 0, settings)
    assert runs[2]["id"] != first["id"]


def test_nothing_is_told_unless_it_is_asked_for(runs: list[dict[str, Any]], tmp_path: Path) -> None:
    MetricsLog(tmp_path, 0, TrainSettings(model="m")).write(0, {"reward": 1.0})
    assert runs == []
    assert not (tmp_path / trackers.WANDB_ID).exists()


def test_a_run_that_wandb_refuses_says_what_to_do(runs: list[dict[str, Any]], tmp_path: Path) -> None:
    (folder := tmp_path / "refused").mkdir()
    with pytest.raises(ConfigError, match=r"no API key configured\). Run: wandb login, set WANDB_MODE=offline, or"):
        MetricsLog(folder, 0, TrainSettings(model="m", tracker="wandb"))


def test_without_the_package_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = trackers.importlib.util.find_spec
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None if name == "wandb" else found(name))
    trackers.check_tracker(None)
    with pytest.raises(InstallError, match=r"--tracker wandb needs the package wandb\. Run: .*install.* wandb"):
        trackers.check_tracker("wandb")
