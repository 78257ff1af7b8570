"""Training on one machine, on the CPU or one GPU, without OpenRLHF: rollouts, rewards, AP-GRPO, checkpoints.

Nothing in a step depends on anything but the weights, the optimiser and the step's number: which questions are asked,
and with which seeds, is drawn from the run's seed and that number. A run that is stopped and gone on with is therefore
the same, bit by bit, on a CPU.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from hart_agent.errors import ConfigError
from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import discover_tools
from hart_agent.trace.json import write_whole
from rl.ap_grpo import ap_grpo_loss, diagnostics, rollout_weights
from rl.checkpoints import checkpoints, load_state, save_checkpoint
from rl.data import Sample
from rl.model import PolicyModel, Segment
from rl.monitor import MetricsLog, alarms, rollout_metrics
from rl.rewards import Reward, answer_reward
from rl.rollout import Rollout, roll_out
from rl.settings import TrainSettings

_log = logging.getLogger(__name__)

Observer = Callable[[int, dict[str, float]], None]
"""Called after each step with its number and its metrics."""

SETTINGS = "settings.json"
_MAY_CHANGE = frozenset({"steps", "checkpoint_every", "keep_checkpoints"})


class Trainer:
    """A training run in a folder; if it holds checkpoints of the same run, it goes on from the last one.

    Args:
        settings: of the run.
        samples: questions that are asked.
        reward: of a rollout.
        out: the run's folder; it is made.

    Raises:
        ConfigError: the folder holds a run with other settings, or the model can't be used.
        InstallError: a package is missing.
    """

    def __init__(self, settings: TrainSettings, samples: Sequence[Sample], reward: Reward, out: Path) -> None:
        if len(samples) < settings.prompts_per_step:
            raise ConfigError(
                f"{settings.prompts_per_step} questions are asked in a step, but there are only {len(samples)}: lower "
                "prompts_per_step, or add questions"
            )
        out.mkdir(parents=True, exist_ok=True)
        _check_settings(settings, out / SETTINGS)
        torch.manual_seed(settings.seed)  # of the adapters' first weights
        found = checkpoints(out)
        self.step = 0
        self.model = self._load(settings, settings.model if settings.lora_rank or not found else str(found[-1]))
        self._reference = None
        if settings.algorithm.beta and not settings.lora_rank:
            self._reference = self._load(settings, settings.model)
            self._reference.module.requires_grad_(False)
        if settings.lora_rank:
            self.model.add_lora(settings.lora_rank, settings.lora_alpha)
        self._optimiser = torch.optim.AdamW(
            self.model.trainable().values(), lr=settings.learning_rate, betas=settings.betas, weight_decay=0.0
        )
        if found:
            self._resume(found[-1])
        self.settings = settings
        self.metrics = MetricsLog(out, self.step)
        self._samples = list(samples)
        self._reward = reward
        self._out = out
        self._runtime = ToolRuntime(discover_tools())

    def train(self, observer: Observer | None = None) -> Path:
        """Run to the last step; returns the folder of the last checkpoint.

        Raises:
            ImageError: an image can't be used.
            PolicyError: the model fails, or its memory doesn't suffice.
            OutputError: a checkpoint can't be written; the earlier ones stay.
        """
        warned: set[str] = set()
        while self.step < self.settings.steps:
            metrics = self.train_step()
            self.metrics.write(self.step - 1, metrics)
            if observer is not None:
                observer(self.step - 1, metrics)
            for alarm in alarms(self.metrics.history):
                if alarm.partition(":")[0] not in warned:
                    warned.add(alarm.partition(":")[0])
                    _log.warning("step %d: %s", self.step - 1, alarm)
            if self.step % self.settings.checkpoint_every == 0 or self.step == self.settings.steps:
                self.save()
        return checkpoints(self._out)[-1]

    def train_step(self) -> dict[str, float]:
        """Ask, reward, and make one update (arXiv 2602.23615, AP-GRPO). Returns the step's metrics."""
        started = time.perf_counter()
        rollouts = self.roll_out(self.step)
        asked = time.perf_counter()
        rewards = [self._reward(rollout.trajectory, rollout.sample) for rollout in rollouts]
        learnt = self._update(rollouts, rewards)
        self.step += 1
        tokens = sum(len(segment.token_ids) for rollout in rollouts for segment in rollout.segments)
        right = [answer_reward(rollout.trajectory, rollout.sample) > 0 for rollout in rollouts]
        ended = time.perf_counter()
        return {
            "reward": sum(rewards) / len(rewards),
            **rollout_metrics(rollouts, right),
            **learnt,
            "tokens_per_second": tokens / (ended - started),
            "rollout_seconds": asked - started,
            "update_seconds": ended - asked,
        }

    def roll_out(self, step: int) -> list[Rollout]:
        """The rollouts of a step, group by group, from the weights as they are now."""
        settings = self.settings
        samples = draw(self._samples, settings.prompts_per_step, step, settings.seed)
        seed = settings.seed * 1_000_003 + step
        group_size = settings.algorithm.group_size
        return asyncio.run(roll_out(self.model, self._runtime, settings.episode(), samples, group_size, seed))

    def save(self) -> Path:
        """Write a checkpoint of the state after the last step."""
        state = {"step": self.step, "optimiser": self._optimiser.state_dict()}
        if self.settings.lora_rank:
            state["adapters"] = {name: value.detach() for name, value in self.model.trainable().items()}
        return save_checkpoint(self._out, self.step, self.model.save, state, self.settings.keep_checkpoints)

    def _update(self, rollouts: Sequence[Rollout], rewards: Sequence[float]) -> dict[str, float]:
        settings = self.settings.algorithm
        device = self.model.device
        owners = [number for number, rollout in enumerate(rollouts) for _ in rollout.segments]
        segments = [segment for rollout in rollouts for segment in rollout.segments]
        lengths = [sum(len(segment.token_ids) for segment in rollout.segments) for rollout in rollouts]
        rewarded = torch.tensor(rewards, device=device)
        weights = rollout_weights(rewarded, torch.tensor(lengths, device=device), settings)
        self.model.module.train()
        loss = kl = clipped = 0.0
        for indices, batch in self.model.micro_batches(segments):
            log_probs, mask = self.model.log_probs(batch)
            old = _aligned([segment.log_probs for segment in batch], mask)
            rows = weights.of([owners[index] for index in indices])
            part = ap_grpo_loss(log_probs, old, self._reference_log_probs(batch), mask, rows, settings)
            part.value.backward()
            loss, kl, clipped = loss + float(part.value.detach()), kl + float(part.kl), clipped + float(part.clipped)
        norm = torch.nn.utils.clip_grad_norm_(self.model.trainable().values(), self.settings.max_grad_norm)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        learnt = {"loss": loss, "kl": kl, "clipped": clipped, "grad_norm": float(norm)}
        return learnt | diagnostics(rewarded, weights, settings)

    def _resume(self, checkpoint: Path) -> None:
        state = load_state(checkpoint)
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        if "adapters" in state:
            self.model.module.load_state_dict(state["adapters"], strict=False)
        _log.info("going on from step %d", self.step)

    def _reference_log_probs(self, batch: Sequence[Segment]) -> torch.Tensor | None:
        """What the model before the training says to the same tokens, shape (B, T); None without a KL term."""
        if not self.settings.algorithm.beta:
            return None
        with torch.no_grad():
            if self._reference is not None:
                return self._reference.log_probs(batch)[0]
            with self.model.as_reference():
                return self.model.log_probs(batch)[0]

    @staticmethod
    def _load(settings: TrainSettings, model: str) -> PolicyModel:
        return PolicyModel(
            model,
            device=settings.device,
            dtype=settings.dtype,
            max_pixels=settings.max_pixels,
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            max_batch=settings.micro_batch,
        )


