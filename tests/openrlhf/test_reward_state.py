"""What a reward keeps between steps is in OpenRLHF's own checkpoints, and is there again when a run goes on."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from openrlhf.trainer import ppo_trainer

from rl.openrlhf.workers import _class_of, _with_ap_grpo
from rl.rewards import Judge
from rl.rewards.custom import CustomReward

pytestmark = pytest.mark.openrlhf


def counted(groups: Any, state: dict[str, Any]) -> list[list[float]]:
    state["steps"] = state.get("steps", 0) + 1
    return [[0.5 for _ in group] for group in groups]


def trainer(saved: list[dict[str, Any]]) -> Any:
    """OpenRLHF's with our maker of experiences; in the place of its actors stands what they are handed to save."""
    made = _with_ap_grpo(_class_of(ppo_trainer.PPOTrainer))
    found = made.__new__(made)

    def handed(method_name: str, client_states: dict[str, Any], **_: Any) -> list[Any]:
        assert method_name == "save_checkpoint"
        saved.append(pickle.loads(pickle.dumps(client_states)))
        return []

    found.experience_maker = SimpleNamespace(judge=Judge(CustomReward("m:counted", counted, "step")))
    found.args = SimpleNamespace(logger=SimpleNamespace(logging_steps=1), ckpt=SimpleNamespace(save_steps=1))
    found.wandb_logger = found.tensorboard_logger = found.critic_model_group = None
    found.best_eval_metric_key, found.best_eval_metric_value, found._latest_eval_metric_value = "", 0.0, 0.0
    found.actor_model_group = SimpleNamespace(async_run_method=handed)
    return found


def test_the_state_of_a_reward_is_saved_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppo_trainer.ray, "get", lambda refs: refs)
    saved: list[dict[str, Any]] = []
    first = trainer(saved)
    for step in (1, 2):
        first.experience_maker.judge.scores([])
        first.save_logs_and_checkpoints(step, {}, {"global_step": step})
    second = trainer([])
    second.restore_best_checkpoint_state(saved[-1])
    second.experience_maker.judge.scores([])
    assert second.experience_maker.judge.state == {"steps": 3}
    assert saved[-1]["global_step"] == 2
    fresh = trainer([])
    fresh.restore_best_checkpoint_state({})
    assert fresh.experience_maker.judge.state == {}
