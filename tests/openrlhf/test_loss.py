"""One batch in OpenRLHF's own actor: the loss, the KL and all gradients are those of the engine on one machine."""

from __future__ import annotations

import asyncio
import math
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from conftest import answer, tool_call
from openrlhf.models import Actor
from openrlhf.trainer.ppo_utils.experience import Experience, make_experience_batch, split_experience_batch
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
from openrlhf.trainer.ray.ppo_actor import ActorPPOTrainer
from openrlhf.utils.loss_utils import iter_grad_accum_global_norm
from scripted_engine import Parameters, ScriptedEngine
from tiny_vlm import make_tiny_vlm
from training_questions import noisy_questions

from hart_agent import Mode
from hart_agent.evals.items import Item
from rl.config import AlgorithmConfig, TrainSettings
from rl.data.rows import Rollout
from rl.local.trainer import Trainer
from rl.openrlhf.actor import RowActor
from rl.openrlhf.algorithm import APGRPOActorTrainer, APGRPOExperienceMaker
from rl.openrlhf.interaction import Interaction
from rl.openrlhf.scoring import outcome
from rl.rewards import Judge, answer_reward

pytestmark = pytest.mark.openrlhf

GROUP, MICRO = 4, 2


class OneProcess:
    """Stands for DeepSpeed: scales losses as it does, and leaves gradients where they are."""

    ring_attn_group = None
    accumulated_gradient = 2 * GROUP // MICRO

    def __init__(self, args: Namespace) -> None:
        self.args = args
        self.loss = 0.0

    def backward(self, loss: torch.Tensor, actor: Any, optimiser: Any) -> None:
        part = loss / self.accumulated_gradient
        part.backward()
        self.loss += float(part.detach())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        pass

    def get_grad_norm(self, actor: Any) -> float:
        return 0.0


def arguments(config: AlgorithmConfig) -> Namespace:
    return Namespace(
        train=Namespace(async_enable=True, dynamic_batch_enable=False),
        actor=Namespace(entropy_coef=None),
        rollout=Namespace(n_samples_per_prompt=GROUP),
        reward=Namespace(clip_range=(-10, 10), overlong_buffer_len=None, stop_properly_penalty_coef=None),
        algo=Namespace(
            advantage=Namespace(estimator="group_norm", gamma=1.0),
            kl=Namespace(use_loss=config.beta > 0, init_coef=config.beta, estimator="k3", unbiased_gradient=False),
        ),
    )


@pytest.fixture
def samples(tmp_path: Path) -> list[Item]:
    return noisy_questions(tmp_path, 2)


def rollouts_of(
    interaction: Interaction, samples: Sequence[Item], mode: Mode, *, cut_off: bool = False
) -> list[Rollout]:
    """Two groups, with different words, numbers of rows, and rewards; the second is mostly wrong.

    The third of the first can't be read, or ends with the turns of the mode `agent`.
    """
    look = {"tool": "zoom"} if mode == Mode.AGENT else {"tool": "crop", "label": "it"}
    calls = [tool_call(**look, bbox_2d=[10, 10, 60 + 20 * number, 70]) for number in range(GROUP)]
    third = [calls[0]] * 3 if cut_off else ["nonsense"]
    said = [[calls[0], answer("x")], [calls[1], answer("a wrong one")], third, [calls[3], answer("x")]]
    other = [["nonsense"], [calls[2], answer("y")], [calls[1], answer("x")], ["no"]]
    rollouts = []
    for sample, scripts in zip(samples, (said, other), strict=True):
        for script in scripts:
            engine = ScriptedEngine(interaction.prompter, script)
            rollouts.append(asyncio.run(interaction.play(sample, engine, Parameters.of, 4000)).rollout)
    return rollouts


def rounded(module: torch.nn.Module, noise: float) -> None:
    """Weights that bfloat16 can hold, for OpenRLHF loads no others; moved a little from what they were."""
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_((weight + noise * torch.randn_like(weight)).bfloat16().float())


def real_actor(folder: Path) -> Any:
    actor = Actor(str(folder), attn_implementation="sdpa", param_dtype="bf16")
    actor.model.float()
    RowActor.adopt(actor)
    return actor