def draw(samples: Sequence[Sample], count: int, step: int, seed: int) -> list[Sample]:
    """The questions of a step: each once before any comes again, in an order that only the seed decides."""
    drawn: list[Sample] = []
    position = step * count
    while len(drawn) < count:
        epoch, offset = divmod(position, len(samples))
        order = random.Random(f"{seed} {epoch}").sample(range(len(samples)), len(samples))
        chosen = order[offset : offset + count - len(drawn)]
        drawn += [samples[index] for index in chosen]
        position += len(chosen)
    return drawn


def _aligned(rows: Sequence[Sequence[float]], mask: torch.Tensor) -> torch.Tensor:
    """Rows of different lengths, aligned on the right as the mask (B, T) is; 0 elsewhere."""
    width = mask.shape[1]
    return torch.tensor([[0.0] * (width - len(row)) + list(row) for row in rows], device=mask.device)


def _check_settings(settings: TrainSettings, path: Path) -> None:
    """Write the settings of a new run, or see that a run goes on with what it was begun with (but for its length)."""
    told = json.loads(json.dumps(asdict(settings)))
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name in told if name not in _MAY_CHANGE and told[name] != found.get(name)]
        if changed:
            raise ConfigError(
                f"{path.parent} holds a run with other settings ({', '.join(changed)}); choose another folder, or the "
                f"settings in {path.name}"
            )
    write_whole(path, json.dumps(told, indent=2) + "\n")
