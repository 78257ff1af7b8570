"""Our subclasses of OpenRLHF's workers, which replace them before OpenRLHF starts. Its files are not changed.

Constructors stay OpenRLHF's; the objects that they create are converted afterwards (`adopt`).
"""

from __future__ import annotations

from typing import Any

import ray
from openrlhf.trainer import ppo_trainer, ppo_trainer_async
from openrlhf.trainer.ray import launcher, ppo_actor, vllm_engine

from hart_agent.backends.families import detect_family, detect_profile
from hart_agent.backends.local.checkpoint import find_checkpoint
from rl.config import capped
from rl.data import load_samples
from rl.openrlhf.accumulation import accumulate_in_float32
from rl.openrlhf.actor import RowActor
from rl.openrlhf.adapters import language_layers
from rl.openrlhf.algorithm import APGRPOActorTrainer, APGRPOExperienceMaker
from rl.openrlhf.export import export
from rl.openrlhf.launch import current_run
from rl.openrlhf.start import add_learnt, start_of
from rl.openrlhf.validation import validation_metrics
from rl.rewards import Judge, reward_of
from rl.training.monitor import MetricsLog

REWARD_STATE = "hart_reward_state"
"""In OpenRLHF's checkpoints: the state of the reward."""


def _class_of(actor: Any) -> Any:
    """The class that OpenRLHF made a Ray actor."""
    return actor.__ray_metadata__.modified_class


class PolicyWorker(_class_of(ppo_actor.PolicyModelActor)):  # type: ignore[misc]
    """Trains the policy, and writes checkpoints that open anywhere, under the same names as on one machine."""

    def init_model_from_pretrained(self, strategy: Any, pretrain: str, *args: Any, **kwargs: Any) -> None:
        self._run = current_run()
        ds, actor = strategy.args.ds, strategy.args.actor
        if ds.lora.rank and actor.freeze_visual_encoder and ds.lora.target_modules == "all-linear":
            ds.lora.target_modules = language_layers(self._run.settings.model)  # OpenRLHF would adapt the encoder, too
        super().init_model_from_pretrained(strategy, start_of(pretrain, self._run.out), *args, **kwargs)
        add_learnt(self.actor, pretrain)
        accumulate_in_float32(self.actor.model.optimizer)
        RowActor.adopt(self.actor)
        APGRPOActorTrainer.adopt(self.trainer, capped(self._run.settings.algorithm))
        self._step = self.checkpoint_states.get("global_step", 0)
        self._saved: int | None = None

    def fit(self, kl_ctl: float = 0) -> Any:
        status = super().fit(kl_ctl)
        self._step += 1
        return status

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        super().save_checkpoint(*args, **kwargs)
        self.save_model()

    def save_model(self) -> None:
        """Write the model after the last update, atomically, unless that was done."""
        if self._saved == self._step:
            return
        self._saved = self._step
        export(self.strategy, self.actor, self.tokenizer, self._run.settings, self._run.out, self._step)


class ReferenceWorker(_class_of(launcher.ReferenceModelActor)):  # type: ignore[misc]
    """The model before the training."""

    def init_model_from_pretrained(self, strategy: Any, pretrain: str) -> None:
        super().init_model_from_pretrained(strategy, start_of(pretrain, current_run().out))
        add_learnt(self.model, pretrain)
        RowActor.adopt(self.model)