@pytest.mark.parametrize("mode", [Mode.CLOSED_LOOP, Mode.AGENT])
@pytest.mark.parametrize("config", [
    AlgorithmConfig(k=0.0, beta=0.05, group_size=GROUP),
    AlgorithmConfig(k=0.6, beta=0.05, group_size=GROUP),
    AlgorithmConfig(k=0.6, beta=0.05, group_size=GROUP, aggregation="token", clip=0.1),
    AlgorithmConfig(k=0.6, beta=0.05, group_size=GROUP, kl="k2", entropy_floor=99.0),
    AlgorithmConfig(k=0.6, beta=0.05, group_size=GROUP, ratio_cap=1.1),
], ids=["k=0", "k=.6", "by token, clipped", "k2, floor", "capped"])  # fmt: skip
def test_loss_and_gradients_are_those_on_one_machine(
    tmp_path: Path, samples: list[Item], mode: Mode, config: AlgorithmConfig
) -> None:
    experiences = same_update(tmp_path, samples, mode, config)
    mu1 = torch.cat([experience.info["mu1"] for experience in experiences])
    mu2 = torch.cat([experience.info["mu2"] for experience in experiences])
    centred = torch.tensor([0.5, -0.5, -0.5, 0.5, -0.25, -0.25, 0.75, -0.25])  # reward minus its group's mean
    assert torch.allclose(mu1, 1 + config.k * centred)
    assert torch.allclose(mu2, config.beta * (1 - config.k * centred))


@pytest.mark.parametrize("aggregation", ["sequence", "token"])
def test_what_a_limit_cut_off_is_masked_as_on_one_machine(
    tmp_path: Path, samples: list[Item], aggregation: Literal["sequence", "token"]
) -> None:
    config = AlgorithmConfig(k=0.6, beta=0.05, group_size=GROUP, aggregation=aggregation)
    experiences = same_update(tmp_path, samples, Mode.AGENT, config, mask_cut_off=True)
    mu1 = torch.cat([experience.info["mu1"] for experience in experiences])
    assert mu1.ne(0).tolist() == [True, True, False, True, True, True, True, True]


def same_update(
    folder: Path, samples: list[Item], mode: Mode, config: AlgorithmConfig, *, mask_cut_off: bool = False
) -> list[Experience]:
    """An update on both engines, whose loss, KL and gradients must be the same; OpenRLHF's experiences."""
    settings = TrainSettings(
        model=str(make_tiny_vlm(folder / "tiny")), algorithm=config, mode=mode, max_tokens=200,
        max_turns=3 if mode == Mode.AGENT else 2, mask_cut_off=mask_cut_off,
        max_pixels=16_384, dtype="float32", prompts_per_step=2,
        micro_batch=1,  # a row at a time: no beginning is shared, for which the other engine needs a later transformers
    )  # fmt: skip
    trainer = Trainer(settings, samples, answer_reward, folder / "run")
    assert trainer._reference is not None
    rounded(trainer._reference.module, 0.0)
    trainer.model.module.load_state_dict(trainer._reference.module.state_dict())
    rounded(trainer.model.module, 0.01)
    for name, module in (("reference", trainer._reference.module), ("policy", trainer.model.module)):
        module.save_pretrained(make_tiny_vlm(folder / name))

    interaction = Interaction(settings)
    rollouts = _with_near_log_probs(trainer, rollouts_of(interaction, samples, mode, cut_off=mask_cut_off))
    rewards = [answer_reward(rollout.trajectory, rollout.sample) for rollout in rollouts]
    assert rewards == [1, 0, 0, 1, 0, 0, 1, 0]
    here = trainer._differentiate(rollouts, rewards)

    actor, reference = real_actor(folder / "policy"), real_actor(folder / "reference")
    status, strategy, experiences = _through_openrlhf(
        actor, reference, interaction, rollouts, rewards, config, mask_cut_off=mask_cut_off
    )
    assert strategy.loss == pytest.approx(here["loss"], abs=1e-5)
    kl = sum(float(each["metrics"]["kl"]) for each in status) / strategy.accumulated_gradient
    assert kl == pytest.approx(here["kl"], abs=1e-5)
    assert kl > 1e-3

    theirs = dict(actor.model.named_parameters())
    compared = 0
    for name, weight in trainer.model.module.named_parameters():
        if weight.grad is None:
            assert theirs[name].grad is None
            continue
        torch.testing.assert_close(theirs[name].grad, weight.grad, atol=1e-5, rtol=1e-5)
        compared += int(weight.grad.abs().max() > 1e-4)
    assert compared > 20
    return experiences


