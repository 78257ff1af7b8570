"""Stage 2 on OpenRLHF's stack: `rl.training.fine_tuning` with its Actor and DeepSpeed strategy.

OpenRLHF's own SFT is text-only. `rl.train_sft --engine openrlhf` starts it as torchrun -m rl.sft_process RUN FLAGS, one
process for each GPU.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from openrlhf.models import Actor
from openrlhf.utils import get_strategy, get_tokenizer
from openrlhf.utils.vlm_utils import merge_mm_train_inputs
from torch.nn.utils.rnn import pad_sequence

from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from rl.config import SftSettings
from rl.data import load_samples, stage_part
from rl.data.demonstrations import DISTILLED, gold_answers, read_demonstrations
from rl.data.rows import Segment
from rl.openrlhf.accumulation import accumulate_in_float32
from rl.openrlhf.actor import RowActor
from rl.openrlhf.adapters import language_layers
from rl.openrlhf.export import export
from rl.openrlhf.flags import CHECKPOINTS, HELD_OUT, precision
from rl.openrlhf.sequences import Sequence1D, Sequencer
from rl.openrlhf.start import add_learnt, start_of
from rl.training.fine_tuning import SftLoop
from rl.training.manifest import Manifest
from rl.training.monitor import MetricsLog

Measure: TypeAlias = "Callable[[ImageSft], dict[str, float]]"
"""Measures a run's model, as it is now, on its validation questions; all processes call it."""


