"""A vision-language model that is sampled from and trained, in this process. Importing this loads torch.

It is shown exactly what `hart_agent.backends.transformers` shows: the same prompter writes its prompts, the same
encoder its inputs, and the same generator samples. What is learnt in training is what is used afterwards.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hart_agent.backends.batching import Job
from hart_agent.backends.checkpoint import find_checkpoint
from hart_agent.backends.generation import Generated, Generator
from hart_agent.backends.prompting import Prompt, Prompter
from hart_agent.errors import InstallError
from hart_agent.types import Message, ToolSpec

_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".gguf"}
_WRITTEN_ANEW = {"config.json", "model.safetensors.index.json"}


@dataclass(frozen=True)
class Segment:
    """One reply of the policy, as training sees it. Only its own tokens carry loss: all else is prompt.

    Attributes:
        prompt: what the policy was given: instructions, question, tools' results, and the views.
        token_ids: what it replied, with the token that ended it, shape (T,).
        log_probs: of those tokens under the distribution that they were sampled from, shape (T,).
    """

    prompt: Prompt
    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]


class PolicyModel:
    """The policy in training.

    Args:
        model: a folder, or an id on Hugging Face's hub.
        device: such as "cuda:1"; None for the first accelerator, else the CPU.
        dtype: such as "bfloat16"; None for that on accelerators, and "float32" on the CPU.
        coordinates: "pixel", "thousand" or "unit", instead of what the model's family writes.
        max_pixels: area of one view, in pixels.
        max_tokens: of one reply.
        temperature: of sampling, and of all log-probabilities.
        max_batch: sequences in one pass through the model.

    Attributes:
        name: shown in trajectories.
        profile: how the model sees and points.

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
        coordinates: str | None = None,
        max_pixels: int | None = None,
        max_tokens: int = 512,
        temperature: float = 1.0,
        max_batch: int = 32,
    ) -> None:
        checkpoint = find_checkpoint(model)
        self.checkpoint: Path = checkpoint.path
        self.prompter = Prompter(
            checkpoint,
            coordinates=coordinates,
            max_pixels=max_pixels,
            max_images=None,
            max_tokens=max_tokens,
            max_context_tokens=None,
            temperature=temperature,
            seed=0,
        )
        self._generator = Generator(checkpoint, self.prompter, device, dtype)
        self._max_batch = max_batch
        self._lora: Any = None
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

    def add_lora(self, rank: int, alpha: int) -> None:
        """Train low-rank adapters of all linear layers instead of the model itself, which is then the reference.

        Raises:
            InstallError: the package peft is missing.
        """
        try:
            from peft import LoraConfig, get_peft_model
        except ImportError as error:
            raise InstallError("LoRA needs the package peft. Run: pip install 'hart-agent[train]'") from error
        config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules="all-linear")
        self.module = get_peft_model(self.module, config)
        self._lora = config

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """The parameters that are trained, by name."""
        return {name: parameter for name, parameter in self.module.named_parameters() if parameter.requires_grad}

    @contextmanager
    def as_reference(self) -> Iterator[None]:
        """Within it, the model is what it was before its adapters were trained."""
        with self.module.disable_adapter():
            yield

    def save(self, folder: Path) -> None:
        """Write a checkpoint that opens anywhere: weights with adapters merged in, tokenizer, processor, template."""
        module = self.module
        if self._lora is not None:  # merged in a copy: taking adapters out again would leave rounding behind
            module = copy.deepcopy(module).merge_and_unload()
        module.save_pretrained(folder)
        for path in sorted(self.checkpoint.iterdir()):
            if path.is_file() and path.name not in _WRITTEN_ANEW and path.suffix not in _WEIGHTS:
                shutil.copy(path, folder)

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], seed: int) -> Prompt:
        """The prompt for a conversation, to be answered with the given seed.

        Raises:
            PolicyError: the conversation doesn't fit.
        """
        return replace(self.prompter.prompt(messages, tools), seed=seed)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generated]:
        """A reply to each prompt. What it is depends on the prompts and their order alone, not on any timing.

        Raises:
            PolicyError: the memory doesn't suffice, or the model fails.
        """
        was_training = self.module.training
        self.module.eval()
        replies: list[Generated] = []
        for begin in range(0, len(prompts), self._max_batch):
            replies += self._generator.generate([Job(prompt) for prompt in prompts[begin : begin + self._max_batch]])
        self.module.train(was_training)
        return replies

    def log_probs(self, segments: Sequence[Segment]) -> tuple[torch.Tensor, torch.Tensor]:
        """What the policy now says to the tokens of its replies; differentiable.

        Args:
            segments: B replies, the longest of T tokens.

        Returns:
            The log-probabilities under the distribution that is sampled from, shape (B, T), and the mask, 1 where a
            row has a token of the reply, shape (B, T). Rows are aligned on the right; elsewhere both are 0.
        """
        prompts = [replace(each.prompt, token_ids=each.prompt.token_ids + each.token_ids) for each in segments]
        inputs = self._generator.encoder.encode(prompts, self._generator.dtype)
        inputs = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        lengths = torch.tensor([len(each.token_ids) for each in segments], device=self.device)
        longest = int(lengths.max())
        logits = self.module(**inputs, logits_to_keep=longest + 1, use_cache=False).logits[:, :-1].float()  # (B, T, V)
        logits[..., self.prompter.banned_ids] = -torch.inf
        targets = inputs["input_ids"][:, -longest:, None]  # (B, T, 1)
        log_probs = torch.log_softmax(logits / (self.prompter.temperature or 1.0), dim=-1).gather(-1, targets)[..., 0]
        mask = (torch.arange(longest, device=self.device) >= longest - lengths[:, None]).float()
        return torch.where(mask > 0, log_probs, 0.0), mask

    def micro_batches(self, segments: Sequence[Segment]) -> Iterator[tuple[Sequence[int], Sequence[Segment]]]:
        """The segments in batches of at most `max_batch`, of similar lengths, with their indices; always the same."""
        order = sorted(range(len(segments)), key=lambda index: (_length(segments[index]), index))
        for begin in range(0, len(order), self._max_batch):
            indices = order[begin : begin + self._max_batch]
            yield indices, [segments[index] for index in indices]


def _length(segment: Segment) -> int:
    pixels = sum(view.frame.size.area for view in segment.prompt.views)
    return len(segment.prompt.token_ids) + len(segment.token_ids) + pixels // 500