class RolloutWorker(_class_of(vllm_engine.RolloutRayActor)):  # type: ignore[misc]
    """Runs vLLM: views are on the model's grid, so that nothing may be resized, and log-probabilities are those of the
    distribution that is sampled from."""

    async def __init__(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[misc]
        settings = current_run().settings
        checkpoint = find_checkpoint(settings.model)
        family = detect_family(str(checkpoint.path), checkpoint.config)
        if family.tokens_per_view is None:
            budget = detect_profile(str(checkpoint.path), checkpoint.config, max_pixels=settings.max_pixels).budget
            size = {"shortest_edge": budget.grid**2, "longest_edge": budget.max_pixels}
            kwargs["mm_processor_kwargs"] = {"size": size}
        await super().__init__(*args, **{**kwargs, "logprobs_mode": "processed_logprobs"})


def _with_ap_grpo(base: Any) -> Any:
    """A trainer of OpenRLHF, sync or async, whose experiences AP-GRPO weighs; it writes our metrics, too."""

    class APGRPOTrainer(base):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._run = current_run()
            self._metrics: MetricsLog | None = None
            self._measured: dict[str, float] = {}
            self._step = 0
            self.experience_maker.__class__ = APGRPOExperienceMaker
            settings = self._run.settings
            assert self._run.data is not None
            self.experience_maker.algorithm = settings.algorithm
            self.experience_maker.judge = Judge(reward_of(settings), settings.algorithm.k)
            self.experience_maker.mask_cut_off = settings.mask_cut_off
            self.experience_maker.samples = {sample.id: sample for sample in load_samples(self._run.data)}

        def restore_best_checkpoint_state(self, checkpoint_states: Any) -> None:
            super().restore_best_checkpoint_state(checkpoint_states)
            self.experience_maker.judge.state = (checkpoint_states or {}).get(REWARD_STATE, {})

        def save_logs_and_checkpoints(self, global_step: int, logs_dict: Any = None, client_states: Any = None) -> None:
            kept = (client_states or {}) | {REWARD_STATE: self.experience_maker.judge.state}
            super().save_logs_and_checkpoints(global_step, logs_dict, kept)

        def fit(self, global_step: int = 0) -> None:
            measures = getattr(self, "eval_dataloader", None) is not None
            if measures and self.init_checkpoint_states()["global_step"] == 0:
                self._measure(0)
            super().fit(global_step)
            if measures and self._step % self._run.settings.checkpoint_every:
                self._measure(self._step)
            if self._measured:
                self._write(self._step, self._measured)

        def evaluate(self, global_step: int, **parameters: Any) -> dict[str, float]:
            """Measurements of the weights after so many steps; they are written with the next step's metrics."""
            samples = self.samples_generator.generate_eval_samples(**parameters)
            logged = [{name: float(value[0]) for name, value in sample.info.items()} for sample in samples]
            self._measured = validation_metrics(logged)
            return {}  # no pass rate, by which OpenRLHF would keep a checkpoint of its own

        def _measure(self, step: int) -> None:
            self.evaluate(step, **self.generate_kwargs | {"temperature": 0.0, "n_samples_per_prompt": 1})

        def train_step(self, rollout_samples: Any, global_step: int) -> Any:
            status, next_step = super().train_step(rollout_samples, global_step)
            learnt = {
                "loss": status["policy_loss"], "kl": status.get("kl", 0.0), "clipped": status["ppo_clip_ratio"],
                "grad_norm": status["actor_grad_norm"], "update_seconds": status["timing/ppo_train"],
            }  # fmt: skip
            self._step = next_step
            metrics = (
                self._measured
                | self.experience_maker.step_metrics
                | {name: float(value) for name, value in learnt.items()}
            )
            self._write(global_step, metrics)
            self._measured = {}
            return status | {f"ap_grpo/{name}": value for name, value in metrics.items()}, next_step

        def _write(self, step: int, metrics: dict[str, float]) -> None:
            if self._metrics is None:
                self._metrics = MetricsLog(self._run.out, step, self._run.settings)
            self._metrics.write(step, metrics)

    return APGRPOTrainer


def install() -> None:
    """Replace OpenRLHF's workers by ours. Its launcher looks them up by name afterwards."""
    vllm_engine.RolloutRayActor = ray.remote(RolloutWorker)
    ppo_actor.PolicyModelActor = ray.remote(num_gpus=1)(PolicyWorker)
    launcher.ReferenceModelActor = ray.remote(num_gpus=1)(ReferenceWorker)
    ppo_trainer.PPOTrainer = ray.remote(_with_ap_grpo(_class_of(ppo_trainer.PPOTrainer)))
    ppo_trainer_async.TrainingActor = ray.remote(_with_ap_grpo(_class_of(ppo_trainer_async.TrainingActor)))
