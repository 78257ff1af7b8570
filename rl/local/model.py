"""A vision-language model that is sampled from and trained, in this process. Importing this loads torch.

It uses the prompter, the encoder and the sampling of `hart_agent.backends.local.transformers`, so that training and use
see exactly the same inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hart_agent.backends.local.adapters import base_of, terms_of
from hart_agent.backends.local.batching import Job
from hart_agent.backends.local.checkpoint import find_checkpoint
from hart_agent.backends.local.generation import Generated
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.commands import install_command
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.errors import InstallError
from rl.config import Part
from rl.data.rows import Row, Segment, join_replies
from rl.local.recomputing import checkpointed, recompute_layers
from rl.local.shared_prefix import GroupGenerator, SharedPrefix, Tensors, distinct
from rl.local.vision import FeatureEncoder
from rl.local.vllm import VLLMSampler
from rl.training.checkpoints import copy_without_weights
from rl.training.merging import learnt_terms, merged_weights, write_merged
from rl.training.parts import adapted_layers


@dataclass(frozen=True)
class Batch:
    """Model inputs for B rows.

    Attributes:
        prefixes: inputs of the rows' prompts, each different one once.
        prefix_index: index of each row's prefix, shape (B,); None if prefixes are not shared: then `suffixes` holds
            complete rows.
        suffixes: inputs of what follows the prefixes, padded on the left, at most L tokens.
        mask: 1 where a token of `suffixes` was written by the policy, shape (B, L).
        old_log_probs: of those tokens under the policy that wrote them, 0 elsewhere, shape (B, L).
    """

    prefixes: Tensors
    prefix_index: torch.Tensor | None
    suffixes: Tensors
    mask: torch.Tensor
    old_log_probs: torch.Tensor


class PolicyModel:
    """The policy in training.

    Args:
        model: a folder, or an id on Hugging Face's hub.
        device: such as "cuda:1"; None for the first accelerator, else the CPU.
        dtype: such as "bfloat16"; None for that on accelerators, and "float32" on the CPU.
        max_batch: sequences in one pass of an update.
        generation_batch: replies that are generated together; None for as many.
        attention: how it is computed, as transformers names it; None for its choice.
        recompute: whether layers compute their insides again in the backward pass (gradient checkpointing).
        frozen_vision: whether the vision tower is not trained: each image goes through it once, until `forget_images`.
        module: the model of transformers, where it is in memory already; it is taken as it is.
        options: of `ModelOptions`; `max_tokens` defaults to 512, `temperature` to 1; the latter is also that of all
            log-probabilities.

    Attributes:
        name: shown in trajectories.
        profile: how the model sees and points.
        max_batch: sequences in one pass of an update, which may be changed.

    Raises:
        ConfigError: a setting is out of range, or the model can't be loaded.
        InstallError: transformers is missing.
        PolicyError: the model has to be downloaded, and can't be.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        max_batch: int = 32,
        generation_batch: int | None = None,
        attention: str | None = None,
        recompute: bool = False,
        frozen_vision: bool = False,
        module: Any = None,
        **options: Any,
    ) -> None:
        checkpoint = find_checkpoint(model)
        self.checkpoint: Path = checkpoint.path
        self.prompter = Prompter(checkpoint, **{"max_tokens": 512, "temperature": 1.0, **options})
        self._generator = GroupGenerator(checkpoint, self.prompter, device, dtype, attention, module)
        self.max_batch = max_batch
        self._generation_batch = generation_batch or max_batch
        self._recompute = recompute
        if recompute:
            recompute_layers(self.module)
        self._features: FeatureEncoder | None = None
        if frozen_vision:
            self._features = self._generator.encoder = FeatureEncoder(checkpoint, self.prompter, self.module)
        self._base = (base_of(self.checkpoint) if any(terms_of(self.module)) else None) or model
        self._lora: Any = None
        self._sampler: VLLMSampler | None = None
        self._moved = True
        self.name = f"training {model}"
        self.profile = self.prompter.profile

    @property
    def module(self) -> Any:
        """The model of transformers, whose parameters are trained."""
        return self._generator.model

    @module.setter
    def module(self, module: Any) -> None:
        self._generator.model = module

    @property
    def device(self) -> torch.device:
        return self._generator.device

    @property
    def dtype(self) -> torch.dtype:
        return self._generator.dtype

    @contextmanager
    def greedily(self) -> Iterator[None]:
        """A context in which `generate` decodes greedily instead of sampling."""
        before, self.prompter.temperature = self.prompter.temperature, 0.0
        try:
            yield
        finally:
            self.prompter.temperature = before

    def add_lora(self, rank: int, alpha: int, part: Part = "both") -> None:
        """Train low-rank adapters of a part's linear layers instead of the model itself, which is then the reference.

        Raises:
            InstallError: the package peft is missing.
        """
        try:
            from peft import LoraConfig, get_peft_model
        except ImportError as error:
            raise InstallError(f"LoRA needs the package peft. Run: {install_command(extra='train')}") from error
        layers = adapted_layers(self.module, part)
        config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=layers)
        self.module = get_peft_model(self.module, config)
        self._lora = config

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """The parameters that are trained, by name."""
        return {name: parameter for name, parameter in self.module.named_parameters() if parameter.requires_grad}

    @contextmanager
    def as_reference(self) -> Iterator[None]:
        """A context in which the model is the initial one, without its adapters."""
        with self.module.disable_adapter():
            yield

    def save(self, folder: Path) -> None:
        """Write a complete checkpoint: tokenizer, processor, chat template, weights. Adapters are merged into the
        weights, in float32, and stand next to them."""
        write_merged(self._bare, folder, self._base)
        copy_without_weights(self.checkpoint, folder)

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], seed: int) -> Prompt:
        """The prompt for a conversation, to be answered with the given seed.

        Raises:
            PolicyError: the conversation doesn't fit.
        """
        return replace(self.prompter.prompt(messages, tools), seed=seed)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generated]:
        """A reply to each prompt. It depends on the prompts and their order alone, not on timing.

        Raises:
            PolicyError: the memory doesn't suffice, or the model fails.
        """
        if self._sampler is not None:
            if self._moved:
                self._sampler.load(merged_weights(self._bare.state_dict().items(), learnt_terms(self._bare)))
                self._moved = False
            return self._sampler.generate(prompts)
        was_training = self.module.training
        self.module.eval()
        replies: list[Generated] = []
        size = self._generation_batch
        for begin in range(0, len(prompts), size):
            replies += self._generator.generate([Job(prompt) for prompt in prompts[begin : begin + size]])
        self.module.train(was_training)
        return replies

    def sample_with(self, sampler: VLLMSampler) -> None:
        """Let another engine generate, from the weights as they are at each time; see `moved`."""
        self._sampler = sampler

    def moved(self) -> None:
        """Say that the weights have changed."""
        self._moved = True

    def forget_images(self) -> None:
        """Free what was kept of images that a frozen vision tower looked at."""
        if self._features is not None:
            self._features.forget()

    def rows(self, segments: Sequence[Segment]) -> list[Row]:
        """The replies of one episode; those of one conversation share a row."""
        return join_replies(segments, self.prompter.counts)

    def batch(self, rows: Sequence[Row]) -> Batch:
        """Model inputs for B rows; prefixes are shared where that pays."""
        prefixes, index = distinct([row.prompt for row in rows])
        if shared := 4 * len(prefixes) <= 3 * len(rows):
            # A prefix's last token goes to the suffix: its logits give the reply's first token.
            prefixes = [replace(each, token_ids=each.token_ids[:-1]) for each in prefixes]
            last = [replace(row.prompt, token_ids=row.prompt.token_ids[-1:], views=()) for row in rows]
            suffixes = self._inputs([_joined(each, row) for each, row in zip(last, rows, strict=True)])
        else:
            suffixes = self._inputs([_joined(row.prompt, row) for row in rows])
        mask = torch.zeros(suffixes["input_ids"].shape, dtype=self._precision)
        for number, row in enumerate(rows):
            for start, stop in row.spans:
                mask[number, mask.shape[1] - start : mask.shape[1] - stop] = 1
        old_log_probs = torch.zeros_like(mask)
        old_log_probs[mask > 0] = torch.tensor([value for row in rows for value in row.log_probs], dtype=mask.dtype)
        return Batch(
            self._inputs(prefixes) if shared else {},
            torch.tensor(index, device=self.device) if shared else None,
            suffixes,
            mask.to(self.device),
            old_log_probs.to(self.device),
        )

    def log_probs(self, batch: Batch) -> torch.Tensor:
        """The log-probabilities of the replies' tokens under the current policy, with gradient.

        Returns:
            Log-probabilities under the distribution that is sampled from, shape (B, L); 0 where the mask is 0.
        """
        columns = batch.mask.any(dim=0).nonzero()[:, 0]  # (K,)
        if batch.prefix_index is None:
            logits = self._bare(**batch.suffixes, logits_to_keep=columns - 1, use_cache=False).logits  # (B, K, V)
        else:
            logits = SharedPrefix(self._bare, batch.prefixes, batch.prefix_index).extend(batch.suffixes, columns - 1)
        targets = batch.suffixes["input_ids"][:, columns]  # (B, K)
        if self._recompute and torch.is_grad_enabled():  # one row's log-probabilities of all words at a time
            log_probs = torch.stack([checkpointed(self._chosen, *row) for row in zip(logits, targets, strict=True)])
        else:
            log_probs = self._chosen(logits, targets)
        log_probs = torch.where(batch.mask[:, columns] > 0, log_probs, 0.0)
        return torch.zeros_like(batch.mask).index_copy(1, columns, log_probs)

    def _chosen(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The log-probabilities of tokens, (..., K), among those of all words, whose logits are (..., K, V)."""
        logits = logits.to(self._precision, copy=True)
        logits[..., self.prompter.banned_ids] = -torch.inf
        log_probs = torch.log_softmax(logits / (self.prompter.temperature or 1.0), dim=-1)
        return log_probs.gather(-1, targets[..., None])[..., 0]

    def micro_batches(self, rows: Sequence[Row]) -> Iterator[tuple[Sequence[int], Batch]]:
        """The rows in batches of at most `max_batch`, grouped by length, then by prefix, deterministically.

        Yields:
            The indices of a batch's rows, and the batch.
        """
        _, prefix = distinct([row.prompt for row in rows])

        def kind(number: int) -> tuple[int, int]:
            row = rows[number]
            return _length(row.prompt), _length(row.suffix).bit_length()

        order = sorted(range(len(rows)), key=lambda number: (kind(number), prefix[number], number))
        for _, alike in itertools.groupby(order, key=lambda number: kind(number)[1]):
            numbers = list(alike)
            for begin in range(0, len(numbers), self.max_batch):
                indices = numbers[begin : begin + self.max_batch]
                yield indices, self.batch([rows[index] for index in indices])

    @property
    def _precision(self) -> torch.dtype:
        """Of log-probabilities."""
        return torch.promote_types(self.dtype, torch.float32)

    @property
    def _bare(self) -> Any:
        """The model of transformers; adapters, if any, are in its layers."""
        return self.module if self._lora is None else self.module.get_base_model()

    def _inputs(self, prompts: Sequence[Prompt]) -> Tensors:
        inputs = self._generator.encoder.encode(prompts, self._generator.dtype)
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}


def _joined(prompt: Prompt, row: Row) -> Prompt:
    """A prompt followed by a row's suffix."""
    return replace(prompt, token_ids=prompt.token_ids + row.suffix.token_ids, views=prompt.views + row.suffix.views)


def _length(prompt: Prompt) -> int:
    return len(prompt.token_ids) + sum(view.frame.size.area for view in prompt.views) // 500