def _with_near_log_probs(trainer: Trainer, rollouts: Sequence[Rollout]) -> list[Rollout]:
    """The rollouts as of a policy near the present one, as in an update after the first."""
    torch.manual_seed(5)
    changed = []
    for rollout in rollouts:
        segments = []
        for segment in rollout.segments:
            with torch.no_grad():
                batch = trainer.model.batch(trainer.model.rows([segment]))
                now = trainer.model.log_probs(batch)[batch.mask > 0]
            segments.append(replace(segment, log_probs=tuple((now + 0.2 * torch.randn_like(now)).tolist())))
        changed.append(replace(rollout, segments=tuple(segments)))
    return changed


def _through_openrlhf(
    actor: Any, reference: Any, interaction: Interaction, rollouts: Sequence[Rollout], rewards: Sequence[float],
    config: AlgorithmConfig, *, mask_cut_off: bool,
) -> tuple[list[dict[str, Any]], OneProcess, list[Experience]]:  # fmt: skip
    """What OpenRLHF makes of the rollouts: its experiences, its micro-batches, its training step."""
    strategy = OneProcess(arguments(config))
    generator = SamplesGenerator.__new__(SamplesGenerator)
    judge, experiences = Judge(answer_reward, config.k), []
    for number, (rollout, reward) in enumerate(zip(rollouts, rewards, strict=True)):
        sequence = interaction.sequence(rollout.segments)
        experience = generator._process_response_into_experience(
            {
                "observation_tokens": sequence.token_ids, "action_ranges": sequence.action_ranges, "reward": reward,
                "scores": reward, "rollout_log_probs": sequence.log_probs, "prompt": "",
                "label": outcome(judge, rollout),
                "mm_train_inputs": sequence.tensors, "extra_logs": {"hart/number": float(number)},
            },
            max_len=4000,
        )  # fmt: skip
        experience.index = [number]
        experience.action_log_probs = torch.zeros_like(experience.rollout_log_probs)  # of a later policy: not used
        with torch.no_grad():
            experience.base_action_log_probs = reference(
                experience.sequences, experience.action_mask, experience.attention_mask, **sequence.tensors
            )
        experience.kl = torch.zeros_like(experience.rollout_log_probs)
        experiences.append(experience)
    maker = APGRPOExperienceMaker.__new__(APGRPOExperienceMaker)
    maker.strategy, maker.advantage_estimator, maker.algorithm = strategy, "group_norm", config
    maker.judge, maker.samples, maker.mask_cut_off = judge, {}, mask_cut_off
    maker.kl_ctl = SimpleNamespace(value=config.beta)
    experiences = maker.compute_advantages_and_returns(experiences)
    assert maker.step_metrics["number"] == 3.5
    assert maker.step_metrics["zero_variance_groups"] == 0
    sampled = [value for rollout in rollouts for segment in rollout.segments for value in segment.log_probs]
    mean = sum(sampled) / len(sampled)  # the trainer's are 0
    assert (maker.step_metrics["entropy"], maker.step_metrics["engine_apart"]) == pytest.approx((-mean, mean), rel=1e-4)
    assert maker.step_metrics["ratio_max"] == pytest.approx(math.exp(-min(sampled)), rel=1e-3)

    trainer = ActorPPOTrainer.__new__(ActorPPOTrainer)
    trainer.strategy, trainer.args, trainer.actor = strategy, strategy.args, actor
    trainer.actor_optim = trainer.ema_model = trainer.replay_buffer = None
    trainer.actor_scheduler = SimpleNamespace(get_last_lr=lambda: [0.0])
    trainer.aux_loss = False
    APGRPOActorTrainer.adopt(trainer, config)
    items = [item for experience in experiences for item in split_experience_batch(experience)]

    def micro_batches() -> Iterator[Experience]:
        for begin in range(0, len(items), MICRO):
            yield make_experience_batch(items[begin : begin + MICRO])

    status = [
        trainer.training_step(experience, config.beta, step, info)
        for step, (experience, info) in enumerate(
            iter_grad_accum_global_norm(
                micro_batches(), strategy, strategy.accumulated_gradient, lambda each: each.action_mask
            )
        )
    ]
    return status, strategy, experiences
