"""Stage 2 on OpenRLHF's stack: image SFT with its Actor, SFTLoss and DeepSpeed strategy; its own SFT is text-only.

`rl.train_sft --engine openrlhf` starts it as torchrun -m rl.openrlhf.sft RUN FLAGS, one process for each GPU.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from openrlhf.models import Actor, SFTLoss
from openrlhf.utils import get_strategy, get_tokenizer
from openrlhf.utils.loss_utils import iter_grad_accum_global_norm
from openrlhf.utils.vlm_utils import merge_mm_train_inputs
from torch.nn.utils.rnn import pad_sequence

from hart_agent.cli.console.failure import reported_errors
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from rl.data import load_samples, stage_part
from rl.demonstrations import Demonstration, gold_answers, segments_of
from rl.monitor import MetricsLog
from rl.openrlhf.actor import RowActor
from rl.openrlhf.command import CHECKPOINTS, DTYPES, parse_flags
from rl.openrlhf.export import export
from rl.openrlhf.launch import SFT_FLAGS
from rl.openrlhf.sequences import Sequence1D, Sequencer
from rl.openrlhf.versions import check_versions
from rl.run import SETTINGS, draw
from rl.settings import SftSettings


@dataclass(frozen=True)
class _Batch:
    """B sequences, padded on the right: tokens (B, T), which are there (B, T), which are learnt (B, T - 1), pixels."""

    tokens: torch.Tensor
    present: torch.Tensor
    mask: torch.Tensor
    tensors: dict[str, torch.Tensor]


class ImageSft:
    """One process of a run.

    Args:
        out: the run's folder, with its settings and where its questions are.
        flags: of `SFT_FLAGS`.

    Raises:
        ConfigError: the model or the questions can't be used.
    """

    def __init__(self, out: Path, flags: Mapping[str, Any]) -> None:
        told = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
        self._out = out
        samples = load_samples(Path(told.pop("data")))
        del told["engine"], told["questions"]
        self.settings = settings = SftSettings(**{**told, "betas": tuple(told["betas"])})
        self._demonstrations = gold_answers(stage_part(samples, settings.rl_share, supervised=True))
        self._sequencer = Sequencer(settings)
        self._runtime = ToolRuntime(discover_tools())
        ds = Namespace(
            zero_stage=int(flags["ds.zero_stage"]), adam_offload=bool(flags["ds.adam_offload"]),
            param_dtype=DTYPES[settings.dtype or "bfloat16"], tensor_parallel_size=1, ring_attn_size=1,
        )  # fmt: skip
        train = Namespace(
            seed=settings.seed, micro_batch_size=settings.micro_batch, batch_size=settings.prompts_per_step
        )
        self._strategy = get_strategy(Namespace(train=train, ds=ds, local_rank=int(os.environ.get("LOCAL_RANK", "-1"))))
        self._strategy.setup_distributed()
        actor = Actor(
            settings.model,
            attn_implementation=flags["ds.attn_implementation"],
            param_dtype=ds.param_dtype,
            ds_config=self._strategy.get_ds_train_config(),
            freeze_visual_encoder=bool(flags["actor.freeze_visual_encoder"]),
        )
        if flags["actor.gradient_checkpointing_enable"]:
            actor.gradient_checkpointing_enable()
        self._tokenizer = get_tokenizer(settings.model, actor.model, "right", self._strategy)
        adam = {"lr": settings.learning_rate, "betas": settings.betas, "eps": 1e-8, "weight_decay": 0.0}
        self._actor, self._optimiser, self._scheduler = self._strategy.prepare(
            (actor, {"optim": "adam", "adam": adam, "lr_scheduler": "constant", "lr_warmup_ratio": 0.0,
                     "max_norm": settings.max_grad_norm, "scheduler_steps": settings.steps})
        )  # fmt: skip
        RowActor.adopt(self._actor)
        self._loss = SFTLoss()
        self.step = 0
        if (out / CHECKPOINTS / "latest").exists():
            _, state = self._strategy.load_ckpt(self._actor.model, str(out / CHECKPOINTS))
            self.step = state["step"]

    def train(self) -> None:
        """Run to the last step, with checkpoints."""
        settings, strategy = self.settings, self._strategy
        log = MetricsLog(self._out, self.step) if strategy.is_rank_0() else None
        while self.step < settings.steps:
            shown = draw(self._demonstrations, settings.prompts_per_step, self.step, settings.seed)
            metrics = self._update(shown[torch.distributed.get_rank() :: strategy.world_size])
            if log is not None:
                log.write(self.step, metrics)
                print(f"step {self.step}: loss {metrics['loss']:.4g}", file=sys.stderr, flush=True)
            self.step += 1
            if self.step % settings.checkpoint_every == 0 or self.step == settings.steps:
                strategy.save_ckpt(
                    self._actor.model, str(self._out / CHECKPOINTS), f"global_step{self.step}",
                    settings.keep_checkpoints, client_state={"step": self.step},
                )  # fmt: skip
                export(strategy, self._actor, self._tokenizer, settings, self._out, self.step)

    def _update(self, shown: Sequence[Demonstration]) -> dict[str, float]:
        """One update: the negative log-likelihood of the replies, the mean over the tokens of all processes."""
        strategy = self._strategy
        self._actor.train()
        losses = []
        for batch, info in iter_grad_accum_global_norm(
            self._batches(shown), strategy, strategy.accumulated_gradient, lambda each: each.mask
        ):
            log_probs = self._actor(batch.tokens, batch.mask, batch.present, **batch.tensors)
            loss = self._loss(log_probs, batch.mask, **info)
            strategy.backward(loss, self._actor, self._optimiser)
            strategy.optimizer_step(self._optimiser, self._actor, self._scheduler)
            losses.append(float(loss.detach()))
        mean = strategy.all_reduce({"loss": sum(losses) / len(losses)})
        return {"loss": mean["loss"], "grad_norm": strategy.get_grad_norm(self._actor)}

    def _batches(self, shown: Sequence[Demonstration]) -> Iterator[_Batch]:
        size = self.settings.micro_batch
        for begin in range(0, len(shown), size):
            sequences = [
                self._sequencer.sequence(asyncio.run(segments_of(self._sequencer, each, self._runtime)))
                for each in shown[begin : begin + size]
            ]
            yield _batch(sequences, self._actor.model.device, min(self._sequencer.prompter.end_ids))


def _batch(sequences: Sequence[Sequence1D], device: torch.device, padding: int) -> _Batch:
    tokens = [torch.tensor(sequence.token_ids) for sequence in sequences]
    masks = [torch.zeros(len(each)) for each in tokens]
    for mask, sequence in zip(masks, sequences, strict=True):
        for begin, end in sequence.action_ranges:
            mask[begin:end] = 1
    present = [torch.ones(len(each), dtype=torch.long) for each in tokens]
    return _Batch(
        pad_sequence(tokens, batch_first=True, padding_value=padding).to(device),
        pad_sequence(present, batch_first=True).to(device),
        pad_sequence(masks, batch_first=True)[:, 1:].to(device),  # whether the next token is learnt
        merge_mm_train_inputs([sequence.tensors for sequence in sequences], device),
    )


def main() -> None:
    out, *rest = sys.argv[1:]
    with reported_errors():
        check_versions()
        ImageSft(Path(out), {**SFT_FLAGS, **parse_flags(rest)}).train()


if __name__ == "__main__":
    main()