class ImageSft(SftLoop):
    """One process of a run.

    Args:
        run: its manifest.
        flags: all of fine-tuning (see `flags.toml`), and the file of the validation questions, if there are any.
        measure: asks them.

    Attributes:
        held_out: this process's part of them.

    Raises:
        ConfigError: the model or the questions can't be used.
    """

    writer: Sequencer

    def __init__(self, run: Manifest[SftSettings], flags: Mapping[str, Any], measure: Measure) -> None:
        assert run.data is not None
        self.out, self.settings = run.out, run.settings
        settings = run.settings
        samples = stage_part(load_samples(run.data), settings.rl_share, supervised=True)
        gold = settings.targets == "gold"
        self.demonstrations = gold_answers(samples) if gold else read_demonstrations(run.out / DISTILLED, samples)
        self.runtime = ToolRuntime(discover_tools())
        self.writer = Sequencer(settings)
        ds = Namespace(
            zero_stage=int(flags["ds.zero_stage"]), adam_offload=bool(flags["ds.adam_offload"]),
            param_dtype=precision(settings.dtype), grad_accum_dtype=flags["ds.grad_accum_dtype"],
            tensor_parallel_size=1, ring_attn_size=1,
        )  # fmt: skip
        train = Namespace(
            seed=settings.seed, micro_batch_size=settings.micro_batch, batch_size=settings.prompts_per_step
        )
        self._strategy = get_strategy(Namespace(train=train, ds=ds, local_rank=int(os.environ.get("LOCAL_RANK", "-1"))))
        self._strategy.setup_distributed()
        self.rank, self.processes = torch.distributed.get_rank(), self._strategy.world_size
        frozen = bool(flags["actor.freeze_visual_encoder"])
        actor = Actor(
            start_of(settings.model, run.out),
            lora_rank=settings.lora_rank,
            lora_alpha=settings.lora_alpha,
            target_modules=language_layers(settings.model) if settings.lora_rank and frozen else "all-linear",
            attn_implementation=flags["ds.attn_implementation"],
            param_dtype=ds.param_dtype,
            ds_config=self._strategy.get_ds_train_config(),
            temperature=1.0,  # the likelihood is the model's own
            freeze_visual_encoder=frozen,
        )
        if flags["actor.gradient_checkpointing_enable"]:
            actor.gradient_checkpointing_enable()
        self._tokenizer = get_tokenizer(settings.model, actor.model, "right", self._strategy)
        adam = {"lr": settings.learning_rate, "betas": settings.betas, "eps": 1e-8, "weight_decay": 0.0}
        self._actor, self._optimiser, self._scheduler = self._strategy.prepare(
            (actor, {"optim": "adam", "adam": adam, "lr_scheduler": "constant", "lr_warmup_ratio": 0.0,
                     "max_norm": settings.max_grad_norm, "scheduler_steps": settings.steps})
        )  # fmt: skip
        add_learnt(self._actor, settings.model)
        accumulate_in_float32(self._actor.model.optimizer)
        RowActor.adopt(self._actor)
        self._validated = load_samples(Path(flags[HELD_OUT])) if HELD_OUT in flags else []
        self.held_out = self._validated[self.rank :: self.processes]
        self._measure = measure
        self.step = 0
        if (self.out / CHECKPOINTS / "latest").exists():
            _, state = self._strategy.load_ckpt(self._actor.model, str(self.out / CHECKPOINTS))
            self.step = state["step"]
        self.metrics = MetricsLog(self.out, self.step, self.settings) if self._strategy.is_rank_0() else None

    def update(self) -> dict[str, float]:
        self._actor.train()
        metrics = self.compute_gradients()  # and, with the last micro-batch, DeepSpeed's update
        return metrics | {"grad_norm": self._strategy.get_grad_norm(self._actor)}

    def validate(self) -> dict[str, float]:
        return self._measure(self) if self._validated else {}

    @property
    def module(self) -> Any:
        """The model of transformers, adapters in its layers; with ZeRO-2 each process has it whole."""
        module = getattr(self._actor.model, "module", self._actor.model)
        return module.get_base_model() if hasattr(module, "peft_config") else module

    def save(self) -> Path:
        self._strategy.save_ckpt(
            self._actor.model, str(self.out / CHECKPOINTS), f"global_step{self.step}", self.settings.keep_checkpoints,
            client_state={"step": self.step},
        )  # fmt: skip
        return export(self._strategy, self._actor, self._tokenizer, self.settings, self.out, self.step)

    def forward_passes(self, episodes: Sequence[Sequence[Segment]]) -> Iterator[torch.Tensor]:
        padding, device = min(self.writer.prompter.end_ids), self._actor.model.device
        for begin in range(0, len(episodes), self.settings.micro_batch):
            chosen = episodes[begin : begin + self.settings.micro_batch]
            tokens, present, mask, tensors = _batch([self.writer.sequence(each) for each in chosen], device, padding)
            yield self._actor(tokens, mask, present, **tensors)

    def backward(self, loss: torch.Tensor) -> None:
        # DeepSpeed averages over the processes and over the micro-batches of a step.
        scaled = loss * self.processes * self._strategy.accumulated_gradient
        self._strategy.backward(scaled, self._actor, self._optimiser)
        self._strategy.optimizer_step(self._optimiser, self._actor, self._scheduler)

    def total(self, value: float) -> float:
        return float(self._strategy.all_reduce(value, "sum"))


def _batch(
    sequences: Sequence[Sequence1D], device: torch.device, padding: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """B sequences of at most T tokens, padded on the right.

    Returns:
        Tokens (B, T), 1 for those that are not padding (B, T), 1 where the next token is learnt (B, T - 1), and pixels.
    """
    tokens = [torch.tensor(sequence.token_ids) for sequence in sequences]
    masks = [torch.zeros(len(each)) for each in tokens]
    for mask, sequence in zip(masks, sequences, strict=True):
        for begin, end in sequence.action_ranges:
            mask[begin:end] = 1
    present = [torch.ones(len(each), dtype=torch.long) for each in tokens]
    return (
        pad_sequence(tokens, batch_first=True, padding_value=padding).to(device),
        pad_sequence(present, batch_first=True).to(device),
        pad_sequence(masks, batch_first=True)[:, 1:].to(device),
        merge_mm_train_inputs([sequence.tensors for sequence in sequences], device),
    )
